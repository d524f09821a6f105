// The journal's bytes: every prefix, every flipped bit, lost records; and its thread with a real
// disk.

import BGBModel
import BGBSigning
import Glibc
import Reactor
import Synchronization
import Testing

@testable import BGBAgent

@Suite struct JournalTests {
  private let task = TaskID(Bits128(high: 1, low: 2))

  private var records: [JournalRecord] {
    [
      .opened(incarnation: 77, boot: Bits128(high: 3, low: 4)),
      .received(
        testClient, statement: Array(repeating: 7, count: 200), at: WallTime(milliseconds: 5),
        startAfter: WallTime(milliseconds: 6)),
      .started(testClient, task, boot: Bits128(high: 3, low: 4)),
      .outcome(
        testClient, sequence: 1,
        TaskOutcome(
          taskID: task, state: .failed, code: -3, text: "größer", at: WallTime(milliseconds: 9))),
      .stored(testClient, upTo: 1),
      .known(
        testClient, task, digest: Bits128(high: 5, low: 6), forgetAt: WallTime(milliseconds: 10)),
      .counters(
        testClient, nextSequence: 2, storedUpTo: 1, signedFloor: WallTime(milliseconds: -1)),
      .done(
        testClient, digest: Bits128(high: 5, low: 6), at: WallTime(milliseconds: 11),
        notBefore: WallTime(milliseconds: 8), sequence: 2,
        TaskOutcome(
          taskID: TaskID(Bits128(high: 1, low: 3)), state: .succeeded, code: 0, text: "at once",
          at: WallTime(milliseconds: 12))),
    ]
  }

  private var encoded: [[UInt8]] {
    records.enumerated().map { $1.encoded(number: UInt64($0 + 1)) }
  }

  @Test func `the latest tasks that are over are named, newest first`() {
    var book = TaskBook()
    #expect(book.endedTasks(of: testClient).isEmpty)
    book.apply(records[1])
    #expect(book.endedTasks(of: testClient).isEmpty, "one that only waits is not over")
    for number in 1...UInt64(Limits.endedTasksMax + 4) {
      let moment = WallTime(milliseconds: Int64(number))
      book.apply(
        .known(
          testClient, TaskID(Bits128(high: 9, low: number)), digest: Bits128(high: 5, low: 6),
          forgetAt: moment))
    }
    let named = book.endedTasks(of: testClient).map(\.bits.low)
    #expect(named == (5...UInt64(Limits.endedTasksMax + 4)).reversed())
  }

  @Test func `what is written is read`() {
    let replay = JournalReplay(encoded.flatMap { $0 })
    #expect(replay.records == records)
    #expect(!replay.isDamaged)
    #expect(replay.tornBytes == 0)
    #expect(replay.lastNumber == 8)
  }

  @Test func `every prefix gives its whole records and calls the rest torn`() {
    let bytes = encoded.flatMap { $0 }
    var ends: [Int] = [0]
    for record in encoded { ends.append((ends.last ?? 0) + record.count) }
    for count in 0...bytes.count {
      let replay = JournalReplay(Array(bytes[..<count]))
      let whole = ends.lastIndex { $0 <= count } ?? 0
      #expect(replay.records == Array(records[..<whole]), "\(count) bytes")
      #expect(replay.tornBytes == count - ends[whole], "\(count) bytes")
      #expect(!replay.isDamaged, "\(count) bytes")
    }
  }

