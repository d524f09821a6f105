// The records of the task journal and their bytes. A record stands for one fact; the memory of an
// agent (TaskBook) is nothing but all records applied in order, live and after a restart alike.
//
//   mark 4 "BGBJ" | body length 2 | record number 8 | kind 1 | body | CRC-32C 4 of all but the mark
//
// The mark lets a reader find the next record behind a damaged one; the number shows that one is
// missing.

public import BGBModel

/// One fact in the journal.
public enum JournalRecord: Equatable, Sendable {
  /// The journal was opened by an agent that runs since this boot of the computer.
  case opened(incarnation: UInt64, boot: Bits128)
  /// A task was admitted: the statement, when it came, and when it may start, by the server's
  /// clock.
  case received(ClientID, statement: [UInt8], at: WallTime, startAfter: WallTime)
  /// A task is about to be done: from here on it is never begun again.
  case started(ClientID, TaskID, boot: Bits128)
  /// News of a task with its sequence.
  case outcome(ClientID, sequence: UInt64, TaskOutcome)
  /// A task was over as soon as it was taken: what `received` and `outcome` would say one after the
  /// other, of which a crash could leave the first alone.
  case done(
    ClientID, digest: Bits128, at: WallTime, notBefore: WallTime, sequence: UInt64, TaskOutcome)
  /// The server has everything up to this sequence.
  case stored(ClientID, upTo: UInt64)
  /// A task that ended, after compaction: enough to know it again.
  case known(ClientID, TaskID, digest: Bits128, forgetAt: WallTime)
  /// A client's counters, after compaction.
  case counters(ClientID, nextSequence: UInt64, storedUpTo: UInt64, signedFloor: WallTime)

  /// "BGBJ", as it is written: an array would be counted as used by each record.
  private static let markNumber: UInt32 = 0x4247_424A
  static let mark = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: markNumber >> $0) }
  /// Bytes of a record without its body: mark, length, number, kind, checksum.
  static let frameBytes = 4 + 2 + 8 + 1 + 4

  /// The record as it stands in the file.
  public func encoded(number: UInt64) -> [UInt8] {
    var writer = ByteWriter(capacity: 128)
    encode(number: number, into: &writer)
    return writer.bytes
  }

  /// Appends the record as it stands in the file.
  public func encode(number: UInt64, into writer: inout ByteWriter) {
    writer.integer(JournalRecord.markNumber)
    let start = writer.bytes.count
    writer.integer(UInt16(0))
    writer.integer(number)
    writer.integer(kind)
    let body = writer.bytes.count
    encodeBody(into: &writer)
    writer.patch(UInt16(truncatingIfNeeded: writer.bytes.count - body), at: start)
    // A statement of its own: while the slice lives, writing copies everything before it.
    let checksum = CRC32C.checksum(writer.bytes[start...])
    writer.integer(checksum)
  }

  private var kind: UInt8 {
    switch self {
    case .opened: 1
    case .received: 2
    case .started: 3
    case .outcome: 4
    case .stored: 5
    case .known: 6
    case .counters: 7
    case .done: 8
    }
  }

  private func encodeBody(into writer: inout ByteWriter) {
    switch self {
    case .opened(let incarnation, let boot):
      writer.integer(incarnation)
      writer.bits128(boot)
    case .received(let client, let statement, let at, let startAfter):
      writer.bits128(client.bits)
      writer.wallTime(at)
      writer.wallTime(startAfter)
      // What is longer was never admitted; the concrete way to write a block.
      let cut = statement.prefix(Limits.statementBytesMax)
      writer.integer(UInt16(truncatingIfNeeded: cut.count))
      writer.raw(cut)
    case .started(let client, let task, let boot):
      writer.bits128(client.bits)
      writer.bits128(task.bits)
      writer.bits128(boot)
    case .outcome(let client, let sequence, let outcome):
      writer.bits128(client.bits)
      writer.numbered(outcome, sequence)
    case .done(let client, let digest, let at, let notBefore, let sequence, let outcome):
      writer.bits128(client.bits)
      writer.bits128(digest)
      writer.wallTime(at)
      writer.wallTime(notBefore)
      writer.numbered(outcome, sequence)
    case .stored(let client, let upTo):
      writer.bits128(client.bits)
      writer.integer(upTo)
    case .known(let client, let task, let digest, let forgetAt):
      writer.bits128(client.bits)
      writer.bits128(task.bits)
      writer.bits128(digest)
      writer.wallTime(forgetAt)
    case .counters(let client, let nextSequence, let storedUpTo, let signedFloor):
      writer.bits128(client.bits)
      writer.integer(nextSequence)
      writer.integer(storedUpTo)
      writer.wallTime(signedFloor)
    }
  }

  /// Reads a body of a kind.
  init(kind: UInt8, body: ArraySlice<UInt8>) throws(CodingError) {
    var reader = ByteReader(body)
    switch kind {
    case 1: self = .opened(incarnation: try reader.integer(), boot: try reader.bits128())
    case 2:
      let client = ClientID(try reader.bits128())
      let at = try reader.wallTime()
      let startAfter = try reader.wallTime()
      let statement = Array(try reader.block(limit: Limits.statementBytesMax))
      self = .received(client, statement: statement, at: at, startAfter: startAfter)
    case 3:
      self = .started(
        ClientID(try reader.bits128()), TaskID(try reader.bits128()), boot: try reader.bits128())
    case 4:
      let client = ClientID(try reader.bits128())
      let (sequence, outcome) = try reader.numberedOutcome()
      self = .outcome(client, sequence: sequence, outcome)
    case 5: self = .stored(ClientID(try reader.bits128()), upTo: try reader.integer())
    case 6:
      self = .known(
        ClientID(try reader.bits128()), TaskID(try reader.bits128()),
        digest: try reader.bits128(), forgetAt: try reader.wallTime())
    case 7:
      self = .counters(
        ClientID(try reader.bits128()), nextSequence: try reader.integer(),
        storedUpTo: try reader.integer(), signedFloor: try reader.wallTime())
    case 8:
      let client = ClientID(try reader.bits128())
      let digest = try reader.bits128()
      let (at, notBefore) = (try reader.wallTime(), try reader.wallTime())
      let (sequence, outcome) = try reader.numberedOutcome()
      self = .done(
        client, digest: digest, at: at, notBefore: notBefore, sequence: sequence, outcome)
    default: throw .badValue
    }
    try reader.end()
  }
}
