// The tree against its definition (RFC 6962, 2.1) written down as recursion, slow and plain.

import BGBModel
import Synchronization
import Testing

@testable import BGBSigning

/// The root by the recursive definition.
private func slowRoot(_ leaves: ArraySlice<ClientID>) -> [UInt8] {
  guard let first = leaves.first else { return Digest.sha256([]) }
  if leaves.count == 1 { return Digest.sha256([0] + first.bits.bytes) }
  let split = leaves.startIndex + splitPoint(leaves.count)
  return Digest.sha256([1] + slowRoot(leaves[..<split]) + slowRoot(leaves[split...]))
}

/// The path by the recursive definition.
private func slowPath(_ index: Int, _ leaves: ArraySlice<ClientID>) -> [[UInt8]] {
  if leaves.count <= 1 { return [] }
  let split = splitPoint(leaves.count)
  let middle = leaves.startIndex + split
  return index < split
    ? slowPath(index, leaves[..<middle]) + [slowRoot(leaves[middle...])]
    : slowPath(index - split, leaves[middle...]) + [slowRoot(leaves[..<middle])]
}

/// The greatest power of two smaller than a count.
private func splitPoint(_ count: Int) -> Int {
  var power = 1
  while power * 2 < count { power *= 2 }
  return power
}

func clients(_ count: Int) -> [ClientID] {
  (0..<count).map { ClientID(Bits128(high: 0xC11E, low: UInt64($0))) }
}

