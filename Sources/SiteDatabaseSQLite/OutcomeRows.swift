// Outcome rows by many: a walk over what is known of a chunk's targets, and the values of the rows
// that are written.

import BGBModel
import GRDB
import SiteDatabase

/// What is known of some targets of a task, asked in their order.
struct OutcomeWalk {
  private let rows: RowCursor
  private var row: Row?

  /// Begins before the first of the targets, which are ascending and at least one.
  init(of task: Int64, along targets: [ResourceID], _ db: Database) throws {
    let select = """
      SELECT ResourceID, State, Code, Text, StatusTime, Pushes, IsAssumed FROM BGB_ResTask
      WHERE TaskID = ? AND ResourceID
      """
    let (first, last) = (targets.first?.column ?? 0, targets.last?.column ?? 0)
    // A few rows of others on the way are cheaper than a look for each target.
    if last - first < Int64(targets.count) * 4 {
      rows = try Row.fetchCursor(
        db.cachedStatement(sql: "\(select) BETWEEN ? AND ? ORDER BY ResourceID"),
        arguments: [task, first, last])
    } else {
      let list = targets.map(\.description).joined(separator: ",")
      rows = try Row.fetchCursor(
        db.cachedStatement(
          sql: "\(select) IN (SELECT value FROM json_each(?)) ORDER BY ResourceID"),
        arguments: [task, "[\(list)]"])
    }
    row = try rows.next()
  }

  /// The row of a target; nil when there is none.
  mutating func outcome(of target: ResourceID) throws -> KnownOutcome? {
    while let row, try row.number(0) < target.column { self.row = try rows.next() }
    guard let row, try row.number(0) == target.column else { return nil }
    return try KnownOutcome(row: row)
  }
}

extension RowValues {
  /// A row of the history.
  mutating func append(_ report: OutcomeReport, _ index: Int, of target: ResourceID) {
    let outcome = StoreChecks.bounded(report.records[index].outcome)
    values.append(target.column)
    values.append(Int64(outcome.state.rawValue))
    values.append(outcome.at.column)
    values.append(Int64(outcome.code))
    values.append(outcome.text)
    values.append(report.header.serverID.column)
    values.append(report.header.writtenAt.column)
  }

  /// A row of what is known.
  mutating func append(_ known: KnownOutcome, of target: ResourceID) {
    values.append(target.column)
    values.append(Int64(known.state.rawValue))
    values.append(Int64(known.code))
    values.append(known.text)
    values.append(known.at.column)
    values.append(Int64(known.pushes))
    values.append(Int64(known.isAssumed ? 1 : 0))
  }
}
