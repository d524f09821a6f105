// A desk with its journal in memory: the test says when a batch is durable, or lost.

import BGBModel
import BGBSigning
import BGBWire
import Reactor

@testable import BGBAgent

final class TestDesk {
  let key: SigningKey
  var desk: TaskDesk
  /// What a crash would leave behind.
  var durableBytes: [UInt8] = []
  /// Wall clock of the agent: far from the truth on purpose.
  var now = Moment(ticks: Ticks(milliseconds: 50_000), wall: WallTime(milliseconds: 0))
  var sent: [Message] = []
  var begun: [ActionOrder] = []
  var told: [DeskEvent] = []
  var rewritesAsked = 0

  init(
    key: SigningKey, durableBytes: [UInt8]? = nil, boot: UInt64 = 1,
    change: (inout DeskRules) -> Void = { _ in }
  ) {
    self.key = key
    var rules = DeskRules(
      keys: [key.publicKey], site: TestSite.code, boot: Bits128(high: 0, low: boot))
    change(&rules)
    let disk = MemoryDisk(durableBytes)
    guard
      let desk = try? TaskDesk.open(
        disk, rules: rules, now: now.wall, random: JitterRandom(seed: 3), remark: { _ in })
    else { unreachable() }
    self.desk = desk
    self.durableBytes = disk.bytes ?? []
    desk.add(testClient)
  }

  /// Begins a session; the server's clock starts at 1,000,000.
  func welcome(_ time: Int64 = 1_000_000) {
    desk.welcomed(testClient, serverTime: WallTime(milliseconds: time), at: now)
    collect()
  }

  func push(_ wish: TaskWish, pushID: UInt64 = 1) {
    desk.push(testClient, key.push(wish, pushID: pushID), at: now)
    collect()
  }

  /// Writes what there is and says that it is durable.
  func sync(evenLazy: Bool = false) {
    collect()
    while let batch = desk.takeBatch(evenLazy: evenLazy) {
      if batch.replacesFile { durableBytes = batch.bytes } else { durableBytes += batch.bytes }
      desk.durable(through: batch.ticket, at: now)
      collect()
    }
  }

  func advance(by milliseconds: UInt64) {
    now.ticks = now.ticks + milliseconds
    desk.tick(at: now)
    sync()
  }

  func finish(_ result: ActionResult = .succeeded("done")) {
    guard !begun.isEmpty else { return }
    desk.finished(begun.removeFirst().key, result, at: now)
    sync()
  }

  /// Takes orders and news off the desk.
  func collect() {
    for order in desk.takeOrders() {
      switch order {
      case .send(_, let message): sent.append(message)
      case .news: break
      case .begin(let order): begun.append(order)
      case .rewriteJournal: rewritesAsked += 1
      case .told(_, _, let event): told.append(event)
      }
    }
    while let its = desk.desk(of: testClient), let report = desk.nextNews(of: its) {
      sent.append(.taskOutcome(report))
    }
  }

  /// The process dies now; what was durable is opened by the next one.
  func crashed(boot: UInt64 = 1) -> TestDesk {
    TestDesk(key: key, durableBytes: durableBytes, boot: boot)
  }

  var outcomes: [OutcomeReport] {
    sent.compactMap { if case .taskOutcome(let report) = $0 { report } else { nil } }
  }
  var acks: [TaskAck] { sent.compactMap { if case .taskAck(let ack) = $0 { ack } else { nil } } }
}

/// A disk in memory that can fail.
final class MemoryDisk: JournalDisk {
  var bytes: [UInt8]?
  var quarantined: [[UInt8]] = []

  init(_ bytes: [UInt8]?) { self.bytes = bytes }

  func load() throws(DiskError) -> [UInt8]? { bytes }
  func append(_ bytes: [UInt8]) throws(DiskError) { self.bytes = (self.bytes ?? []) + bytes }
  func sync() throws(DiskError) {}
  func replace(with bytes: [UInt8]) throws(DiskError) { self.bytes = bytes }
  func quarantine(_ bytes: [UInt8]) { quarantined.append(bytes) }
}
