// What epoll can say about a descriptor, as a set.

import CEpollShim

/// What a descriptor is ready for, or is asked to be watched for.
public struct Readiness: OptionSet, Hashable, Sendable {
  /// The bits as epoll has them.
  public let rawValue: UInt32

  /// Makes a set of epoll's bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Reading will not wait (EPOLLIN).
  public static let readable = Readiness(rawValue: 0x001)
  /// Writing will not wait (EPOLLOUT).
  public static let writable = Readiness(rawValue: 0x004)
  /// The peer will send no more (EPOLLRDHUP); reported only where asked for.
  public static let peerClosed = Readiness(rawValue: 0x2000)
  /// An error is pending (EPOLLERR); always reported, needs no asking.
  public static let error = Readiness(rawValue: 0x008)
  /// Both directions are closed (EPOLLHUP); always reported, needs no asking.
  public static let hangup = Readiness(rawValue: 0x010)
  /// Asked for, each change is reported once, and not again as long as it lasts (EPOLLET).
  public static let onceEach = Readiness(rawValue: 1 << 31)
}
