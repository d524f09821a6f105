// Contract: reports are imported once and in order; forged, foreign and repeated ones change
// nothing.

import BGBModel
import SiteDatabase
import Testing

@Suite("Contract: reports") struct ReportContractTests {
  @Test(arguments: Backend.allCases) func presenceComesInOrder(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let server = try site.addServer()
    let early = site.header(.presence, server)
    #expect(
      try site.store.importPresence(early, [site.presence(1)], at: time(9)) == .gap(expected: 1))
    #expect(try site.isOnline(1) == nil, "a delta without a full report before it changes nothing")
    let full = site.header(.presence, server, scope: .full)
    #expect(
      try site.store.importPresence(full, [site.presence(1), site.presence(2)], at: time(10))
        == .imported(records: 2, operations: []))
    #expect(try site.store.importPresence(full, [site.presence(3)], at: time(11)) == .duplicate)
    #expect(try site.store.importPresence(early, [site.presence(3)], at: time(11)) == .stale)
    #expect(try site.isOnline(3) == nil)
    let delta = site.header(.presence, server)
    #expect(
      try site.store.importPresence(
        delta, [site.presence(2, online: false, since: 12), site.presence(77)], at: time(13))
        == .imported(records: 1, operations: []))
    #expect(try site.isOnline(1) == true && site.isOnline(2) == false)
    let presence = try site.store.client(clientID(2))?.presence
    #expect(presence?.lastOnline == time(1) && presence?.lastOffline == time(12))
    #expect(presence?.reason == .goodbye && presence?.serverID == server.serverID)
    let record = try site.store.servers()[0]
    #expect(record.onlineCount == 1 && record.lastReport == time(13))
  }

  @Test(arguments: Backend.allCases) func aGapAsksOnceForAFullReport(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(2)
    let server = try site.addServer()
    let other = try site.addServer("mp-2")
    func questions(_ server: ServerRecord) throws -> Int {
      try site.store.messages(
        for: server.serverID, after: server.cursor, limit: 9, waitMilliseconds: 0
      ).count { $0.content == .fullReportWanted }
    }
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full), [site.presence(1)], at: time(10))
    _ = site.header(.presence, server)
    let afterGap = site.header(.presence, server)
    let records = [site.presence(1, online: false, since: 11), site.presence(2)]
    #expect(try site.store.importPresence(afterGap, records, at: time(12)) == .gap(expected: 2))
    #expect(try site.store.importPresence(afterGap, records, at: time(12)) == .gap(expected: 2))
    #expect(try site.isOnline(1) == true && site.isOnline(2) == nil)
    #expect(try questions(server) == 1 && questions(other) == 0)
    let full = site.header(.presence, server, scope: .full)
    #expect(
      try site.store.importPresence(full, records, at: time(13))
        == .imported(records: 2, operations: []))
    #expect(try site.isOnline(1) == false && site.isOnline(2) == true)
    #expect(try site.store.importPresence(afterGap, records, at: time(14)) == .stale)
  }

  @Test(arguments: Backend.allCases) func aNewEpochStartsAnew(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(4)
    let server = try site.addServer()
    let other = try site.addServer("mp-2")
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full), (1...3).map { site.presence($0) }, at: time(10))
    _ = try site.store.importPresence(
      site.header(.presence, other, scope: .full), [site.presence(4)], at: time(10))
    let late = site.header(.presence, server)
    let again = try site.store.registerServer(named: "mp-1", at: time(20))
    #expect(again.epoch == server.epoch + 1)
    #expect(
      try site.store.importPresence(site.header(.presence, again), [site.presence(1)], at: time(21))
        == .gap(expected: 1))
    #expect(
      try site.store.importPresence(
        site.header(.presence, again, scope: .full, at: time(22)),
        [site.presence(2, since: 21, session: 2)], at: time(23))
        == .imported(records: 1, operations: []))
    #expect(try site.isOnline(1) == false && site.isOnline(2) == true && site.isOnline(3) == false)
    #expect(try site.isOnline(4) == true, "clients of other servers stay")
    let gone = try site.store.client(clientID(3))?.presence
    #expect(gone?.reason == .serverStopped && gone?.lastOffline == time(22))
    #expect(try site.store.importPresence(late, [site.presence(1)], at: time(24)) == .stale)
    #expect(try site.isOnline(1) == false)
    #expect(try site.store.servers().map(\.onlineCount) == [1, 1])
  }

  @Test(arguments: Backend.allCases) func theNewestSessionWins(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(2)
    let one = try site.addServer("mp-1")
    let two = try site.addServer("mp-2")
    func imports(_ server: ServerRecord, _ scope: ReportScope, _ records: [PresenceRecord]) throws {
      let header = site.header(.presence, server, scope: scope)
      _ = try site.store.importPresence(header, records, at: time(10))
    }
    try imports(one, .full, [site.presence(1, since: 1, session: 10)])
    try imports(two, .full, [site.presence(1, since: 5, session: 11)])
    // The old server notices late that its client is gone.
    try imports(one, .delta, [site.presence(1, online: false, since: 9, session: 10)])
    let presence = try site.store.client(clientID(1))?.presence
    #expect(presence?.isOnline == true && presence?.serverID == two.serverID)
    #expect(try site.store.servers().map(\.onlineCount) == [0, 1])
    // A full report of the old server does not take it back or offline either.
    try imports(one, .full, [site.presence(1, since: 1, session: 10)])
    #expect(try site.store.client(clientID(1))?.presence == presence)
    // The reports of the two servers may come in either order.
    try imports(one, .delta, [site.presence(2, online: false, since: 8, session: 21)])
    try imports(two, .delta, [site.presence(2, since: 3, session: 20)])
    #expect(try site.isOnline(2) == false)
    try imports(two, .delta, [site.presence(1, online: false, since: 12, session: 11)])
    #expect(try site.isOnline(1) == false)
  }

  @Test(arguments: Backend.allCases) func factsAreKeptAndBounded(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let server = try site.addServer()
    let hostile = ClientFacts(
      hostname: "a\0'; DROP TABLE BGB_Client; --" + String(repeating: "\u{E9}", count: 300),
      operatingSystem: "", agentVersion: "\u{202E}1\n", addresses: ["::1", "a,b", "", "192.0.2.1"])
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full), [site.presence(1, facts: hostile)], at: time(1))
    let facts = try #require(try site.store.client(clientID(1))?.facts)
    #expect(facts.hostname.hasPrefix("a'; DROP TABLE BGB_Client; --\u{E9}"))
    #expect(facts.hostname.utf8.count <= Limits.hostnameBytesMax)
    #expect(facts.agentVersion == "\u{202E}1\n", "text stays text; who shows it encodes it")
    #expect(facts.addresses == ["::1", "192.0.2.1"])
    _ = try site.store.importPresence(
      site.header(.presence, server),
      [site.presence(1, online: false, since: 2, facts: ClientFacts())], at: time(3))
    #expect(try site.store.client(clientID(1))?.facts == facts, "going offline forgets nothing")
  }

  @Test(arguments: Backend.allCases) func wrongReportsChangeNothing(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let server = try site.addServer()
    var header = site.header(.presence, server, scope: .full)
    #expect(throws: StoreError.self) {
      try site.store.importOutcomes(header, [], at: time(1))
    }
    header.site = SiteCode("XYZ") ?? siteCode
    #expect(throws: StoreError.self) {
      try site.store.importPresence(header, [site.presence(1)], at: time(1))
    }
    header.site = siteCode
    header.serverID = ServerID(99)
    #expect(throws: StoreError.notFound("server 99")) {
      try site.store.importPresence(header, [site.presence(1)], at: time(1))
    }
    header.serverID = server.serverID
    for (epoch, sequence) in [(1, 0), (1, UInt64.max), (UInt64.max, 1)] as [(UInt64, UInt64)] {
      header.epoch = epoch
      header.sequence = sequence
      #expect(throws: StoreError.self) {
        try site.store.importPresence(header, [site.presence(1)], at: time(1))
      }
    }
    #expect(try site.isOnline(1) == nil)
    let again = try site.store.registerServer(named: "mp-1", at: time(2))
    #expect(again.epoch == server.epoch + 1)
  }

  @Test(arguments: Backend.allCases) func outcomesAreImportedOnce(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(4)
    let server = try site.addServer()
    let operation = try site.start(site.request(on: .clients((1...3).map(clientID))))
    let first = site.header(.outcomes, server)
    let second = site.header(.outcomes, server)
    let third = site.header(.outcomes, server)
    func records(_ client: Int) -> [OutcomeRecord] {
      [site.outcome(client, operation.taskID, .succeeded)]
    }
    // Targets of others, clients of nobody, tasks of nobody: left out and counted.
    let forged =
      records(1) + records(4) + records(50) + [site.outcome(1, taskID(77), .succeeded)]
    #expect(
      try site.store.importOutcomes(first, forged, at: time(1))
        == .imported(records: 1, operations: [operation.operationID]))
    #expect(try site.store.importOutcomes(first, records(2), at: time(2)) == .duplicate)
    #expect(try site.checkedCounts(operation.operationID)[.succeeded] == 1)
    // A gap is not waited for, and the late file still counts: its outcomes were acknowledged.
    #expect(
      try site.store.importOutcomes(third, records(3), at: time(3))
        == .imported(records: 1, operations: [operation.operationID]))
    let again = try site.store.registerServer(named: "mp-1", at: time(4))
    #expect(
      try site.store.importOutcomes(site.header(.outcomes, again), [], at: time(5))
        == .imported(records: 0, operations: []))
    #expect(
      try site.store.importOutcomes(second, records(2), at: time(6))
        == .imported(records: 1, operations: [operation.operationID]))
    #expect(try site.checkedCounts(operation.operationID)[.succeeded] == 3)
    #expect(
      try site.store.importOutcomes(site.header(.outcomes, again), records(2), at: time(7))
        == .imported(records: 1, operations: []), "known news is taken and touches nothing")
    #expect(throws: StoreError.notFound("server 9")) {
      var header = first
      header.serverID = ServerID(9)
      _ = try site.store.importOutcomes(header, [], at: time(8))
    }
  }

  @Test(arguments: Backend.allCases) func outcomesOfSeveralTasksInOneFile(_ backend: Backend) throws
  {
    let site = try StoreUnderTest(backend)
    try site.addClients(3)
    let server = try site.addServer()
    let one = try site.start(site.request())
    let two = try site.start(site.request(.fullScan))
    let hostile = "\0x\u{1B}" + String(repeating: "\u{1F4A3}", count: 1_000)
    let result = try site.report(
      server,
      [
        site.outcome(1, two.taskID, .started), site.outcome(1, one.taskID, .started),
        site.outcome(1, two.taskID, .failed, code: .min, text: hostile, pushes: .max),
      ])
    #expect(result == .imported(records: 3, operations: [one.operationID, two.operationID]))
    #expect(try site.checkedCounts(one.operationID)[.started] == 1)
    #expect(try site.checkedCounts(two.operationID)[.failed] == 1)
    let failed = try site.store.targets(of: two.operationID, in: .failed, after: nil, limit: 1)[0]
    #expect(failed.outcome.code == .min && failed.pushes == .max)
    #expect(failed.outcome.text.utf8.count <= Limits.outcomeTextBytesMax)
    #expect(failed.outcome.text.hasPrefix("x\u{1B}\u{1F4A3}"))
  }

  @Test(arguments: Backend.allCases) func reportsTogetherAreAsOneAfterTheOther(
    _ backend: Backend
  ) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(4)
    let (near, far) = (try site.addServer("mp-1"), try site.addServer("mp-2"))
    let one = try site.start(site.request())
    let two = try site.start(site.request(.fullScan, on: .clients([clientID(1)])))
    func report(_ server: ServerRecord, _ records: [OutcomeRecord]) -> OutcomeReport {
      OutcomeReport(header: site.header(.outcomes, server), records: records)
    }
    let known = report(near, [site.outcome(4, one.taskID, .started)])
    _ = try site.store.importOutcomes(known.header, known.records, at: time(1))
    // News of the same target in two files and twice in one; the later is not always the further.
    let reports = [
      report(near, [site.outcome(2, one.taskID, .started), site.outcome(1, one.taskID, .started)]),
      known,
      report(
        far,
        [
          site.outcome(1, one.taskID, .succeeded), site.outcome(9, one.taskID, .started),
          site.outcome(1, one.taskID, .started), site.outcome(1, two.taskID, .failed, code: 5),
        ]),
      report(near, []),
    ]
    #expect(
      try site.store.importOutcomes(reports, at: time(2)) == [
        .imported(records: 2, operations: [one.operationID]), .duplicate,
        .imported(records: 3, operations: [one.operationID, two.operationID]),
        .imported(records: 0, operations: []),
      ])
    let counts = try site.checkedCounts(one.operationID)
    #expect(counts[.succeeded] == 1 && counts[.started] == 2 && counts[.queued] == 1)
    #expect(try site.checkedCounts(two.operationID)[.failed] == 1)
    let steps = try site.store.history(ofTask: one.taskID, client: clientID(1))
    let started = steps.filter { $0.outcome.state == .started }
    #expect(started.map(\.serverID) == [near.serverID], "the first file tells it first")
    #expect(steps.filter { $0.outcome.state == .succeeded }.count == 1)
    #expect(
      try site.store.importOutcomes(reports, at: time(3))
        == Array(repeating: ImportResult.duplicate, count: 4))
    #expect(try site.store.importOutcomes([], at: time(3)) == [])
  }

  @Test(arguments: Backend.allCases) func ofReportsTogetherAllAreTakenOrNone(
    _ backend: Backend
  ) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(2)
    let server = try site.addServer()
    let operation = try site.start(site.request())
    let good = OutcomeReport(
      header: site.header(.outcomes, server),
      records: [site.outcome(1, operation.taskID, .succeeded)])
    var stranger = good
    stranger.header.serverID = ServerID(9)
    var foreign = good
    foreign.header.site = try #require(SiteCode("X99"))
    for bad in [stranger, foreign] {
      #expect(throws: StoreError.self) {
        try site.store.importOutcomes([good, bad], at: time(2))
      }
      #expect(try site.checkedCounts(operation.operationID)[.succeeded] == 0)
    }
    #expect(
      try site.store.importOutcomes([good], at: time(3))
        == [.imported(records: 1, operations: [operation.operationID])])
  }
}
