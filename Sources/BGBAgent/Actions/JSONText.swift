// A strict reader of JSON (RFC 8259) for policy answers: bounded in depth, whole input or nothing,
// and it keeps each value's own text, so that a policy document is stored as the site wrote it.

/// A JSON value.
public indirect enum JSONText: Equatable, Sendable {
  /// `null`, `true`, `false` or a number, by its text.
  case plain(String)
  /// A string, without its escapes.
  case string(String)
  /// An array.
  case array([JSONText])
  /// An object's members in their order, each with the value's own bytes.
  case object([Member])

  /// A member of an object.
  public struct Member: Equatable, Sendable {
    /// The name.
    public var name: String
    /// The value.
    public var value: JSONText
    /// The value as it stood in the text.
    public var source: [UInt8]
  }

  /// Reads a whole text; nil when it is not JSON or nested deeper than 64.
  public init?(_ bytes: [UInt8]) {
    var reader = JSONReader(bytes)
    guard let value = reader.value(depth: 0), reader.isAtEnd() else { return nil }
    self = value
  }

  /// A member of an object; nil for other values and other names.
  public subscript(name: String) -> JSONText? { member(name)?.value }

  /// A member with its source.
  public func member(_ name: String) -> Member? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }
  }

  /// The elements of an array; none for other values.
  public var elements: [JSONText] { if case .array(let elements) = self { elements } else { [] } }
  /// The text of a string.
  public var text: String? { if case .string(let text) = self { text } else { nil } }
  /// The value of a whole number.
  public var integer: Int64? { if case .plain(let text) = self { Int64(text) } else { nil } }
}

private struct JSONReader {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func isAtEnd() -> Bool {
    skipSpace()
    return position == bytes.count
  }

  mutating func value(depth: Int) -> JSONText? {
    skipSpace()
    guard depth < 64, position < bytes.count else { return nil }
    switch bytes[position] {
    case UInt8(ascii: "{"): return object(depth: depth)
    case UInt8(ascii: "["): return array(depth: depth)
    case UInt8(ascii: "\""): return string().map { .string($0) }
    default: return plain()
    }
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
  }

  private mutating func take(_ character: Character) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == character.asciiValue else { return false }
    position += 1
    return true
  }

  private mutating func object(depth: Int) -> JSONText? {
    position += 1
    var members: [JSONText.Member] = []
    if take("}") { return .object([]) }
    repeat {
      skipSpace()
      guard let name = string(), take(":") else { return nil }
      skipSpace()
      let start = position
      guard let value = value(depth: depth + 1) else { return nil }
      members.append(
        JSONText.Member(name: name, value: value, source: Array(bytes[start..<position])))
    } while take(",")
    return take("}") ? .object(members) : nil
  }

  private mutating func array(depth: Int) -> JSONText? {
    position += 1
    var elements: [JSONText] = []
    if take("]") { return .array([]) }
    repeat {
      guard let value = value(depth: depth + 1) else { return nil }
      elements.append(value)
    } while take(",")
    return take("]") ? .array(elements) : nil
  }

  private mutating func plain() -> JSONText? {
    let start = position
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "E"):
        position += 1
      default:
        return JSONReader.plain(String(decoding: bytes[start..<position], as: UTF8.self))
      }
    }
    return JSONReader.plain(String(decoding: bytes[start..<position], as: UTF8.self))
  }

  private static func plain(_ text: String) -> JSONText? {
    guard ["null", "true", "false"].contains(text) || Double(text) != nil,
      let last = text.utf8.last, last != UInt8(ascii: "."), !text.hasPrefix("+"),
      !["inf", "nan", "infinity"].contains(text)
    else { return nil }
    return .plain(text)
  }

  private mutating func string() -> String? {
    guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { return nil }
    position += 1
    var text: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(validating: text, as: UTF8.self)
      case UInt8(ascii: "\\"):
        guard let scalar = escape() else { return nil }
        text += Array(String(scalar).utf8)
      case 0..<0x20: return nil
      default: text.append(byte)
      }
    }
    return nil
  }

  private mutating func escape() -> Unicode.Scalar? {
    guard position < bytes.count else { return nil }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      guard let first = hexadecimal() else { return nil }
      guard (0xD800..<0xDC00).contains(first) else { return Unicode.Scalar(first) }
      guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      else { return nil }
      position += 2
      guard let second = hexadecimal(), (0xDC00..<0xE000).contains(second) else { return nil }
      return Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    default: return nil
    }
  }

  private mutating func hexadecimal() -> UInt32? {
    guard position + 4 <= bytes.count else { return nil }
    let digits = String(decoding: bytes[position..<position + 4], as: UTF8.self)
    guard digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }) else {
      return nil
    }
    position += 4
    return UInt32(digits, radix: 16)
  }
}
