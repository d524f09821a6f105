// Statements that write many rows at once. What a statement costs by itself, above all on its way
// through GRDB, was two thirds of what an outcome cost.

import GRDB

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

  /// What is known of clients' presence, whether they have a row or not.
  static let presence = RowsStatement(
    "INSERT OR REPLACE INTO BGB_ResStatus (ResourceID, OnlineStatus, ServerID, LastOnlineTime,"
      + " LastOfflineTime, LastProofTime, Reason, ChannelType, Session, FallbackReason,"
      + " ChannelSince) ", width: 11)
  /// What clients told of themselves.
  static let facts = RowsStatement(
    "UPDATE OR FAIL BGB_Client SET Hostname = column2, OperatingSystem = column3,"
      + " AgentVersion = column4, IPAddress = column5 FROM (",
    width: 5, ") WHERE ResourceID = column1")

  /// Values of a row that are not shared.
  let width: Int
  /// Falling numbers of rows, each with the text of a statement for as many.
  let texts: [(rows: Int, sql: String)]

  private init(_ beginning: String, shared: Int = 0, width: Int, _ end: String = "") {
    self.width = width
    let marks = (0..<shared).map { "?\($0 + 1)" } + Array(repeating: "?", count: width)
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
  var values: Arguments = []

  init(_ statement: RowsStatement, shared: [Int64] = []) {
    self.statement = statement
    self.shared = shared
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
