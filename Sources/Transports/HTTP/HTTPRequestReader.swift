// The strict subset of HTTP/1.1 that our listeners speak (RFC 9112): requests one after the other,
// a body only by Content-Length, everything odd refused. What two parsers could read differently
// is an error here, so that no proxy in front can be fooled about where a request ends. Pure:
// bytes in, requests out; deadlines are the owner's.

/// Why a request is refused; the raw value is the status code of the answer.
public enum HTTPRefusal: UInt16, Error, Equatable, Sendable {
  /// It breaks a rule of the grammar, or one of ours.
  case badRequest = 400
  /// The body is longer than we take.
  case contentTooLarge = 413
  /// The request line is longer than we take.
  case targetTooLong = 414
  /// It wants to be told to go on before it sends its body. An interim answer would be one more
  /// place where two readers of answers may disagree, and no body that we take is worth the wait.
  case expectationFailed = 417
  /// The headers are longer or more than we take.
  case headersTooLarge = 431
  /// A method or transfer coding that we do not have.
  case notImplemented = 501
  /// Another version than 1.1.
  case versionNotSupported = 505
}

/// One request, complete.
public struct HTTPRequest: Equatable, Sendable {
  /// The method, upper case.
  public var method: String
  /// The path, without query.
  public var path: String
  /// What follows the first `?`, or empty.
  public var query: String
  /// Names in lower case, with values, in the order they came.
  public var headers: [(name: String, value: String)]
  /// The body.
  public var body: [UInt8]

  /// The value of a header that came once; nil when it came never or more than once.
  public subscript(header: String) -> String? { HTTPField.only(header, in: headers) }

  /// Whether the peer wants the connection to end behind the answer; no request follows this one.
  public var endsConnection: Bool { HTTPField.wish(in: headers) == .end }

  /// Whether two requests are the same in every part.
  public static func == (left: HTTPRequest, right: HTTPRequest) -> Bool {
    left.method == right.method && left.path == right.path && left.query == right.query
      && left.body == right.body
      && left.headers.elementsEqual(right.headers) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// Collects bytes until one request is complete.
public struct HTTPRequestReader: Sendable {
  private let limits: HTTPLimits
  private var lines = HTTPLines()
  /// The request whose head has begun.
  private var begun: HTTPRequest?
  private var headBytes = 0
  /// Bytes of the body, once the head is complete.
  private var bodyBytes: Int?
  /// The last request said that none follows.
  private var isOver = false
  private var refusal: HTTPRefusal?

  /// Begins before a request.
  public init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

  /// Whether no byte of a request is held: the peer is idle, not slow.
  public var isEmpty: Bool { begun == nil && lines.isEmpty }

  /// Takes what was read.
  ///
  /// What comes behind a refused or a last request is dropped. What is more than
  /// ``HTTPLimits/heldBytesMax`` is dropped too, and the stream refused where it was cut.
  public mutating func append(_ more: Span<UInt8>) {
    guard refusal == nil, !isOver else { return }
    lines.append(more, upTo: limits.heldBytesMax)
  }

  /// The next request, if it is complete; what follows it stays for the next call.
  ///
  /// After a refusal, that refusal again: where a refused request ends, nobody knows.
  public mutating func next() throws(HTTPRefusal) -> HTTPRequest? {
    if let refusal { throw refusal }
    do throws(HTTPRefusal) {
      if let request = try advance() { return request }
      if lines.isCut { throw .badRequest }
      return nil
    } catch {
      refusal = error
      begun = nil
      lines.clear()
      throw error
    }
  }

  private mutating func advance() throws(HTTPRefusal) -> HTTPRequest? {
    while bodyBytes == nil {
      guard let line = try nextLine() else { return nil }
      try take(line)
    }
    guard let wanted = bodyBytes, let body = lines.take(wanted), var request = begun else {
      return nil
    }
    request.body = body
    begun = nil
    bodyBytes = nil
    headBytes = 0
    if request.endsConnection {
      isOver = true
      lines.clear()
    }
    return request
  }

  private mutating func nextLine() throws(HTTPRefusal) -> [UInt8]? {
    let isFirst = begun == nil
    // A request line is the target and 16 bytes at most: method, spaces, version, line end.
    let room = isFirst ? limits.targetBytesMax + 16 : limits.headBytesMax - headBytes
    do throws(HTTPLineFault) {
      guard let line = try lines.nextLine(atMost: room) else { return nil }
      headBytes += line.count + 2
      return line
    } catch {
      switch error {
      case .badByte: throw .badRequest
      case .tooLong: throw isFirst ? .targetTooLong : .headersTooLarge
      }
    }
  }

  private mutating func take(_ line: [UInt8]) throws(HTTPRefusal) {
    guard begun != nil else {
      begun = try HTTPRequestReader.parseRequestLine(line, limits)
      return
    }
    if line.isEmpty {
      bodyBytes = try begun.map { request throws(HTTPRefusal) in
        try HTTPRequestReader.bodyLength(of: request, limits)
      }
      return
    }
    guard begun?.headers.count ?? 0 < limits.headersMax else { throw .headersTooLarge }
    guard let header = HTTPField.parse(line) else { throw .badRequest }
    begun?.headers.append(header)
  }

  private static func parseRequestLine(_ line: [UInt8], _ limits: HTTPLimits)
    throws(HTTPRefusal) -> HTTPRequest
  {
    let parts = line.split(separator: 32, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw .badRequest }
    let version = parts[2]
    guard version.elementsEqual("HTTP/1.1".utf8) else {
      throw version.starts(with: "HTTP/".utf8) ? .versionNotSupported : .badRequest
    }
    let method = String(decoding: parts[0], as: UTF8.self)
    guard method == "GET" || method == "POST" else { throw .notImplemented }
    guard parts[1].count <= limits.targetBytesMax else { throw .targetTooLong }
    guard let target = HTTPTarget(parts[1]) else { throw .badRequest }
    return HTTPRequest(
      method: method, path: target.path, query: target.query, headers: [], body: [])
  }

  /// Headers that decide something come once; which of two counts, two readers decide differently.
  private static let single = [
    "content-length", "expect", "if-none-match", "content-type", "authorization",
  ]

  private static func bodyLength(of request: HTTPRequest, _ limits: HTTPLimits)
    throws(HTTPRefusal) -> Int
  {
    guard let host = request["host"], HTTPTarget.isHost(host),
      HTTPField.wish(in: request.headers) != nil
    else { throw .badRequest }
    for header in request.headers {
      switch header.name {
      case "transfer-encoding": throw .notImplemented
      case "expect": throw .expectationFailed
      case "upgrade", "http2-settings": throw .badRequest
      default: continue
      }
    }
    for name in single where HTTPField.count(name, in: request.headers) > 1 { throw .badRequest }
    guard let text = request["content-length"] else { return 0 }
    guard let length = HTTPField.length(text) else { throw .badRequest }
    guard length <= limits.bodyBytesMax else { throw .contentTooLarge }
    if request.method == "GET" && length > 0 { throw .badRequest }
    return length
  }
}
