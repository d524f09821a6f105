// The few shapes in which this back end talks to GRDB: statements are prepared once per connection,
// values travel as arguments and never as SQL text, and blobs are byte arrays without Foundation.

import BGBModel
import GRDB
import SiteDatabase

/// Values of one statement's `?`.
typealias Arguments = [(any DatabaseValueConvertible)?]

extension Database {
  /// Runs a statement that returns nothing.
  func run(_ sql: String, _ arguments: Arguments = []) throws {
    try cachedStatement(sql: sql).execute(arguments: StatementArguments(arguments))
  }

  /// The first row, if any.
  func row(_ sql: String, _ arguments: Arguments = []) throws -> Row? {
    try Row.fetchOne(cachedStatement(sql: sql), arguments: StatementArguments(arguments))
  }

  /// All rows, each turned into a value.
  func rows<Value>(
    _ sql: String, _ arguments: Arguments = [], _ decode: (Row) throws -> Value
  ) throws -> [Value] {
    let cursor = try Row.fetchCursor(
      cachedStatement(sql: sql), arguments: StatementArguments(arguments))
    var values: [Value] = []
    while let row = try cursor.next() { values.append(try decode(row)) }
    return values
  }

  /// A column of numbers.
  func numbers(_ sql: String, _ arguments: Arguments = []) throws -> [Int64] {
    try rows(sql, arguments) { try $0.number(0) }
  }

  /// The first number of the first row; 0 when there is none.
  func number(_ sql: String, _ arguments: Arguments = []) throws -> Int64 {
    try Int64.fetchOne(cachedStatement(sql: sql), arguments: StatementArguments(arguments)) ?? 0
  }
}

/// Columns by position; a damaged file may hold anything, so a wrong type is an error and no trap.
extension Row {
  /// A whole number.
  func number(_ index: Int) throws -> Int64 { try decode(Int64.self, atIndex: index) }

  /// A whole number, or nil for NULL.
  func numberIfAny(_ index: Int) throws -> Int64? { try decode(Int64?.self, atIndex: index) }

  /// A text.
  func text(_ index: Int) throws -> String { try decode(String.self, atIndex: index) }

  /// A text, or nil for NULL.
  func textIfAny(_ index: Int) throws -> String? { try decode(String?.self, atIndex: index) }

  /// Bytes.
  func bytes(_ index: Int) throws -> [UInt8] { try decode(Blob.self, atIndex: index).bytes }

  /// A moment.
  func time(_ index: Int) throws -> WallTime { WallTime(milliseconds: try number(index)) }

  /// A moment, or nil for NULL.
  func timeIfAny(_ index: Int) throws -> WallTime? {
    try numberIfAny(index).map { WallTime(milliseconds: $0) }
  }
}

/// Bytes as a column's value.
struct Blob: DatabaseValueConvertible {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// GRDB keeps blobs as Foundation's `Data`; its type is inferred here, so that nothing of ours
  /// names Foundation.
  var databaseValue: DatabaseValue {
    guard case .blob(let data) = DatabaseValue.Storage.blob(Blob.converted(bytes)) else {
      return .null
    }
    return data.databaseValue
  }

  static func fromDatabaseValue(_ value: DatabaseValue) -> Blob? {
    switch value.storage {
    case .blob(let data): Blob(Array(data))
    default: nil
    }
  }

  private static func converted<Bytes: RangeReplaceableCollection<UInt8>>(
    _ bytes: [UInt8]
  ) -> Bytes {
    Bytes(bytes)
  }
}

extension WallTime {
  /// As a column's value: milliseconds since 1970.
  var column: Int64 { milliseconds }
}

extension ResourceID {
  var column: Int64 { Int64(rawValue) }

  /// Table constraints keep the column within 32 bits.
  init(_ column: Int64) { self.init(UInt32(truncatingIfNeeded: column)) }
}

extension ServerID {
  var column: Int64 { Int64(rawValue) }

  /// Table constraints keep the column within 32 bits.
  init(_ column: Int64) { self.init(UInt32(truncatingIfNeeded: column)) }
}

extension ClientID {
  /// Reads the text form in a column.
  init(column: String) throws(StoreError) {
    guard let clientID = ClientID(column) else { throw .damaged("'\(column)' is no client id") }
    self = clientID
  }
}

extension TaskID {
  /// Reads the text form in a column.
  init(column: String) throws(StoreError) {
    guard let taskID = TaskID(column) else { throw .damaged("'\(column)' is no task id") }
    self = taskID
  }
}

extension ChannelKind {
  /// Reads the number in a column.
  init(column: Int64) { self = column == 0 ? .tcp : .https }
}

extension FallbackReason {
  /// Reads the number in a column; `none` for one that this version does not know.
  init(column: Int64) {
    self = UInt8(exactly: column).flatMap(FallbackReason.init(rawValue:)) ?? FallbackReason.none
  }
}

extension TaskState {
  /// Reads the number in a column.
  init(column: Int64) throws(StoreError) {
    guard let state = UInt8(exactly: column).flatMap(TaskState.init(rawValue:)) else {
      throw .damaged("\(column) is no task state")
    }
    self = state
  }
}
