// The way from a leaf of a Merkle tree to its root. One piece of memory, not one for each hash: an
// agent reads such a way with every push.

/// The hashes beside the way from a leaf to the root, the leaf's sibling first (RFC 9162, 2.1.3).
public struct MerklePath: Hashable, Sendable {
  /// The hashes one after the other, ``Limits/hashBytes`` each.
  public let bytes: [UInt8]

  /// Takes whole hashes that stand one after the other; what is left behind them is left out.
  public init(bytes: some Collection<UInt8>) {
    self.bytes = Array(bytes.prefix(bytes.count / Limits.hashBytes * Limits.hashBytes))
  }

  /// Joins hashes; nil if one of them is none.
  public init?(_ hashes: [[UInt8]]) {
    guard hashes.allSatisfy({ $0.count == Limits.hashBytes }) else { return nil }
    bytes = Array(hashes.joined())
  }
}

extension MerklePath: RandomAccessCollection {
  /// The place of the leaf's sibling.
  public var startIndex: Int { 0 }
  /// How many hashes there are.
  public var endIndex: Int { bytes.count / Limits.hashBytes }

  /// A hash, without copying it.
  public subscript(position: Int) -> ArraySlice<UInt8> {
    bytes[position * Limits.hashBytes..<(position + 1) * Limits.hashBytes]
  }
}
