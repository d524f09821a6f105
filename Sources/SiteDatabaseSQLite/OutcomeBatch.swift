// What a few reports tell, in the order of the rows that it changes. A server's report names
// clients from all over an operation, so that one alone changes nearly every page of a large
// operation's rows; in the order of the rows each page is changed once for all reports of a batch,
// and neighbours are read and written by one statement.

import BGBModel
import GRDB
import SiteDatabase

/// Outcomes of several reports on their way into the database, within one transaction.
struct OutcomeBatch {
  /// News that are read and written together at most: enough to make a statement's own cost small,
  /// few enough for the arguments of one.
  static let chunkNews = RowsStatement.rowsMax

  fileprivate struct ImportedTask {
    var row: TaskRow
    let numbers: [ClientID: ResourceID]
    var isTouched = false
  }

  /// Where a record stands in the reports, and which row it changes.
  ///
  /// As two numbers, for the order of fifty thousand is made by comparing them.
  fileprivate struct News {
    private let row: UInt64
    private let origin: UInt64

    init(task: Int, target: ResourceID, report: Int, index: Int) {
      row = UInt64(truncatingIfNeeded: task) << 32 | UInt64(target.rawValue)
      origin = UInt64(truncatingIfNeeded: report) << 32 | UInt64(truncatingIfNeeded: index)
    }

    /// The place of the task among the batch's.
    var task: Int { Int(row >> 32) }
    var target: ResourceID { ResourceID(UInt32(truncatingIfNeeded: row)) }
    var report: Int { Int(origin >> 32) }
    var index: Int { Int(UInt32(truncatingIfNeeded: origin)) }

    static func < (left: News, right: News) -> Bool {
      left.row != right.row ? left.row < right.row : left.origin < right.origin
    }
  }

  private var tasks: [ImportedTask] = []
  /// The place of each task that was asked for; nil for one that is not of this site.
  private var places: [TaskID: Int?] = [:]
  private var news: [News] = []

  /// Takes a report's records of clients that are targets, and says how many those are.
  ///
  /// - Parameter numbers: the targets of a task, asked once for each.
  mutating func add(
    _ report: OutcomeReport, _ number: Int, _ db: Database,
    numbers: (Int64) throws -> [ClientID: ResourceID]
  ) throws -> Int {
    let before = news.count
    // Most reports are about one task.
    var (last, place): (TaskID?, Int?) = (nil, nil)
    for index in report.records.indices {
      let taskID = report.records[index].outcome.taskID
      if taskID != last {
        (last, place) = (taskID, try self.place(of: taskID, db, numbers))
      }
      guard let place, let target = tasks[place].numbers[report.records[index].clientID] else {
        continue
      }
      news.append(News(task: place, target: target, report: number, index: index))
    }
    return news.count - before
  }

  private mutating func place(
    of taskID: TaskID, _ db: Database, _ numbers: (Int64) throws -> [ClientID: ResourceID]
  ) throws -> Int? {
    if let known = places[taskID] { return known }
    guard let row = try db.task(taskID) else {
      places[taskID] = .some(nil)
      return nil
    }
    tasks.append(ImportedTask(row: row, numbers: try numbers(row.number)))
    places[taskID] = tasks.count - 1
    return tasks.count - 1
  }

  /// Writes what is news; the operations that each report touched, ascending.
  mutating func apply(
    _ reports: [OutcomeReport], at: WallTime, _ db: Database
  ) throws -> [[OperationID]] {
    // What is told of the same target stays in the order in which it came.
    news.sort(by: <)
    var touched = [[OperationID]](repeating: [], count: reports.count)
    var start = 0
    while start < news.count {
      let place = news[start].task
      let most = news[start...].prefix(OutcomeBatch.chunkNews)
      let chunk = most.prefix { $0.task == place }
      try tasks[place].take(chunk, of: reports, at: at, touched: &touched, db)
      start += chunk.count
    }
    for task in tasks where task.isTouched {
      try db.save(task.row.progress, of: task.row.number)
    }
    return touched.map { $0.sorted() }
  }
}

extension OutcomeBatch.ImportedTask {
  /// Takes news of this task, by target; notes the operation for each report that moved counters.
  mutating func take(
    _ news: ArraySlice<OutcomeBatch.News>, of reports: [OutcomeReport], at: WallTime,
    touched: inout [[OperationID]], _ db: Database
  ) throws {
    let changed = try merge(news, of: reports, touched: &touched, db)
    var steps = RowValues(RowsStatement.history, shared: [row.number, at.column])
    for item in news { steps.append(reports[item.report], item.index, of: item.target) }
    try steps.run(db)
    var new = RowValues(RowsStatement.newOutcomes, shared: [row.number])
    var known = RowValues(RowsStatement.knownOutcomes, shared: [row.number])
    for change in changed {
      if change.isNew {
        new.append(change.known, of: change.target)
      } else {
        known.append(change.known, of: change.target)
      }
    }
    try new.run(db)
    try known.run(db)
  }

  /// What is known of a target after the news, and whether it has no row yet.
  private struct Change {
    let target: ResourceID
    let known: KnownOutcome
    let isNew: Bool
  }

  /// What is known after the news, of the targets of which that is something new.
  private mutating func merge(
    _ news: ArraySlice<OutcomeBatch.News>, of reports: [OutcomeReport],
    touched: inout [[OperationID]], _ db: Database
  ) throws -> [Change] {
    let rest = row.progress.rest
    let operation = OperationID(row.number)
    var walk = try OutcomeWalk(of: row.number, along: news.map(\.target), db)
    var changed: [Change] = []
    changed.reserveCapacity(news.count)
    var (start, end) = (news.startIndex, news.endIndex)
    while start < end {
      let target = news[start].target
      let before = try walk.outcome(of: target)
      var known = before ?? rest
      var isChanged = false
      repeat {
        let report = news[start].report
        if let merged = known.merged(with: reports[report].records[news[start].index]) {
          row.progress.move(from: known.state, to: merged.state)
          known = merged
          isChanged = true
          // News of one task come together: an operation is noted already or it is not the last.
          if touched[report].last != operation { touched[report].append(operation) }
        }
        start += 1
      } while start < end && news[start].target == target
      if isChanged {
        changed.append(Change(target: target, known: known, isNew: before == nil))
      }
    }
    isTouched = isTouched || !changed.isEmpty
    return changed
  }
}
