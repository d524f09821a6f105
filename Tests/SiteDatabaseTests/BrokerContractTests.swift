// Contract: the broker queue and its waiting, status messages and audit.

import BGBModel
import Dispatch
import SiteDatabase
import Testing

@Suite("Contract: broker and journals") struct BrokerContractTests {
  @Test(arguments: Backend.allCases) func serversAreKnownByName(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    let key = Array(repeating: UInt8(5), count: 32)
    let added = try site.store.addServer(named: "mp-1", reportKey: key, by: "ann", at: time(0))
    #expect(added.epoch == 0 && added.reportKey == key && added.lastReport == nil)
    #expect(throws: StoreError.conflict("there is a server named 'mp-1' already")) {
      try site.store.addServer(named: "mp-1", reportKey: key, by: "ann", at: time(0))
    }
    #expect(throws: StoreError.self) {
      try site.store.addServer(named: "mp-2", reportKey: [1], by: "ann", at: time(0))
    }
    #expect(throws: StoreError.notFound("server 'mp-2'")) {
      try site.store.registerServer(named: "mp-2", at: time(0))
    }
    #expect(try site.store.registerServer(named: "mp-1", at: time(1)).epoch == 1)
    #expect(try site.store.registerServer(named: "mp-1", at: time(2)).epoch == 2)
    #expect(try site.store.servers().map(\.lastReport) == [time(2)])
  }

  @Test(arguments: Backend.allCases) func messagesComeInOrder(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let one = try site.addServer("mp-1")
    let two = try site.addServer("mp-2")
    let first = try site.start(site.request())
    try site.store.requestFullReport(from: two.serverID)
    let second = try site.start(site.request())
    func messages(_ server: ServerRecord, after cursor: Int64 = 0, limit: Int = 99) throws
      -> [BrokerMessage]
    {
      try site.store.messages(
        for: server.serverID, after: cursor, limit: limit, waitMilliseconds: 0)
    }
    #expect(try messages(one).map(\.content) == [.push(first.taskID), .push(second.taskID)])
    let all = try messages(two)
    #expect(
      all.map(\.content) == [.push(first.taskID), .fullReportWanted, .push(second.taskID)])
    #expect(all.map(\.messageID) == all.map(\.messageID).sorted())
    #expect(try messages(two, limit: 1) == Array(all[..<1]))
    #expect(try messages(two, after: all[0].messageID) == Array(all[1...]))
    let late = try site.addServer("mp-3")
    #expect(try messages(late, after: late.cursor).isEmpty, "its cursor stands at the end")
    #expect(throws: StoreError.notFound("server 99")) {
      try site.store.messages(for: ServerID(99), after: 0, limit: 1, waitMilliseconds: 0)
    }
  }

  @Test(arguments: Backend.allCases) func drainsAreAskedForAndTold(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    let one = try site.addServer("mp-1")
    let two = try site.addServer("mp-2")
    func row(_ server: ServerRecord) throws -> ServerRecord? {
      try site.store.servers().first { $0.serverID == server.serverID }
    }
    func messages(_ server: ServerRecord) throws -> [BrokerMessage.Content] {
      try site.store.messages(for: server.serverID, after: 0, limit: 9, waitMilliseconds: 0)
        .map(\.content)
    }
    #expect(try row(one)?.drain == ServerDrain())
    let order = DrainOrder(withinSeconds: 90, ratePerSecond: 7, stops: true)
    try site.store.drainServer(one.serverID, order, by: "ann", at: time(1))
    #expect(try row(one)?.drain.state == .asked)
    #expect(try row(two)?.drain.state == .serving)
    #expect(try messages(one) == [.drain(order)])
    #expect(try messages(two).isEmpty)
    let told = ServerDrain(.draining, total: 100, left: 40)
    try site.store.noteDrain(told, of: one.serverID)
    #expect(try row(one)?.drain == told)
    try site.store.undrainServer(one.serverID, by: "ann", at: time(2))
    #expect(try messages(one) == [.drain(order), .undrain])
    #expect(try row(one)?.drain == told, "only the server says that it serves")
    let audit = try site.store.auditRecords(before: nil, limit: 2)
    #expect(audit.map(\.action) == ["server.undrain", "server.drain"])
    #expect(audit.map(\.detail) == ["mp-1", "mp-1 90 7 1"])
    #expect(throws: StoreError.notFound("server 99")) {
      try site.store.drainServer(ServerID(99), order, by: "ann", at: time(3))
    }
    #expect(throws: StoreError.notFound("server 99")) {
      try site.store.noteDrain(told, of: ServerID(99))
    }
    #expect(try site.store.registerServer(named: "mp-1", at: time(4)).drain == ServerDrain())
    #expect(try row(one)?.drain == ServerDrain(), "a start ends every drain")
    let malformed = ["", "1 2", "1 2 3", "x 0 1", "-1 0 0"].map { DrainOrder(text: $0) }
    #expect(malformed.allSatisfy { $0 == nil })
  }

  @Test(arguments: Backend.allCases) func passedMessagesAreForgotten(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let one = try site.addServer("mp-1")
    let two = try site.addServer("mp-2")
    for _ in 0..<3 { try site.start(site.request()) }
    func messages(_ server: ServerRecord) throws -> [Int64] {
      try site.store.messages(for: server.serverID, after: 0, limit: 99, waitMilliseconds: 0)
        .map(\.messageID)
    }
    let ids = try messages(one)
    try site.store.advanceCursor(of: one.serverID, to: ids[1])
    #expect(try messages(two) == ids, "the slowest server keeps them")
    try site.store.advanceCursor(of: two.serverID, to: ids[0])
    #expect(try messages(two) == Array(ids[1...]))
    try site.store.advanceCursor(of: one.serverID, to: ids[0])
    #expect(try site.store.servers().map(\.cursor) == [ids[1], ids[0]], "cursors never go back")
    try site.store.advanceCursor(of: one.serverID, to: .max)
    try site.store.advanceCursor(of: two.serverID, to: .max)
    #expect(try messages(two).isEmpty)
    #expect(try site.store.servers().map(\.cursor) == [ids[2], ids[2]])
    try site.start(site.request())
    #expect(try messages(one).first.map { $0 > ids[2] } == true, "numbers are never used again")
    #expect(throws: StoreError.notFound("server 99")) {
      try site.store.advanceCursor(of: ServerID(99), to: 1)
    }
  }

  @Test(.timeLimit(.minutes(1)), arguments: Backend.allCases)
  func aWaitEndsWithTheCommit(_ backend: Backend) async throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let server = try site.addServer()
    let store = site.store
    async let waiting = waited { () throws(StoreError) in
      try store.messages(
        for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 3_600_000)
    }
    let operation = try site.start(site.request())
    #expect(try await waiting.map(\.content) == [.push(operation.taskID)])
  }

  @Test(.timeLimit(.minutes(1)), arguments: Backend.allCases)
  func aWaitCanBeInterrupted(_ backend: Backend) async throws {
    let site = try StoreUnderTest(backend)
    let server = try site.addServer()
    let store = site.store
    async let waiting = waited { () throws(StoreError) in
      try store.messages(
        for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 3_600_000)
    }
    store.interruptWait(of: server.serverID)
    #expect(try await waiting.isEmpty)
    // Also before the wait begins, which a stopping program cannot rule out.
    store.interruptWait(of: server.serverID)
    let none = try store.messages(
      for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 3_600_000)
    #expect(none.isEmpty)
    store.interruptWait(of: ServerID(77))
  }

  @Test(arguments: Backend.allCases) func aWaitEndsWithItsTime(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    let server = try site.addServer()
    let none = try site.store.messages(
      for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 20)
    #expect(none.isEmpty)
  }

  @Test(arguments: Backend.allCases) func statusMessagesNewestFirst(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    for number in 1...5 {
      try site.store.addStatusMessage(
        StatusMessage(
          at: time(Double(number)), component: "SMS_NOTIFICATION_SERVER", machine: "mp-1",
          messageID: UInt32(9800 + number), severity: .warning, text: "text \0 \(number)"))
    }
    let newest = try site.store.statusMessages(before: nil, limit: 2)
    #expect(newest.map(\.messageID) == [9805, 9804])
    #expect(newest[0].text == "text  5" && newest[0].severity == .warning)
    let older = try site.store.statusMessages(before: newest.last?.recordID, limit: 99)
    #expect(older.map(\.messageID) == [9803, 9802, 9801])
    #expect(older.last?.at == time(1))
  }

  @Test(arguments: Backend.allCases) func auditNewestFirst(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let newest = try site.store.auditRecords(before: nil, limit: 2)
    #expect(newest.map(\.detail) == ["pc-3 \(clientID(3))", "pc-2 \(clientID(2))"])
    let older = try site.store.auditRecords(before: newest.last?.recordID, limit: 99)
    #expect(older.map(\.action) == ["client.add"])
    #expect(older[0].actor == "test" && older[0].at == time(0))
  }
}

/// Runs a blocking call on a thread of its own: it must not take one of the few that tests share.
func waited<Value: Sendable>(
  _ body: @escaping @Sendable () throws(StoreError) -> Value
) async throws -> Value {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "waiter").async {
      do throws(StoreError) {
        continuation.resume(returning: try body())
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }
}
