// CRC-32C (RFC 3720, appendix B.4; the polynomial of iSCSI and ext4): tells a torn or rotten record
// from a whole one. It is no defence against forgery; signatures are.

/// The CRC-32C of bytes, whole or piece by piece.
public struct CRC32C: Sendable {
  private var register: UInt32 = 0xFFFF_FFFF

  /// Begins with no bytes.
  public init() {}

  /// The checksum of all bytes so far.
  public var value: UInt32 { ~register }

  /// Takes further bytes.
  public mutating func update(_ bytes: some Sequence<UInt8>) {
    var register = self.register
    for byte in bytes {
      let index = UInt8(truncatingIfNeeded: register) ^ byte
      register = CRC32C.table[Int(index)] ^ register >> 8
    }
    self.register = register
  }

  /// Takes further bytes; the concrete twin of the generic one, which costs a hundred times as much
  /// across modules.
  public mutating func update(_ bytes: ArraySlice<UInt8>) {
    var register = self.register
    let table = CRC32C.table
    for byte in bytes {
      let index = UInt8(truncatingIfNeeded: register) ^ byte
      register = table[Int(index)] ^ register >> 8
    }
    self.register = register
  }

  /// The checksum of some bytes.
  public static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var sum = CRC32C()
    sum.update(bytes)
    return sum.value
  }

  /// The checksum of some bytes.
  public static func checksum(_ bytes: [UInt8]) -> UInt32 { checksum(bytes[...]) }

  /// The checksum of some bytes.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var sum = CRC32C()
    sum.update(bytes)
    return sum.value
  }

  /// The checksum of each single byte, for the reflected polynomial 0x82F63B78.
  private static let table: [UInt32] = (0..<256).map { index in
    var value = UInt32(index)
    for _ in 0..<8 { value = value & 1 == 1 ? 0x82F6_3B78 ^ value >> 1 : value >> 1 }
    return value
  }
}
