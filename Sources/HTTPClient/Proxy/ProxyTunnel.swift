// The way through a proxy: CONNECT and its authentication, which libcurl does, and then a bare
// connection on which the caller speaks its own TLS. The proxy sees nothing but bytes.

/// Opens connections through proxies.
public enum ProxyTunnel {
  /// Opens a connection to a host through a proxy; blocks until then.
  ///
  /// Returns a connected descriptor that is non-blocking and close-on-exec, owned by the caller, at
  /// the point where the first byte of the target's stream comes. Bytes that the proxy sent behind
  /// its answer are such bytes: a portal's page after "200" is left for TLS to refuse.
  ///
  /// Digest is preferred to Basic; the password is only sent when the proxy has asked.
  /// - Parameters:
  ///   - host: a name, which the proxy looks up, or an address; IPv6 with or without brackets.
  ///   - port: the port there.
  ///   - proxy: the proxy.
  ///   - timeoutMilliseconds: the time for all of it. Only the look-up of the proxy's name, which
  ///     cannot be interrupted, can take longer.
  ///   - shouldStop: asked about ten times a second; true ends with `TunnelError.stopped`.
  public static func open(
    to host: String, port: UInt16, through proxy: ProxyServer, timeoutMilliseconds: Int,
    shouldStop: () -> Bool
  ) throws(TunnelError) -> Int32 {
    var name = host
    if name.hasPrefix("["), name.hasSuffix("]") { name = String(name.dropFirst().dropLast()) }
    guard ProxyServer.isHost(name), port > 0 else {
      throw .invalid("the target is no host and port")
    }
    guard proxy.isUsable else {
      throw .invalid("the proxy is no host and port, or its user or password cannot be sent")
    }
    return try CurlTunnel.open(
      to: ProxyServer.authority(name, port), through: proxy,
      timeoutMilliseconds: timeoutMilliseconds, shouldStop: shouldStop)
  }
}

/// Why there is no way through a proxy, sorted by whose matter it is.
public enum TunnelError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The proxy's name is not known.
  case proxyUnresolved(String)
  /// Nobody answers at the proxy's address.
  case proxyUnreachable(String)
  /// The time was over.
  case timeout(String)
  /// The proxy wants to know who we are (407, or 401 as tinyproxy says to a wrong password), and
  /// what we could offer was not enough; the schemes are those that it takes and libcurl knows.
  case authentication(schemes: [String])
  /// The proxy answered with another status than 2xx; a redirection is a captive portal's.
  case refused(status: Int)
  /// What answers is no proxy: not HTTP, cut short, or too long.
  case notAProxy(String)
  /// The caller ended the wait.
  case stopped
  /// It cannot even be tried.
  case invalid(String)

  /// A sentence for people.
  public var description: String {
    switch self {
    case .proxyUnresolved(let text): "the proxy's name is not known: \(text)"
    case .proxyUnreachable(let text): "the proxy is not reachable: \(text)"
    case .timeout(let text): "the proxy opened no way in time: \(text)"
    case .authentication(let schemes):
      "the proxy asks for another user or password"
        + (schemes.isEmpty ? "" : " (it takes \(schemes.joined(separator: ", ")))")
    case .refused(let status) where (300..<400).contains(status):
      "the proxy sends us elsewhere, as a captive portal does (HTTP status \(status))"
    case .refused(let status): "the proxy refuses the way (HTTP status \(status))"
    case .notAProxy(let text): "what answers is no proxy: \(text)"
    case .stopped: "stopped"
    case .invalid(let text): "the proxy cannot be used: \(text)"
    }
  }
}
