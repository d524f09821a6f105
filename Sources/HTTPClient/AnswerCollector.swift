// Takes an answer apart as it arrives: header lines, then a body that is kept whole or handed out
// in lines. Knows nothing of libcurl; it is where the limits are.

/// An answer under way.
final class AnswerCollector {
  /// Bytes of all header lines at most.
  static let headerBytesMax = 64 << 10

  private(set) var status = 0
  private(set) var headers: [(name: String, value: String)] = []
  private(set) var body: [UInt8] = []
  /// Why the rest is not wanted; libcurl then reports a write error, which is not the reason.
  private(set) var refusal: Refusal?
  private let bodyBytesMax: Int
  private let lines: ((String) -> Bool)?
  private var headerBytes = 0
  private var lineAfterReturn = false

  /// Why a collector takes no more.
  enum Refusal {
    /// A limit was passed.
    case tooLong
    /// The line handler has what it wanted.
    case satisfied
    /// The status line is not HTTP.
    case malformed
  }

  init(bodyBytesMax: Int, lines: ((String) -> Bool)?) {
    self.bodyBytesMax = bodyBytesMax
    self.lines = lines
  }

  var response: HTTPResponse { HTTPResponse(status: status, headers: headers, body: body) }

  /// Takes one header line with its end; says whether more is wanted.
  func takeHeader(_ bytes: [UInt8]) -> Bool {
    headerBytes += bytes.count
    guard headerBytes <= AnswerCollector.headerBytesMax else { return refuse(.tooLong) }
    let line = String(decoding: bytes, as: UTF8.self)
    if line.hasPrefix("HTTP/") {
      // A second status line follows an interim answer (100) or a proxy's; only the last counts.
      let words = line.split(separator: " ")
      guard words.count >= 2, let status = Int(words[1].prefix(3)) else {
        return refuse(.malformed)
      }
      self.status = status
      headers = []
      return true
    }
    guard let colon = line.firstIndex(of: ":") else { return true }
    let blanks: Set<Character> = [" ", "\t", "\r", "\n", "\r\n"]
    var value = line[line.index(after: colon)...]
    while let first = value.first, blanks.contains(first) { value = value.dropFirst() }
    while let last = value.last, blanks.contains(last) { value = value.dropLast() }
    headers.append((name: line[..<colon].lowercased(), value: String(value)))
    return true
  }

  /// Takes a piece of the body; says whether more is wanted.
  func takeBody(_ bytes: [UInt8]) -> Bool {
    guard let lines, (200..<300).contains(status) else {
      guard body.count + bytes.count <= bodyBytesMax else { return refuse(.tooLong) }
      body += bytes
      return true
    }
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\n") where lineAfterReturn: lineAfterReturn = false
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        lineAfterReturn = byte == UInt8(ascii: "\r")
        let line = String(decoding: body, as: UTF8.self)
        body.removeAll(keepingCapacity: true)
        guard lines(line) else { return refuse(.satisfied) }
      default:
        lineAfterReturn = false
        guard body.count < bodyBytesMax else { return refuse(.tooLong) }
        body.append(byte)
      }
    }
    return true
  }

  private func refuse(_ reason: Refusal) -> Bool {
    refusal = reason
    return false
  }
}
