// Who and what things are: one small type per identifier, so that a client id can never be passed
// where a task id is meant. All are plain values without Foundation; their text forms are the ones
// that certificates, reports, logs and the command line use.

/// A 128-bit number with the text form of a UUID (RFC 4122, section 3), the body of several
/// identifiers.
public struct Bits128: Hashable, Comparable, Sendable {
  /// The first eight bytes, big-endian.
  public let high: UInt64
  /// The last eight bytes, big-endian.
  public let low: UInt64

  /// Makes the number from its two halves.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// Makes a number from a source of randomness, marked as a version 4 UUID.
  public init(random generator: inout some RandomNumberGenerator) {
    let versioned = (generator.next() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
    let variant = (generator.next() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
    self.init(high: versioned, low: variant)
  }

  /// Reads exactly 36 characters `8-4-4-4-12` of lower-case hexadecimal; anything else is nil.
  ///
  /// Upper case is refused on purpose: one identity has one spelling, in certificates and in files.
  public init?(_ text: String) { self.init(characters: text.utf8Span.span) }

  /// Reads the same from a part of a text.
  public init?(_ text: Substring) { self.init(characters: text.utf8Span.span) }

  /// Reads the same from the bytes of a text.
  ///
  /// Without a branch that depends on a digit: the ids of all targets of an operation are read in
  /// this form, and half of such branches are guessed wrongly.
  public init?(characters: borrowing Span<UInt8>) {
    let dash = UInt8(ascii: "-")
    guard characters.count == 36, characters[8] == dash, characters[13] == dash,
      characters[18] == dash, characters[23] == dash
    else { return nil }
    var (high, low, worst): (UInt64, UInt64, UInt8) = (0, 0, 0)
    func read(_ range: Range<Int>, into half: inout UInt64) {
      for position in range {
        let digit = Bits128.digit(characters[position])
        worst = max(worst, digit)
        half = half << 4 | UInt64(digit)
      }
    }
    read(0..<8, into: &high)
    read(9..<13, into: &high)
    read(14..<18, into: &high)
    read(19..<23, into: &low)
    read(24..<36, into: &low)
    guard worst < 16 else { return nil }
    self.init(high: high, low: low)
  }

  /// Reads sixteen bytes, big-endian; nil when there are not exactly sixteen.
  public init?(bytes: ArraySlice<UInt8>) {
    guard bytes.count == 16 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for byte in bytes.prefix(8) { high = high << 8 | UInt64(byte) }
    for byte in bytes.suffix(8) { low = low << 8 | UInt64(byte) }
    self.init(high: high, low: low)
  }

  /// The sixteen bytes, big-endian.
  public var bytes: [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(16)
    for shift in stride(from: 56, through: 0, by: -8) {
      result.append(UInt8(truncatingIfNeeded: high >> UInt64(shift)))
    }
    for shift in stride(from: 56, through: 0, by: -8) {
      result.append(UInt8(truncatingIfNeeded: low >> UInt64(shift)))
    }
    return result
  }

  /// Orders numbers as unsigned 128-bit integers.
  public static func < (left: Bits128, right: Bits128) -> Bool {
    left.high != right.high ? left.high < right.high : left.low < right.low
  }

  /// The text form `8-4-4-4-12`, lower case.
  public var text: String {
    var characters: [UInt8] = []
    characters.reserveCapacity(36)
    appendText(to: &characters)
    return String(decoding: characters, as: UTF8.self)
  }

  /// Appends the bytes of ``text``, for lines that are written by the hundred thousand.
  public func appendText(to characters: inout [UInt8]) {
    characters.append(addingCapacity: 36) { room in
      for position in 0..<16 {
        if position == 4 || position == 6 || position == 8 || position == 10 {
          room.append(UInt8(ascii: "-"))
        }
        let half = position < 8 ? high : low
        let byte = UInt8(truncatingIfNeeded: half >> UInt64(56 - position % 8 * 8))
        room.append(Bits128.character(byte >> 4))
        room.append(Bits128.character(byte & 0xF))
      }
    }
  }

  /// What a lower-case hexadecimal digit stands for; 255 for any other character.
  private static func digit(_ byte: UInt8) -> UInt8 {
    let number = byte &- UInt8(ascii: "0")
    let letter = byte &- UInt8(ascii: "a")
    return number < 10 ? number : letter < 6 ? letter + 10 : .max
  }

  private static func character(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + (nibble - 10)
  }
}

/// The identity of a managed computer: the UUID in the URI SAN of its certificate.
public struct ClientID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The prefix of the URI SAN that names a client (DESIGN: `urn:bgb:client:<uuid>`).
  public static let uriPrefix = "urn:bgb:client:"
  /// The number itself.
  public let bits: Bits128

  /// Wraps a number.
  public init(_ bits: Bits128) { self.bits = bits }

  /// Reads the UUID text form; nil for anything else.
  public init?(_ text: String) {
    guard let bits = Bits128(text) else { return nil }
    self.bits = bits
  }

  /// Reads the same from a part of a text.
  public init?(_ text: Substring) {
    guard let bits = Bits128(text) else { return nil }
    self.bits = bits
  }

  /// Reads the same from the bytes of a text.
  public init?(characters: borrowing Span<UInt8>) {
    guard let bits = Bits128(characters: characters) else { return nil }
    self.bits = bits
  }

  /// Reads a whole URI SAN, prefix and UUID; nil for anything else.
  public init?(uri: String) {
    guard uri.hasPrefix(ClientID.uriPrefix) else { return nil }
    self.init(uri.dropFirst(ClientID.uriPrefix.count))
  }

  /// The URI that the client's certificate bears.
  public var uri: String { ClientID.uriPrefix + bits.text }
  /// The UUID text form.
  public var description: String { bits.text }
  /// Orders by number.
  public static func < (left: ClientID, right: ClientID) -> Bool { left.bits < right.bits }
}

/// The identity of one signed task, made where the operation is started.
public struct TaskID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number itself.
  public let bits: Bits128

