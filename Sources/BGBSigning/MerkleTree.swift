// The hash tree over a task's targets, in the shape of RFC 6962 section 2.1 for any number of
// leaves. The signed statement carries its root; each push carries one leaf's path of some 17
// hashes, so that a broken notification server cannot turn a task to a machine that nobody chose.
// Levels lie one after the other in one array: an odd last node of a level rises unchanged to the
// next, which is the same tree as RFC 6962's recursive definition (the tests hold a recursive twin
// against it).

public import BGBModel

/// The Merkle tree of one task's targets, in the order of its target set.
public struct MerkleTree: Sendable {
  /// How many leaves there are.
  public let count: Int
  private let nodes: [UInt8]
  private let levelStarts: [Int]
  /// Nodes of each level, the leaves' first.
  private let widths: [Int]
  /// Levels that `nodes` lacks.
  private let dropped: Int

  private static let leafPrefix: UInt8 = 0
  private static let nodePrefix: UInt8 = 1

  /// Levels that a compact tree makes anew when they are asked for: blocks of 32 leaves.
  static let droppedLevels = 5

  /// Builds the tree in O(n): leaf i is the i-th client.
  ///
  /// A compact one keeps its levels above the blocks alone, a thirty-second of the memory, and
  /// never needs more; the paths of thirty-two neighbours then cost some sixty hashes instead of
  /// none.
  public init(leaves: [ClientID], isCompact: Bool = false) {
    count = leaves.count
    let (widths, starts, dropped, total) = MerkleTree.shape(of: leaves.count, isCompact)
    var nodes = [UInt8](repeating: 0, count: total * Limits.hashBytes)
    let block = dropped > 0 ? MerkleBlock() : nil
    unsafe nodes.withUnsafeMutableBytes { bytes in
      for index in 0..<widths[dropped] {
        if let block {
          unsafe block.putRoot(of: index, of: leaves, into: MerkleTree.node(index, of: bytes))
        } else {
          unsafe MerkleTree.hash(leaves[index], index, in: bytes)
        }
      }
      for level in widths.indices.dropFirst(dropped + 1) {
        unsafe MerkleTree.join(
          width: widths[level - 1], from: starts[level - 1], to: starts[level], in: bytes)
      }
    }
    (self.widths, self.dropped, levelStarts, self.nodes) = (widths, dropped, starts, nodes)
  }

  /// Takes the nodes of a compact tree as ``compactNodes`` gave them; nil if they are not as many,
  /// or a node is not the hash of the two below it.
  ///
  /// Whether the lowest of them belong to leaves is not looked at. O(n / 32).
  public init?(count: Int, compactNodes: [UInt8]) {
    let (widths, starts, dropped, total) = MerkleTree.shape(of: count, true)
    guard count >= 0, dropped > 0, compactNodes.count == total * Limits.hashBytes else {
      return nil
    }
    var nodes = compactNodes
    unsafe nodes.withUnsafeMutableBytes { bytes in
      for level in widths.indices.dropFirst(dropped + 1) {
        unsafe MerkleTree.join(
          width: widths[level - 1], from: starts[level - 1], to: starts[level], in: bytes)
      }
    }
    guard nodes == compactNodes else { return nil }
    (self.count, self.nodes, levelStarts) = (count, nodes, starts)
    (self.widths, self.dropped) = (widths, dropped)
  }

  /// All that a compact tree keeps: its levels above the blocks, the lowest first; nil of a tree
  /// that is not compact or too small to be.
  public var compactNodes: [UInt8]? { dropped > 0 ? nodes : nil }

  /// Nodes of each level, where each begins, how many levels are left out, and how many nodes that
  /// makes in all.
  private static func shape(
    of count: Int, _ isCompact: Bool
  ) -> (widths: [Int], starts: [Int], dropped: Int, total: Int) {
    var widths = [count]
    while let width = widths.last, width > 1 { widths.append((width + 1) / 2) }
    let isSmall = widths.count <= MerkleTree.droppedLevels + 1
    let dropped = isCompact && !isSmall ? MerkleTree.droppedLevels : 0
    var starts: [Int] = []
    var total = 0
    for (level, width) in widths.enumerated() {
      starts.append(total)
      if level >= dropped { total += width }
    }
    return (widths, starts, dropped, total)
  }

  /// Puts the hash of a leaf where its node is.
  static func hash(
    _ leaf: ClientID, _ index: Int, in bytes: UnsafeMutableRawBufferPointer
  ) {
    let halves = (leaf.bits.high.bigEndian, leaf.bits.low.bigEndian)
    unsafe withUnsafeBytes(of: halves) { input in
      unsafe Digest.sha256(prefix: leafPrefix, input, into: node(index, of: bytes))
    }
  }

