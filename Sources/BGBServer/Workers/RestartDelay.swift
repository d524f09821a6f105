// How long a worker that ended waits before it is started again: not at all after a life that
// proved it, and longer each time when it dies young, so that a fault that kills every worker at
// once does not burn the machine. Pure: lengths in, lengths out.

import BGBModel

/// The delays of one worker's restarts.
struct RestartDelay: Equatable {
  /// Short lives since the last long one.
  private(set) var failures = 0

  /// The milliseconds to wait after a life of so many.
  mutating func next(afterLife milliseconds: UInt64) -> UInt64 {
    guard milliseconds < Limits.workerProvenMilliseconds else {
      failures = 0
      return 0
    }
    failures += 1
    let doublings = UInt64(min(failures - 1, 16))
    return min(Limits.workerDelayMillisecondsMax, Limits.workerDelayMilliseconds << doublings)
  }
}
