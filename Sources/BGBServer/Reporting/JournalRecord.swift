// One outcome as the server's journal keeps it, and the frame around it: length, checksum, body. A
// record that is torn or flipped is told apart from a good one; what follows a torn record is not
// read.

import BGBModel

/// What was found at a place of a journal.
enum JournalRead: Equatable {
  /// A good record and where the next one begins.
  case record(OutcomeRecord, next: Int)
  /// The end, exactly between two records.
  case end
  /// A good frame whose body is not an outcome, or a frame with a wrong checksum and a plausible
  /// length: skipped and reported.
  case damaged(next: Int)
  /// The last record was not written completely: the file ends here.
  case torn
}

/// Bytes of journal records.
enum JournalRecord {
  /// A record's frame: 32-bit length of the body, 32-bit CRC-32C of the body, body.
  static let frameBytes = 8
  /// A body at most; more is damage.
  static let bodyBytesMax = 4_096

  /// The bytes of one record.
  static func encode(_ record: OutcomeRecord) -> [UInt8] {
    var writer = ByteWriter(capacity: 128)
    encode(record, into: &writer)
    return writer.bytes
  }

  /// Appends the bytes of one record.
  static func encode(_ record: OutcomeRecord, into body: inout ByteWriter) {
    let start = body.bytes.count
    body.integer(UInt32(0))
    body.integer(UInt32(0))
    body.bits128(record.clientID.bits)
    body.bits128(record.outcome.taskID.bits)
    body.integer(record.outcome.state.rawValue)
    body.signed32(record.outcome.code)
    body.integer(record.pushes)
    body.wallTime(record.outcome.at)
    body.text(record.outcome.text, limit: Limits.outcomeTextBytesMax)
    let count = body.bytes.count - start - frameBytes
    // In a statement of its own: while a slice lives, the next byte copies everything before it.
    let checksum = CRC32C.checksum(body.bytes[(start + frameBytes)...])
    body.patch32(UInt32(truncatingIfNeeded: count), at: start)
    body.patch32(checksum, at: start + 4)
  }

  /// Reads the record at a place.
  static func read(_ bytes: [UInt8], at position: Int) -> JournalRead {
    if position == bytes.count { return .end }
    var reader = ByteReader(bytes[position...])
    guard let length = try? reader.integer(UInt32.self),
      let checksum = try? reader.integer(UInt32.self)
    else { return .torn }
    guard length <= UInt32(bodyBytesMax) else { return .torn }
    guard let body = try? reader.raw(Int(length)) else { return .torn }
    let next = position + frameBytes + Int(length)
    guard CRC32C.checksum(body) == checksum, let record = try? decode(body) else {
      return .damaged(next: next)
    }
    return .record(record, next: next)
  }

  private static func decode(_ body: ArraySlice<UInt8>) throws(CodingError) -> OutcomeRecord {
    var reader = ByteReader(body)
    let clientID = ClientID(try reader.bits128())
    let taskID = TaskID(try reader.bits128())
    guard let state = TaskState(rawValue: try reader.integer()) else { throw .badValue }
    let code = try reader.signed32()
    let pushes = try reader.integer(UInt32.self)
    let at = try reader.wallTime()
    let text = try reader.text(limit: Limits.outcomeTextBytesMax)
    try reader.end()
    let outcome = TaskOutcome(taskID: taskID, state: state, code: code, text: text, at: at)
    return OutcomeRecord(clientID: clientID, pushes: pushes, outcome: outcome)
  }
}
