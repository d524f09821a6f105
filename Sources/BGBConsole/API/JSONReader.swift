// Reads the manager's answers (RFC 8259): one pass over the bytes, bounded depth, no guesses. A
// repeated name keeps its first value, which is what lookups find.

/// Why bytes are no JSON value.
struct JSONFault: Error, Equatable {
  /// The byte at which it went wrong.
  var position: Int
}

/// Reads one JSON value.
struct JSONReader {
  /// Nesting at most.
  static let depthMax = 32

  private let bytes: [UInt8]
  private var position = 0

  /// The value that the bytes are, blanks around it allowed.
  static func read(_ bytes: [UInt8]) throws(JSONFault) -> JSONValue {
    guard String(validating: bytes, as: UTF8.self) != nil else { throw JSONFault(position: 0) }
    var reader = JSONReader(bytes: bytes)
    let value = try reader.value(depth: 0)
    reader.skipBlanks()
    guard reader.position == bytes.count else { throw reader.fault }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private var fault: JSONFault { JSONFault(position: position) }

  private func peek() throws(JSONFault) -> UInt8 {
    guard position < bytes.count else { throw fault }
    return bytes[position]
  }

  private mutating func skipBlanks() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
  }

  private mutating func expect(_ character: Unicode.Scalar) throws(JSONFault) {
    guard try peek() == UInt8(ascii: character) else { throw fault }
    position += 1
  }

  /// Takes a character if it is next.
  private mutating func takes(_ character: Unicode.Scalar) throws(JSONFault) -> Bool {
    guard try peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(JSONFault) -> JSONValue {
    guard depth <= JSONReader.depthMax else { throw fault }
    skipBlanks()
    switch try peek() {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try list(depth: depth)
    case UInt8(ascii: "\""): return .text(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func literal(_ word: String, _ value: JSONValue) throws(JSONFault) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw fault }
    position += word.utf8.count
    return value
  }

  private mutating func object(depth: Int) throws(JSONFault) -> JSONValue {
    try expect("{")
    var members: [JSONValue.Member] = []
    skipBlanks()
    if try takes("}") { return .object([]) }
    repeat {
      skipBlanks()
      let name = try string()
      skipBlanks()
      try expect(":")
      members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
      skipBlanks()
    } while try takes(",")
    try expect("}")
    return .object(members)
  }

  private mutating func list(depth: Int) throws(JSONFault) -> JSONValue {
    try expect("[")
    var items: [JSONValue] = []
    skipBlanks()
    if try takes("]") { return .list([]) }
    repeat {
      items.append(try value(depth: depth + 1))
      skipBlanks()
    } while try takes(",")
    try expect("]")
    return .list(items)
  }

  private mutating func string() throws(JSONFault) -> String {
    try expect("\"")
    var text: [UInt8] = []
    while true {
      let byte = try peek()
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): text += try escape()
      case 0..<0x20: throw fault
      default: text.append(byte)
      }
    }
  }

  private mutating func escape() throws(JSONFault) -> [UInt8] {
    let byte = try peek()
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
    case UInt8(ascii: "b"): return [0x08]
    case UInt8(ascii: "f"): return [0x0C]
    case UInt8(ascii: "n"): return [0x0A]
    case UInt8(ascii: "r"): return [0x0D]
    case UInt8(ascii: "t"): return [0x09]
    case UInt8(ascii: "u"):
      var code = try hexadecimal()
      if code >= 0xD800, code < 0xDC00 {
        try expect("\\")
        try expect("u")
        let low = try hexadecimal()
        guard low >= 0xDC00, low < 0xE000 else { throw fault }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw fault }
      return Array(String(Character(scalar)).utf8)
    default: throw fault
    }
  }

  private mutating func hexadecimal() throws(JSONFault) -> UInt32 {
    guard position + 4 <= bytes.count else { throw fault }
    let digits = bytes[position..<position + 4]
    guard digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw fault }
    position += 4
    return code
  }

  private mutating func number() throws(JSONFault) -> JSONValue {
    let start = position
    while position < bytes.count, JSONReader.isNumberByte(bytes[position]) { position += 1 }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }
    // Swift reads "+1", "007" and ".5" as numbers; JSON does not.
    guard let first = digits.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9"),
      text.utf8.count - digits.count <= 1
    else { throw fault }
    let second = digits.dropFirst().first ?? UInt8(ascii: ".")
    if first == UInt8(ascii: "0"), second >= UInt8(ascii: "0"), second <= UInt8(ascii: "9") {
      throw fault
    }
    if let number = Int64(text) { return .integer(number) }
    guard text.last != ".", let number = Double(text), number.isFinite else { throw fault }
    return .number(number)
  }

  private static func isNumberByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"),
      UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
      true
    default: false
    }
  }
}
