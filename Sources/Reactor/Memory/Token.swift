// The identity of a thing that lives in a slot: which slot, and which tenant of it.
//
// A descriptor number or an index alone is reused the moment its owner dies, and an event that was
// on its way then reaches a stranger. The generation tells the tenants of one slot apart. Both fit
// in epoll's 64-bit cookie and in a timer's payload, so a token is what travels, and never a
// reference.

/// The identity of an element of a ``SlotTable``, or of one of the loop's own descriptors.
@frozen
public struct Token: Hashable, Sendable, CustomStringConvertible {
  /// Which tenant of the slot; 0 is never issued by a table.
  public let generation: UInt32
  /// Which slot; the topmost 256 values are reserved.
  public let index: UInt32

  /// Makes a token of its two halves.
  @inlinable
  public init(generation: UInt32, index: UInt32) {
    self.generation = generation
    self.index = index
  }

  /// Unpacks a token that travelled as 64 bits.
  @inlinable
  public init(rawValue: UInt64) {
    generation = UInt32(truncatingIfNeeded: rawValue >> 32)
    index = UInt32(truncatingIfNeeded: rawValue)
  }

  /// The token as 64 bits: the generation above, the index below.
  @inlinable
  public var rawValue: UInt64 { UInt64(generation) << 32 | UInt64(index) }

  /// The lowest reserved index: no table issues it or anything above it.
  public static let firstReservedIndex: UInt32 = 0xFFFF_FF00

  /// A token for a descriptor that is no slot: a bell, a signal descriptor, a listener.
  @inlinable
  public static func reserved(_ number: UInt8) -> Token {
    Token(generation: 0, index: 0xFFFF_FF00 | UInt32(number))
  }

  /// Whether this is one of the 256 tokens that ``reserved(_:)`` makes.
  @inlinable
  public var isReserved: Bool { index >= 0xFFFF_FF00 }

  /// The number a reserved token was made of; meaningless for any other.
  @inlinable
  public var reservedNumber: UInt8 { UInt8(truncatingIfNeeded: index) }

  /// The mailbox's bell, by convention.
  public static let bell = Token.reserved(0)
  /// The signal descriptor, by convention.
  public static let signals = Token.reserved(1)
  /// The first listener, by convention; more of them take ``reserved(_:)`` from 17 on.
  public static let listener = Token.reserved(16)

  /// Slot and tenant, as in `12#3`.
  public var description: String { "\(index)#\(generation)" }
}
