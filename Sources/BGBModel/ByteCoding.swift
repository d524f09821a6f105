// Reading and writing of fixed fields and length-prefixed strings, big-endian: what wire messages,
// signed statements and journals are made of. The reader is bounded by its input and never traps;
// the writer refuses what would not fit its length prefix.

/// Why bytes could not be read as what they should be.
public enum CodingError: Error, Equatable, Sendable {
  /// The input ended inside a field.
  case truncated
  /// Bytes were left after the last field where none may be.
  case trailingBytes
  /// A length prefix exceeds the limit of its field.
  case tooLong
  /// A text field is not valid UTF-8, or holds a NUL.
  case badText
  /// A field holds a value that its type does not have.
  case badValue
}

/// Reads fields one after the other from bytes that a peer may have made.
public struct ByteReader: Sendable {
  private let bytes: ArraySlice<UInt8>
  private var position: Int

  /// Begins at the first of the given bytes; nothing is copied.
  public init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  /// Begins at the first of the given bytes.
  public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

  /// How many bytes are left.
  public var remaining: Int { bytes.endIndex - position }

  /// The next `count` bytes.
  public mutating func raw(_ count: Int) throws(CodingError) -> ArraySlice<UInt8> {
    guard count >= 0, count <= remaining else { throw .truncated }
    defer { position += count }
    return bytes[position..<position + count]
  }

  // One function a width, for a generic one costs a hundred times as much across modules (HOUSE
  // part 4).

  /// An unsigned 8-bit integer.
  public mutating func integer(_: UInt8.Type = UInt8.self) throws(CodingError) -> UInt8 {
    UInt8(truncatingIfNeeded: try unsigned(1))
  }

  /// An unsigned 16-bit integer, big-endian.
  public mutating func integer(_: UInt16.Type = UInt16.self) throws(CodingError) -> UInt16 {
    UInt16(truncatingIfNeeded: try unsigned(2))
  }

  /// An unsigned 32-bit integer, big-endian.
  public mutating func integer(_: UInt32.Type = UInt32.self) throws(CodingError) -> UInt32 {
    UInt32(truncatingIfNeeded: try unsigned(4))
  }

  /// An unsigned 64-bit integer, big-endian.
  public mutating func integer(_: UInt64.Type = UInt64.self) throws(CodingError) -> UInt64 {
    try unsigned(8)
  }

  private mutating func unsigned(_ count: Int) throws(CodingError) -> UInt64 {
    guard count <= remaining else { throw .truncated }
    var value: UInt64 = 0
    for index in position..<position + count { value = value << 8 | UInt64(bytes[index]) }
    position += count
    return value
  }

  /// A signed 64-bit integer, two's complement, big-endian.
  public mutating func signed64() throws(CodingError) -> Int64 {
    Int64(bitPattern: try integer(UInt64.self))
  }

  /// A signed 32-bit integer, two's complement, big-endian.
  public mutating func signed32() throws(CodingError) -> Int32 {
    Int32(bitPattern: try integer(UInt32.self))
  }

  /// A moment: signed 64-bit milliseconds since 1970.
  public mutating func wallTime() throws(CodingError) -> WallTime {
    WallTime(milliseconds: try signed64())
  }

  /// Sixteen bytes of an identifier.
  public mutating func bits128() throws(CodingError) -> Bits128 {
    Bits128(high: try integer(UInt64.self), low: try integer(UInt64.self))
  }

  /// A block with a 16-bit length before it, of at most `limit` bytes.
  public mutating func block(limit: Int) throws(CodingError) -> ArraySlice<UInt8> {
    let count = Int(try integer(UInt16.self))
    guard count <= limit else { throw .tooLong }
    return try raw(count)
  }

  /// A UTF-8 text with a 16-bit length before it, of at most `limit` bytes and without NUL.
  public mutating func text(limit: Int) throws(CodingError) -> String {
    let bytes = try block(limit: limit)
    if bytes.isEmpty { return "" }
    // By way of a span: the generic initializer asks for its types each time, four times as long.
    guard !bytes.contains(0), let text = try? UTF8Span(validating: bytes.span) else {
      throw .badText
    }
    return String(copying: text)
  }

  /// Refuses bytes after the last field.
  public func end() throws(CodingError) {
    guard remaining == 0 else { throw .trailingBytes }
  }
}

/// Writes fields one after the other.
public struct ByteWriter: Sendable {
  /// What was written so far.
  public private(set) var bytes: [UInt8]

