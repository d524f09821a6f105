// Thirty-two leaves of a compact tree and the nodes above them, made anew when a path needs them. A
// round over a task's targets asks leaf by leaf, so that one block serves all its neighbours and
// the whole round costs no more hashes than a whole tree would.

import BGBModel

/// Room for one block of a compact tree; filled again and again without memory of its own.
public final class MerkleBlock {
  /// Which tree and block it holds.
  private var key: UInt64 = 0
  private var first = -1
  private var nodes = [UInt8](repeating: 0, count: 2 * MerkleBlock.leavesMax * Limits.hashBytes)

  /// Leaves of one block.
  static let leavesMax = 1 << MerkleTree.droppedLevels

  /// Holds nothing yet.
  public init() {}

  /// Appends what of a leaf's path lies within its block.
  ///
  /// - Parameters:
  ///   - key: tells the trees apart for which this room is used.
  ///   - leaves: what the tree was made of.
  func writePath(
    at index: Int, of leaves: [ClientID], key: UInt64, into writer: inout ByteWriter
  ) {
    let start = (index >> MerkleTree.droppedLevels) << MerkleTree.droppedLevels
    let count = MerkleBlock.count(from: start, of: leaves)
    if first != start || self.key != key {
      fill(leaves, start, count)
      (first, self.key) = (start, key)
    }
    // An odd last node rises unchanged, in the block as in the whole tree, whose last block alone
    // can be smaller than the others.
    var (place, width, level) = (index - start, count, 0)
    while width > 1 {
      let sibling = place ^ 1
      if sibling < width {
        let from = (level + sibling) * Limits.hashBytes
        writer.raw(nodes[from..<from + Limits.hashBytes])
      }
      level += width
      width = (width + 1) / 2
      place /= 2
    }
  }

  /// Puts the node above a whole block where a tree has it; then holds no tree's block.
  func putRoot(
    of number: Int, of leaves: [ClientID], into node: UnsafeMutableRawBufferPointer
  ) {
    let start = number << MerkleTree.droppedLevels
    first = -1
    let root = fill(leaves, start, MerkleBlock.count(from: start, of: leaves)) * Limits.hashBytes
    unsafe node.copyBytes(from: nodes[root..<root + Limits.hashBytes])
  }

  /// How many leaves a block has.
  private static func count(from start: Int, of leaves: [ClientID]) -> Int {
    min(leaves.count - start, MerkleBlock.leavesMax)
  }

  /// The level of the leaves, and behind it each level above; returns where the last one is.
  @discardableResult
  private func fill(_ leaves: [ClientID], _ start: Int, _ count: Int) -> Int {
    unsafe nodes.withUnsafeMutableBytes { bytes in
      for index in 0..<count {
        unsafe MerkleTree.hash(leaves[start + index], index, in: bytes)
      }
      var (width, level) = (count, 0)
      while width > 1 {
        unsafe MerkleTree.join(
          width: width, from: level, to: level + width, in: bytes)
        level += width
        width = (width + 1) / 2
      }
      return level
    }
  }
}

@available(*, unavailable)
extension MerkleBlock: Sendable {}
