// What the sessions of one process did and when, in flat arrays: the loop's observer writes it, the
// parent's questions are answered from it. All times are of the machine's monotonic clock, in
// microseconds, so that those of several processes can be compared.

import BGBAgent
import BGBModel
import Reactor
import SwarmKit
import Transports

/// The records of one slice; belongs to the loop's thread.
final class SliceLedger {
  /// One session.
  struct Session {
    /// When it signed in last; 0 before the first time.
    var since: UInt64 = 0
    /// When its last session ended; 0 before the first time.
    var endedAt: UInt64 = 0
    /// The greatest sequence that the server confirmed.
    var storedUpTo: UInt64 = 0
    /// Whether it is signed in.
    var isOnline = false
    /// Whether the next end of its connection is the scenario's doing.
    var isExpected = false
  }

  /// When a session got a task, and since when it had been online.
  private struct Receipt {
    var at: UInt64
    var since: UInt64
  }

  /// Who got one task.
  private final class TaskReceipts {
    let task: TaskID
    var all: [Receipt] = []
    /// Which sessions have it.
    private var has: [Bool]

    init(_ task: TaskID, sessions: Int) {
      self.task = task
      has = Array(repeating: false, count: sessions)
      all.reserveCapacity(sessions)
    }

    /// False when the session has it already.
    func insert(_ session: Int, at: UInt64, since: UInt64) -> Bool {
      guard !has[session] else { return false }
      has[session] = true
      all.append(Receipt(at: at, since: since))
      return true
    }
  }

  private(set) var sessions: [Session]
  private(set) var clients: [ClientID] = []
  var tally = SwarmTally()
  private var receipts: [TaskID: TaskReceipts] = [:]
  /// What the last event was about: most are of one operation.
  private var lastTask: TaskReceipts?
  /// Tasks that nobody told the parent of yet.
  private(set) var newTasks: [TaskID] = []

  init(count: Int) {
    sessions = Array(repeating: Session(), count: count)
    clients.reserveCapacity(count)
    tally[.sessions] = count
  }

  /// Microseconds now.
  static func now() -> UInt64 { MonotonicClock.nanoseconds() / 1_000 }

  /// Knows the next client; its journal may hold confirmations of an earlier run.
  func add(_ client: ClientID, storedUpTo: UInt64) {
    sessions[clients.count].storedUpTo = storedUpTo
    clients.append(client)
  }

  /// Notes that the scenario is about to end a session's connection.
  func expectEnd(of number: Int, as counter: SwarmCounter) {
    sessions[number].isExpected = true
    tally[counter] += 1
  }

  /// The observer's entry; the loop's clients are added here in the same order.
  func note(_ number: Int, _ event: AgentEvent) {
    guard number < clients.count else { return }
    switch event {
    case .trying: tally[.attempts] += 1
    case .connected(let isResumed, _):
      tally[.connects] += 1
      if isResumed { tally[.resumed] += 1 }
    case .welcomed:
      tally[.welcomes] += 1
      if !sessions[number].isOnline { tally[.online] += 1 }
      sessions[number].isOnline = true
      sessions[number].isExpected = false
      sessions[number].since = SliceLedger.now()
    case .disconnected(let reason, _): noteEnd(of: number, reason)
    case .task(let event): note(number, event)
    case .carrierLost, .climbed, .climbFailed: return
    }
  }

  private func receipts(of task: TaskID) -> TaskReceipts {
    if let lastTask, lastTask.task == task { return lastTask }
    let known = receipts[task]
    let one = known ?? TaskReceipts(task, sessions: sessions.count)
    if known == nil {
      receipts[task] = one
      newTasks.append(task)
    }
    lastTask = one
    return one
  }

  private func noteEnd(of number: Int, _ reason: DisconnectReason) {
    let wasOnline = sessions[number].isOnline
    if wasOnline {
      tally[.online] -= 1
      sessions[number].isOnline = false
      sessions[number].endedAt = SliceLedger.now()
    }
    if sessions[number].isExpected {
      sessions[number].isExpected = false
      return
    }
    tally[.lost] += 1
    if wasOnline { tally[.sessionsLost] += 1 }
    tally.errors[SliceLedger.kind(of: reason), default: 0] += 1
  }

  private func note(_ number: Int, _ event: DeskEvent) {
    switch event {
    case .received(let task, _, _):
      let isNew = receipts(of: task)
        .insert(number, at: SliceLedger.now(), since: sessions[number].since)
      tally[isNew ? .received : .repeated] += 1
    case .ended: tally[.ended] += 1
    case .stored(let upTo):
      let before = sessions[number].storedUpTo
      guard upTo > before else { return }
      sessions[number].storedUpTo = upTo
      tally[.stored] += Int(clamping: upTo - before)
    case .refused: tally[.refused] += 1
    case .cancelAsked, .journalFailed, .journalRepaired: return
    }
  }

  /// Takes the tasks that nobody told the parent of yet.
  func takeNewTasks() -> [TaskID] {
    defer { newTasks = [] }
    return newTasks
  }

  /// When the first session got a task; nil when none did.
  func firstReceipt(of task: TaskID) -> UInt64? { receipts[task]?.all.lazy.map(\.at).min() }

  /// How long after a moment each session got a task; with `onlineBefore`, only of those that had
  /// been online since before it.
  func latency(of task: TaskID, from zero: UInt64, onlineBefore: Bool) -> LatencyHistogram {
    var histogram = LatencyHistogram()
    for receipt in receipts[task]?.all ?? [] where !onlineBefore || receipt.since <= zero {
      histogram.record(receipt.at >= zero ? receipt.at - zero : 0)
    }
    return histogram
  }

  /// How many sessions ended since a moment, and how long after `begun` each of them was back.
  func comebacks(since zero: UInt64, from begun: UInt64) -> (ended: Int, back: LatencyHistogram) {
    var histogram = LatencyHistogram()
    var ended = 0
    for session in sessions where session.endedAt >= zero {
      ended += 1
      if session.isOnline { histogram.record(session.since - min(begun, session.since)) }
    }
    return (ended, histogram)
  }

  /// A short name for the way a connection ended.
  static func kind(of reason: DisconnectReason) -> String {
    switch reason {
    case .attemptTimedOut: "timeout"
    case .lost(let error) where error.errno != 0: "errno.\(error.errno)"
    case .lost(let error): "transport.\(error.kind)"
    case .unreachable(let error): "errno.\(error.rawValue)"
    case .unresolved: "unresolved"
    case .notOurServer: "certificate"
    case .ended: "ended"
    case .stuck: "stuck"
    case .silent: "silent"
    case .protocolError: "protocol"
    case .proxy: "proxy"
    case .notOurAnswer, .cutAnswer: "answer"
    case .sessionGone, .restarted: "gone"
    case .refused(let code): "refused.\(code)"
    case .asked: "asked"
    case .goodbye: "goodbye"
    case .stopped: "stopped"
    }
  }
}

@available(*, unavailable)
extension SliceLedger: Sendable {}
