// Thirty-two leaves of a compact tree and the nodes above them, made anew when a path needs them. A
// round over a task's targets asks leaf by leaf, so that one block serves all its neighbours and
// the whole round costs no more hashes than a whole tree would.

import BGBModel

/// A path that is being made, in one piece: a writer takes it with one append.
struct MerklePathRoom {
  private var hashes = [UInt8](repeating: 0, count: Limits.merklePathMax * Limits.hashBytes)
  private var used = 0

  /// The hashes that were added, one after the other.
  var bytes: ArraySlice<UInt8> { hashes[..<used] }

  /// Takes all hashes out.
  mutating func clear() { used = 0 }

  /// Puts a tree's node at the end.
  mutating func add(_ node: Int, of nodes: [UInt8]) {
    let (from, begin, end) = (node * Limits.hashBytes, used, used + Limits.hashBytes)
    precondition(from >= 0, "a node has a place")
    precondition(from + Limits.hashBytes <= nodes.count, "beyond the nodes")
    precondition(end <= hashes.count, "no tree is that high")
    unsafe hashes.withUnsafeMutableBytes { hashes in
      unsafe nodes.withUnsafeBytes { nodes in
        let hash = unsafe UnsafeRawBufferPointer(rebasing: nodes[from..<from + Limits.hashBytes])
        unsafe UnsafeMutableRawBufferPointer(rebasing: hashes[begin..<end]).copyMemory(from: hash)
      }
    }
    used = end
  }
}

/// Room for one block of a compact tree; filled again and again without memory of its own.
public final class MerkleBlock {
  /// Which tree and block it holds.
  private var key: UInt64 = 0
  private var first = -1
  private var nodes = [UInt8](repeating: 0, count: 2 * MerkleBlock.leavesMax * Limits.hashBytes)
  /// The path that was made last.
  private(set) var path = MerklePathRoom()

  /// Leaves of one block.
  static let leavesMax = 1 << MerkleTree.droppedLevels

  /// Holds nothing yet.
  public init() {}

  /// Makes a path: all of it in one access, for each of its own is checked when it runs.
  func makePath(_ body: (inout MerklePathRoom) -> Void) {
    path.clear()
    body(&path)
  }

  /// Adds to a path what of it lies within a leaf's block.
  ///
  /// - Parameters:
  ///   - key: tells the trees apart for which this room is used.
  ///   - leaves: what the tree was made of.
  func addOwn(
    at index: Int, of leaves: [ClientID], key: UInt64, to path: inout MerklePathRoom
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
    let nodes = nodes
    while width > 1 {
      let sibling = place ^ 1
      if sibling < width { path.add(level + sibling, of: nodes) }
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
