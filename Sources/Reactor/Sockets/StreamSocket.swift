// The calls on a connected stream socket, with exact results.
//
// A namespace and not a type with state: a connection owns its Descriptor and its Transport decides
// what to do with a step. Waiting and the orderly end are cases of the step, only true failures are
// errors.

import CEpollShim
import Glibc

/// What one read or write on a socket came to.
public enum SocketStep: Equatable, Sendable {
  /// So many bytes went over, at least one.
  case moved(Int)
  /// Nothing went over; the socket will tell when it is ready.
  case wouldBlock
  /// The peer has sent its last byte; only a read ends like this.
  case ended
  /// The connection is broken.
  case failed(Errno)
}

/// The user, group and process at the other end of a Unix socket.
public struct PeerCredentials: Equatable, Sendable {
  /// The process that connected; it may be gone, and its number reused.
  public let processID: Int32
  /// Its effective user at that time.
  public let userID: UInt32
  /// Its effective group at that time.
  public let groupID: UInt32

  /// States who somebody is.
  public init(processID: Int32, userID: UInt32, groupID: UInt32) {
    self.processID = processID
    self.userID = userID
    self.groupID = groupID
  }
}

/// Non-blocking stream sockets: how they begin, are tuned, and move bytes.
public enum StreamSocket {
  /// Starts to connect, from a chosen local address if one is given.
  ///
  /// Watch the descriptor for ``Readiness/writable`` and then call ``finishConnect(_:)``. A local
  /// address with port 0 leaves the port to the kernel. Throws at once what is known at once (no
  /// route, no local port left, no such path). The corresponding C functions are `socket`, `bind`,
  /// `connect`.
  public static func connect(
    to address: SocketAddress, from local: SocketAddress? = nil
  ) throws(Errno) -> Descriptor {
    let socket = Descriptor(owning: try resultOrErrno(clinux_stream_socket(address.family)))
    if let local { try bind(socket.raw, local) }
    try checkPath(address)
    let result = SocketCalls.connect(socket.raw, address)
    if result == -1 {
      let error = Errno.current
      // EINTR goes on in the background exactly as EINPROGRESS does.
      if error != .inProgress && error != .interrupted { throw error }
    }
    return socket
  }

  /// Learns how a connection attempt ended, once the descriptor is writable or in error.
  public static func finishConnect(_ fd: Int32) throws(Errno) {
    let pending = try resultOrErrno(clinux_socket_error(fd))
    if pending != 0 { throw Errno(rawValue: pending) }
    // Writable without an error, and yet not connected: the attempt is still under way.
    _ = try peerAddress(of: fd)
  }

