// Groups and lists of settings as the standard library's containers want them.

/// A group of keys.
struct KeyedSettings<Key: CodingKey>: KeyedDecodingContainerProtocol {
  /// Whether keys are taken as they stand in the file.
  ///
  /// A dictionary asks for `allKeys` first and then for exactly those; a type with properties never
  /// does, and its property names are respelled.
  private final class Listing {
    var isExact = false
  }

  private let decoder: SettingsDecoder
  private let entries: [SettingsNode.Entry]
  private let listing = Listing()

  init(decoder: SettingsDecoder, entries: [SettingsNode.Entry]) {
    self.decoder = decoder
    self.entries = entries
  }

  var codingPath: [any CodingKey] { decoder.codingPath }

  var allKeys: [Key] {
    listing.isExact = true
    decoder.layers.askAll(below: decoder.node, path: decoder.path)
    return entries.compactMap { Key(stringValue: $0.key) }
  }

  func contains(_ key: Key) -> Bool { node(key) != nil }

  func decodeNil(forKey key: Key) throws -> Bool {
    guard let node = node(key) else { return true }
    if case .nothing = node.content { return true }
    return false
  }

  func decode(_: Bool.Type, forKey key: Key) throws -> Bool { try single(key).decode(Bool.self) }
  func decode(_: String.Type, forKey key: Key) throws -> String {
    try single(key).decode(String.self)
  }
  func decode(_: Double.Type, forKey key: Key) throws -> Double {
    try single(key).decode(Double.self)
  }
  func decode(_: Float.Type, forKey key: Key) throws -> Float { try single(key).decode(Float.self) }
  func decode(_: Int.Type, forKey key: Key) throws -> Int { try single(key).decode(Int.self) }
  func decode(_: Int8.Type, forKey key: Key) throws -> Int8 { try single(key).decode(Int8.self) }
  func decode(_: Int16.Type, forKey key: Key) throws -> Int16 { try single(key).decode(Int16.self) }
  func decode(_: Int32.Type, forKey key: Key) throws -> Int32 { try single(key).decode(Int32.self) }
  func decode(_: Int64.Type, forKey key: Key) throws -> Int64 { try single(key).decode(Int64.self) }
  func decode(_: UInt.Type, forKey key: Key) throws -> UInt { try single(key).decode(UInt.self) }
  func decode(_: UInt8.Type, forKey key: Key) throws -> UInt8 { try single(key).decode(UInt8.self) }
  func decode(_: UInt16.Type, forKey key: Key) throws -> UInt16 {
    try single(key).decode(UInt16.self)
  }
  func decode(_: UInt32.Type, forKey key: Key) throws -> UInt32 {
    try single(key).decode(UInt32.self)
  }
  func decode(_: UInt64.Type, forKey key: Key) throws -> UInt64 {
    try single(key).decode(UInt64.self)
  }
  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try inner(key).value(type)
  }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws
    -> KeyedDecodingContainer<Nested>
  { try inner(key).container(keyedBy: type) }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try inner(key).unkeyedContainer()
  }
  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try inner(key) }

  private func path(_ key: Key) -> [String] {
    decoder.path + [listing.isExact ? key.stringValue : Spelling.key(of: key.stringValue)]
  }

  private func node(_ key: Key) -> SettingsNode? {
    let path = path(key)
    let inFile = entries.first { $0.key == path.last }?.value
    return decoder.layers.value(path.joined(separator: "."), inFile: inFile)
  }

  private func inner(_ key: Key) throws -> SettingsDecoder {
    guard let node = node(key) else {
      throw SettingsError([
        .missingKey(path: decoder.layers.file, key: path(key).joined(separator: "."))
      ])
    }
    return SettingsDecoder(layers: decoder.layers, node: node, path: path(key))
  }

  private func single(_ key: Key) throws -> SingleSetting { SingleSetting(decoder: try inner(key)) }
}

/// A list of values.
struct ListedSettings: UnkeyedDecodingContainer {
  private let decoder: SettingsDecoder
  private let items: [SettingsNode]
  private(set) var currentIndex = 0

  init(decoder: SettingsDecoder, items: [SettingsNode]) {
    self.decoder = decoder
    self.items = items
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { items.count }
  var isAtEnd: Bool { currentIndex >= items.count }

  mutating func decodeNil() throws -> Bool {
    guard currentIndex < items.count, case .nothing = items[currentIndex].content else {
      return false
    }
    currentIndex += 1
    return true
  }

  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try next().value(type)
  }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws
    -> KeyedDecodingContainer<Nested>
  { try next().container(keyedBy: type) }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next().unkeyedContainer()
  }
  mutating func superDecoder() throws -> any Decoder { try next() }

  private mutating func next() throws -> SettingsDecoder {
    guard currentIndex < items.count else { throw decoder.bad(expected: "a longer list") }
    defer { currentIndex += 1 }
    // Items of one list share one path: keys inside them are known or unknown together. The layers
    // above the file do not reach into lists.
    return SettingsDecoder(
      layers: decoder.layers, node: items[currentIndex], path: decoder.path + ["[]"])
  }
}
