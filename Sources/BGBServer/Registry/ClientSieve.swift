// Tells most strangers from the clients of a registry at a glance. The first round of a push asks
// each server about every target, and of several workers each knows but a part of them: a look into
// the table costs three waits for memory, a look here one bit of a few kilobytes.

import BGBModel

/// A set of clients that may say yes to a stranger, one time in eight at most, and never says no to
/// a member; a Bloom filter with one hash (Bloom, CACM 13:7, 1970).
///
/// Nobody can be taken out: whoever holds the members makes it anew when `isFull`.
struct ClientSieve {
  private static let bitsPerMember = 8
  private var words: [UInt64]
  private let shift: UInt64
  private var added = 0

  /// An empty one with room for so many members at least, 2 bytes each at most.
  init(capacity: Int = 64) {
    var bits = 512
    while bits < max(0, capacity) * ClientSieve.bitsPerMember { bits *= 2 }
    words = Array(repeating: 0, count: bits / 64)
    shift = UInt64(bits.leadingZeroBitCount + 1)
  }

  /// Whether so many were added that strangers are no longer told apart as promised.
  var isFull: Bool { added * ClientSieve.bitsPerMember > words.count * 64 }

  /// Adds a member.
  mutating func add(_ client: ClientID) {
    let bit = self.bit(of: client)
    words[Int(bit >> 6)] |= UInt64(1) << (bit & 63)
    added += 1
  }

  /// False only for who was never added.
  func mayHold(_ client: ClientID) -> Bool {
    let bit = self.bit(of: client)
    return (words[Int(bit >> 6)] >> (bit & 63)) & 1 == 1
  }

  /// Ids may count up as well as be random: the upper bits of a product with the golden ratio
  /// spread both (Knuth, The Art of Computer Programming, volume 3, 6.4).
  private func bit(of client: ClientID) -> UInt64 {
    ((client.bits.high ^ client.bits.low) &* 0x9E37_79B9_7F4A_7C15) >> shift
  }
}