@Suite struct MerkleTreeTests {
  @Test(arguments: 0...70) func equalsItsSlowTwin(_ count: Int) {
    let leaves = clients(count)
    let tree = MerkleTree(leaves: leaves)
    let block = MerkleBlock()
    #expect(tree.count == count)
    #expect(tree.root == slowRoot(leaves[...]))
    for index in leaves.indices {
      let path = tree.path(at: index, of: leaves)
      #expect(path == MerklePath(slowPath(index, leaves[...])))
      var writer = ByteWriter()
      tree.writePath(at: index, of: leaves, using: block, key: 0, into: &writer)
      #expect(writer.bytes == path.bytes)
      #expect(tree.pathCount(at: index) == path.count)
      #expect(
        MerkleTree.verify(
          leaf: leaves[index], index: index, count: count, path: path, root: tree.root))
    }
    for index in [count, -1] {
      #expect(tree.path(at: index, of: leaves).isEmpty)
      #expect(tree.pathCount(at: index) == 0)
    }
  }

  @Test(arguments: Array(0...70) + [127, 128, 129, 1_000, 1_023, 1_024, 1_025, 1_031])
  func aCompactTreeGivesTheSamePaths(_ count: Int) {
    let leaves = clients(count)
    let tree = MerkleTree(leaves: leaves)
    let compact = MerkleTree(leaves: leaves, isCompact: true)
    #expect(compact.root == tree.root)
    for index in leaves.indices {
      #expect(compact.path(at: index, of: leaves) == tree.path(at: index, of: leaves))
      #expect(compact.pathCount(at: index) == tree.pathCount(at: index))
    }
  }

  @Test(arguments: [33, 64, 65, 1_000, 1_023, 1_024, 1_025])
  func aCompactTreeIsTakenBackFromItsNodes(_ count: Int) throws {
    let leaves = clients(count)
    let tree = MerkleTree(leaves: leaves, isCompact: true)
    let nodes = try #require(tree.compactNodes)
    let again = try #require(MerkleTree(count: count, compactNodes: nodes))
    #expect(again.root == tree.root)
    for index in [0, 31, 32, count - 1] {
      #expect(again.path(at: index, of: leaves) == tree.path(at: index, of: leaves))
    }
    for place in stride(from: 0, to: nodes.count, by: 32) {
      var other = nodes
      other[place] ^= 1
      #expect(MerkleTree(count: count, compactNodes: other) == nil, "node \(place / 32)")
    }
    #expect(MerkleTree(count: count, compactNodes: nodes.dropLast(32)) == nil)
    #expect(MerkleTree(count: count, compactNodes: nodes + nodes) == nil)
    #expect(MerkleTree(leaves: leaves).compactNodes == nil)
  }

  @Test(arguments: [-1, 0, 1, 2, 32])
  func tooSmallTreesAreNotCompact(_ count: Int) {
    #expect(MerkleTree(count: count, compactNodes: []) == nil)
    #expect(MerkleTree(leaves: clients(max(0, count)), isCompact: true).compactNodes == nil)
  }

  /// One room for the blocks of several trees, asked from leaf to leaf and back and forth.
  @Test func oneRoomServesManyTrees() {
    let counts = [1, 31, 32, 33, 63, 64, 65, 97, 1_025]
    let block = MerkleBlock()
    let whole = counts.map { MerkleTree(leaves: clients($0)) }
    let compact = counts.map { MerkleTree(leaves: clients($0), isCompact: true) }
    for step in 0..<1_025 {
      for (number, count) in counts.enumerated() {
        let index = (step * 37 + number) % count
        var writer = ByteWriter()
        compact[number].writePath(
          at: index, of: clients(count), using: block, key: UInt64(number), into: &writer)
        #expect(writer.bytes == whole[number].path(at: index).bytes)
      }
    }
  }

  /// Blocks that lie ready, as far as they do.
  private final class Shelf: Sendable {
    let blocks: [[UInt8]?]
    let reads = Mutex<[Int]>([])

    init(_ leaves: [ClientID], leavingOut gaps: Set<Int> = []) {
      let maker = MerkleBlock()
      blocks = (0..<leaves.count / MerkleBlock.leavesMax).map {
        gaps.contains($0) ? nil : Array(maker.nodes(ofWhole: $0, of: leaves))
      }
    }

    var store: MerkleBlockStore { MerkleBlockStore { self.read($0, into: &$1) } }

    private func read(_ number: Int, into nodes: inout [UInt8]) -> Bool {
      reads.withLock { $0.append(number) }
      guard let block = blocks[number] else { return false }
      nodes.replaceSubrange(..<block.count, with: block)
      return true
    }
  }

  private func paths(
    _ tree: MerkleTree, _ leaves: [ClientID], from shelf: Shelf, key: UInt64 = 0,
    using block: MerkleBlock = MerkleBlock()
  ) -> [[UInt8]] {
    leaves.indices.map { index in
      var writer = ByteWriter()
      tree.writePath(
        at: index, of: leaves, using: block, key: key, from: shelf.store, into: &writer)
      return writer.bytes
    }
  }

  @Test(arguments: [33, 64, 65, 97, 1_000, 1_024])
  func blocksThatLieReadyGiveTheSamePaths(_ count: Int) {
    let leaves = clients(count)
    let tree = MerkleTree(leaves: leaves, isCompact: true)
    let expected = leaves.indices.map { tree.path(at: $0, of: leaves).bytes }
    let shelf = Shelf(leaves)
    #expect(paths(tree, leaves, from: shelf) == expected)
    #expect(shelf.reads.withLock { $0 } == Array(0..<count / 32), "each once, the last never")
    // What is not there is made.
    let gaps = Shelf(leaves, leavingOut: [0, count / 32 - 1])
    #expect(paths(tree, leaves, from: gaps) == expected)
  }

  @Test func blocksOfAnotherTreeAreNotTaken() {
    let leaves = clients(200)
    let tree = MerkleTree(leaves: leaves, isCompact: true)
    let others = Array(leaves.reversed())
    let block = MerkleBlock()
    let expected = leaves.indices.map { tree.path(at: $0, of: leaves).bytes }
    #expect(paths(tree, leaves, from: Shelf(others), using: block) == expected)
    let other = MerkleTree(leaves: others, isCompact: true)
    let made = others.indices.map { other.path(at: $0, of: others).bytes }
    #expect(paths(other, others, from: Shelf(leaves), key: 1, using: block) == made)
  }

  @Test func aHundredThousandTargets() {
    let leaves = clients(100_000)
    let tree = MerkleTree(leaves: leaves)
    #expect(tree.root == slowRoot(leaves[...]))
    for index in [0, 1, 65_535, 65_536, 98_303, 99_999] {
      let path = tree.path(at: index, of: leaves)
      #expect(path.count <= 17)
      #expect(
        MerkleTree.verify(
          leaf: leaves[index], index: index, count: 100_000, path: path, root: tree.root))
      #expect(
        !MerkleTree.verify(
          leaf: leaves[index], index: index ^ 1, count: 100_000, path: path, root: tree.root))
    }
  }

  @Test(arguments: [1, 2, 3, 5, 8, 13, 33]) func anythingElseIsRefused(_ count: Int) {
    let leaves = clients(count)
    let tree = MerkleTree(leaves: leaves)
    let root = tree.root
    for index in leaves.indices {
      let path = tree.path(at: index, of: leaves)
      func isAccepted(
        leaf: ClientID? = nil, index other: Int? = nil, count newCount: Int? = nil,
        path changed: MerklePath? = nil, root newRoot: [UInt8]? = nil
      ) -> Bool {
        MerkleTree.verify(
          leaf: leaf ?? leaves[index], index: other ?? index, count: newCount ?? count,
          path: changed ?? path, root: newRoot ?? root)
      }
      #expect(isAccepted())
      #expect(!isAccepted(leaf: ClientID(Bits128(high: 1, low: 1))))
      for other in -1...count where other != index { #expect(!isAccepted(index: other)) }
      #expect(!isAccepted(count: 0))
      #expect(!isAccepted(count: -1))
      #expect(!isAccepted(path: MerklePath(bytes: path.bytes + root)))
      #expect(!isAccepted(path: MerklePath(bytes: Array(repeatElement(root, count: 33).joined()))))
      #expect(!isAccepted(root: Digest.sha256([])))
      #expect(!isAccepted(root: []))
      for place in path.indices {
        var changed = path.bytes
        changed[place * 32 + 31] ^= 1
        #expect(!isAccepted(path: MerklePath(bytes: changed)))
        changed.removeSubrange(place * 32..<place * 32 + 32)
        #expect(!isAccepted(path: MerklePath(bytes: changed)))
      }
      if !path.isEmpty { #expect(!isAccepted(path: MerklePath(bytes: path.bytes.dropLast()))) }
    }
  }

  @Test func aNodeIsNoLeaf() {
    // Without the two prefixes, the pair of hashes below the root would pass as a leaf's bytes.
    let tree = MerkleTree(leaves: clients(2))
    let joined = tree.path(at: 1).bytes + tree.path(at: 0).bytes
    #expect(Digest.sha256(joined) != tree.root)
    #expect(Digest.sha256([1] + joined) == tree.root)
  }

  /// The vector of docs/PROTOCOL.md.
  @Test func goldenRoot() {
    #expect(hex(MerkleTree(leaves: clients(3)).root) == ProtocolVector.root)
    let path = MerkleTree(leaves: clients(3)).path(at: 2)
    #expect(path.map { hex(Array($0)) } == ProtocolVector.path)
  }
}