  @Test func `every flipped bit costs one record and is noticed`() {
    let bytes = encoded.flatMap { $0 }
    for position in bytes.indices {
      for bit in 0..<8 {
        var flipped = bytes
        flipped[position] ^= 1 << UInt8(bit)
        let replay = JournalReplay(flipped)
        // A flip in the last record's length may look like a torn end; it is not believed either
        // way.
        #expect(
          replay.isDamaged || replay.tornBytes > 0, "byte \(position), bit \(bit) went unnoticed")
        #expect(replay.records.count >= records.count - 1)
        #expect(replay.records.allSatisfy(records.contains))
      }
    }
  }

  @Test func `a page of zeros is damage, and the records behind it are found`() {
    let parts = encoded
    let bytes = parts[0] + [UInt8](repeating: 0, count: 4_096) + parts[2...].flatMap { $0 }
    let replay = JournalReplay(bytes)
    #expect(replay.damage == [JournalReplay.Damage(offset: parts[0].count, count: 4_096)])
    #expect(replay.hasGap)
    #expect(replay.records.count == 7)
  }

  @Test func `a missing record is a gap`() {
    let parts = encoded
    let replay = JournalReplay(parts[0] + parts[1] + parts[3])
    #expect(replay.hasGap)
    #expect(replay.isDamaged)
  }

  @Test func `after damage no open task is begun`() throws {
    let key = try SigningKey.generate()
    let desk = TestDesk(key: key)
    desk.welcome()
    var wish = TaskWish()
    wish.spreadSeconds = 3_000
    desk.push(wish)
    desk.sync()
    var bytes = desk.durableBytes
    bytes[12] ^= 1
    let next = TestDesk(key: key, durableBytes: bytes)
    next.welcome()
    next.advance(by: 3_000_000)
    #expect(next.begun.isEmpty)
    #expect(next.outcomes.last?.outcome.state == .unknown)
  }

  // MARK: The thread and the file

  @Test func `batches become durable together and survive`() throws {
    let folder = TestFolder()
    let path = "\(folder.path)/journal"
    let answers = Mutex<[JournalAnswer]>([])
    let thread = try JournalThread(makeDisk: { JournalFile(path: path) }) { answer in
      answers.withLock { $0.append(answer) }
    }
    for (number, bytes) in encoded.enumerated() {
      thread.post(
        JournalBatch(ticket: UInt64(number + 1), bytes: bytes, replacesFile: false))
    }
    thread.stop()
    let last = answers.withLock { $0.last }
    #expect(last == .durable(through: 8))
    let read = try #require(try JournalFile(path: path).load())
    #expect(JournalReplay(read).records == records)
  }

  @Test func `after a failed sync nothing is written before the whole file`() throws {
    let disk = FailingDisk()
    let answers = Mutex<[JournalAnswer]>([])
    let thread = try JournalThread(makeDisk: { FailingDiskHandle(disk) }) { answer in
      answers.withLock { $0.append(answer) }
    }
    disk.state.withLock { $0.syncFailures = 1 }
    func post(_ ticket: UInt64, _ bytes: [UInt8], replaces: Bool = false) {
      let before = answers.withLock { $0.count }
      thread.post(JournalBatch(ticket: ticket, bytes: bytes, replacesFile: replaces))
      if ticket == 2 { return usleep(20_000).discard() }
      while answers.withLock({ $0.count }) == before { usleep(500) }
    }
    post(1, [1])
    post(2, [2])
    post(3, [9, 9], replaces: true)
    post(4, [4])
    thread.stop()
    #expect(
      answers.withLock { $0 } == [
        .failed(DiskError("no")), .durable(through: 3), .durable(through: 4),
      ])
    #expect(disk.state.withLock { $0.bytes } == [9, 9, 4], "batch 2 was never written")
  }

  @Test func `what comes while the thread rests after a sync is synced together`() throws {
    let disk = FailingDisk()
    let answers = Mutex<[JournalAnswer]>([])
    let thread = try JournalThread(
      makeDisk: { FailingDiskHandle(disk) }, restMilliseconds: 300
    ) { answer in
      answers.withLock { $0.append(answer) }
    }
    thread.post(JournalBatch(ticket: 1, bytes: [1], replacesFile: false))
    while answers.withLock({ $0.isEmpty }) { usleep(500) }
    for ticket: UInt64 in 2...20 {
      thread.post(JournalBatch(ticket: ticket, bytes: [UInt8(ticket)], replacesFile: false))
      sched_yield()
    }
    thread.stop()
    #expect(answers.withLock { $0 } == [.durable(through: 1), .durable(through: 20)])
    #expect(disk.state.withLock { $0.bytes } == Array(1...20))
  }

  @Test func `a replaced file is the old one or the new one, and a link is not followed`() throws {
    let folder = TestFolder()
    let path = folder.write("a", "old")
    try AgentFile.replace(path, with: Array("new".utf8))
    #expect(AgentFile.text(path) == "new")
    #expect(AgentFile.names(in: folder.path) == ["a"], "no draft stays behind")
    symlink(path, "\(folder.path)/link")
    #expect(throws: FileError.self) {
      try AgentFile.read("\(folder.path)/link", followLinks: false)
    }
    #expect(throws: FileError.self) { try AgentFile.replace("/proc/none/x", with: [1]) }
    #expect(SystemFacts.ownership(of: path).map { $0.mode & 0o777 } == 0o600)
  }
}

extension UInt32 { fileprivate func discard() {} }
extension Int32 { fileprivate func discard() {} }

/// A disk in memory, shared with the test, that fails when told to.
final class FailingDisk: Sendable {
  struct State {
    var bytes: [UInt8] = []
    var syncFailures = 0
  }
  let state = Mutex(State())
}

/// The thread's handle on it.
final class FailingDiskHandle: JournalDisk {
  private let disk: FailingDisk
  init(_ disk: FailingDisk) { self.disk = disk }
  func load() throws(DiskError) -> [UInt8]? { disk.state.withLock { $0.bytes } }
  func append(_ bytes: [UInt8]) throws(DiskError) { disk.state.withLock { $0.bytes += bytes } }
  func sync() throws(DiskError) {
    let fails = disk.state.withLock { state in
      state.syncFailures -= 1
      return state.syncFailures >= 0
    }
    if fails { throw DiskError("no") }
  }
  func replace(with bytes: [UInt8]) throws(DiskError) { disk.state.withLock { $0.bytes = bytes } }
  func quarantine(_ bytes: [UInt8]) {}
}
