// One HTTP request as a value. It is sent by `send()` or `stream(...)`, which block: the callers
// are a command line and an agent's worker thread, never a reactor.

/// A request, with everything that its connection needs.
public struct HTTPRequest: Sendable {
  /// The method.
  public enum Method: String, Sendable {
    /// Fetch.
    case get = "GET"
    /// Make or do.
    case post = "POST"
    /// Replace.
    case put = "PUT"
    /// Remove.
    case delete = "DELETE"
  }

  /// Bytes of an answer's body at most, unless said otherwise.
  public static let bodyBytesMaxDefault = 16 << 20

  /// The method.
  public var method: Method
  /// `http` or `https`; over a Unix socket the host is only a name for the server.
  public var url: String
  /// Name and value of header fields.
  public var headers: [(name: String, value: String)]
  /// The body, or nil for none.
  public var body: [UInt8]?
  /// The Unix socket to connect to in place of the URL's host.
  public var unixSocket: String?
  /// A PEM file with the only certificates to trust; nil trusts the system's.
  public var caFile: String?
  /// A PEM file with this client's certificate.
  public var clientCertificate: String?
  /// A PEM file with the key of that certificate.
  public var clientKey: String?
  /// The proxy; nil is none, whatever the environment says.
  public var proxy: ProxyServer?
  /// The time for the whole exchange; 0 for as long as it takes (a stream).
  public var timeoutMilliseconds: Int
  /// The time for the connection, TLS included.
  public var connectTimeoutMilliseconds: Int
  /// Bytes of the answer's body at most; of one line in a stream.
  public var bodyBytesMax: Int

  /// Describes a request.
  public init(
    _ method: Method, url: String, headers: [(name: String, value: String)] = [],
    body: [UInt8]? = nil, unixSocket: String? = nil, caFile: String? = nil,
    clientCertificate: String? = nil, clientKey: String? = nil, proxy: ProxyServer? = nil,
    timeoutMilliseconds: Int = 30_000, connectTimeoutMilliseconds: Int = 10_000,
    bodyBytesMax: Int = HTTPRequest.bodyBytesMaxDefault
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.unixSocket = unixSocket
    self.caFile = caFile
    self.clientCertificate = clientCertificate
    self.clientKey = clientKey
    self.proxy = proxy
    self.timeoutMilliseconds = timeoutMilliseconds
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.bodyBytesMax = bodyBytesMax
  }

  /// The host that the URL names, IPv6 without brackets; nil when there is none.
  public var host: String? {
    guard let start = url.firstRange(of: "://")?.upperBound else { return nil }
    let authority = url[start...].prefix { !"/?#".contains($0) }
    let place = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] }
    return ProxyServer.parts(place ?? authority)?.host
  }

  /// Sends the request and waits for the whole answer, whatever its status.
  ///
  /// `shouldStop` is asked about ten times a second; true ends the wait with `HTTPError.stopped`.
  public func send(shouldStop: () -> Bool = { false }) throws(HTTPError) -> HTTPResponse {
    try CurlTransfer.run(self, lines: nil, shouldStop: shouldStop)
  }

  /// Sends the request and hands out the lines of a successful answer one by one.
  ///
  /// Lines come without their end. A line handler that returns false ends the exchange in peace; an
  /// answer whose status is not 2xx is returned whole and has no lines.
  /// - Parameters:
  ///   - onLine: gets each line.
  ///   - shouldStop: asked about ten times a second; true ends with `HTTPError.stopped`.
  public func stream(
    onLine: @escaping (String) -> Bool, shouldStop: () -> Bool = { false }
  ) throws(HTTPError) -> HTTPResponse {
    try CurlTransfer.run(self, lines: onLine, shouldStop: shouldStop)
  }
}
