// The agent's side of the strict subset of HTTP/1.1: answers as our server writes them, one after
// the other on one connection. A proxy, a captive portal or a broken middle box answers in its own
// ways; each of them is told apart here and none is believed. Pure: bytes in, answers out.

/// One answer, complete.
public struct HTTPAnswer: Equatable, Sendable {
  /// The status code.
  public var status: UInt16
  /// Names in lower case, with values, in the order they came.
  public var headers: [(name: String, value: String)]
  /// The body.
  public var body: [UInt8]

  /// The value of a header that came once; nil when it came never or more than once.
  public subscript(header: String) -> String? { HTTPField.only(header, in: headers) }

  /// Whether the sender ends the connection behind this answer.
  public var endsConnection: Bool { HTTPField.wish(in: headers) == .end }

  /// Whether two answers are the same in every part.
  public static func == (left: HTTPAnswer, right: HTTPAnswer) -> Bool {
    left.status == right.status && left.body == right.body
      && left.headers.elementsEqual(right.headers) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// Why bytes are not taken for an answer.
public enum HTTPAnswerFault: Error, Equatable, Sendable {
  /// The first bytes are not those of HTTP.
  case notHTTP
  /// It breaks a rule of the grammar, or one of ours.
  case malformed
  /// Its head, its body or what came behind it is longer than we take.
  case tooLong
  /// Lawful HTTP that our server never sends: another version, a transfer coding, no length, an
  /// interim answer, an upgrade.
  case unsupported
}

/// Collects bytes until an answer is complete.
public struct HTTPAnswerReader: Sendable {
  private let limits: HTTPLimits
  private var lines = HTTPLines()
  /// The answer whose head has begun.
  private var begun: HTTPAnswer?
  private var headBytes = 0
  /// Bytes of the body, once the head is complete.
  private var bodyBytes: Int?
  /// The last answer said that none follows.
  private var isOver = false
  private var fault: HTTPAnswerFault?

  /// Begins before an answer.
  public init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

  /// Whether no byte of a further answer is held: here the stream may end.
  public var isEmpty: Bool { fault == nil && begun == nil && lines.isEmpty }

  /// Takes what was read; what is more than ``HTTPLimits/heldBytesMax`` is dropped, and the stream
  /// faulty where it was cut.
  public mutating func append(_ bytes: Span<UInt8>) {
    guard fault == nil else { return }
    lines.append(bytes, upTo: limits.heldBytesMax)
  }

  /// The next answer, if it is complete; after a fault, that fault again.
  public mutating func next() throws(HTTPAnswerFault) -> HTTPAnswer? {
    if let fault { throw fault }
    do throws(HTTPAnswerFault) {
      if let answer = try advance() { return answer }
      if lines.isCut { throw .tooLong }
      return nil
    } catch {
      fault = error
      lines.clear()
      throw error
    }
  }

  private mutating func advance() throws(HTTPAnswerFault) -> HTTPAnswer? {
    guard !isOver || lines.isEmpty else { throw .malformed }
    while bodyBytes == nil {
      guard let line = try nextLine() else { return nil }
      try take(line)
    }
    guard let wanted = bodyBytes, let body = lines.take(wanted), var answer = begun else {
      return nil
    }
    answer.body = body
    begun = nil
    bodyBytes = nil
    headBytes = 0
    isOver = answer.endsConnection
    return answer
  }

  private mutating func nextLine() throws(HTTPAnswerFault) -> [UInt8]? {
    if begun == nil {
      // At the first wrong byte: a server of another protocol may wait for us after few bytes.
      guard lines.couldBegin(with: "HTTP/") else { throw .notHTTP }
    }
    do throws(HTTPLineFault) {
      guard let line = try lines.nextLine(atMost: limits.headBytesMax - headBytes) else {
        return nil
      }
      headBytes += line.count + 2
      return line
    } catch {
      throw error == .tooLong ? .tooLong : .malformed
    }
  }

  private mutating func take(_ line: [UInt8]) throws(HTTPAnswerFault) {
    guard begun != nil else {
      begun = HTTPAnswer(
        status: try HTTPAnswerReader.parseStatusLine(line), headers: [], body: [])
      return
    }
    if line.isEmpty {
      bodyBytes = try begun.map { answer throws(HTTPAnswerFault) in
        try HTTPAnswerReader.bodyLength(of: answer, limits)
      }
      return
    }
    guard begun?.headers.count ?? 0 < limits.headersMax else { throw .tooLong }
    guard let header = HTTPField.parse(line) else { throw .malformed }
    begun?.headers.append(header)
  }

  /// `HTTP/1.1`, three digits, and a phrase that may be empty.
  private static func parseStatusLine(_ line: [UInt8]) throws(HTTPAnswerFault) -> UInt16 {
    let parts = line.split(separator: 32, maxSplits: 2, omittingEmptySubsequences: false)
    guard parts[0].elementsEqual("HTTP/1.1".utf8) else {
      throw isVersion(parts[0]) ? .unsupported : .malformed
    }
    guard parts.count == 3, parts[1].count == 3,
      parts[1].allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
      let status = UInt16(String(decoding: parts[1], as: UTF8.self)), status >= 100, status < 600
    else { throw .malformed }
    guard status >= 200 else { throw .unsupported }
    return status
  }

  /// Whether it is a version of HTTP, though not ours.
  private static func isVersion(_ word: ArraySlice<UInt8>) -> Bool {
    word.dropFirst(5).first.map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? false
  }

  private static func bodyLength(of answer: HTTPAnswer, _ limits: HTTPLimits)
    throws(HTTPAnswerFault) -> Int
  {
    for header in answer.headers {
      if header.name == "transfer-encoding" || header.name == "upgrade" { throw .unsupported }
    }
    guard HTTPField.wish(in: answer.headers) != nil else { throw .malformed }
    let isBodiless = answer.status == 204 || answer.status == 304
    switch HTTPField.count("content-length", in: answer.headers) {
    case 0:
      guard isBodiless else { throw .unsupported }
      return 0
    case 1:
      guard let length = answer["content-length"].flatMap(HTTPField.length) else {
        throw .malformed
      }
      // 304 may tell the length that 200 would have; 204 has none to tell.
      if answer.status == 204 && length > 0 { throw .malformed }
      guard length <= limits.bodyBytesMax else { throw .tooLong }
      return isBodiless ? 0 : length
    default: throw .malformed
    }
  }
}
