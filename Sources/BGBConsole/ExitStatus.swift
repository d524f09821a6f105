// The documented exit codes. Scripts rely on them: they are never changed and never reused.

import BGBModel

/// What the program's exit code says.
public enum ExitStatus: Int32, Sendable, CaseIterable {
  /// Done; every target succeeded, or the query worked.
  case done = 0
  /// A general error.
  case failure = 1
  /// Wrong usage or invalid configuration.
  case usage = 2
  /// No target matched.
  case noTarget = 3
  /// Finished, and some targets failed.
  case targetsFailed = 4
  /// Finished, and some targets never got it; none failed otherwise.
  case undelivered = 5
  /// Stopped waiting; the operation goes on.
  case stoppedWaiting = 6
  /// The operation was cancelled.
  case cancelled = 7
  /// Not authenticated or not allowed.
  case notAllowed = 8
  /// The manager is not reachable or overloaded.
  case unreachable = 9
  /// Interrupted.
  case interrupted = 130

  /// What a finished operation's counts mean.
  init(of operation: OperationStatus) {
    if operation.state == "cancelled" {
      self = .cancelled
    } else if operation.failedCount > 0 {
      self = .targetsFailed
    } else if operation[.expired] + operation[.cancelled] > 0 {
      self = .undelivered
    } else {
      self = .done
    }
  }
}
