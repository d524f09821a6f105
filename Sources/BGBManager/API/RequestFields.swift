// The fields of a request body, each read with its kind and its bounds. A field that the route does
// not know is an error: a misspelt limit must not silently become no limit.

import BGBModel

/// Reads the named values of one JSON object.
struct RequestFields {
  private let object: JSONValue

  /// Takes an object that has no other fields than these.
  init(_ value: JSONValue?, known: [String]) throws(Refusal) {
    guard let value, case .object(let members) = value else {
      throw .wrongKind("body", wanted: "a JSON object")
    }
    for member in members where !known.contains(member.name) {
      throw .unknownField(String(member.name.cut(toBytes: 64)), known: known)
    }
    object = value
  }

  /// The value of a field; null counts as not given.
  func value(_ name: String) -> JSONValue? {
    guard let value = object[name], value != .null else { return nil }
    return value
  }

  /// A text that must be given.
  func text(_ name: String, bytesMax: Int) throws(Refusal) -> String {
    guard let text = try optionalText(name, bytesMax: bytesMax) else { throw .missingField(name) }
    return text
  }

  /// A text, or nil if it is not given.
  func optionalText(_ name: String, bytesMax: Int) throws(Refusal) -> String? {
    guard let value = value(name) else { return nil }
    guard let text = value.textValue else { throw .wrongKind(name, wanted: "a text") }
    guard !text.isEmpty, text.utf8.count <= bytesMax, !text.utf8.contains(0) else {
      throw .outOfBounds(name, bounds: "1 to \(bytesMax) bytes long")
    }
    return text
  }

  /// A whole number within a range, or the default if it is not given.
  func number(
    _ name: String, in range: ClosedRange<Int64>, default standard: Int64
  ) throws(Refusal) -> Int64 {
    guard let value = value(name) else { return standard }
    guard let number = value.integerValue else { throw .wrongKind(name, wanted: "a whole number") }
    guard range.contains(number) else {
      throw .outOfBounds(name, bounds: "\(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A list of at most so many elements; empty if it is not given.
  func list(_ name: String, countMax: Int) throws(Refusal) -> [JSONValue] {
    guard let value = value(name) else { return [] }
    guard let elements = value.listValue else { throw .wrongKind(name, wanted: "a list") }
    guard elements.count <= countMax else {
      throw .outOfBounds(name, bounds: "at most \(countMax) elements long")
    }
    return elements
  }

  /// A list of printable texts.
  func texts(_ name: String, countMax: Int, bytesMax: Int) throws(Refusal) -> [String] {
    var texts: [String] = []
    for element in try list(name, countMax: countMax) {
      guard let text = element.textValue, !text.isEmpty, text.utf8.count <= bytesMax,
        text.isPrintable
      else { throw .outOfBounds(name, bounds: "printable texts of at most \(bytesMax) bytes") }
      texts.append(text)
    }
    return texts
  }
}
