// When the inbox is to be swept. What is announced is loaded at once while it is little. Much says
// that an operation is being delivered and more will come: to load its outcomes now would take the
// time of the processors that deliver it, where both share a machine. So much is gathered for a
// moment, until nothing more comes or the moment is over, and loaded together.

import BGBModel
import Reactor

/// The next sweep of the inbox; used by one thread.
struct SweepPace {
  /// So many bytes that wait are much: some 2,000 outcomes, where a full report has 5,000.
  static let muchBytes = 256 * 1024

  /// When the next sweep is due.
  private(set) var due = Ticks.zero
  /// When the next one is due that does not wait for more.
  private var regular = Ticks.zero
  /// Since when much waits.
  private var gatheringSince: Ticks?

  /// A file was announced; `bytes` are those of all files that wait.
  mutating func hear(bytes: Int, at now: Ticks) {
    guard bytes >= SweepPace.muchBytes else {
      due = min(due, now)
      return
    }
    let since = gatheringSince ?? now
    gatheringSince = since
    due = min(
      regular, since + Limits.sweepGatherMilliseconds, now + Limits.sweepQuietMilliseconds)
  }

  /// A sweep has been made; the next one is at most `interval` milliseconds away.
  mutating func swept(isMoreWaiting: Bool, interval: UInt64, at now: Ticks) {
    gatheringSince = nil
    regular = isMoreWaiting ? now : now + interval
    due = regular
  }
}
