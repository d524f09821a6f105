// Reads a query rule, byte by byte, into the tree of `SiteQuery`. Bounded in length and depth, and
// every refusal names its place, for an administrator sees it under the text just typed.

/// Why a query rule cannot be read, and where.
public struct SiteQueryError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong.
  public enum Reason: Hashable, Sendable {
    /// The expression has more than `SiteQuery.bytesMax` bytes.
    case tooLong
    /// Parentheses and negations lie deeper than `SiteQuery.depthMax`.
    case tooDeep
    /// The expression ends where something is missing.
    case unexpectedEnd
    /// A character that means nothing here.
    case unexpectedCharacter
    /// A word that is no attribute.
    case unknownAttribute(String)
    /// An attribute that no comparison follows.
    case comparisonExpected
    /// A comparison that no value follows.
    case valueExpected
    /// A quoted value without its second quote.
    case unendedText
    /// A `\` before something else than `"` or `\`.
    case unknownEscape
  }

  /// What is wrong.
  public let reason: Reason
  /// Where, in bytes of UTF-8 from the beginning.
  public let position: Int

  /// A sentence for administrators.
  public var description: String {
    let what =
      switch reason {
      case .tooLong: "it is longer than \(SiteQuery.bytesMax) bytes"
      case .tooDeep: "it is nested deeper than \(SiteQuery.depthMax)"
      case .unexpectedEnd: "it ends too early"
      case .unexpectedCharacter: "this character means nothing here"
      case .unknownAttribute(let word):
        "'\(word)' is no attribute; there are "
          + SiteQuery.Attribute.allCases.map(\.rawValue).joined(separator: ", ")
      case .comparisonExpected: "==, != or =~ is missing"
      case .valueExpected: "a value is missing"
      case .unendedText: "the closing quote is missing"
      case .unknownEscape: "only \\\" and \\\\ can be escaped"
      }
    return "at character \(position + 1): \(what)"
  }
}

/// A recursive descent over the bytes of an expression.
struct SiteQueryParser {
  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0

  init(_ text: String) throws(SiteQueryError) {
    guard text.utf8.count <= SiteQuery.bytesMax else {
      throw SiteQueryError(reason: .tooLong, position: SiteQuery.bytesMax)
    }
    bytes = Array(text.utf8)
  }

  /// The whole expression and nothing after it.
  mutating func wholeCondition() throws(SiteQueryError) -> SiteQuery.Condition {
    let condition = try anyOf()
    skipBlanks()
    guard position == bytes.count else { throw failure(.unexpectedCharacter) }
    return condition
  }

  private mutating func anyOf() throws(SiteQueryError) -> SiteQuery.Condition {
    var parts = [try allOf()]
    while take("||") { parts.append(try allOf()) }
    return parts.count == 1 ? parts[0] : .any(parts)
  }

  private mutating func allOf() throws(SiteQueryError) -> SiteQuery.Condition {
    var parts = [try single()]
    while take("&&") { parts.append(try single()) }
    return parts.count == 1 ? parts[0] : .all(parts)
  }

  private mutating func single() throws(SiteQueryError) -> SiteQuery.Condition {
    depth += 1
    defer { depth -= 1 }
    guard depth <= SiteQuery.depthMax else { throw failure(.tooDeep) }
    if take("!") { return .not(try single()) }
    guard take("(") else { return try test() }
    let inner = try anyOf()
    guard take(")") else {
      throw failure(position == bytes.count ? .unexpectedEnd : .unexpectedCharacter)
    }
    return inner
  }

  private mutating func test() throws(SiteQueryError) -> SiteQuery.Condition {
    skipBlanks()
    guard position < bytes.count else { throw failure(.unexpectedEnd) }
    let start = position
    let word = bareWord()
    guard !word.isEmpty else { throw failure(.unexpectedCharacter) }
    guard let attribute = SiteQuery.Attribute(rawValue: word.lowercased()) else {
      throw SiteQueryError(reason: .unknownAttribute(word), position: start)
    }
    for comparison in SiteQuery.Comparison.allCases where take(comparison.rawValue) {
      return .test(attribute, comparison, try value())
    }
    throw failure(.comparisonExpected)
  }

  private mutating func value() throws(SiteQueryError) -> String {
    skipBlanks()
    guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
      let word = bareWord()
      guard !word.isEmpty else { throw failure(.valueExpected) }
      return word
    }
    let start = position
    position += 1
    var text: [UInt8] = []
    while position < bytes.count {
      var byte = bytes[position]
      position += 1
      if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
      if byte == UInt8(ascii: "\\"), position < bytes.count {
        byte = bytes[position]
        guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else {
          throw failure(.unknownEscape)
        }
        position += 1
      }
      text.append(byte)
    }
    throw SiteQueryError(reason: .unendedText, position: start)
  }

  /// The longest run of characters that need no quotes: letters, digits, and what names, versions,
  /// addresses and patterns are made of.
  private mutating func bareWord() -> String {
    let start = position
    while position < bytes.count, SiteQueryParser.isPlain(bytes[position]) { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "/"), UInt8(ascii: "*"),
      UInt8(ascii: "?"), UInt8(ascii: "%"), 0x80...0xFF:
      true
    default: false
    }
  }

  private mutating func skipBlanks() {
    while position < bytes.count, bytes[position] == 0x20 || (0x09...0x0D).contains(bytes[position])
    {
      position += 1
    }
  }

  private mutating func take(_ sign: String) -> Bool {
    skipBlanks()
    guard bytes[position...].starts(with: sign.utf8) else { return false }
    position += sign.utf8.count
    return true
  }

  private func failure(_ reason: SiteQueryError.Reason) -> SiteQueryError {
    SiteQueryError(reason: reason, position: position)
  }
}
