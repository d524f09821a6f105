// What a few reports tell, in the order of the rows that it changes. A server's report names
// clients from all over an operation, so that one alone changes nearly every page of a large
// operation's rows; in the order of the rows each page is changed once for all reports of a batch.

import BGBModel
import GRDB
import SiteDatabase

/// Outcomes of several reports on their way into the database, within one transaction.
struct OutcomeBatch {
  fileprivate struct ImportedTask {
    var row: TaskRow
    let numbers: [ClientID: ResourceID]
    var isTouched = false
  }

  private struct News {
    let task: TaskID
    let target: ResourceID
    let report: Int
    let index: Int
  }

  private var tasks: [TaskID: ImportedTask?] = [:]
  private var news: [News] = []

  /// Takes a report's records of clients that are targets, and says how many those are.
  ///
  /// - Parameter numbers: the targets of a task, asked once for each.
  mutating func add(
    _ report: OutcomeReport, _ number: Int, _ db: Database,
    numbers: (Int64) throws -> [ClientID: ResourceID]
  ) throws -> Int {
    let before = news.count
    for (index, record) in report.records.enumerated() {
      let taskID = record.outcome.taskID
      if tasks[taskID] == nil {
        tasks[taskID] = .some(
          try db.task(taskID).map { ImportedTask(row: $0, numbers: try numbers($0.number)) })
      }
      guard let target = tasks[taskID]??.numbers[record.clientID] else { continue }
      news.append(News(task: taskID, target: target, report: number, index: index))
    }
    return news.count - before
  }

  /// Writes what is news; the operations that each report touched, ascending.
  mutating func apply(
    _ reports: [OutcomeReport], at: WallTime, _ db: Database
  ) throws -> [[OperationID]] {
    // What is told of the same target stays in the order in which it came.
    news.sort {
      ($0.task, $0.target, $0.report, $0.index) < ($1.task, $1.target, $1.report, $1.index)
    }
    var touched = [Set<OperationID>](repeating: [], count: reports.count)
    for item in news {
      let report = reports[item.report]
      guard
        let operation = try tasks[item.task]??.take(
          report.records[item.index], of: item.target, report.header, at: at, db)
      else { continue }
      touched[item.report].insert(operation)
    }
    for case let task? in tasks.values where task.isTouched {
      try db.save(task.row.progress, of: task.row.number)
    }
    return touched.map { $0.sorted() }
  }
}

extension OutcomeBatch.ImportedTask {
  /// Takes one record of a target; the operation if that moved its counters.
  mutating func take(
    _ record: OutcomeRecord, of target: ResourceID, _ header: ReportHeader, at: WallTime,
    _ db: Database
  ) throws -> OperationID? {
    let known = try db.outcome(of: row.number, target) ?? row.progress.rest
    try db.noteStep(record, of: row.number, target, header, at: at)
    guard let merged = known.merged(with: record) else { return nil }
    try db.save(merged, of: row.number, target)
    row.progress.move(from: known.state, to: merged.state)
    isTouched = true
    return OperationID(row.number)
  }
}
