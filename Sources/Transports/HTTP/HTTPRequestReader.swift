// The strict subset of HTTP/1.1 that our listeners speak (RFC 9112): one request at a time, a body
// only by Content-Length, everything odd refused. What two parsers could read differently is an
// error here, so that no proxy in front can be fooled about where a request ends. Pure: bytes in,
// request out; deadlines are the owner's.

/// The bounds of one request.
public struct HTTPLimits: Equatable, Sendable {
  /// Bytes of request line and headers together.
  public var headBytesMax = 8_192
  /// Bytes of the body.
  public var bodyBytesMax = 65_536
  /// Header lines.
  public var headersMax = 64

  /// The defaults.
  public init() {}
}

/// Why a request is refused; the raw value is the status code of the answer.
public enum HTTPRefusal: UInt16, Error, Equatable, Sendable {
  /// It breaks a rule of the grammar, or one of ours.
  case badRequest = 400
  /// The body is longer than we take.
  case contentTooLarge = 413
  /// The request line is longer than we take.
  case targetTooLong = 414
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
  public subscript(header: String) -> String? {
    var found: String?
    for (name, value) in headers where name == header {
      if found != nil { return nil }
      found = value
    }
    return found
  }

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
  private var bytes: [UInt8] = []
  private var searchFrom = 0
  private var head: HTTPRequest?
  private var bodyStart = 0
  private var bodyBytes = 0

  /// Begins before a request.
  public init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

  /// Whether a request has begun and is not complete.
  public var isInside: Bool { !bytes.isEmpty }

  /// Takes what was read.
  public mutating func append(_ more: Span<UInt8>) {
    bytes.reserveCapacity(bytes.count + more.count)
    for index in more.indices { bytes.append(more[index]) }
  }

  /// The request, if it is complete; what follows it stays for the next one.
  public mutating func next() throws(HTTPRefusal) -> HTTPRequest? {
    if head == nil {
      guard let end = findHeadEnd() else {
        if bytes.count > limits.headBytesMax { throw .headersTooLarge }
        return nil
      }
      guard end <= limits.headBytesMax else { throw .headersTooLarge }
      let request = try HTTPRequestReader.parseHead(Array(bytes[..<end]), limits)
      bodyBytes = try HTTPRequestReader.bodyLength(of: request, limits)
      bodyStart = end + 4
      head = request
    }
    guard var request = head, bytes.count - bodyStart >= bodyBytes else { return nil }
    request.body = Array(bytes[bodyStart..<bodyStart + bodyBytes])
    bytes.removeFirst(bodyStart + bodyBytes)
    head = nil
    searchFrom = 0
    return request
  }

  /// The place of the empty line that ends the head.
  private mutating func findHeadEnd() -> Int? {
    var index = searchFrom
    while index + 3 < bytes.count {
      if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10
      {
        return index
      }
      index += 1
    }
    searchFrom = max(0, bytes.count - 3)
    return nil
  }

  private static func parseHead(_ head: [UInt8], _ limits: HTTPLimits) throws(HTTPRefusal)
    -> HTTPRequest
  {
    var lines = try splitLines(head)
    guard !lines.isEmpty else { throw .badRequest }
    var request = try parseRequestLine(lines.removeFirst())
    guard lines.count <= limits.headersMax else { throw .headersTooLarge }
    for line in lines { request.headers.append(try parseHeader(line)) }
    guard request.headers.filter({ $0.name == "host" }).count == 1 else { throw .badRequest }
    return request
  }

  /// Lines end with CR LF and hold neither of them alone, nor NUL or other control characters.
  private static func splitLines(_ head: [UInt8]) throws(HTTPRefusal) -> [ArraySlice<UInt8>] {
    var lines: [ArraySlice<UInt8>] = []
    var start = 0
    var index = 0
    while index < head.count {
      let byte = head[index]
      if byte == 13 {
        guard index + 1 < head.count, head[index + 1] == 10 else { throw .badRequest }
        lines.append(head[start..<index])
        index += 2
        start = index
        continue
      }
      guard byte == 9 || (byte >= 32 && byte != 127) else { throw .badRequest }
      index += 1
    }
    lines.append(head[start...])
    return lines
  }

  private static func parseRequestLine(_ line: ArraySlice<UInt8>) throws(HTTPRefusal)
    -> HTTPRequest
  {
    let parts = line.split(separator: 32, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw .badRequest }
    let version = parts[2]
    guard version.elementsEqual("HTTP/1.1".utf8) else {
      throw version.starts(with: "HTTP/".utf8) ? .versionNotSupported : .badRequest
    }
    let method = String(decoding: parts[0], as: UTF8.self)
    guard method == "GET" || method == "POST" else { throw .notImplemented }
    guard parts[1].count <= 2_048 else { throw .targetTooLong }
    guard parts[1].first == UInt8(ascii: "/"), parts[1].allSatisfy({ $0 > 32 && $0 < 127 }) else {
      throw .badRequest
    }
    let pieces = parts[1].split(
      separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
    return HTTPRequest(
      method: method, path: String(decoding: pieces[0], as: UTF8.self),
      query: pieces.count > 1 ? String(decoding: pieces[1], as: UTF8.self) : "", headers: [],
      body: [])
  }

  private static func parseHeader(_ line: ArraySlice<UInt8>) throws(HTTPRefusal) -> (
    name: String, value: String
  ) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
      throw .badRequest
    }
    let name = line[..<colon]
    guard name.allSatisfy(isTokenByte) else { throw .badRequest }
    var value = line[(colon + 1)...]
    while let first = value.first, first == 32 || first == 9 { value = value.dropFirst() }
    while let last = value.last, last == 32 || last == 9 { value = value.dropLast() }
    return (
      String(decoding: name, as: UTF8.self).lowercased(), String(decoding: value, as: UTF8.self)
    )
  }

  private static func bodyLength(of request: HTTPRequest, _ limits: HTTPLimits)
    throws(HTTPRefusal) -> Int
  {
    var length: Int?
    for (name, value) in request.headers {
      switch name {
      case "transfer-encoding": throw .notImplemented
      case "upgrade", "http2-settings": throw .badRequest
      case "content-length":
        guard length == nil, !value.isEmpty, value.utf8.count <= 10,
          value.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
          value == "0" || !value.hasPrefix("0"), let number = Int(value)
        else { throw .badRequest }
        length = number
      default: continue
      }
    }
    let bytes = length ?? 0
    guard bytes <= limits.bodyBytesMax else { throw .contentTooLarge }
    if request.method == "GET" && bytes > 0 { throw .badRequest }
    return bytes
  }

  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
