// Thirty-two leaves of a compact tree and the nodes above them, made anew when a path needs them. A
// round over a task's targets asks leaf by leaf, so that one block serves all its neighbours and
// the whole round costs no more hashes than a whole tree would.

public import BGBModel

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

/// Where the whole blocks of a compact tree lie ready: to read one costs a tenth of making it.
///
/// A server of which many processes push to a few of each block's leaves would make each block as
/// often as there are processes.
public struct MerkleBlockStore: Sendable {
  /// Puts the nodes of the whole block of a number, ``MerkleBlock/wholeBytes``, at the start of the
  /// room, without waiting; false if they are not at hand.
  public let read: @Sendable (_ number: Int, _ room: inout [UInt8]) -> Bool

  /// Joins its part.
  public init(read: @escaping @Sendable (_ number: Int, _ room: inout [UInt8]) -> Bool) {
    self.read = read
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
  public static let leavesMax = 1 << MerkleTree.droppedLevels
  /// Bytes of all nodes of a whole block: its leaves', then each level's above, the root last.
  public static let wholeBytes = (2 * leavesMax - 1) * Limits.hashBytes

  /// Holds nothing yet.
  public init() {}

  /// The nodes of a whole block, as a ``MerkleBlockStore`` gives them back.
  ///
  /// - Precondition: the leaves have a whole block of this number.
  public func nodes(ofWhole number: Int, of leaves: [ClientID]) -> ArraySlice<UInt8> {
    let start = number << MerkleTree.droppedLevels
    precondition(MerkleBlock.count(from: start, of: leaves) == MerkleBlock.leavesMax, "no block")
    first = -1
    fill(leaves, start, MerkleBlock.leavesMax)
    return nodes[..<MerkleBlock.wholeBytes]
  }

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
  ///   - store: where its blocks lie ready, and `roots` the tree's nodes above them, all blocks' in
  ///     a row.
  func addOwn(
    at index: Int, of leaves: [ClientID], key: UInt64, from store: MerkleBlockStore?,
    below roots: [UInt8], to path: inout MerklePathRoom
  ) {
    let number = index >> MerkleTree.droppedLevels
    let start = number << MerkleTree.droppedLevels
    let count = MerkleBlock.count(from: start, of: leaves)
    if first != start || self.key != key {
      first = -1
      let isWhole = count == MerkleBlock.leavesMax
      if !isWhole || store.map({ take(number, from: $0, below: roots) }) != true {
        fill(leaves, start, count)
      }
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

  /// Takes a whole block from where it lies ready; false if it is not there, or not of this tree.
  private func take(
    _ number: Int, from store: MerkleBlockStore, below roots: [UInt8]
  ) -> Bool {
    guard store.read(number, &nodes) else { return false }
    let root = MerkleBlock.wholeBytes - Limits.hashBytes
    let wanted = number * Limits.hashBytes
    for index in 0..<Limits.hashBytes where nodes[root + index] != roots[wanted + index] {
      return false
    }
    return true
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
