// Contract: clients, their tags, and who is blocked.

import BGBModel
import SiteDatabase
import Testing

@Suite("Contract: clients") struct ClientContractTests {
  @Test(arguments: Backend.allCases) func siteRow(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    #expect(try site.store.site() == site.site)
  }

  @Test(arguments: Backend.allCases) func addedClientsAreFound(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    let added = try site.store.addClient(
      clientID(1), name: "pc-1", tags: ["lab", "lab", "berlin"], by: "ann", at: time(3))
    #expect(added.tags == ["lab", "berlin"])
    #expect(added.createdAt == time(3) && added.presence == nil && !added.isBlocked)
    #expect(try site.store.client(clientID(1)) == added)
    #expect(try site.store.client(named: "pc-1") == added)
    #expect(try site.store.client(named: "PC-1") == nil)
    #expect(try site.store.client(clientID(2)) == nil)
    try site.store.setTags([], of: clientID(1), by: "ann", at: time(4))
    #expect(try site.store.client(clientID(1))?.tags == [])
    #expect(throws: StoreError.notFound("client \(clientID(2))")) {
      try site.store.setTags([], of: clientID(2), by: "ann", at: time(4))
    }
  }

  @Test(arguments: Backend.allCases) func namesAndIdentitiesAreTakenOnce(_ backend: Backend) throws
  {
    let site = try StoreUnderTest(backend)
    let first = try site.store.addClient(
      clientID(1), name: "pc-1", tags: [], by: "ann", at: time(0))
    #expect(throws: StoreError.conflict("there is a client named 'pc-1' already")) {
      try site.store.addClient(clientID(2), name: "pc-1", tags: [], by: "ann", at: time(0))
    }
    #expect(throws: StoreError.conflict("there is a client \(clientID(1)) already")) {
      try site.store.addClient(clientID(1), name: "pc-2", tags: [], by: "ann", at: time(0))
    }
    let second = try site.store.addClient(
      clientID(2), name: "pc-2", tags: [], by: "ann", at: time(0))
    #expect(first.resourceID < second.resourceID)
    // Names are bytes: two spellings of the same letter are two names.
    _ = try site.store.addClient(clientID(3), name: "caf\u{E9}", tags: [], by: "ann", at: time(0))
    _ = try site.store.addClient(clientID(4), name: "cafe\u{301}", tags: [], by: "ann", at: time(0))
    #expect(try site.store.client(named: "cafe\u{301}")?.clientID == clientID(4))
  }

  @Test(arguments: Backend.allCases) func severalAreAddedOrNone(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    func new(_ numbers: [Int]) -> [NewClient] {
      numbers.map { NewClient(clientID: clientID($0), name: "pc-\($0)", tags: ["t"]) }
    }
    let added = try site.store.addClients(new([3, 1, 2]), by: "ann", at: time(1))
    #expect(added.map(\.name) == ["pc-3", "pc-1", "pc-2"])
    #expect(try site.store.clients(after: nil, limit: 9, onlyOnline: false) == added)
    #expect(throws: StoreError.conflict("there is a client named 'pc-2' already")) {
      try site.store.addClients(new([4, 5, 2, 6]), by: "ann", at: time(2))
    }
    #expect(throws: StoreError.self) {
      try site.store.addClients(new([7, 8, 7]), by: "ann", at: time(2))
    }
    #expect(try site.store.clients(after: nil, limit: 9, onlyOnline: false) == added)
    #expect(try site.store.auditRecords(before: nil, limit: 9).count == 3)
    #expect(try site.store.addClients([], by: "ann", at: time(3)).isEmpty)
  }

  @Test(arguments: Backend.allCases) func badNamesAndTagsAreRefused(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    let long = String(repeating: "x", count: 256)
    for name in ["", " x", "x ", "a\nb", "a\0b", "\u{1B}[31m", long, clientID(9).description] {
      #expect(throws: StoreError.self, "\(name.debugDescription)") {
        try site.store.addClient(clientID(1), name: name, tags: [], by: "ann", at: time(0))
      }
    }
    for tag in ["", "a,b", "a b", "a\"b", "a\tb", String(repeating: "x", count: 65)] {
      #expect(throws: StoreError.self, "\(tag.debugDescription)") {
        try site.store.addClient(clientID(1), name: "pc", tags: [tag], by: "ann", at: time(0))
      }
    }
    #expect(try site.store.clients(after: nil, limit: 9, onlyOnline: false).isEmpty)
  }

  @Test(arguments: Backend.allCases) func pagesOfClients(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    let all = try site.addClients(7)
    let server = try site.addServer()
    let first = try site.store.clients(after: nil, limit: 3, onlyOnline: false)
    #expect(first == Array(all[..<3]))
    let rest = try site.store.clients(after: first.last?.resourceID, limit: 9, onlyOnline: false)
    #expect(rest == Array(all[3...]))
    #expect(try site.store.clients(after: nil, limit: 0, onlyOnline: false).isEmpty)
    #expect(try site.store.clients(after: nil, limit: -1, onlyOnline: false).isEmpty)
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full), [site.presence(2), site.presence(6)],
      at: time(10))
    let online = try site.store.clients(after: nil, limit: 9, onlyOnline: true)
    #expect(online.map(\.clientID) == [clientID(2), clientID(6)])
    #expect(
      try site.store.clients(after: online.first?.resourceID, limit: 9, onlyOnline: true).count == 1
    )
  }

  @Test(arguments: Backend.allCases) func blockingTellsServersOnce(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let server = try site.addServer()
    func messages() throws -> [BrokerMessage.Content] {
      try site.store.messages(
        for: server.serverID, after: server.cursor, limit: 99, waitMilliseconds: 0
      ).map(\.content)
    }
    try site.store.setBlocked(true, clientID(2), by: "ann", at: time(1))
    try site.store.setBlocked(true, clientID(2), by: "ann", at: time(2))
    #expect(try site.store.denyList() == [clientID(2)])
    #expect(try messages() == [.denyListChanged])
    try site.store.setBlocked(true, clientID(1), by: "ann", at: time(3))
    #expect(try site.store.denyList() == [clientID(1), clientID(2)])
    try site.store.setBlocked(false, clientID(2), by: "ann", at: time(4))
    #expect(try site.store.denyList() == [clientID(1)])
    #expect(try messages().count == 3)
    let audit = try site.store.auditRecords(before: nil, limit: 3)
    #expect(audit.map(\.action) == ["client.unblock", "client.block", "client.block"])
    #expect(audit.allSatisfy { $0.actor == "ann" })
    #expect(throws: StoreError.notFound("client \(clientID(8))")) {
      try site.store.setBlocked(true, clientID(8), by: "ann", at: time(1))
    }
  }
}
