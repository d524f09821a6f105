// Contract: collections and what belongs to them, policies and who follows them.

import BGBModel
import SiteDatabase
import Testing

@Suite("Contract: collections and policies") struct CollectionContractTests {
  private func names(_ site: StoreUnderTest, _ collection: String) throws -> [String] {
    try site.store.members(ofCollection: collection).map { target in
      try site.store.client(target.clientID)?.name ?? "?"
    }
  }

  @Test(arguments: Backend.allCases) func allSystemsIsBuiltIn(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    let all = CollectionRecord.allSystems
    #expect(try site.store.members(ofCollection: all).isEmpty)
    try site.addClients(3)
    #expect(try names(site, all) == ["pc-1", "pc-2", "pc-3"])
    #expect(throws: StoreError.self) {
      try site.store.setRules([], of: all, by: "ann", at: time(0))
    }
    #expect(throws: StoreError.self) {
      try site.store.removeCollection(named: all, by: "ann", at: time(0))
    }
    #expect(throws: StoreError.self) {
      try site.store.addCollection(named: all, rules: [], by: "ann", at: time(0))
    }
    let collections = try site.store.collections()
    #expect(collections.map(\.name) == [all] && collections[0].rules == [.everybody])
  }

  @Test(arguments: Backend.allCases) func rulesDecideMembership(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(5)
    try site.store.setTags(["lab"], of: clientID(4), by: "ann", at: time(0))
    let rules: [MembershipRule] = [
      .query("tag == lab"), .direct(clientID(2)), .query("name == pc-2 || name == pc-5"),
    ]
    let made = try site.store.addCollection(named: "B", rules: rules, by: "ann", at: time(0))
    _ = try site.store.addCollection(
      named: "A", rules: [.direct(clientID(3)), .direct(clientID(77))], by: "ann", at: time(0))
    _ = try site.store.addCollection(named: "empty", rules: [], by: "ann", at: time(0))
    #expect(try site.store.collections().map(\.name) == ["A", "All Systems", "B", "empty"])
    #expect(try site.store.collections()[2] == made)
    #expect(try names(site, "B") == ["pc-2", "pc-4", "pc-5"])
    #expect(try names(site, "A") == ["pc-3"])
    #expect(try names(site, "empty") == [])
    try site.store.setRules([.everybody, .direct(clientID(1))], of: "A", by: "ann", at: time(1))
    #expect(try names(site, "A").count == 5)
    try site.store.removeCollection(named: "B", by: "ann", at: time(2))
    #expect(throws: StoreError.notFound("collection 'B'")) {
      try site.store.members(ofCollection: "B")
    }
    #expect(throws: StoreError.conflict("there is a collection named 'A' already")) {
      try site.store.addCollection(named: "A", rules: [], by: "ann", at: time(3))
    }
  }

  @Test(arguments: Backend.allCases) func longListsAreCollectionsToo(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(6)
    let rules = (0...2_000).map { MembershipRule.direct(clientID(2 * $0)) }
    let made = try site.store.addCollection(named: "even", rules: rules, by: "ann", at: time(0))
    #expect(try names(site, "even") == ["pc-2", "pc-4", "pc-6"])
    #expect(try site.store.collections().last == made)
    _ = try site.store.putPolicy(
      named: "p", collection: "even", document: "{}", by: "ann", at: time(0))
    #expect(try site.store.effectivePolicy(of: clientID(4)).documents.count == 1)
    #expect(try site.store.effectivePolicy(of: clientID(3)).documents.isEmpty)
    #expect(throws: StoreError.self) {
      let many = Array(repeating: MembershipRule.everybody, count: 100_001)
      _ = try site.store.addCollection(named: "many", rules: many, by: "ann", at: time(0))
    }
  }

  @Test(arguments: Backend.allCases) func queriesAreChecked(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    #expect(throws: StoreError.self) {
      try site.store.addCollection(
        named: "X", rules: [.query("hostname ==")], by: "ann", at: time(0))
    }
    #expect(try site.store.collections().count == 1)
    _ = try site.store.addCollection(named: "X", rules: [], by: "ann", at: time(0))
    #expect(throws: StoreError.self) {
      try site.store.setRules([.query("(")], of: "X", by: "ann", at: time(0))
    }
    #expect(throws: StoreError.notFound("collection 'Y'")) {
      try site.store.setRules([], of: "Y", by: "ann", at: time(0))
    }
  }

  @Test(arguments: Backend.allCases) func queriesSeeReportedFacts(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let server = try site.addServer()
    _ = try site.store.addCollection(
      named: "Debian", rules: [.query("os =~ \"debian*\"")], by: "ann", at: time(0))
    _ = try site.store.addCollection(
      named: "Others", rules: [.query("!(os =~ \"debian*\")")], by: "ann", at: time(0))
    #expect(try names(site, "Debian") == [])
    #expect(try names(site, "Others") == [], "who never told its system is in neither")
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full),
      [
        site.presence(1),
        site.presence(2, facts: ClientFacts(hostname: "h", operatingSystem: "Fedora 41")),
      ], at: time(1))
    #expect(try names(site, "Debian") == ["pc-1"])
    #expect(try names(site, "Others") == ["pc-2"])
  }

  @Test(arguments: Backend.allCases) func onlineAmongTargets(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(5)
    let server = try site.addServer()
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full),
      [site.presence(1), site.presence(2), site.presence(3, online: false)], at: time(1))
    try site.store.setBlocked(true, clientID(2), by: "ann", at: time(2))
    let all = try site.store.onlineCount(among: .collection(CollectionRecord.allSystems))
    #expect(all.online == 1 && all.targets == 4)
    let two = try site.store.onlineCount(among: .clients([clientID(1), clientID(3), clientID(1)]))
    #expect(two.online == 1 && two.targets == 2)
    #expect(throws: StoreError.notFound("client \(clientID(9))")) {
      _ = try site.store.onlineCount(among: .clients([clientID(9)]))
    }
  }

  @Test(arguments: Backend.allCases) func policiesFollowMembership(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(2, tags: ["lab"])
    let server = try site.addServer()
    _ = try site.store.addCollection(
      named: "one", rules: [.direct(clientID(1)), .query("tag == x")], by: "ann", at: time(0))
    let none = try site.store.effectivePolicy(of: clientID(1))
    #expect(none.documents.isEmpty)
    let first = try site.store.putPolicy(
      named: "b", collection: "one", document: "{\"a\":1}", by: "ann", at: time(1))
    #expect(first.version == 1)
    _ = try site.store.putPolicy(
      named: "a", collection: CollectionRecord.allSystems, document: "{}", by: "ann", at: time(1))
    let both = try site.store.effectivePolicy(of: clientID(1))
    #expect(both.documents.map(\.name) == ["a", "b"])
    let other = try site.store.effectivePolicy(of: clientID(2))
    #expect(other.documents.map(\.name) == ["a"])
    #expect(Set([none.entityTag, both.entityTag, other.entityTag]).count == 3)
    #expect(try site.store.effectivePolicy(of: clientID(1)) == both, "the tag is stable")
    try site.store.setTags(["x"], of: clientID(2), by: "ann", at: time(2))
    #expect(try site.store.effectivePolicy(of: clientID(2)) == both)
    let messages = try site.store.messages(
      for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 0)
    #expect(messages.map(\.content) == [.policyChanged, .policyChanged])
  }

  @Test(arguments: Backend.allCases) func policyTagsNeverRepeat(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let all = CollectionRecord.allSystems
    var tags: Set<String> = [try site.store.effectivePolicy(of: clientID(1)).entityTag]
    for document in ["1", "2"] {
      _ = try site.store.putPolicy(
        named: "p", collection: all, document: document, by: "ann", at: time(1))
      #expect(tags.insert(try site.store.effectivePolicy(of: clientID(1)).entityTag).inserted)
    }
    try site.store.removePolicy(named: "p", by: "ann", at: time(2))
    #expect(try site.store.policies().isEmpty)
    #expect(throws: StoreError.notFound("policy 'p'")) {
      try site.store.removePolicy(named: "p", by: "ann", at: time(2))
    }
    let again = try site.store.putPolicy(
      named: "p", collection: all, document: "other", by: "ann", at: time(3))
    #expect(again.version == 3, "the version goes on, or the tag would say the same of other words")
    #expect(tags.insert(try site.store.effectivePolicy(of: clientID(1)).entityTag).inserted)
  }

  @Test(arguments: Backend.allCases) func assignedCollectionsStay(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    _ = try site.store.addCollection(named: "c", rules: [], by: "ann", at: time(0))
    #expect(throws: StoreError.notFound("collection 'd'")) {
      try site.store.putPolicy(named: "p", collection: "d", document: "", by: "ann", at: time(0))
    }
    _ = try site.store.putPolicy(named: "p", collection: "c", document: "", by: "ann", at: time(0))
    #expect(throws: StoreError.self) {
      try site.store.removeCollection(named: "c", by: "ann", at: time(0))
    }
    try site.store.removePolicy(named: "p", by: "ann", at: time(0))
    try site.store.removeCollection(named: "c", by: "ann", at: time(0))
    #expect(throws: StoreError.notFound("client \(clientID(1))")) {
      try site.store.effectivePolicy(of: clientID(1))
    }
  }

  @Test(arguments: Backend.allCases) func tasksThatTravelByPolicy(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let server = try site.addServer()
    let two = OperationRequest.Target.clients([clientID(1), clientID(2)])
    try site.start(site.request(.quickScan, on: two))
    let definition = try site.start(site.request(.downloadDefinition, on: two))
    let withdrawn = try site.start(site.request(.downloadDefinition, on: two))
    _ = try site.store.cancelOperation(withdrawn.operationID, by: "ann", at: time(1))
    func tasks(_ client: Int, at: WallTime) throws -> [TaskID] {
      try site.store.policyTasks(of: clientID(client), at: at).map(\.taskID)
    }
    #expect(try tasks(1, at: time(2)) == [definition.taskID])
    #expect(try tasks(3, at: time(2)) == [])
    try site.report(server, [site.outcome(1, definition.taskID, .pushed)])
    #expect(try tasks(1, at: time(2)) == [definition.taskID])
    try site.report(server, [site.outcome(1, definition.taskID, .delivered)])
    #expect(try tasks(1, at: time(2)) == [])
    #expect(try tasks(2, at: time(3599.999)) == [definition.taskID])
    #expect(try tasks(2, at: time(3600)) == [], "valid strictly before the deadline")
  }
}
