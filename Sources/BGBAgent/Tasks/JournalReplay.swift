// A journal file's bytes back into records, whatever happened to them: a torn end, flipped bits, a
// page of zeros. Damage is never guessed at: it is cut out, counted and named, and the caller then
// treats every task that was open as possibly begun.

import BGBModel

/// What a journal file held.
public struct JournalReplay: Sendable {
  /// A stretch of the file that is no record.
  public struct Damage: Equatable, Sendable {
    /// Where it begins.
    public var offset: Int
    /// How many bytes it takes.
    public var count: Int
  }

  /// The records that are whole, in order.
  public private(set) var records: [JournalRecord] = []
  /// The stretches that are no records.
  public private(set) var damage: [Damage] = []
  /// Bytes of an unfinished record at the end: a write that no one was ever told about.
  public private(set) var tornBytes = 0
  /// The number of the last record.
  public private(set) var lastNumber: UInt64 = 0
  /// Whether a number is missing: a record was lost although the rest is whole.
  public private(set) var hasGap = false

  /// Whether a fact may be missing, so that open tasks must not be begun.
  public var isDamaged: Bool { !damage.isEmpty || hasGap }

  /// Reads all bytes of a file.
  public init(_ bytes: [UInt8]) {
    var position = 0
    var damagedSince: Int?
    while position < bytes.count {
      switch JournalReplay.record(in: bytes, at: position) {
      case .whole(let record, let number, let count):
        close(&damagedSince, at: position)
        if number != lastNumber &+ 1, !records.isEmpty { hasGap = true }
        lastNumber = number
        records.append(record)
        position += count
      case .unfinished:
        // Only an end that looks like a record's beginning is a torn write; with damage before it,
        // it is part of the damage.
        if damagedSince == nil, !JournalReplay.hasMark(in: bytes, from: position + 1) {
          tornBytes = bytes.count - position
          return
        }
        if damagedSince == nil { damagedSince = position }
        position += 1
      case .none:
        if damagedSince == nil { damagedSince = position }
        position += 1
      }
    }
    close(&damagedSince, at: bytes.count)
  }

  private mutating func close(_ damagedSince: inout Int?, at end: Int) {
    guard let begin = damagedSince.take() else { return }
    damage.append(Damage(offset: begin, count: end - begin))
  }

  private enum Finding {
    case whole(JournalRecord, number: UInt64, count: Int)
    case unfinished
    case none
  }

  private static func record(in bytes: [UInt8], at position: Int) -> Finding {
    let rest = bytes.count - position
    let mark = JournalRecord.mark
    for index in 0..<min(mark.count, rest) where bytes[position + index] != mark[index] {
      return .none
    }
    guard rest >= JournalRecord.frameBytes else { return .unfinished }
    let bodyBytes = Int(bytes[position + 4]) << 8 | Int(bytes[position + 5])
    let count = bodyBytes + JournalRecord.frameBytes
    guard rest >= count else { return .unfinished }
    let sum = integer(bytes[(position + count - 4)..<(position + count)])
    let summed = bytes[(position + 4)..<(position + count - 4)]
    guard UInt64(CRC32C.checksum(summed)) == sum else { return .none }
    let number = integer(bytes[(position + 6)..<(position + 14)])
    let body = bytes[(position + 15)..<(position + count - 4)]
    guard let record = try? JournalRecord(kind: bytes[position + 14], body: body) else {
      return .none
    }
    return .whole(record, number: number, count: count)
  }

  private static func integer(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Whether a whole record's mark comes later, so that what stands here is no end of the file.
  private static func hasMark(in bytes: [UInt8], from start: Int) -> Bool {
    var position = start
    while position < bytes.count {
      if bytes[position] == JournalRecord.mark[0], case .whole = record(in: bytes, at: position) {
        return true
      }
      position += 1
    }
    return false
  }
}
