// The memory store as the slow, plain twin of the SQLite store: the same random story is told to
// both, and after each step they must answer alike and every counter must add up.

import BGBModel
import SiteDatabase
import Testing

@Suite("Twins") struct TwinTests {
  /// One story: what happens is drawn from a seed, the same for both.
  private struct Story {
    var random: SplitMix
    var sites: [StoreUnderTest]
    var now = 0.0
    var servers: [ServerRecord] = []
    var operations: [OperationSummary] = []
    var written: [(ReportHeader, [OutcomeRecord])] = []

    /// Tells both, and hands back what the first said; a difference is an issue.
    mutating func both<Value: Equatable>(
      _ what: String, _ tell: (StoreUnderTest) throws -> Value
    ) -> Value? {
      var answers: [Result<Value, StoreError>] = []
      for site in sites {
        do {
          answers.append(.success(try tell(site)))
        } catch {
          answers.append(.failure(error as? StoreError ?? .damaged("\(error)")))
        }
      }
      #expect(answers[0] == answers[1], "\(what) at \(now)")
      return try? answers[0].get()
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    mutating func step() {
      now += Double(number(0...400))
      let at = time(now)
      switch number(0...11) {
      case 0:
        let (client, blocked) = (clientID(number(1...13)), number(0...1) == 1)
        _ = both("block") {
          try $0.store.setBlocked(blocked, client, by: "x", at: at)
          return true
        }
      case 1, 2: start(at)
      case 3:
        guard let operation = operations.randomElement(using: &random) else { return }
        _ = both("cancel") {
          try $0.store.cancelOperation(operation.operationID, by: "x", at: at)
        }
      case 4: _ = both("close") { try $0.store.closeOverdue(at: at) }
      case 5: presence(at)
      case 6:
        let name = "mp-\(number(1...3))"
        if let server = both("register", { try $0.store.registerServer(named: name, at: at) }) {
          servers.removeAll { $0.serverID == server.serverID }
          servers.append(server)
        }
      case 7:
        guard let (header, records) = written.randomElement(using: &random) else { return }
        _ = both("replay") { try $0.store.importOutcomes(header, records, at: at) }
      default: outcomes(at)
      }
    }

    private mutating func start(_ at: WallTime) {
      let clients = (0..<number(1...6)).map { _ in clientID(number(1...12)) }
      let target: OperationRequest.Target =
        number(0...1) == 0 ? .clients(clients) : .collection(CollectionRecord.allSystems)
      let action: ClientAction = number(0...1) == 0 ? .quickScan : .downloadDefinition
      let validity = Int64(number(1...20)) * 60_000
      let operation = both("start") { site in
        try site.start(site.request(action, on: target, validity: validity), at: at)
      }
      if let operation { operations.append(operation) }
    }

    private mutating func outcomes(_ at: WallTime) {
      guard let server = servers.randomElement(using: &random) else { return }
      let header = sites[0].header(.outcomes, server, at: at)
      let states = TaskState.allCases
      let records = (0..<number(0...8)).map { _ in
        let task = operations.randomElement(using: &random)?.taskID ?? taskID(999)
        let state = states[number(0...states.count - 1)]
        return sites[0].outcome(
          number(1...14), task, state, code: Int32(number(-3...3)), text: "\(state)",
          pushes: UInt32(number(0...3)), at: time(now - Double(number(0...60))))
      }
      written.append((header, records))
      _ = both("outcomes") { try $0.store.importOutcomes(header, records, at: at) }
    }

    private mutating func presence(_ at: WallTime) {
      guard let server = servers.randomElement(using: &random) else { return }
      var header = sites[0].header(
        .presence, server, scope: number(0...2) == 0 ? .full : .delta, at: at)
      if number(0...5) == 0 { header.sequence += UInt64(number(0...2)) }
      let records = (0..<number(0...6)).map { _ in
        sites[0].presence(
          number(1...13), online: number(0...2) > 0, since: now, session: UInt64(number(1...30)),
          over: ChannelKind.allCases[number(0...1)],
          because: FallbackReason.allCases[number(0...FallbackReason.allCases.count - 1)],
          channelSince: now - Double(number(0...60)))
      }
      _ = both("presence") { try $0.store.importPresence(header, records, at: at) }
    }

    mutating func compare() throws {
      let at = time(now)
      _ = both("clients") { try $0.store.clients(after: nil, limit: 99, onlyOnline: false) }
      _ = both("channels") { try $0.store.onlineByChannel() }
      _ = both("operations") { try $0.store.operations(before: nil, limit: 999) }
      _ = both("servers") { try $0.store.servers() }
      _ = both("unexpired") { try $0.store.unexpiredTasks(at: at) }
      for operation in operations {
        _ = both("counts") { try $0.checkedCounts(operation.operationID) }
        _ = both("answered") { try $0.store.answeredTargets(ofTask: operation.taskID) }
        _ = both("pages") {
          try $0.store.targets(of: operation.operationID, in: nil, after: nil, limit: 99)
        }
        let client = clientID(number(1...12))
        _ = both("history") { try $0.store.history(ofTask: operation.taskID, client: client) }
        _ = both("policy tasks") { try $0.store.policyTasks(of: client, at: at) }
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func aRandomStory(_ seed: UInt64) throws {
    let sites = [try StoreUnderTest(.memory), try StoreUnderTest(.sqlite)]
    var story = Story(random: SplitMix(seed: seed), sites: sites)
    for site in sites {
      try site.addClients(12, tags: ["t"])
      for name in ["mp-1", "mp-2", "mp-3"] { try site.addServer(name) }
    }
    story.servers = try sites[0].store.servers()
    for step in 1...120 {
      story.step()
      if step % 12 == 0 { try story.compare() }
    }
    #expect(story.operations.count > 5 && story.written.count > 10, "the story is worth telling")
    let messages = try sites.map { site in
      try site.store.messages(for: ServerID(1), after: 0, limit: 999, waitMilliseconds: 0)
    }
    #expect(messages[0] == messages[1])
  }
}
