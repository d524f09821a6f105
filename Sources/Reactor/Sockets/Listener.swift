// A listening socket that stays polite when the process has no descriptor left.
//
// Without a descriptor a waiting connection can be neither accepted nor refused, and a
// level-triggered listener reports it for ever: the classical spin at 100 % CPU. So one descriptor
// is kept in reserve. When accept fails, the reserve is given up, one connection is accepted with
// it and reset at once (its peer learns now, and not by a timeout, that it has to try again), and
// the reserve is taken back. The answer `.exhausted` then asks the owner to stop watching the
// listener until descriptors came free.

import CEpollShim
import Glibc

/// What one attempt to accept came to.
public enum AcceptStep: ~Copyable {
  /// A connection, non-blocking and closed on exec, and who it is from.
  case accepted(Descriptor, SocketAddress)
  /// Nobody is waiting.
  case wouldBlock
  /// No descriptor is left; one waiting connection was refused if that was possible.
  ///
  /// Stop watching the listener until connections were closed, or for a while.
  case exhausted
  /// The listener itself is broken, or the kernel has no memory.
  case failed(Errno)
}

/// A bound, listening, non-blocking stream socket.
///
/// Belongs to the thread that made it.
public final class Listener {
  private let descriptor: Descriptor
  private var spare: Descriptor?
  /// Where it listens, with the port the kernel chose if 0 was asked for.
  public let boundAddress: SocketAddress
  /// How many connections were reset for want of a descriptor.
  public private(set) var refused: UInt64 = 0
  /// How many connections died between arriving and being accepted.
  public private(set) var aborted: UInt64 = 0

  /// Binds and listens.
  ///
  /// With `reusePort` several processes, or several listeners of one, share the address and the
  /// kernel spreads new connections over them. A backlog above `net.core.somaxconn` is cut to it by
  /// the kernel. An IPv6 address listens to IPv6 alone. A Unix socket's path must not exist. The
  /// corresponding C functions are `socket`, `bind`, `listen`.
  public init(_ address: SocketAddress, backlog: Int32 = 4096, reusePort: Bool = false)
    throws(Errno)
  {
    let socket = Descriptor(owning: try resultOrErrno(clinux_stream_socket(address.family)))
    if address.family != CLINUX_AF_UNIX {
      try StreamSocket.setOption(socket.raw, CLINUX_SOL_SOCKET, CLINUX_SO_REUSEADDR, 1)
    }
    if address.family == CLINUX_AF_INET6 {
      try StreamSocket.setOption(socket.raw, CLINUX_IPPROTO_IPV6, CLINUX_IPV6_V6ONLY, 1)
    }
    if reusePort {
      try StreamSocket.setOption(socket.raw, CLINUX_SOL_SOCKET, CLINUX_SO_REUSEPORT, 1)
    }
    try StreamSocket.bind(socket.raw, address)
    try resultOrErrno(clinux_listen(socket.raw, backlog))
    boundAddress =
      if case .unix = address { address } else { try StreamSocket.localAddress(of: socket.raw) }
    descriptor = socket
    spare = SocketCalls.openNothing()
  }

  /// The number to watch for ``Readiness/readable``.
  public var fd: Int32 { descriptor.raw }

  /// Accepts one waiting connection; call it again until it answers anything else, within a bound.
  public func accept() -> AcceptStep {
    // Each round takes one dead connection off the queue, whose length the backlog bounds.
    while true {
      let (number, peer) = SocketCalls.accept(descriptor.raw)
      if number >= 0 { return .accepted(Descriptor(owning: number), SocketAddress(peer)) }
      let error = Errno.current
      switch error.rawValue {
      case EAGAIN: return .wouldBlock
      case EINTR: continue
      case EMFILE, ENFILE: return refuseOne()
      // accept(2): these are errors of the connection that was waiting, not of the listener.
      case ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP,
        ENETUNREACH:
        aborted &+= 1
      default:
        trapIfOurFault(error, "accept4")
        return .failed(error)
      }
    }
  }

  private func refuseOne() -> AcceptStep {
    guard let reserve = spare.take() else {
      // Lost earlier to another thread that opened something meanwhile; try to have it again.
      spare = SocketCalls.openNothing()
      return .exhausted
    }
    reserve.close()
    let number = SocketCalls.accept(descriptor.raw).number
    // The kernel looks for a free number before it looks for a connection: perhaps nobody is there.
    let nobodyWaits = number == -1 && Errno.current == .wouldBlock
    if number >= 0 {
      // A reset, so that no port stays in TIME_WAIT for a connection that never was.
      _ = clinux_set_abortive_close(number)
      Descriptor(owning: number).close()
      refused &+= 1
    }
    spare = SocketCalls.openNothing()
    if nobodyWaits { return .wouldBlock }
    return .exhausted
  }
}

@available(*, unavailable)
extension Listener: Sendable {}