  /// Begins empty, with room for `capacity` bytes.
  public init(capacity: Int = 64) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Forgets what was written and keeps the room.
  public mutating func clear() { bytes.removeAll(keepingCapacity: true) }

  /// An unsigned 8-bit integer.
  public mutating func integer(_ value: UInt8) { bytes.append(value) }

  // Each width writes into room that was asked for once: to ask for every byte takes twice as long.

  /// An unsigned 16-bit integer, big-endian.
  public mutating func integer(_ value: UInt16) {
    bytes.append(addingCapacity: 2) { room in
      room.append(UInt8(truncatingIfNeeded: value >> 8))
      room.append(UInt8(truncatingIfNeeded: value))
    }
  }

  /// An unsigned 32-bit integer, big-endian.
  public mutating func integer(_ value: UInt32) {
    bytes.append(addingCapacity: 4) { room in
      var shift: UInt32 = 32
      while shift > 0 {
        shift &-= 8
        room.append(UInt8(truncatingIfNeeded: value >> shift))
      }
    }
  }

  /// An unsigned 64-bit integer, big-endian.
  public mutating func integer(_ value: UInt64) {
    bytes.append(addingCapacity: 8) { ByteWriter.put(value, into: &$0) }
  }

  private static func put(_ value: UInt64, into room: inout OutputSpan<UInt8>) {
    var shift: UInt64 = 64
    while shift > 0 {
      shift &-= 8
      room.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// A signed 64-bit integer, two's complement, big-endian.
  public mutating func signed64(_ value: Int64) { integer(UInt64(bitPattern: value)) }

  /// A signed 32-bit integer, two's complement, big-endian.
  public mutating func signed32(_ value: Int32) { integer(UInt32(bitPattern: value)) }

  /// A moment: signed 64-bit milliseconds since 1970.
  public mutating func wallTime(_ value: WallTime) { signed64(value.milliseconds) }

  /// Sixteen bytes of an identifier.
  public mutating func bits128(_ value: Bits128) {
    bytes.append(addingCapacity: 16) { room in
      ByteWriter.put(value.high, into: &room)
      ByteWriter.put(value.low, into: &room)
    }
  }

  /// Writes a 16-bit length over two bytes that were written as its place, once it is known.
  public mutating func patch(_ value: UInt16, at position: Int) {
    guard position >= 0, position + 2 <= bytes.count else { return }
    bytes[position] = UInt8(truncatingIfNeeded: value >> 8)
    bytes[position + 1] = UInt8(truncatingIfNeeded: value)
  }

  /// Writes a 32-bit number over four bytes that were written as its place.
  public mutating func patch32(_ value: UInt32, at position: Int) {
    guard position >= 0, position + 4 <= bytes.count else { return }
    patch(UInt16(truncatingIfNeeded: value >> 16), at: position)
    patch(UInt16(truncatingIfNeeded: value), at: position + 2)
  }

  /// Bytes as they are; the concrete twin of the generic one, for the packet path.
  public mutating func raw(_ value: [UInt8]) { bytes.append(contentsOf: value) }

  /// Bytes as they are; another concrete twin.
  public mutating func raw(_ value: ArraySlice<UInt8>) { bytes.append(contentsOf: value) }

  /// Bytes as they are.
  public mutating func raw(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

  /// A block with a 16-bit length before it, cut at 65,535 bytes (callers check their limit first).
  public mutating func block(_ value: some Collection<UInt8>) {
    let cut = value.prefix(Int(UInt16.max))
    integer(UInt16(truncatingIfNeeded: cut.count))
    bytes.append(contentsOf: cut)
  }

  /// A UTF-8 text with a 16-bit length before it, cut at a character border to at most `limit`
  /// bytes.
  public mutating func text(_ value: String, limit: Int) {
    let most = min(limit, Int(UInt16.max))
    if value.utf8.count <= most, !value.utf8.contains(0) {
      integer(UInt16(truncatingIfNeeded: value.utf8.count))
      bytes.append(contentsOf: value.utf8)
    } else {
      block(value.cut(toBytes: most).utf8.filter { $0 != 0 })
    }
  }
}

extension String {
  /// The longest prefix of whole characters that takes at most `limit` bytes of UTF-8.
  public func cut(toBytes limit: Int) -> Substring {
    guard utf8.count > limit else { return self[...] }
    var used = 0
    var end = startIndex
    for index in unicodeScalars.indices {
      used += UTF8.width(unicodeScalars[index])
      if used > limit { break }
      end = unicodeScalars.index(after: index)
    }
    return self[..<end]
  }
}
