// A task made ready for pushing, away from the loop: the signed bytes, the targets in the order of
// their leaves, the Merkle tree, and an order by client id for look-ups when a client comes online.
// Immutable and Sendable: built on the site thread, handed to the loop in a letter.

import BGBModel
import BGBSigning
import SiteDatabase

/// Why a task from the database cannot be pushed.
enum PlanError: Error, Equatable {
  /// The statement cannot be read.
  case malformed
  /// The database says another deadline, task or count than what was signed.
  case contradiction(String)
}

/// One task, ready.
struct PushPlan: Sendable {
  /// What the database holds.
  let record: TaskRecord
  /// What was signed.
  let statement: TaskStatement
  /// Client ids by leaf.
  let clients: [ClientID]
  /// The proof that a client is a target.
  private(set) var tree: MerkleTree
  /// Leaves that had answered before this server took the task over.
  let answered: [Int]
  private let leavesByClient: [UInt32]

  /// Checks the task against its signed statement and builds the tree.
  ///
  /// O(n log n).
  init(record: TaskRecord, targets: [TargetRecord], answered: [ResourceID]) throws(PlanError) {
    guard let statement = try? TaskStatement(decoding: record.signed.statement) else {
      throw .malformed
    }
    guard statement.taskID == record.taskID else { throw .contradiction("task id") }
    guard statement.deliverBefore == record.deliverBefore else { throw .contradiction("deadline") }
    guard Int(statement.targetCount) == targets.count else { throw .contradiction("target count") }
    let clients = targets.map(\.clientID)
    let tree = MerkleTree(leaves: clients)
    guard tree.root == statement.targetRoot else { throw .contradiction("target set") }
    self.record = record
    self.statement = statement
    self.clients = clients
    self.tree = tree
    let resources = targets.map(\.resourceID)
    leavesByClient = clients.indices.map { UInt32(truncatingIfNeeded: $0) }
      .sorted { clients[Int($0)] < clients[Int($1)] }
    let set = TargetSet(resources)
    self.answered = answered.compactMap { set.index(of: $0) }
  }

  /// Lets go of what is only worth its memory while the task goes out to all its targets.
  mutating func compact() { tree.compact() }

  /// The leaf of a client, or nil when it is no target.
  ///
  /// O(1) when `guess` is right, else O(log n).
  func leaf(of client: ClientID, guess: Int = 0) -> Int? {
    if clients.indices.contains(guess), clients[guess] == client { return guess }
    var low = 0
    var high = leavesByClient.count
    while low < high {
      let middle = low + (high - low) / 2
      if clients[Int(leavesByClient[middle])] < client { low = middle + 1 } else { high = middle }
    }
    guard low < leavesByClient.count else { return nil }
    let leaf = Int(leavesByClient[low])
    return clients[leaf] == client ? leaf : nil
  }
}