  /// Reads what has arrived, at most as much as fits; never call it with no room.
  ///
  /// The corresponding C function is `recv`.
  public static func read(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> SocketStep {
    precondition(room.count > 0, "an empty read looks like the end of the stream")
    let got = SocketCalls.receive(fd, into: &room)
    if got > 0 { return .moved(got) }
    if got == 0 { return .ended }
    return step(of: .current, "recv")
  }

  /// Looks at what has arrived, at most as much as fits, and leaves it there for the next read.
  ///
  /// The corresponding C function is `recv` with `MSG_PEEK`.
  public static func peek(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> SocketStep {
    precondition(room.count > 0, "an empty look looks like the end of the stream")
    let got = SocketCalls.peek(fd, into: &room)
    if got > 0 { return .moved(got) }
    if got == 0 { return .ended }
    return step(of: .current, "recv")
  }

  /// Reads into an array's elements, at most as many as it has.
  public static func read(_ fd: Int32, into room: inout [UInt8]) -> SocketStep {
    var span = room.mutableSpan
    return read(fd, into: &span)
  }

  /// Writes what the socket takes now, which may be less than was given.
  ///
  /// The corresponding C function is `send` with `MSG_NOSIGNAL`.
  public static func write(_ fd: Int32, _ bytes: borrowing Span<UInt8>) -> SocketStep {
    precondition(bytes.count > 0, "an empty write moves nothing and means nothing")
    let sent = SocketCalls.send(fd, bytes)
    if sent >= 0 { return .moved(sent) }
    return step(of: .current, "send")
  }

  /// Ends our direction of the stream; the peer reads the end, and may still write.
  public static func shutdownWrites(_ fd: Int32) throws(Errno) {
    try resultOrErrno(clinux_shutdown(fd, CLINUX_SHUT_WR))
  }

  private static func step(of error: Errno, _ call: StaticString) -> SocketStep {
    // A non-blocking call is not interrupted, but if it were, asking again later is right.
    if error == .wouldBlock || error == .interrupted { return .wouldBlock }
    trapIfOurFault(error, call)
    return .failed(error)
  }
}

extension StreamSocket {
  /// Sends small writes at once instead of collecting them (TCP_NODELAY); does nothing on a Unix
  /// socket.
  public static func setNoDelay(_ fd: Int32) throws(Errno) {
    try setOption(fd, CLINUX_IPPROTO_TCP, CLINUX_TCP_NODELAY, 1)
  }

  /// How long sent bytes may stay unacknowledged before the connection is given up
  /// (TCP_USER_TIMEOUT).
  public static func setUserTimeout(_ fd: Int32, milliseconds: Int32) throws(Errno) {
    try setOption(fd, CLINUX_IPPROTO_TCP, CLINUX_TCP_USER_TIMEOUT, milliseconds)
  }

  /// Lets the kernel probe a silent peer: first after `idle` seconds, then each `interval`,
  /// `probes` times.
  public static func setKeepAlive(
    _ fd: Int32, idleSeconds: Int32, intervalSeconds: Int32, probes: Int32
  ) throws(Errno) {
    try setOption(fd, CLINUX_SOL_SOCKET, CLINUX_SO_KEEPALIVE, 1)
    try setOption(fd, CLINUX_IPPROTO_TCP, CLINUX_TCP_KEEPIDLE, idleSeconds)
    try setOption(fd, CLINUX_IPPROTO_TCP, CLINUX_TCP_KEEPINTVL, intervalSeconds)
    try setOption(fd, CLINUX_IPPROTO_TCP, CLINUX_TCP_KEEPCNT, probes)
  }

  /// Fixes the kernel's buffers (it doubles what it is told); nil leaves a direction to the kernel.
  public static func setBufferSizes(_ fd: Int32, send: Int32?, receive: Int32?) throws(Errno) {
    if let send { try setOption(fd, CLINUX_SOL_SOCKET, CLINUX_SO_SNDBUF, send) }
    if let receive { try setOption(fd, CLINUX_SOL_SOCKET, CLINUX_SO_RCVBUF, receive) }
  }

  /// Chooses TCP's congestion control for a socket, or for all that a listener will accept; throws
  /// `ENOENT` when the kernel has no such algorithm, `EPERM` when this user may not choose it.
  ///
  /// Connections that carry a small frame now and then never fill a window: `reno`, which every
  /// kernel has and allows, is the cheapest for them. BBR paces each by a timer. The corresponding
  /// C function is `setsockopt` with `TCP_CONGESTION` (tcp(7)).
  public static func setCongestionControl(_ fd: Int32, _ name: String) throws(Errno) {
    try resultOrErrno(SocketCalls.setCongestionControl(fd, name))
  }

  /// Makes closing send a reset, so that nothing lingers in the kernel.
  public static func setAbortiveClose(_ fd: Int32) throws(Errno) {
    try resultOrErrno(clinux_set_abortive_close(fd))
  }

  /// The address this end is bound to.
  public static func localAddress(of fd: Int32) throws(Errno) -> SocketAddress {
    SocketAddress(try SocketCalls.localAddress(fd))
  }

  /// The address of the other end; throws ENOTCONN when there is none.
  public static func peerAddress(of fd: Int32) throws(Errno) -> SocketAddress {
    SocketAddress(try SocketCalls.peerAddress(fd))
  }

  /// Who is at the other end of a Unix socket (SO_PEERCRED).
  public static func peerCredentials(of fd: Int32) throws(Errno) -> PeerCredentials {
    try SocketCalls.peerCredentials(fd)
  }

  static func setOption(
    _ fd: Int32, _ level: Int32, _ name: Int32, _ value: Int32
  ) throws(Errno) {
    try resultOrErrno(clinux_setsockopt(fd, level, name, value))
  }

  static func bind(_ fd: Int32, _ address: SocketAddress) throws(Errno) {
    try checkPath(address)
    try resultOrErrno(SocketCalls.bind(fd, address))
  }

  /// C would read a path only up to its first zero byte, and so mean another file.
  private static func checkPath(_ address: SocketAddress) throws(Errno) {
    if case .unix(let path) = address, path.utf8.contains(0) { throw .invalidArgument }
  }
}
