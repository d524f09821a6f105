// JSON for reports: values in the order they were put, so that two runs can be compared line by
// line; and the few fields that are wanted of another program's answer.

/// A JSON value.
public indirect enum JSONText: Sendable {
  /// A whole number.
  case whole(Int64)
  /// A number; what is not finite becomes null.
  case number(Double)
  /// A text.
  case text(String)
  /// True or false.
  case flag(Bool)
  /// Members in their order.
  case members([(String, JSONText)])
  /// A list.
  case list([JSONText])
  /// Nothing.
  case null

  /// With two blanks a level.
  public func encoded(level: Int = 0) -> String {
    let inner = String(repeating: "  ", count: level + 1)
    let outer = String(repeating: "  ", count: level)
    switch self {
    case .whole(let number): return String(number)
    case .number(let number):
      guard number.isFinite else { return "null" }
      guard number == number.rounded(), abs(number) < 1e15 else {
        let scale = abs(number) < 1 ? 1_000_000.0 : 1_000
        return "\((number * scale).rounded() / scale)"
      }
      return String(Int64(number))
    case .text(let text): return JSONText.quoted(text)
    case .flag(let flag): return flag ? "true" : "false"
    case .members(let members):
      guard !members.isEmpty else { return "{}" }
      let lines = members.map {
        inner + JSONText.quoted($0.0) + ": " + $0.1.encoded(level: level + 1)
      }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
    case .list(let values):
      guard !values.isEmpty else { return "[]" }
      let lines = values.map { inner + $0.encoded(level: level + 1) }
      return "[\n" + lines.joined(separator: ",\n") + "\n\(outer)]"
    case .null: return "null"
    }
  }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The first text or number with this name in a JSON text; nil when there is none.
  ///
  /// Not a reader: for the flat, known answers of our own programs.
  public static func field(_ name: String, in text: String) -> String? {
    guard let at = text.firstRange(of: "\"\(name)\"") else { return nil }
    var rest = text[at.upperBound...].drop { $0.isWhitespace }
    guard rest.first == ":" else { return nil }
    rest = rest.dropFirst().drop { $0.isWhitespace }
    if rest.first == "\"" { return String(rest.dropFirst().prefix { $0 != "\"" }) }
    let value = rest.prefix { !",}]".contains($0) && !$0.isWhitespace }
    return value.isEmpty ? nil : String(value)
  }
}
