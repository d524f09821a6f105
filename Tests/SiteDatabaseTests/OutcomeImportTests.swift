// Outcomes by the hundred: a back end may read and write many rows at once, and it must not show.
// What every back end holds afterwards is what the plain memory store holds.

import BGBModel
import GRDB
import SiteDatabase
import Testing

@testable import SiteDatabaseSQLite

@Suite("Contract: outcomes by the hundred") struct OutcomeImportTests {
  /// The same site in both back ends.
  private struct Pair {
    let sites: [StoreUnderTest]
    let servers: [ServerRecord]

    init(clients: Int) throws {
      sites = [try StoreUnderTest(.memory), try StoreUnderTest(.sqlite)]
      for site in sites {
        _ = try site.store.addClients(
          (1...clients).map { NewClient(clientID: clientID($0), name: "pc-\($0)", tags: []) },
          by: "test", at: time(0))
        for name in ["mp-1", "mp-2"] { try site.addServer(name) }
      }
      servers = try sites[0].store.servers()
    }

    func start(_ clients: [Int]? = nil, _ action: ClientAction = .quickScan) throws -> TaskID {
      let target = clients.map { OperationRequest.Target.clients($0.map(clientID)) }
      let made = try sites.map { site in
        try site.start(
          site.request(action, on: target ?? .collection(CollectionRecord.allSystems)))
      }
      #expect(made[0] == made[1])
      return made[0].taskID
    }

    func report(_ server: Int, _ records: [OutcomeRecord]) -> OutcomeReport {
      OutcomeReport(
        header: sites[0].header(.outcomes, servers[server], at: time(Double(server) + 10)),
        records: records)
    }

    func news(
      _ client: Int, _ task: TaskID, _ state: TaskState, code: Int32 = 0, text: String = "",
      pushes: UInt32 = 1, at: WallTime = time(5)
    ) -> OutcomeRecord {
      sites[0].outcome(client, task, state, code: code, text: text, pushes: pushes, at: at)
    }

    /// Imports into both; the answers must be the same.
    @discardableResult
    func load(_ reports: [OutcomeReport]) throws -> [ImportResult] {
      let results = try sites.map { try $0.store.importOutcomes(reports, at: time(20)) }
      #expect(results[0] == results[1])
      return results[0]
    }

    /// What is known and what happened must be the same, texts byte by byte.
    func compare(_ task: TaskID, historyOf clients: [Int]) throws {
      var told: [[TargetOutcome]] = []
      for site in sites {
        let operation = try #require(try site.store.operation(ofTask: task))
        #expect(try site.store.recount(operation.operationID) == operation.counts)
        told.append(
          try site.store.targets(of: operation.operationID, in: nil, after: nil, limit: 9_999))
      }
      #expect(told[0] == told[1])
      #expect(bytes(told[0].map(\.outcome)) == bytes(told[1].map(\.outcome)))
      for client in clients {
        let steps = try sites.map { site in
          try site.store.history(ofTask: task, client: clientID(client))
        }
        #expect(steps[0] == steps[1], "history of \(client)")
        #expect(bytes(steps[0].map(\.outcome)) == bytes(steps[1].map(\.outcome)))
      }
    }

