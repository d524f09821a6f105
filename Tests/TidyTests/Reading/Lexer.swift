// Cuts Swift, C and shell-free text into words, symbols, literals and comments, so that a rule can
// ask for "the word `unsafe` in code" and never be fooled by a comment or a string. It knows nested
// comments, raw and multi-line strings and interpolations; it does not know regular-expression
// literals, which this house does not use.

/// One piece of a source file.
struct Token: Sendable, Equatable {
  enum Kind: Sendable {
    /// An identifier, keyword or number.
    case word
    /// One character of punctuation.
    case symbol
    /// The inside of a string literal, without its interpolations.
    case text
    /// A comment with its slashes.
    case comment
  }

  var kind: Kind
  var text: String
  /// Counted from one.
  var line: Int
  /// Whether nothing, not even a space, stands before it.
  var isGlued: Bool
}

/// Reads one file from its first byte to its last.
struct Lexer {
  enum Language { case swift, c }

  private let bytes: [UInt8]
  private let language: Language
  private var at = 0
  private var line = 1
  private var isGlued = false
  private var tokens: [Token] = []

  private init(_ text: String, _ language: Language) {
    bytes = Array(text.utf8)
    self.language = language
  }

  static func tokens(of text: String, language: Language = .swift) -> [Token] {
    var lexer = Lexer(text, language)
    lexer.readCode(insideInterpolation: false)
    return lexer.tokens
  }

  private func peek(_ offset: Int = 0) -> UInt8 {
    at + offset < bytes.count ? bytes[at + offset] : 0
  }

  private func isAhead(_ text: StaticString, _ offset: Int = 0) -> Bool {
    var position = at + offset
    for byte in "\(text)".utf8 {
      guard position < bytes.count, bytes[position] == byte else { return false }
      position += 1
    }
    return true
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
      true
    default: false
    }
  }

  /// Code up to the end, or to the parenthesis that closes an interpolation.
  private mutating func readCode(insideInterpolation: Bool) {
    var depth = 0
    while at < bytes.count {
      let byte = bytes[at]
      switch byte {
      case UInt8(ascii: "\n"):
        line += 1
        at += 1
        isGlued = false
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
        at += 1
        isGlued = false
      case UInt8(ascii: "/") where peek(1) == byte: readLineComment()
      case UInt8(ascii: "/") where peek(1) == UInt8(ascii: "*"): readBlockComment()
      case UInt8(ascii: "\""): readString(hashes: 0)
      case UInt8(ascii: "#") where hashesBeforeQuote() > 0: readString(hashes: hashesBeforeQuote())
      case UInt8(ascii: "'") where language == .c: readCharacter()
      case _ where Self.isWord(byte): readWord()
      default:
        if byte == UInt8(ascii: "(") { depth += 1 }
        if byte == UInt8(ascii: ")") {
          if insideInterpolation && depth == 0 { return }
          depth -= 1
        }
        add(.symbol, from: at, to: at + 1)
        at += 1
      }
    }
  }

  private mutating func add(_ kind: Token.Kind, from start: Int, to end: Int, line: Int? = nil) {
    let text = String(decoding: bytes[start..<end], as: UTF8.self)
    tokens.append(Token(kind: kind, text: text, line: line ?? self.line, isGlued: isGlued))
    isGlued = true
  }

  private mutating func readWord() {
    let start = at
    while at < bytes.count, Self.isWord(bytes[at]) { at += 1 }
    add(.word, from: start, to: at)
  }

  private mutating func readLineComment() {
    let start = at
    while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { at += 1 }
    add(.comment, from: start, to: at)
  }

  private mutating func readBlockComment() {
    let start = at
    let first = line
    var depth = 0
    repeat {
      if isAhead("/*") && (language == .swift || depth == 0) {
        depth += 1
        at += 2
      } else if isAhead("*/") {
        depth -= 1
        at += 2
      } else {
        if peek() == UInt8(ascii: "\n") { line += 1 }
        at += 1
      }
    } while depth > 0 && at < bytes.count
    add(.comment, from: start, to: min(at, bytes.count), line: first)
  }

  private mutating func readCharacter() {
    at += 1
    while at < bytes.count, bytes[at] != UInt8(ascii: "'"), bytes[at] != UInt8(ascii: "\n") {
      at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
    }
    at += 1
  }

  /// The `#` characters of a raw string that begins here, or zero.
  private func hashesBeforeQuote() -> Int {
    var count = 0
    while peek(count) == UInt8(ascii: "#") { count += 1 }
    return peek(count) == UInt8(ascii: "\"") ? count : 0
  }

  private func isClosing(_ quotes: Int, hashes: Int) -> Bool {
    for offset in 0..<quotes where peek(offset) != UInt8(ascii: "\"") { return false }
    for offset in 0..<hashes where peek(quotes + offset) != UInt8(ascii: "#") { return false }
    return true
  }

  /// A literal; its text becomes one token, its interpolations are code between.
  private mutating func readString(hashes: Int) {
    at += hashes
    let quotes = isAhead("\"\"\"") ? 3 : 1
    at += quotes
    let place = tokens.count
    tokens.append(Token(kind: .text, text: "", line: line, isGlued: isGlued))
    isGlued = true
    var inside: [UInt8] = []
    while at < bytes.count && !isClosing(quotes, hashes: hashes) {
      let byte = bytes[at]
      if byte == UInt8(ascii: "\n") {
        if quotes == 1 { break }
        line += 1
      }
      guard byte == UInt8(ascii: "\\"), isEscape(hashes: hashes) else {
        inside.append(byte)
        at += 1
        continue
      }
      at += 1 + hashes
      if peek() == UInt8(ascii: "(") {
        at += 1
        readCode(insideInterpolation: true)
      } else {
        if peek() == UInt8(ascii: "\n") { line += 1 }
        inside.append(contentsOf: [byte, peek()])
      }
      at += 1
    }
    at += quotes + hashes
    tokens[place].text = String(decoding: inside, as: UTF8.self)
  }

  private func isEscape(hashes: Int) -> Bool {
    for offset in 0..<hashes where peek(1 + offset) != UInt8(ascii: "#") { return false }
    return true
  }
}
