// The supervisor's picture of one worker: the place stays, the processes in it come and go.

import Reactor

/// The place of one worker.
struct WorkerSeat {
  /// Its number, from 1 on.
  let number: Int
  /// The process in it; nil between two of them.
  var child: ChildProcess?
  /// The link to that process.
  var link: WorkerLink?
  /// How that process is, as it said last.
  var state = WorkerState.starting
  /// When it was started.
  var startedAt = Ticks.zero
  /// Whether any process in this place was ready once.
  var wasReady = false
  /// How often a process was started here after one that ended by itself.
  var restarts: UInt64 = 0
  /// How long the next such start waits.
  var delay = RestartDelay()
  /// What of it must be told to the site, by the next process.
  var untold: String?
  /// Counters of its process as they were told last.
  var counted: [String: Double] = [:]
  /// Whether its process said that it answers whether its loop turns.
  var answersPulse = false
  /// When it was asked that, while it owes the answer.
  var askedAt: Ticks?
  /// Its process is being killed because it never answered.
  var wasHanging = false
  /// How many processes here were.
  var hangs: UInt64 = 0
  /// Its process was told to end, for the next one to take its place.
  var isReplaced = false
  /// Its process was told to end for good, by a drain.
  var hasLeft = false

  /// Whether all is well here.
  var isReady: Bool { child != nil && state == .ready }

  /// What is not well here, for a person; nil when nothing is.
  var complaint: String? {
    if hasLeft { return "worker \(number) was drained and ended" }
    guard child != nil else { return "worker \(number) restarts (\(restarts) restarts)" }
    return state == .ready ? nil : "worker \(number) is \(state.text)"
  }
}
