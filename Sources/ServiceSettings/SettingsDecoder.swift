// A `Decoder` over the layers: asks them for each key that a `Decodable` type names, so that the
// type itself is the schema. Errors carry the place of the value that caused them.

/// Decodes one node of the tree.
struct SettingsDecoder: Decoder {
  let layers: SettingsLayers
  let node: SettingsNode
  /// The key of this node, with its groups.
  let path: [String]

  var key: String { path.joined(separator: ".") }
  var codingPath: [any CodingKey] { path.map { SettingsKey(stringValue: $0) } }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func container<Key: CodingKey>(keyedBy _: Key.Type) throws -> KeyedDecodingContainer<Key> {
    switch node.content {
    case .mapping(let entries):
      KeyedDecodingContainer(KeyedSettings(decoder: self, entries: entries))
    case .nothing: KeyedDecodingContainer(KeyedSettings(decoder: self, entries: []))
    case .scalar, .sequence: throw bad(expected: "a group of keys")
    }
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    switch node.content {
    case .sequence(let items): ListedSettings(decoder: self, items: items)
    case .nothing: ListedSettings(decoder: self, items: [])
    case .scalar(let text): ListedSettings(decoder: self, items: items(of: text))
    case .mapping: throw bad(expected: "a list")
    }
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer {
    SingleSetting(decoder: self)
  }

  /// A file's single value is a list of one; elsewhere there is no list syntax but the comma.
  private func items(of text: String) -> [SettingsNode] {
    if case .file = node.origin { return [node] }
    return text.split(separator: ",").map { piece in
      SettingsNode(content: .scalar(Spelling.trimmed(piece)), origin: node.origin)
    }
  }

  /// The error of a value that is not what its key wants.
  func bad(expected: String) -> SettingsError {
    SettingsError([.badValue(node.origin, key: key, value: node.shown, expected: expected)])
  }

  /// The text of a scalar.
  func text(expected: String) throws(SettingsError) -> String {
    guard case .scalar(let text) = node.content else { throw bad(expected: expected) }
    return text
  }

  /// Decodes this node as any type, giving standard decoding errors a place.
  func value<Value: Decodable>(_: Value.Type) throws -> Value {
    do {
      return try Value(from: self)
    } catch DecodingError.dataCorrupted {
      throw bad(expected: SettingsDecoder.words(for: Value.self))
    }
  }

  private static func words(for type: Any.Type) -> String {
    func names<Cases: CaseIterable>(_: Cases.Type) -> [String] {
      Cases.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
    }
    if let cases = type as? any CaseIterable.Type {
      let words = names(cases)
      if !words.isEmpty { return "one of " + words.joined(separator: ", ") }
    }
    return "\(type)"
  }
}

/// A key by its text.
struct SettingsKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension Spelling {
  /// A piece of a comma-separated list without the blanks around it.
  static func trimmed(_ text: Substring) -> String {
    var text = text
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}

/// One value.
struct SingleSetting: SingleValueDecodingContainer {
  let decoder: SettingsDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }

  func decodeNil() -> Bool {
    if case .nothing = decoder.node.content { true } else { false }
  }

  func decode(_: Bool.Type) throws -> Bool {
    switch try decoder.text(expected: "true or false") {
    case "true", "yes", "on": true
    case "false", "no", "off": false
    default: throw decoder.bad(expected: "true or false")
    }
  }

  func decode(_: String.Type) throws -> String { try decoder.text(expected: "a text") }
  func decode(_: Double.Type) throws -> Double { try lossless("a number") }
  func decode(_: Float.Type) throws -> Float { try lossless("a number") }
  func decode(_: Int.Type) throws -> Int { try integer() }
  func decode(_: Int8.Type) throws -> Int8 { try integer() }
  func decode(_: Int16.Type) throws -> Int16 { try integer() }
  func decode(_: Int32.Type) throws -> Int32 { try integer() }
  func decode(_: Int64.Type) throws -> Int64 { try integer() }
  func decode(_: UInt.Type) throws -> UInt { try integer() }
  func decode(_: UInt8.Type) throws -> UInt8 { try integer() }
  func decode(_: UInt16.Type) throws -> UInt16 { try integer() }
  func decode(_: UInt32.Type) throws -> UInt32 { try integer() }
  func decode(_: UInt64.Type) throws -> UInt64 { try integer() }
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.value(type) }

  private func integer<Value: FixedWidthInteger>() throws -> Value {
    let expected = "a whole number from \(Value.min) to \(Value.max)"
    guard let value = Value(try decoder.text(expected: expected)) else {
      throw decoder.bad(expected: expected)
    }
    return value
  }

  private func lossless<Value: LosslessStringConvertible>(_ expected: String) throws -> Value {
    guard let value = Value(try decoder.text(expected: expected)) else {
      throw decoder.bad(expected: expected)
    }
    return value
  }
}
