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
  ///
  /// Eight bytes a step ("slicing by 8"): each looks up what it does to the register after the
  /// bytes behind it.
  public mutating func update(_ bytes: ArraySlice<UInt8>) {
    var register = self.register
    let (table, span) = (CRC32C.table, bytes.span)
    var place = 0
    while place &+ 8 <= span.count {
      let word =
        register ^ UInt32(span[place]) ^ UInt32(span[place &+ 1]) << 8
        ^ UInt32(span[place &+ 2]) << 16 ^ UInt32(span[place &+ 3]) << 24
      let former =
        table[1_792 &+ Int(word & 0xFF)] ^ table[1_536 &+ Int(word >> 8 & 0xFF)]
        ^ table[1_280 &+ Int(word >> 16 & 0xFF)] ^ table[1_024 &+ Int(word >> 24)]
      let latter =
        table[768 &+ Int(span[place &+ 4])] ^ table[512 &+ Int(span[place &+ 5])]
        ^ table[256 &+ Int(span[place &+ 6])] ^ table[Int(span[place &+ 7])]
      register = former ^ latter
      place &+= 8
    }
    while place < span.count {
      let index = UInt8(truncatingIfNeeded: register) ^ span[place]
      register = table[Int(index)] ^ register >> 8
      place &+= 1
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

  /// The checksum of each single byte, for the reflected polynomial 0x82F63B78, and then the same
  /// behind one to seven further bytes.
  private static let table: [UInt32] = {
    var table = (0..<256).map { index in
      var value = UInt32(index)
      for _ in 0..<8 { value = value & 1 == 1 ? 0x82F6_3B78 ^ value >> 1 : value >> 1 }
      return value
    }
    for index in 0..<1_792 {
      let value = table[index]
      table.append(table[Int(value & 0xFF)] ^ value >> 8)
    }
    return table
  }()
}
