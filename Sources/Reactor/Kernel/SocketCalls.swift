// The socket calls that take memory, each wrapped once, so that Sockets/ needs no unsafe word.
//
// Results are the kernel's: -1 means errno. What a result means is decided by the callers.

import CEpollShim
import Glibc

/// System calls on sockets whose arguments are addresses or bytes.
enum SocketCalls {
  /// A bare numeric address; nil if the text is none.
  static func parse(_ host: String) -> clinux_address? {
    // The C function would stop reading at a zero byte and accept what stands before it.
    guard !host.utf8.contains(0) else { return nil }
    var flat = clinux_address()
    return unsafe clinux_parse_address(host, &flat) == 1 ? flat : nil
  }

  /// The text of a bare address.
  static func format(_ address: clinux_address) -> String {
    // 46 is the longest IPv6 text with its zero byte.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      var address = address
      guard let base = buffer.baseAddress, unsafe clinux_format_address(&address, base, 64) >= 0
      else { return "?" }
      return unsafe String(cString: base)
    }
  }

  /// At most `limit` addresses of a name.
  static func resolve(
    _ host: String, port: UInt16, limit: Int32
  ) throws(ResolveError) -> [clinux_address] {
    var found = [clinux_address](repeating: clinux_address(), count: Int(limit))
    let count = unsafe clinux_resolve(host, port, &found, limit)
    if count < 0 { throw ResolveError(code: count + 1000) }
    return Array(found.prefix(Int(count)))
  }

  /// The resolver's sentence for an EAI_ number.
  static func resolveErrorText(_ code: Int32) -> String {
    guard let text = unsafe clinux_resolve_error(code) else { return "unknown error" }
    return unsafe String(cString: text)
  }

  static func setCongestionControl(_ fd: Int32, _ name: String) -> Int32 {
    unsafe clinux_set_congestion_control(fd, name)
  }

  static func bind(_ fd: Int32, _ address: SocketAddress) -> Int32 {
    switch address {
    case .ipv4, .ipv6:
      var flat = address.flat
      return unsafe clinux_bind(fd, &flat)
    case .unix(let path): return unsafe clinux_bind_unix(fd, path)
    }
  }

  static func connect(_ fd: Int32, _ address: SocketAddress) -> Int32 {
    switch address {
    case .ipv4, .ipv6:
      var flat = address.flat
      return unsafe clinux_connect(fd, &flat)
    case .unix(let path): return unsafe clinux_connect_unix(fd, path)
    }
  }

  static func accept(_ fd: Int32) -> (number: Int32, peer: clinux_address) {
    var peer = clinux_address()
    let number = unsafe clinux_accept4(fd, &peer)
    return (number, peer)
  }

  static func localAddress(_ fd: Int32) throws(Errno) -> clinux_address {
    var flat = clinux_address()
    try resultOrErrno(unsafe clinux_getsockname(fd, &flat))
    return flat
  }

  static func peerAddress(_ fd: Int32) throws(Errno) -> clinux_address {
    var flat = clinux_address()
    try resultOrErrno(unsafe clinux_getpeername(fd, &flat))
    return flat
  }

  static func peerCredentials(_ fd: Int32) throws(Errno) -> PeerCredentials {
    var process: Int32 = 0
    var user: UInt32 = 0
    var group: UInt32 = 0
    try resultOrErrno(unsafe clinux_peer_credentials(fd, &process, &user, &group))
    return PeerCredentials(processID: process, userID: user, groupID: group)
  }

  static func receive(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> Int {
    unsafe room.withUnsafeMutableBufferPointer { buffer in
      unsafe clinux_receive(fd, buffer.baseAddress, buffer.count)
    }
  }

  static func peek(_ fd: Int32, into room: inout MutableSpan<UInt8>) -> Int {
    unsafe room.withUnsafeMutableBufferPointer { buffer in
      unsafe clinux_peek(fd, buffer.baseAddress, buffer.count)
    }
  }

  static func send(_ fd: Int32, _ bytes: borrowing Span<UInt8>) -> Int {
    unsafe bytes.withUnsafeBufferPointer { buffer in
      unsafe clinux_send(fd, buffer.baseAddress, buffer.count)
    }
  }

  /// A descriptor that does nothing but be one.
  static func openNothing() -> Descriptor? {
    let number = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
    return number >= 0 ? Descriptor(owning: number) : nil
  }
}
