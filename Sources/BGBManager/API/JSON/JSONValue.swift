// JSON as a small closed value, with the order of keys kept: what the API answers is the same bytes
// for the same contents, so that tests and people can compare it.

/// A JSON value.
enum JSONValue: Hashable, Sendable {
  /// Nothing.
  case null
  /// True or false.
  case bool(Bool)
  /// A whole number; the API has no fractions but in what it measures.
  case integer(Int64)
  /// A number with a fraction.
  case number(Double)
  /// A text.
  case text(String)
  /// A list.
  case list([JSONValue])
  /// Named values in order.
  case object([Member])

  /// One named value.
  struct Member: Hashable, Sendable {
    /// Its name.
    var name: String
    /// Its value.
    var value: JSONValue
  }

  /// Named values in the order given.
  static func members(_ pairs: KeyValuePairs<String, JSONValue>) -> JSONValue {
    .object(pairs.map { Member(name: $0.key, value: $0.value) })
  }

  /// A text, or null.
  static func optional(_ text: String?) -> JSONValue { text.map(JSONValue.text) ?? .null }

  /// A whole number.
  static func count(_ value: some BinaryInteger) -> JSONValue { .integer(Int64(clamping: value)) }

  /// The value of a name; nil for other kinds and other names.
  subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The text of a text.
  var textValue: String? {
    if case .text(let text) = self { text } else { nil }
  }

  /// The number of a whole number.
  var integerValue: Int64? {
    if case .integer(let number) = self { number } else { nil }
  }

  /// The elements of a list.
  var listValue: [JSONValue]? {
    if case .list(let elements) = self { elements } else { nil }
  }

  /// The truth of a truth value.
  var boolValue: Bool? {
    if case .bool(let truth) = self { truth } else { nil }
  }

  /// The value as compact JSON text.
  var encoded: String {
    var text = ""
    write(into: &text)
    return text
  }

  private func write(into text: inout String) {
    switch self {
    case .null: text += "null"
    case .bool(let truth): text += truth ? "true" : "false"
    case .integer(let number): text += String(number)
    case .number(let number): text += number.isFinite ? String(number) : "null"
    case .text(let value): JSONValue.quote(value, into: &text)
    case .list(let elements):
      text += "["
      for (position, element) in elements.enumerated() {
        if position > 0 { text += "," }
        element.write(into: &text)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (position, member) in members.enumerated() {
        if position > 0 { text += "," }
        JSONValue.quote(member.name, into: &text)
        text += ":"
        member.value.write(into: &text)
      }
      text += "}"
    }
  }

  /// Quotes a text; besides what JSON demands, whatever could end a script element or a terminal
  /// line.
  private static func quote(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      default:
        let code = scalar.value
        if code < 0x20 || (0x7F..<0xA0).contains(code) || code == 0x2028 || code == 0x2029
          || scalar == "<" || scalar == ">" || scalar == "&"
        {
          let digits = String(code, radix: 16)
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          text.unicodeScalars.append(scalar)
        }
      }
    }
    text += "\""
  }
}
