// The server's memory of outcomes between an agent's word and a report in the inbox. An outcome is
// confirmed to its agent only when it is durable here; a segment is removed only when a report that
// holds all of it is durable in the inbox. After a crash the segments say what no report has told
// yet.

import BGBModel
import Reactor

/// Segments of outcome records in one folder; owned by the journal thread.
final class OutcomeJournal {
  /// What a folder held when it was opened.
  struct Recovery {
    /// Outcomes that no report had told for sure, oldest first.
    var records: [OutcomeRecord] = []
    /// Records that were flipped; they are lost and must be reported as such.
    var damaged = 0
    /// Files that ended inside a record: the mark of a crash, not a fault.
    var torn = 0
  }

  private let folder: String
  private var segment: AppendFile
  private var segmentNumber: UInt64
  private var hasUnsynced = false

  /// Opens a folder, reads what is there, and begins a new segment behind it.
  init(folder: String, recovery: inout Recovery) throws(Errno) {
    self.folder = folder
    try Folder.make(folder)
    var last: UInt64 = 0
    for name in try Folder.names(in: folder) {
      guard let number = OutcomeJournal.number(of: name) else { continue }
      last = max(last, number)
      let bytes = try Folder.read("\(folder)/\(name)", limit: 1 << 30)
      OutcomeJournal.replay(bytes, into: &recovery)
    }
    segmentNumber = last + 1
    segment = try AppendFile(path: OutcomeJournal.path(folder, segmentNumber))
    try Folder.sync(folder)
  }

  /// The segment that records go to now.
  var currentSegment: UInt64 { segmentNumber }

  /// Appends records; they count only after `sync`.
  func append(_ records: [OutcomeRecord]) throws(Errno) {
    var writer = ByteWriter(capacity: records.count * 112)
    for record in records { JournalRecord.encode(record, into: &writer) }
    try segment.append(writer.bytes)
    hasUnsynced = true
  }

  /// Makes everything appended durable.
  func sync() throws(Errno) {
    guard hasUnsynced else { return }
    try segment.sync()
    hasUnsynced = false
  }

  /// Begins a new segment: everything before it goes into the report that is cut now.
  ///
  /// Also the way on after a failed sync: the dead segment stays as it is and is read at the next
  /// start.
  func rotate() throws(Errno) {
    let next = segmentNumber + 1
    let file = try AppendFile(path: OutcomeJournal.path(folder, next))
    try Folder.sync(folder)
    segment = file
    segmentNumber = next
    hasUnsynced = false
  }

  /// Removes the segments before a number: a durable report holds their records.
  func release(before number: UInt64) throws(Errno) {
    for name in try Folder.names(in: folder) {
      guard let found = OutcomeJournal.number(of: name), found < number, found != segmentNumber
      else { continue }
      try Folder.remove("\(folder)/\(name)")
    }
    try Folder.sync(folder)
  }

  static func replay(_ bytes: [UInt8], into recovery: inout Recovery) {
    var position = 0
    while true {
      switch JournalRecord.read(bytes, at: position) {
      case .record(let record, let next):
        recovery.records.append(record)
        position = next
      case .damaged(let next):
        recovery.damaged += 1
        position = next
      case .torn:
        recovery.torn += 1
        return
      case .end: return
      }
    }
  }

  private static func path(_ folder: String, _ number: UInt64) -> String {
    let digits = String(number)
    let padded = String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    return "\(folder)/outcomes-\(padded).journal"
  }

  static func number(of name: String) -> UInt64? {
    guard name.hasPrefix("outcomes-"), name.hasSuffix(".journal") else { return nil }
    return UInt64(name.dropFirst(9).dropLast(8))
  }
}

@available(*, unavailable)
extension OutcomeJournal: Sendable {}