  /// Puts the hashes of a level's pairs where the nodes of the level above are.
  static func join(
    width: Int, from below: Int, to above: Int, in bytes: UnsafeMutableRawBufferPointer
  ) {
    for index in 0..<width / 2 {
      let start = (below + 2 * index) * Limits.hashBytes
      let pair = unsafe UnsafeRawBufferPointer(rebasing: bytes[start..<start + 64])
      unsafe Digest.sha256(prefix: nodePrefix, pair, into: node(above + index, of: bytes))
    }
    guard width % 2 == 1 else { return }
    let last = unsafe UnsafeRawBufferPointer(node(below + width - 1, of: bytes))
    unsafe node(above + width / 2, of: bytes).copyMemory(from: last)
  }

  private static func node(
    _ index: Int, of bytes: UnsafeMutableRawBufferPointer
  ) -> UnsafeMutableRawBufferPointer {
    let start = index * Limits.hashBytes
    return unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + Limits.hashBytes])
  }

  /// The root: 32 bytes; of no leaves, the SHA-256 of nothing.
  public var root: [UInt8] {
    count == 0 ? Digest.sha256([]) : Array(nodes.suffix(Limits.hashBytes))
  }

  /// The hashes from a leaf's sibling up to below the root, in O(log n); empty for no such leaf.
  ///
  /// - Parameter leaves: what the tree was made of; needed once it is compact.
  public func path(at index: Int, of leaves: [ClientID] = []) -> MerklePath {
    var writer = ByteWriter(capacity: widths.count * Limits.hashBytes)
    writePath(at: index, of: leaves, using: MerkleBlock(), key: 0, into: &writer)
    return MerklePath(bytes: writer.bytes)
  }

  /// How many hashes the path of a leaf has; 0 for no such leaf.
  public func pathCount(at index: Int) -> Int {
    guard index >= 0, index < count else { return 0 }
    var siblings = 0
    var place = index
    for width in widths.dropLast() {
      if place ^ 1 < width { siblings += 1 }
      place /= 2
    }
    return siblings
  }

  /// Appends the same path as its hashes one after the other, for frames; nothing for no such leaf.
  ///
  /// - Parameters:
  ///   - leaves: what the tree was made of; needed once it is compact.
  ///   - block: room for the levels that a compact tree lacks; what it holds from the path of a
  ///     neighbour need not be made again.
  ///   - key: tells this tree apart from others for which the same room is used.
  ///   - store: where blocks of this tree lie ready.
  public func writePath(
    at index: Int, of leaves: [ClientID], using block: MerkleBlock, key: UInt64,
    from store: MerkleBlockStore? = nil, into writer: inout ByteWriter
  ) {
    guard index >= 0, index < count else { return }
    precondition(dropped == 0 || leaves.count == count, "a compact tree needs its leaves")
    block.makePath { path in
      if dropped > 0 {
        block.addOwn(at: index, of: leaves, key: key, from: store, below: nodes, to: &path)
      }
      var place = index >> dropped
      for level in dropped..<max(dropped, widths.count - 1) {
        let sibling = place ^ 1
        if sibling < widths[level] { path.add(levelStarts[level] + sibling, of: nodes) }
        place /= 2
      }
    }
    writer.raw(block.path.bytes)
  }

  /// Whether a client is the leaf `index` of the tree with this count and root (RFC 9162, 2.1.3.2).
  public static func verify(
    leaf: ClientID, index: Int, count: Int, path: MerklePath, root: [UInt8]
  ) -> Bool {
    guard index >= 0, index < count, path.count <= Limits.merklePathMax else { return false }
    // A pair of nodes and, behind it, the node above: a path is looked at for each push, and an
    // array for each of its hashes would cost more than hashing.
    return unsafe withUnsafeTemporaryAllocation(
      byteCount: 3 * Limits.hashBytes, alignment: MemoryLayout<UInt64>.alignment
    ) { room in
      unsafe hash(leaf, joined, in: room)
      guard unsafe climbs(from: index, of: count, path, in: room) else { return false }
      return unsafe root.elementsEqual(node(joined, of: room))
    }
  }

  /// Where ``verify(leaf:index:count:path:root:)`` has the node that it came to.
  private static let joined = 2

  /// Hashes up to the root what is the third node in `room`; false if the path is of another tree.
  private static func climbs(
    from index: Int, of count: Int, _ path: MerklePath, in room: UnsafeMutableRawBufferPointer
  ) -> Bool {
    var place = index
    var last = count - 1
    for sibling in path {
      guard last > 0 else { return false }
      let isRight = place & 1 == 1 || place == last
      unsafe node(isRight ? 1 : 0, of: room).copyMemory(
        from: UnsafeRawBufferPointer(node(joined, of: room)))
      unsafe node(isRight ? 0 : 1, of: room).copyBytes(from: sibling)
      unsafe join(width: 2, from: 0, to: joined, in: room)
      if isRight {
        while place & 1 == 0, place != 0 {
          place >>= 1
          last >>= 1
        }
      }
      place >>= 1
      last >>= 1
    }
    return last == 0
  }
}
