// Many outcome rows with one statement: a walk over what is known of a chunk's targets, and
// statements that write many rows at once. What a statement costs by itself, above all on its way
// through GRDB, was two thirds of what an outcome cost.

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

/// A statement that writes many rows, as texts for some numbers of rows.
///
/// None undoes its first rows when a later one is refused: SQLite would keep the pages from before
/// for that, in a file when they are many, and an error takes back the whole transaction anyway.
struct RowsStatement: Sendable {
  /// Rows of one statement at most.
  static let rowsMax = 256

  /// News for the history: the first of each state stays; task and import time are shared.
  static let history = RowsStatement(
    "INSERT OR IGNORE INTO BGB_ResTaskHistory (TaskID, ImportTime, ResourceID, State, StatusTime,"
      + " Code, Text, ServerID, ReportTime) ", shared: 2, width: 7)
  /// What is known of targets without a row; the task is shared.
  static let newOutcomes = RowsStatement(
    "INSERT OR FAIL INTO BGB_ResTask (TaskID, ResourceID, State, Code, Text, StatusTime, Pushes,"
      + " IsAssumed) ", shared: 1, width: 7)
  /// What is known of targets with a row; the task is shared.
  static let knownOutcomes = RowsStatement(
    "UPDATE OR FAIL BGB_ResTask SET State = column3, Code = column4, Text = column5,"
      + " StatusTime = column6, Pushes = column7, IsAssumed = column8 FROM (",
    shared: 1, width: 7, ") WHERE TaskID = column1 AND ResourceID = column2")

  /// Values of a row that are not shared.
  let width: Int
  /// Falling numbers of rows, each with the text of a statement for as many.
  let texts: [(rows: Int, sql: String)]

  private init(_ beginning: String, shared: Int, width: Int, _ end: String = "") {
    self.width = width
    let marks = (1...shared).map { "?\($0)" } + Array(repeating: "?", count: width)
    let row = "(\(marks.joined(separator: ",")))"
    texts = [RowsStatement.rowsMax, 16, 1].map { count in
      let rows = Array(repeating: row, count: count).joined(separator: ",")
      return (count, "\(beginning)VALUES \(rows)\(end)")
    }
  }
}

/// The values of rows for a statement that writes many.
struct RowValues {
  private let statement: RowsStatement
  private let shared: Arguments
  private var values: Arguments = []

  init(_ statement: RowsStatement, shared: [Int64]) {
    self.statement = statement
    self.shared = shared
  }

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

  /// Writes the rows, in their order.
  func run(_ db: Database) throws {
    var rest = values[...]
    for (rows, sql) in statement.texts {
      let count = rows * statement.width
      while rest.count >= count {
        let arguments = StatementArguments(shared + rest.prefix(count))
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
        rest = rest.dropFirst(count)
      }
    }
  }
}
