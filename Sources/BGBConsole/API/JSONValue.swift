// JSON as the console meets it: answers whose fields are looked up by name and shown as text, and
// the documents it prints. The order of members is kept, so that what is printed is what was told.

/// A JSON value.
enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case text(String)
  case list([JSONValue])
  case object([Member])

  /// One named value.
  struct Member: Hashable, Sendable {
    var name: String
    var value: JSONValue
  }

  /// An object of the given members, in their order.
  static func members(_ pairs: KeyValuePairs<String, JSONValue>) -> JSONValue {
    .object(pairs.map { Member(name: $0.key, value: $0.value) })
  }

  /// A list of texts.
  static func texts(_ texts: [String]) -> JSONValue { .list(texts.map { .text($0) }) }

  /// The member of a name; null for everything that has none.
  subscript(name: String) -> JSONValue {
    guard case .object(let members) = self else { return .null }
    return members.first { $0.name == name }?.value ?? .null
  }

  /// The text of a text, else nil.
  var text: String? {
    if case .text(let text) = self { text } else { nil }
  }

  /// The whole number of a number, else nil.
  var integer: Int64? {
    if case .integer(let number) = self { number } else { nil }
  }

  /// The truth of a truth value, else nil.
  var bool: Bool? {
    if case .bool(let truth) = self { truth } else { nil }
  }

  /// The items of a list; none for everything else.
  var items: [JSONValue] {
    if case .list(let items) = self { items } else { [] }
  }

  /// What a table's cell shows: texts as they are, lists with commas, nothing for null.
  var cell: String {
    switch self {
    case .null: ""
    case .bool(let truth): truth ? "yes" : "no"
    case .integer(let number): String(number)
    case .number(let number): String(number)
    case .text(let text): text
    case .list(let items): items.map(\.cell).joined(separator: ",")
    case .object: encoded
    }
  }

  /// The value as JSON text on one line; everything that could act on a terminal is escaped.
  var encoded: String {
    var result = ""
    write(into: &result)
    return result
  }

  private func write(into result: inout String) {
    switch self {
    case .null: result += "null"
    case .bool(let truth): result += truth ? "true" : "false"
    case .integer(let number): result += String(number)
    case .number(let number): result += number.isFinite ? String(number) : "null"
    case .text(let text): JSONValue.quote(text, into: &result)
    case .list(let items):
      result += "["
      for (position, item) in items.enumerated() {
        if position > 0 { result += "," }
        item.write(into: &result)
      }
      result += "]"
    case .object(let members):
      result += "{"
      for (position, member) in members.enumerated() {
        if position > 0 { result += "," }
        JSONValue.quote(member.name, into: &result)
        result += ":"
        member.value.write(into: &result)
      }
      result += "}"
    }
  }

  private static func quote(_ text: String, into result: inout String) {
    result += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case _ where TerminalText.isUnsafe(scalar):
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    result += "\""
  }
}