    private func bytes(_ outcomes: [TaskOutcome]) -> [[UInt8]] {
      outcomes.map { Array($0.text.utf8) }
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64]) func manyNewsAreTheTwins(_ seed: UInt64) throws {
    let pair = try Pair(clients: 420)
    var random = SplitMix(seed: seed)
    let tasks = [
      try pair.start(), try pair.start(nil, .fullScan),
      try pair.start(Array(stride(from: 1, through: 420, by: 7))), taskID(999),
    ]
    let texts = ["", "", "done", "e\u{301}", "\u{E9}", "a\0b", "'\"\\"]
    for _ in 0..<4 {
      let reports = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        let records = (0..<Int.random(in: 0...700, using: &random)).map { _ in
          pair.news(
            Int.random(in: 1...430, using: &random),
            tasks[Int.random(in: 0..<tasks.count, using: &random)],
            TaskState.allCases[Int.random(in: 0...10, using: &random)],
            code: Int32.random(in: -1...1, using: &random),
            text: texts[Int.random(in: 0..<texts.count, using: &random)],
            pushes: UInt32.random(in: 0...3, using: &random),
            at: time(Double.random(in: 0...9, using: &random)))
        }
        return pair.report(Int.random(in: 0...1, using: &random), records)
      }
      try pair.load(reports)
      for task in tasks.dropLast() {
        let some = (0..<40).map { _ in Int.random(in: 1...420, using: &random) }
        try pair.compare(task, historyOf: some)
      }
    }
  }

  /// With three news of each target every border of a chunk parts a target's news.
  @Test func newsOfOneTargetMayLieOnBothSidesOfABorder() throws {
    #expect(OutcomeBatch.chunkNews % 3 != 0)
    let clients = OutcomeBatch.chunkNews
    let pair = try Pair(clients: clients)
    let task = try pair.start()
    let records = [TaskState.started, .failed, .succeeded].flatMap { state in
      (1...clients).reversed().map {
        pair.news($0, task, state, code: Int32($0), text: "\(state) \($0)", pushes: UInt32($0))
      }
    }
    let taken = try pair.load([pair.report(0, records)])
    #expect(taken == [.imported(records: records.count, operations: [OperationID(1)])])
    #expect(try pair.sites[1].checkedCounts(OperationID(1))[.failed] == clients)
    try pair.compare(task, historyOf: Array(1...clients))
  }

  /// Statements for some numbers of rows must add up to every number.
  @Test func everyNumberOfRowsIsWritten() throws {
    let most = RowsStatement.rowsMax
    let pair = try Pair(clients: most + 20)
    for count in [1, 2, 15, 16, 17, 33, most - 1, most, most + 1, most + 17] {
      let task = try pair.start()
      let records = (1...count).map { pair.news($0, task, .succeeded, code: Int32($0)) }
      try pair.load([pair.report(0, records)])
      let operation = try #require(try pair.sites[1].store.operation(ofTask: task))
      #expect(operation.counts[.succeeded] == count)
      try pair.compare(task, historyOf: [1, count, count + 1])
    }
  }

  /// Targets far apart are looked for one by one, past the rows of those between.
  @Test func farTargetsFindTheirRows() throws {
    let pair = try Pair(clients: 90)
    let targets = Array(stride(from: 1, through: 90, by: 2))
    let task = try pair.start(targets)
    try pair.load([pair.report(0, targets.map { pair.news($0, task, .started, pushes: 7) })])
    try pair.load([pair.report(1, [1, 45, 89].map { pair.news($0, task, .failed, code: 3) })])
    try pair.load([pair.report(1, [3, 89].map { pair.news($0, task, .started) })])
    try pair.compare(task, historyOf: targets)
    let sqlite = pair.sites[1]
    let failed = try sqlite.store.targets(of: OperationID(1), in: .failed, after: nil, limit: 9)
    #expect(failed.map(\.clientID) == [1, 45, 89].map(clientID))
    #expect(failed.allSatisfy { $0.pushes == 7 }, "the rows from before were found")
  }

  @Test func textsAndNumbersArriveAsTheyAre() throws {
    let texts = [
      "", "-", "'", "\"", "''; DROP TABLE BGB_ResTask; --", "\\", "\\u0041\\n", "\u{1}\u{1F}\u{7F}",
      "a\tb\nc\r", "\u{1B}[2J", "{\"a\":[1,null]}", "],[", "?1", "%00", "\u{E9}", "e\u{301}",
      "\u{1F9D1}\u{200D}\u{1F680}", "漢字", "\u{FEFF}x", "\u{10FFFF}", "NULL", "0", "1e3",
      String(repeating: "\u{1F4A3}", count: 400), "a\0b", "\0", "\u{2028}",
    ]
    let numbers: [(Int32, UInt32, Int64)] = [
      (.min, .max, .min), (.max, 0, .max), (0, 1, 0), (-1, .max, -1),
    ]
    let pair = try Pair(clients: texts.count * numbers.count)
    let task = try pair.start()
    var records: [OutcomeRecord] = []
    for text in texts {
      for (code, pushes, at) in numbers {
        records.append(
          pair.news(
            records.count + 1, task, .failed, code: code, text: text, pushes: pushes,
            at: WallTime(milliseconds: at)))
      }
    }
    try pair.load([pair.report(0, records)])
    try pair.compare(task, historyOf: Array(1...records.count))
    let found = try pair.sites[1].store.targets(
      of: OperationID(1), in: .failed, after: nil, limit: records.count)
    for (target, record) in zip(found, records) {
      let kept = StoreChecks.bounded(record.outcome)
      #expect(StoreChecks.isSame(target.outcome.text, kept.text))
      #expect(target.outcome.code == kept.code && target.outcome.at == kept.at)
      #expect(target.pushes == record.pushes)
    }
    #expect(found.count == records.count)
  }

  /// A row that cannot be read ends an import that needs it, and no other.
  @Test func aDamagedRowIsOnlyReadWhenItIsNeeded() throws {
    let site = try StoreUnderTest(.sqlite)
    try site.addClients(3)
    let server = try site.addServer()
    let operation = try site.start(site.request())
    func load(_ clients: [Int]) throws -> ImportResult {
      try site.report(server, clients.map { site.outcome($0, operation.taskID, .succeeded) })
    }
    try site.report(server, (1...3).map { site.outcome($0, operation.taskID, .started) })
    let queue = try DatabaseQueue(path: site.directory.path + "/site.db")
    try queue.write {
      try $0.execute(sql: "UPDATE BGB_ResTask SET State = 99 WHERE ResourceID = 2")
    }
    #expect(try load([1, 3]) == .imported(records: 2, operations: [operation.operationID]))
    #expect(throws: StoreError.damaged("99 is no task state")) { try load([1, 2]) }
    let counts = try #require(try site.store.operation(operation.operationID)).counts
    #expect(counts[.succeeded] == 2 && counts[.started] == 1)
  }
}

@Suite("SQLite: targets kept in memory") struct TargetCacheTests {
  private func targetSet(_ range: ClosedRange<Int>) -> TargetSet {
    TargetSet(range.map { ResourceID(UInt32($0)) })
  }

  private func records(_ set: TargetSet) -> [TargetRecord] {
    set.members.map { TargetRecord(resourceID: $0, clientID: clientID(Int($0.rawValue))) }
  }

  @Test func tasksWithTheSameTargetsAreReadOnce() throws {
    let cache = TargetCache()
    let most = TargetCache.twinMin
    var reads = 0
    func ask(_ task: Int64, _ targets: ClosedRange<Int>) {
      let set = cache.set(of: task) { targetSet(targets) }
      let numbers = cache.numbers(of: task, set) {
        reads += 1
        return records(set)
      }
      #expect(numbers.count == targets.count)
      #expect(numbers[clientID(targets.upperBound)] == set.members.last)
      #expect(cache.records(of: task, set) { [] } == records(set))
    }
    for task in [1, 2, 1, 3] as [Int64] { ask(task, 1...most) }
    #expect(reads == 1)
    // One target more, and as many but others, are other targets.
    ask(4, 1...most + 1)
    ask(5, 2...most + 1)
    #expect(reads == 3)
    // Few targets are read again for each task, and kept.
    for task in [6, 7, 6] as [Int64] { ask(task, 1...most - 1) }
    #expect(reads == 5)
  }
}
