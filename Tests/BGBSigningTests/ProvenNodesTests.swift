// The verdict with a memory against the verdict without one, for paths that are right and paths
// that are wrong at each place, while the memory fills.

import BGBModel
import Testing

@testable import BGBSigning

@Suite("Proven nodes")
struct ProvenNodesTests {
  /// Asks both, expects one verdict, and whether it is this one.
  private func ask(
    _ nodes: inout ProvenNodes, _ tree: MerkleTree, _ leaf: ClientID, _ index: Int,
    _ path: MerklePath, _ wanted: Bool? = nil
  ) {
    let expected = MerkleTree.verify(
      leaf: leaf, index: index, count: tree.count, path: path, root: tree.root)
    let verdict = nodes.verify(leaf: leaf, index: index, path: path)
    #expect(verdict == expected, "leaf \(index) of \(tree.count)")
    if let wanted { #expect(verdict == wanted, "leaf \(index) of \(tree.count)") }
  }

  @Test(
    "The verdict is the tree's own, whatever was proven before",
    arguments: [1, 2, 3, 5, 8, 13, 33, 64, 65, 1_000, 4_095, 4_096, 4_097, 8_193, 9_001])
  func verdict(_ count: Int) {
    let leaves = clients(count)
    let tree = MerkleTree(leaves: leaves)
    var nodes = ProvenNodes(count: count, root: tree.root)
    var dice = SystemRandomNumberGenerator()
    for index in leaves.indices.shuffled(using: &dice).prefix(40) {
      let path = tree.path(at: index, of: leaves)
      // Wrong ones before the right one and behind it: with little memory and with more.
      for _ in 0..<2 {
        for place in path.indices {
          var changed = path.bytes
          changed[place * 32 + Int.random(in: 0..<32, using: &dice)] ^= 1
          ask(&nodes, tree, leaves[index], index, MerklePath(bytes: changed), false)
          changed.removeSubrange(place * 32..<place * 32 + 32)
          ask(&nodes, tree, leaves[index], index, MerklePath(bytes: changed), false)
        }
        let longer = MerklePath(bytes: path.bytes + tree.root)
        ask(&nodes, tree, leaves[index], index, longer, false)
        ask(&nodes, tree, ClientID(Bits128(high: 1, low: 1)), index, path, false)
        for other in [index - 1, index + 1, index ^ 1, count, -1] where other != index {
          ask(&nodes, tree, leaves[index], other, path)
        }
        ask(&nodes, tree, leaves[index], index, path, true)
      }
    }
  }

  @Test("A wrong path leaves nothing behind, a right one what lies on its way and beside it")
  func memory() {
    let leaves = clients(9_001)
    let tree = MerkleTree(leaves: leaves)
    var nodes = ProvenNodes(count: 9_001, root: tree.root)
    // Levels of 2,251 nodes and fewer: those of 9,001 and 4,501 are not kept.
    #expect(nodes.known.kept == 2_251 + 1_126 + 563 + 282 + 141 + 71 + 36 + 18 + 9 + 5 + 3 + 2)
    let path = tree.path(at: 5_000)
    ask(&nodes, tree, leaves[5_001], 5_000, path, false)
    #expect(nodes.known.proven == 0)
    ask(&nodes, tree, leaves[5_000], 5_000, path, true)
    #expect(nodes.known.proven == 24)
    ask(&nodes, tree, leaves[5_001], 5_001, tree.path(at: 5_001), true)
    #expect(nodes.known.proven == 24)
  }

  @Test("A task's memory begins with its second leaf and ends with the next task")
  func ofTasks() throws {
    let key = try SigningKey.generate()
    let site = try #require(SiteCode("S01"))
    let now = WallTime(milliseconds: 1_795_456_800_000)
    var proven = ProvenTask()
    func ask(_ count: Int, _ index: Int, wrong: Bool = false) throws -> Bool {
      let leaves = clients(count)
      let tree = MerkleTree(leaves: leaves)
      let statement = TaskStatement(
        taskID: TaskID(Bits128(high: 1, low: UInt64(count))), site: site, keyID: KeyID(0),
        actionCode: 8, parameters: .none, notBefore: now,
        deliverBefore: now.adding(milliseconds: 1_000),
        startBefore: now.adding(milliseconds: 1_000), runSeconds: 0, spreadSeconds: 0,
        targetCount: UInt32(count), targetRoot: tree.root)
      do {
        _ = try TaskCheck.admit(
          task: TaskSignature.sign(statement, with: key), leafIndex: UInt32(index),
          path: tree.path(at: wrong ? index ^ 1 : index), keys: [key.publicKey], site: site,
          client: leaves[index], now: now, proven: &proven)
        return true
      } catch TaskRejection.notTarget { return false }
    }
    for count in [7, 20, 7] {
      for index in [3, 3, 5, 4, 0, 6, 3] {
        #expect(try ask(count, index))
        #expect(try !ask(count, index, wrong: true))
      }
    }
  }
}
