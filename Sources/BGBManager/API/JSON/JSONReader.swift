// Reading of JSON from a caller: strict (RFC 8259), bounded in depth, every name at most once. What
// is not plainly right is an error with its position, never a guess.

/// Why a text is not the JSON we read.
enum JSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Something else stands where a value, a name or a sign should be.
  case unexpected(position: Int)
  /// The text ends in the middle.
  case ended
  /// Lists and objects stand deeper in each other than the bound.
  case tooDeep(position: Int)
  /// One object has a name twice.
  case repeatedName(String)
  /// The text is not UTF-8.
  case notUTF8

  /// A sentence for the caller.
  var description: String {
    switch self {
    case .unexpected(let position): "the JSON text is wrong at byte \(position)"
    case .ended: "the JSON text ends in the middle"
    case .tooDeep(let position): "the JSON text is nested too deeply at byte \(position)"
    case .repeatedName(let name): "the JSON text has the name '\(name)' twice in one object"
    case .notUTF8: "the JSON text is not valid UTF-8"
    }
  }
}

/// Reads one JSON value from bytes.
struct JSONReader {
  /// How deep lists and objects may stand in each other: no request needs more than four.
  static let depthMax = 16

  private let bytes: [UInt8]
  private var position = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The one value that the bytes hold.
  static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    // One check here spares one for each text: a slice of valid UTF-8 between quotes is valid.
    guard String(validating: bytes, as: UTF8.self) != nil else { throw .notUTF8 }
    var reader = JSONReader(bytes)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw .unexpected(position: reader.position) }
    return value
  }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private mutating func take(_ byte: UInt8) throws(JSONError) {
    guard let found = next else { throw .ended }
    guard found == byte else { throw .unexpected(position: position) }
    position += 1
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < JSONReader.depthMax else { throw .tooDeep(position: position) }
    skipSpace()
    guard let first = next else { throw .ended }
    switch first {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try list(depth: depth)
    case UInt8(ascii: "\""): return .text(try text())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    for byte in word.utf8 { try take(byte) }
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> JSONValue {
    try take(UInt8(ascii: "{"))
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    skipSpace()
    if next == UInt8(ascii: "}") {
      position += 1
      return .object([])
    }
    while true {
      skipSpace()
      let name = try text()
      guard names.insert(name).inserted else { throw .repeatedName(name) }
      skipSpace()
      try take(UInt8(ascii: ":"))
      members.append(JSONValue.Member(name: name, value: try value(depth: depth + 1)))
      skipSpace()
      if next == UInt8(ascii: ",") {
        position += 1
        continue
      }
      try take(UInt8(ascii: "}"))
      return .object(members)
    }
  }

  private mutating func list(depth: Int) throws(JSONError) -> JSONValue {
    try take(UInt8(ascii: "["))
    var elements: [JSONValue] = []
    skipSpace()
    if next == UInt8(ascii: "]") {
      position += 1
      return .list([])
    }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if next == UInt8(ascii: ",") {
        position += 1
        continue
      }
      try take(UInt8(ascii: "]"))
      return .list(elements)
    }
  }

  private mutating func text() throws(JSONError) -> String {
    try take(UInt8(ascii: "\""))
    var result: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return String(decoding: result, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(into: &result)
      case 0..<0x20: throw .unexpected(position: position - 1)
      default: result.append(byte)
      }
    }
    throw .ended
  }

  private mutating func escape(into result: inout [UInt8]) throws(JSONError) {
    guard let byte = next else { throw .ended }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): result.append(byte)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "u"):
      let start = position
      var code = try fourDigits()
      if (0xD800..<0xDC00).contains(code) {
        try take(UInt8(ascii: "\\"))
        try take(UInt8(ascii: "u"))
        let low = try fourDigits()
        guard (0xDC00..<0xE000).contains(low) else { throw .unexpected(position: start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw .unexpected(position: start) }
      result.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw .unexpected(position: position - 1)
    }
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next else { throw .ended }
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw .unexpected(position: position)
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  /// A number as RFC 8259 has it: no leading zero, no plus sign; a whole one must fit 64 bits.
  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    if next == UInt8(ascii: "-") { position += 1 }
    let whole = digits()
    guard whole > 0 else {
      if next == nil { throw .ended }
      throw .unexpected(position: position)
    }
    if whole > 1, bytes[position - whole] == UInt8(ascii: "0") {
      throw .unexpected(position: position - whole)
    }
    var isWhole = true
    if next == UInt8(ascii: ".") {
      isWhole = false
      position += 1
      guard digits() > 0 else { throw .unexpected(position: position) }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      isWhole = false
      position += 1
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
      guard digits() > 0 else { throw .unexpected(position: position) }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole {
      guard let number = Int64(text) else { throw .unexpected(position: start) }
      return .integer(number)
    }
    guard let number = Double(text), number.isFinite else { throw .unexpected(position: start) }
    return .number(number)
  }

  /// Skips decimal digits and says how many there were.
  private mutating func digits() -> Int {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    return position - start
  }
}