  /// Wraps a number.
  public init(_ bits: Bits128) { self.bits = bits }

  /// Reads the UUID text form; nil for anything else.
  public init?(_ text: String) {
    guard let bits = Bits128(text) else { return nil }
    self.bits = bits
  }

  /// Reads the same from a part of a text.
  public init?(_ text: Substring) {
    guard let bits = Bits128(text) else { return nil }
    self.bits = bits
  }

  /// Reads the same from the bytes of a text.
  public init?(characters: borrowing Span<UInt8>) {
    guard let bits = Bits128(characters: characters) else { return nil }
    self.bits = bits
  }

  /// The UUID text form.
  public var description: String { bits.text }
  /// Orders by number.
  public static func < (left: TaskID, right: TaskID) -> Bool { left.bits < right.bits }
}

/// The small integer by which the site database knows a client; never used again for another
/// client.
public struct ResourceID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The integer, from 1.
  public let rawValue: UInt32
  /// Wraps an integer.
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  /// Decimal.
  public var description: String { String(rawValue) }
  /// Orders by number.
  public static func < (left: ResourceID, right: ResourceID) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// The number of a notification server in the site database (`BGB_Server.ServerID`).
public struct ServerID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The integer, from 1.
  public let rawValue: UInt32
  /// Wraps an integer.
  public init(_ rawValue: UInt32) { self.rawValue = rawValue }
  /// Decimal.
  public var description: String { String(rawValue) }
  /// Orders by number.
  public static func < (left: ServerID, right: ServerID) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// The number of an operation, as an operator reads it.
public struct OperationID: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The integer, from 1.
  public let rawValue: Int64
  /// Wraps an integer.
  public init(_ rawValue: Int64) { self.rawValue = rawValue }
  /// Decimal.
  public var description: String { String(rawValue) }
  /// Orders by number.
  public static func < (left: OperationID, right: OperationID) -> Bool {
    left.rawValue < right.rawValue
  }
}

/// The three characters that name a site, such as `S01`.
public struct SiteCode: Hashable, Sendable, CustomStringConvertible {
  /// The three characters.
  public let description: String

  /// Accepts exactly three characters of `A`-`Z` and `0`-`9`; anything else is nil.
  public init?(_ text: some StringProtocol) {
    guard text.utf8.count == 3 else { return nil }
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
      default: return nil
      }
    }
    description = String(text)
  }
}

/// The first eight bytes of the SHA-256 of an Ed25519 public key: which key signed.
public struct KeyID: Hashable, Sendable, CustomStringConvertible {
  /// The eight bytes, big-endian.
  public let rawValue: UInt64
  /// Wraps the eight bytes.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
  /// Sixteen hexadecimal digits.
  public var description: String {
    let digits = String(rawValue, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
