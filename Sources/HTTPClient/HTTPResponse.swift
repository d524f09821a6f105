// The answer to a request, and what can keep it from coming, sorted by what the caller does next.

/// An answer.
public struct HTTPResponse: Sendable {
  /// The status, such as 200.
  public var status: Int
  /// The header fields in their order, names in lower case.
  public var headers: [(name: String, value: String)]
  /// The body; empty for a stream of lines.
  public var body: [UInt8]

  /// Joins the parts.
  public init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// The first value of a header field, its name given in lower case.
  public func header(_ name: String) -> String? {
    headers.first { $0.name == name }?.value
  }

  /// Whether the status says success.
  public var isSuccess: Bool { (200..<300).contains(status) }
}

/// Why no whole answer came.
public enum HTTPError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nobody answers at the address, or the connection broke; try again later.
  case unreachable(String)
  /// The time was over.
  case timeout(String)
  /// The peer's certificate is not trusted, or ours is not accepted or not readable.
  case tls(String)
  /// The answer is longer than allowed.
  case tooLong
  /// The caller ended the wait.
  case stopped
  /// The request cannot be sent as it is.
  case invalid(String)
  /// The answer is not HTTP.
  case malformed(String)
  /// The proxy did not let us through.
  case proxy(TunnelError)

  /// A sentence for people.
  public var description: String {
    switch self {
    case .unreachable(let text): "not reachable: \(text)"
    case .timeout(let text): "no answer in time: \(text)"
    case .tls(let text): "TLS: \(text)"
    case .tooLong: "the answer is longer than allowed"
    case .stopped: "stopped"
    case .invalid(let text): "cannot be sent: \(text)"
    case .malformed(let text): "not an HTTP answer: \(text)"
    case .proxy(let fault): "\(fault)"
    }
  }
}
