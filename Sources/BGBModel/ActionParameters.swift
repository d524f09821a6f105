// The values that one task carries for its action: a short list of named texts, checked against the
// table's kinds before a task is signed and again before it is performed.

/// Why values do not fit an action.
public enum ParameterError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The action has no parameter of this name.
  case unknown(String)
  /// A parameter that the action needs is missing.
  case missing(String)
  /// The same name was given twice.
  case repeated(String)
  /// The value breaks the bounds of its kind.
  case outOfBounds(String)

  /// A sentence for operators.
  public var description: String {
    switch self {
    case .unknown(let name): "the action has no parameter '\(name)'"
    case .missing(let name): "the action needs the parameter '\(name)'"
    case .repeated(let name): "the parameter '\(name)' is given twice"
    case .outOfBounds(let name): "the value of '\(name)' is outside its bounds"
    }
  }
}

/// The named values of one task, in the order of their names, so that equal sets encode equally.
public struct ActionParameters: Hashable, Sendable {
  /// One name and its value.
  public struct Value: Hashable, Sendable {
    /// The parameter's name.
    public let name: String
    /// Its value as text; numbers are decimal.
    public let text: String

    /// Joins a name and a value.
    public init(name: String, text: String) {
      self.name = name
      self.text = text
    }
  }

  /// The values, sorted by name.
  public let values: [Value]

  /// No values.
  public static let none = ActionParameters([])

  /// Takes values in any order.
  public init(_ values: [Value]) {
    self.values = values.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// The value of a name, if given.
  public subscript(name: String) -> String? { values.first { $0.name == name }?.text }

  /// Checks the values against the row of an action.
  public func check(for action: ClientAction) throws(ParameterError) {
    var seen: Set<String> = []
    for value in values {
      guard seen.insert(value.name).inserted else { throw .repeated(value.name) }
      guard let parameter = action.parameters.first(where: { $0.name == value.name }) else {
        throw .unknown(value.name)
      }
      guard parameter.kind.admits(value.text) else { throw .outOfBounds(value.name) }
    }
    for parameter in action.parameters where parameter.isRequired && !seen.contains(parameter.name)
    {
      throw .missing(parameter.name)
    }
  }

  /// Writes the count and each name and value.
  public func encode(into writer: inout ByteWriter) {
    writer.integer(UInt8(truncatingIfNeeded: min(values.count, Limits.parametersMax)))
    for value in values.prefix(Limits.parametersMax) {
      writer.text(value.name, limit: Limits.parameterNameBytesMax)
      writer.text(value.text, limit: Limits.parameterBytesMax)
    }
  }

  /// Reads what `encode` wrote; names out of order are refused, for there is one encoding of a set.
  public init(from reader: inout ByteReader) throws(CodingError) {
    let count = Int(try reader.integer(UInt8.self))
    guard count <= Limits.parametersMax else { throw .tooLong }
    var values: [Value] = []
    for _ in 0..<count {
      let name = try reader.text(limit: Limits.parameterNameBytesMax)
      let text = try reader.text(limit: Limits.parameterBytesMax)
      if let last = values.last, !last.name.utf8.lexicographicallyPrecedes(name.utf8) {
        throw .badValue
      }
      values.append(Value(name: name, text: text))
    }
    self.values = values
  }
}

extension ParameterKind {
  /// Whether a text is a value of this kind.
  public func admits(_ text: String) -> Bool {
    switch self {
    case .path:
      text.utf8.count <= Limits.parameterBytesMax && text.isPrintable
        && ParameterKind.isAbsolutePath(text.utf8)
    case .word(let bytesMax):
      !text.isEmpty && text.utf8.count <= bytesMax && !text.hasPrefix("-") && !text.hasPrefix(".")
        && text.utf8.allSatisfy(ParameterKind.isWordByte)
    case .text(let bytesMax): text.utf8.count <= bytesMax && text.isPrintable
    case .number(let range):
      if let number = Int64(text), String(number) == text { range.contains(number) } else { false }
    }
  }

  /// Judged by bytes, as the file system does: a slash and a combining mark after it are one
  /// character of a string, and `/a/../` would hide in it.
  private static func isAbsolutePath(_ path: String.UTF8View) -> Bool {
    let slash = UInt8(ascii: "/")
    guard path.first == slash, path.count == 1 || path.last != slash else { return false }
    return !path.split(separator: slash).contains { $0.elementsEqual("..".utf8) }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

extension String {
  /// Whether the text holds no control characters (C0, DEL, C1), bidirectional overrides or line
  /// separators: what may be shown on a terminal or in a log line.
  public var isPrintable: Bool {
    unicodeScalars.allSatisfy { scalar in
      switch scalar.value {
      case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069: false
      default: true
      }
    }
  }
}
