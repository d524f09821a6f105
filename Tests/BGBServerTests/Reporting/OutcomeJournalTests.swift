// What was synced is found again; what was torn or flipped is told; what was released is gone.

import BGBModel
import Glibc
import Reactor
import Testing

@testable import BGBServer

struct OutcomeJournalTests {
  /// A folder of its own for each test, removed at the end.
  private final class Place {
    let path: String
    init() {
      var template = Array("/tmp/bgb-journal-XXXXXX".utf8CString)
      path = template.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress, let made = mkdtemp(base) else {
          preconditionFailure("no folder for the test")
        }
        return String(cString: made)
      }
    }
    deinit {
      for name in (try? Folder.names(in: path)) ?? [] { try? Folder.remove("\(path)/\(name)") }
      rmdir(path)
    }
  }

  private func open(_ place: Place) throws -> (OutcomeJournal, OutcomeJournal.Recovery) {
    var recovery = OutcomeJournal.Recovery()
    let journal = try OutcomeJournal(folder: place.path, recovery: &recovery)
    return (journal, recovery)
  }

  private func records(_ range: ClosedRange<UInt64>) -> [OutcomeRecord] {
    range.map { Sample.outcome($0, text: "text of \($0)") }
  }

  @Test func whatAWorkerLeftIsTakenOverOnce() throws {
    let (mine, left) = (Place(), Place())
    do {
      let (journal, _) = try open(left)
      try journal.append(records(1...3))
      try journal.sync()
    }
    let (journal, _) = try open(mine)
    var held = try ProcessLock.take("\(left.path)/lock")
    var recovery = OutcomeJournal.Recovery()
    try journal.adopt(left.path, into: &recovery)
    #expect(recovery.records.isEmpty && held != nil, "a process uses it")
    held = nil
    try journal.adopt(left.path, into: &recovery)
    #expect(recovery.records == records(1...3))
    try journal.adopt(left.path, into: &recovery)
    try journal.adopt("\(left.path)-none", into: &recovery)
    #expect(recovery.records == records(1...3), "once")
    #expect(try Folder.names(in: left.path) == ["lock"])
    // It is ours now, also after a crash.
    #expect(try open(mine).1.records == records(1...3))
  }

  @Test func recordsComeBackInOrder() throws {
    let place = Place()
    do {
      let (journal, recovery) = try open(place)
      #expect(recovery.records.isEmpty)
      try journal.append(records(1...3))
      try journal.append(records(4...5))
      try journal.sync()
    }
    let (_, recovery) = try open(place)
    #expect(recovery.records == records(1...5))
    #expect(recovery.damaged == 0)
  }

  @Test func aReportReleasesWhatCameBeforeItsCut() throws {
    let place = Place()
    do {
      let (journal, _) = try open(place)
      try journal.append(records(1...3))
      try journal.sync()
      try journal.rotate()
      let cut = journal.currentSegment
      try journal.append(records(4...6))
      try journal.sync()
      try journal.release(before: cut)
    }
    let (_, recovery) = try open(place)
    #expect(recovery.records == records(4...6))
  }

  @Test func everyTornTailKeepsWhatIsBeforeIt() throws {
    let place = Place()
    let (journal, _) = try open(place)
    try journal.append(records(1...2))
    try journal.sync()
    let name = try #require(try Folder.names(in: place.path).last)
    let bytes = try Folder.read("\(place.path)/\(name)", limit: 1 << 20)
    let first = JournalRecord.encode(records(1...1)[0]).count
    for length in first..<bytes.count {
      var position = 0
      var read: [OutcomeRecord] = []
      var torn = false
      let cut = Array(bytes[..<length])
      loop: while true {
        switch JournalRecord.read(cut, at: position) {
        case .record(let record, let next):
          read.append(record)
          position = next
        case .damaged: Issue.record("a torn record is no damaged one")
        case .torn:
          torn = true
          break loop
        case .end: break loop
        }
      }
      #expect(read == records(1...1))
      #expect(torn == (length > first))
    }
  }

  @Test func noFlippedByteIsAccepted() {
    let bytes = JournalRecord.encode(records(1...1)[0])
    for index in bytes.indices {
      var flipped = bytes
      flipped[index] ^= 0x40
      if case .record = JournalRecord.read(flipped, at: 0) {
        Issue.record("byte \(index) flipped and nobody saw it")
      }
    }
  }

  @Test func aFlippedRecordCostsItselfOnly() throws {
    let place = Place()
    var name = ""
    do {
      let (journal, _) = try open(place)
      try journal.append(records(1...3))
      try journal.sync()
      name = try #require(try Folder.names(in: place.path).last)
    }
    let path = "\(place.path)/\(name)"
    var bytes = try Folder.read(path, limit: 1 << 20)
    let first = JournalRecord.encode(records(1...1)[0]).count
    bytes[first + JournalRecord.frameBytes + 3] ^= 1
    try Folder.remove(path)
    let file = try AppendFile(path: path)
    try file.append(bytes)
    let (_, recovery) = try open(place)
    #expect(recovery.records.map(\.clientID) == [Sample.client(1), Sample.client(3)])
    #expect(recovery.damaged == 1)
  }
}
