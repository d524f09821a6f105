// What a failed attempt over TCP means for the choice of transport, and is told to the server.

import BGBModel
import Glibc
import Reactor
import Transports

extension FallbackReason {
  /// Sorts out why a TCP attempt ended.
  init(_ reason: DisconnectReason) {
    switch reason {
    case .attemptTimedOut: self = .timedOut
    case .unresolved: self = .unresolved
    case .unreachable(let error): self = FallbackReason(errno: error.rawValue)
    case .notOurServer: self = .notOurServer
    case .lost(let error):
      switch error.kind {
      case .connectionReset, .system, .truncated:
        self = error.errno == 0 ? .reset : FallbackReason(errno: error.errno)
      case .certificateRefused: self = .notOurServer
      case .protocolViolation, .alertReceived, .limitExceeded, .setup, .closed, .keyChange:
        self = .tlsFailed
      }
    default: self = .reset
    }
  }
}

extension FallbackReason {
  /// Sorts out the kernel's reason.
  init(errno number: Int32) {
    switch number {
    case ECONNREFUSED: self = .refused
    case ETIMEDOUT: self = .timedOut
    case ENETUNREACH, EHOSTUNREACH, ENETDOWN, EADDRNOTAVAIL, EACCES, EPERM: self = .unreachable
    default: self = .reset
    }
  }
}
