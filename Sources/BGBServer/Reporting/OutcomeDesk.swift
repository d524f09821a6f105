// Outcomes on their way through the loop: kept in order, posted to the journal in waves,
// confirmed to their agents when durable, collected for the next report. Pure bookkeeping; it posts
// nothing.

import BGBModel
import Reactor

/// The loop's side of the journal.
struct OutcomeDesk {
  /// Whom to confirm what, once a record is durable.
  struct Confirmation: Equatable {
    /// The connection.
    let token: Token
    /// Everything of its session up to this sequence.
    var upTo: UInt64
  }

  private struct Waiting {
    let number: UInt64
    let token: Token
    let sequence: UInt64
  }

  /// A journal's write and sync cost much the same for one record and for a thousand: waves are
  /// posted this often, or when this many have come.
  static let postMilliseconds: UInt64 = 50
  static let postRecords = 4_096

  private var unposted: [OutcomeRecord] = []
  private var postedAt: Ticks?
  private var waiting: [Waiting] = []
  private var waitingFrom = 0
  private var lastNumber: UInt64 = 0
  /// The number of the last record that is durable.
  private(set) var durable: UInt64 = 0
  /// Records for the next report, in the order they came.
  private(set) var collected: [OutcomeRecord] = []

  /// Records that are not durable yet.
  var unstoredCount: Int { Int(clamping: lastNumber - durable) }

  /// Puts outcomes of an earlier life before everything else.
  mutating func recover(_ records: [OutcomeRecord]) { collected.insert(contentsOf: records, at: 0) }

  /// Takes an outcome that must become durable before its agent may forget it.
  mutating func keep(_ record: OutcomeRecord, confirm token: Token, sequence: UInt64) {
    lastNumber += 1
    unposted.append(record)
    collected.append(record)
    expect(confirm: token, sequence: sequence)
  }

  /// Takes an outcome that was kept before, and whose agent has not heard that it is durable.
  mutating func expect(confirm token: Token, sequence: UInt64) {
    waiting.append(Waiting(number: lastNumber, token: token, sequence: sequence))
  }

  /// Takes news that are worth a report but not a sync: if they are lost, the agent tells more
  /// later.
  mutating func note(_ record: OutcomeRecord) { collected.append(record) }

  /// When the records that have come are due at the journal; nil when there are none.
  ///
  /// At once, if none were posted lately.
  func postDue(at now: Ticks) -> Ticks? {
    guard !unposted.isEmpty else { return nil }
    guard let postedAt, unposted.count < OutcomeDesk.postRecords else { return now }
    return max(now, postedAt + OutcomeDesk.postMilliseconds)
  }

  /// The records to post to the journal, with the number of the last one.
  mutating func takeUnposted(at now: Ticks) -> (records: [OutcomeRecord], upTo: UInt64)? {
    guard !unposted.isEmpty else { return nil }
    postedAt = now
    defer { unposted = [] }
    return (unposted, lastNumber)
  }

  /// Everything up to a number is durable: whom to tell, in the order of the records; a session may
  /// come several times.
  mutating func stored(upTo number: UInt64) -> [Confirmation] {
    durable = max(durable, number)
    let start = waitingFrom
    while waitingFrom < waiting.count, waiting[waitingFrom].number <= number { waitingFrom += 1 }
    let confirmations = waiting[start..<waitingFrom].map {
      Confirmation(token: $0.token, upTo: $0.sequence)
    }
    if waitingFrom == waiting.count {
      waiting.removeAll(keepingCapacity: waiting.count < 512)
      waitingFrom = 0
    } else if waitingFrom > 65_536 {
      waiting.removeFirst(waitingFrom)
      waitingFrom = 0
    }
    return confirmations
  }

  /// Everything collected, for a round of reports.
  mutating func takeCollected() -> [OutcomeRecord] {
    defer { collected = [] }
    return collected
  }
}
