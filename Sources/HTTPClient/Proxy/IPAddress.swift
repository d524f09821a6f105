// Addresses as numbers: enough of IPv4 and IPv6 to tell whether a host is exempt from a proxy. A
// text that is no address is a name, so everything here fails softly.

/// An IPv4 or IPv6 address: 4 or 16 bytes.
struct IPAddress: Hashable, Sendable {
  let bytes: [UInt8]

  /// Reads an address, IPv6 with or without brackets; an IPv4 address inside IPv6 is taken as IPv4.
  init?(_ text: some StringProtocol) {
    var text = text[...]
    if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
    guard let bytes = IPAddress.four(text) ?? IPAddress.sixteen(text) else { return nil }
    let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF]
    self.bytes = bytes.starts(with: mapped) ? Array(bytes.dropFirst(12)) : bytes
  }

  /// How many bits there are.
  var bits: Int { bytes.count * 8 }

  /// Whether the first bits are those of another address of the same kind.
  func shares(_ count: Int, with other: IPAddress) -> Bool {
    guard bytes.count == other.bytes.count, count <= bits else { return false }
    for (index, pair) in zip(bytes, other.bytes).enumerated() {
      let wanted = min(8, count - index * 8)
      guard wanted > 0 else { return true }
      guard (pair.0 ^ pair.1) >> UInt8(8 - wanted) == 0 else { return false }
    }
    return true
  }

  private static func four(_ text: some StringProtocol) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bytes: [UInt8] = []
    for part in parts {
      // "010" is 8 to some readers and 10 to others; it is an address to none of ours.
      guard part.count <= 3, part.count == 1 || part.first != "0",
        part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let byte = UInt8(part)
      else { return nil }
      bytes.append(byte)
    }
    return bytes
  }

  private static func sixteen(_ text: some StringProtocol) -> [UInt8]? {
    let characters = Array(text.utf8)
    guard characters.count <= 45 else { return nil }
    let gap = characters.indices.dropLast().first {
      characters[$0] == UInt8(ascii: ":") && characters[$0 + 1] == UInt8(ascii: ":")
    }
    guard let gap else {
      guard let bytes = groups(characters[...]), bytes.count == 16 else { return nil }
      return bytes
    }
    let after = characters[(gap + 2)...]
    guard let head = groups(characters[..<gap]), let tail = groups(after),
      head.count + tail.count <= 14, !(head.count > 0 && characters[..<gap].contains(0x2E))
    else { return nil }
    return head + Array(repeating: 0, count: 16 - head.count - tail.count) + tail
  }

  /// Groups of hexadecimal digits, the last of which may be an IPv4 address.
  private static func groups(_ characters: ArraySlice<UInt8>) -> [UInt8]? {
    guard !characters.isEmpty else { return [] }
    let parts = characters.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    var bytes: [UInt8] = []
    for (index, part) in parts.enumerated() {
      let text = String(decoding: part, as: UTF8.self)
      if index == parts.count - 1, let four = four(text) {
        bytes += four
      } else {
        guard (1...4).contains(part.count), part.allSatisfy(isHexadecimal),
          let group = UInt16(text, radix: 16)
        else { return nil }
        bytes += [UInt8(group >> 8), UInt8(group & 0xFF)]
      }
    }
    return bytes.count <= 16 ? bytes : nil
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }
}
