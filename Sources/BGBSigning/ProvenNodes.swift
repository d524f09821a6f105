// What a process with very many clients has proven of one tree. Their paths meet: a node that the
// path of one client showed to lie below the root need not be shown to again for its neighbour, so
// that each path is hashed up to the first such node, and compared from there on. The verdict is
// that of `MerkleTree.verify`, for every input; only its price differs.

import BGBModel

/// Proven nodes of the upper levels of one tree.
struct ProvenNodes: Sendable {
  /// The eight words of a hash, as they lie in memory.
  private typealias Node = SIMD8<UInt32>

  /// Nodes of a level that is kept, at most: what is kept takes 256 KiB then.
  static let widthMax = 4_096

  private let count: Int
  private let root: [UInt8]
  /// The lowest level that is kept.
  private let lowest: Int
  /// Where each level that is kept begins.
  private var starts: [Int] = []
  /// The nodes level by level; zeros where none was proven.
  private var nodes: [Node]
  /// What the path in hand shows, if it is one.
  private var found: [(place: Int, node: Node)] = []

  /// Of the tree with so many leaves and this root; nothing is proven yet.
  init(count: Int, root: [UInt8]) {
    (self.count, self.root) = (count, root)
    var level = 0
    while max(0, count - 1) >> level >= ProvenNodes.widthMax { level += 1 }
    lowest = level
    var total = 0
    while max(0, count - 1) >> level > 0 {
      starts.append(total)
      total += (count - 1) >> level + 1
      level += 1
    }
    nodes = Array(repeating: .zero, count: total)
  }

  /// How many nodes are known, of how many that could be; for tests.
  var known: (proven: Int, kept: Int) { (nodes.count { $0 != .zero }, nodes.count) }

  /// Whether a client is the leaf `index` of the tree; what its path shows is remembered.
  mutating func verify(leaf: ClientID, index: Int, path: MerklePath) -> Bool {
    guard index >= 0, index < count, path.count <= Limits.merklePathMax else { return false }
    found.removeAll(keepingCapacity: true)
    let isMember = unsafe withUnsafeTemporaryAllocation(
      byteCount: 3 * Limits.hashBytes, alignment: MemoryLayout<Node>.alignment
    ) { room in
      unsafe MerkleTree.hash(leaf, ProvenNodes.joined, in: room)
      return unsafe path.bytes.withUnsafeBytes { unsafe climbs(from: index, $0, in: room) }
    }
    if isMember { for one in found { nodes[one.place] = one.node } }
    return isMember
  }

  /// Where the node is that the climb has come to; the pair below it lies before it.
  private static let joined = 2

  private mutating func climbs(
    from index: Int, _ path: UnsafeRawBufferPointer, in room: UnsafeMutableRawBufferPointer
  ) -> Bool {
    var (place, last, level) = (index, count - 1, 0)
    var isProven = false
    for step in 0..<path.count / Limits.hashBytes {
      guard last > 0 else { return false }
      // The last node of an odd level rises unchanged until it is a right one.
      if place == last {
        while place & 1 == 0, place != 0 {
          (place, last, level) = (place >> 1, last >> 1, level + 1)
        }
      }
      let beside = unsafe path.loadUnaligned(
        fromByteOffset: step * Limits.hashBytes, as: Node.self)
      let (own, other) = (slot(level, place), slot(level, place ^ 1))
      if !isProven, let own, nodes[own] != .zero {
        guard unsafe nodes[own] == node(ProvenNodes.joined, of: room) else { return false }
        isProven = true
      }
      if isProven {
        // Whatever lies beside a proven node's way was proven with it.
        guard let other, nodes[other] == beside else { return false }
      } else {
        if let own, let other {
          found.append((own, unsafe node(ProvenNodes.joined, of: room)))
          found.append((other, beside))
        }
        let isRight = place & 1 == 1
        unsafe put(node(ProvenNodes.joined, of: room), isRight ? 1 : 0, in: room)
        unsafe put(beside, isRight ? 0 : 1, in: room)
        unsafe MerkleTree.join(width: 2, from: 0, to: ProvenNodes.joined, in: room)
      }
      (place, last, level) = (place >> 1, last >> 1, level + 1)
    }
    guard last == 0 else { return false }
    return unsafe isProven
      || root.elementsEqual(room[(ProvenNodes.joined * Limits.hashBytes)...])
  }

  /// Where a node is kept, if its level is.
  private func slot(_ level: Int, _ place: Int) -> Int? {
    guard level >= lowest, level - lowest < starts.count else { return nil }
    return starts[level - lowest] + place
  }

  private func node(_ index: Int, of room: UnsafeMutableRawBufferPointer) -> Node {
    unsafe room.load(fromByteOffset: index * Limits.hashBytes, as: Node.self)
  }

  private func put(_ node: Node, _ index: Int, in room: UnsafeMutableRawBufferPointer) {
    unsafe room.storeBytes(of: node, toByteOffset: index * Limits.hashBytes, as: Node.self)
  }
}
