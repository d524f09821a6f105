// Where a stream socket can be bound or connected: IPv4, IPv6, or a path.

import CEpollShim

/// The address of a stream socket.
public enum SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// An IPv4 address as one host-order number, and a port.
  case ipv4(UInt32, port: UInt16)
  /// An IPv6 address as its upper and lower 64 bits, a port, and the interface of a link-local
  /// address.
  case ipv6(high: UInt64, low: UInt64, port: UInt16, scope: UInt32)
  /// The path of a Unix socket; empty for a peer that is bound to none.
  case unix(path: String)

  /// IPv4's own machine, 127.0.0.1.
  public static func loopback(port: UInt16) -> SocketAddress { .ipv4(0x7F00_0001, port: port) }

  /// Reads `127.0.0.1:10123`, `[::1]:10123` or a path that begins with `/`; nil for anything else.
  ///
  /// Numbers only: names are the business of ``resolve(host:port:)``.
  public init?(_ text: String) {
    if text.hasPrefix("/") {
      self = .unix(path: text)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let digits = text[text.index(after: colon)...]
    guard let port = Self.port(digits) else { return nil }
    let host = text[..<colon]
    if host.hasPrefix("[") {
      guard host.hasSuffix("]") else { return nil }
      self.init(host: String(host.dropFirst().dropLast()), port: port)
      guard case .ipv6 = self else { return nil }
    } else {
      self.init(host: String(host), port: port)
      guard case .ipv4 = self else { return nil }
    }
  }

  /// Makes an address of a bare numeric IPv4 or IPv6 address and a port; nil for anything else.
  public init?(host: String, port: UInt16) {
    guard var flat = SocketCalls.parse(host) else { return nil }
    flat.port = port
    self.init(flat)
  }

  /// The same as ``init(_:)``.
  public static func parse(_ text: String) -> SocketAddress? { SocketAddress(text) }

  /// The port; nil for a path.
  public var port: UInt16? {
    switch self {
    case .ipv4(_, let port): port
    case .ipv6(_, _, let port, _): port
    case .unix: nil
    }
  }

  /// The same address with another port; a path stays as it is.
  public func withPort(_ port: UInt16) -> SocketAddress {
    switch self {
    case .ipv4(let bits, _): .ipv4(bits, port: port)
    case .ipv6(let high, let low, _, let scope):
      .ipv6(high: high, low: low, port: port, scope: scope)
    case .unix: self
    }
  }

  /// The bare address without its port, as in `127.0.0.1` or `fe80::1%2`; the path of a Unix
  /// socket.
  public var host: String {
    if case .unix(let path) = self { return path }
    let text = SocketCalls.format(flat)
    return flat.scope == 0 ? text : "\(text)%\(flat.scope)"
  }

  /// Address and port as ``init(_:)`` reads them.
  public var description: String {
    switch self {
    case .ipv4(_, let port): "\(host):\(port)"
    case .ipv6(_, _, let port, _): "[\(host)]:\(port)"
    case .unix(let path): path.isEmpty ? "unix" : path
    }
  }

  /// A decimal port without sign or blanks.
  private static func port(_ digits: Substring) -> UInt16? {
    guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
    return UInt16(digits)
  }
}

extension SocketAddress {
  /// The address as the kernel's calls take it; a path travels beside it.
  var flat: clinux_address {
    switch self {
    case .ipv4(let bits, let port):
      clinux_address(
        family: CLINUX_AF_INET, scope: 0, high: 0, low: UInt64(bits), port: port)
    case .ipv6(let high, let low, let port, let scope):
      clinux_address(family: CLINUX_AF_INET6, scope: scope, high: high, low: low, port: port)
    case .unix:
      clinux_address(family: CLINUX_AF_UNIX, scope: 0, high: 0, low: 0, port: 0)
    }
  }

  /// The address as the kernel reported it.
  init(_ flat: clinux_address) {
    switch flat.family {
    case CLINUX_AF_INET:
      self = .ipv4(UInt32(truncatingIfNeeded: flat.low), port: flat.port)
    case CLINUX_AF_INET6:
      self = .ipv6(high: flat.high, low: flat.low, port: flat.port, scope: flat.scope)
    default:
      self = .unix(path: "")
    }
  }

  var family: Int32 {
    switch self {
    case .ipv4: CLINUX_AF_INET
    case .ipv6: CLINUX_AF_INET6
    case .unix: CLINUX_AF_UNIX
    }
  }
}

/// Why a host name has no address.
public struct ResolveError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The EAI_ number of `getaddrinfo`.
  public let code: Int32

  /// The resolver's sentence.
  public var description: String { SocketCalls.resolveErrorText(code) }
}

extension SocketAddress {
  /// The addresses of a host name or a number, best first, at most 32.
  ///
  /// Blocks, possibly for seconds: for start-up and helper threads, never on a loop's thread. The
  /// corresponding C function is `getaddrinfo`.
  public static func resolve(
    host: String, port: UInt16
  ) throws(ResolveError) -> [SocketAddress] {
    try SocketCalls.resolve(host, port: port, limit: 32).map { SocketAddress($0) }
  }
}
