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

/// The targets of a task, in the order of its leaves.
///
/// Immutable: tasks with the same targets share one.
final class TaskTargets: Sendable {
  /// Client ids by leaf.
  let clients: [ClientID]
  /// The proof that a client is a target; compact.
  let tree: MerkleTree
  /// What was signed of them.
  let root: [UInt8]
  /// Leaves in the order of their clients' ids.
  let leavesByClient: [UInt32]
  /// Where the tree's lowest nodes lie ready; nil when they are made where they are needed.
  let blocks: MerkleBlockStore?

  /// Builds the tree and the order by client, in O(n log n).
  init(_ clients: [ClientID]) {
    self.clients = clients
    tree = MerkleTree(leaves: clients, isCompact: true)
    root = tree.root
    blocks = nil
    leavesByClient = clients.indices.map { UInt32(truncatingIfNeeded: $0) }
      .sorted { clients[Int($0)] < clients[Int($1)] }
  }

  /// Joins parts that were checked to belong together.
  init(
    _ clients: [ClientID], tree: MerkleTree, leavesByClient: [UInt32],
    blocks: MerkleBlockStore? = nil
  ) {
    self.clients = clients
    self.tree = tree
    root = tree.root
    self.leavesByClient = leavesByClient
    self.blocks = blocks
  }

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

/// One task, ready.
struct PushPlan: Sendable {
  /// What the database holds.
  let record: TaskRecord
  /// What was signed.
  let statement: TaskStatement
  /// To whom it goes.
  let targets: TaskTargets
  /// Leaves that had answered before this server took the task over.
  let answered: [Int]

  /// Client ids by leaf.
  var clients: [ClientID] { targets.clients }

  /// Checks the task and its targets against its signed statement.
  init(record: TaskRecord, table: TargetTable, answered: [ResourceID]) throws(PlanError) {
    statement = try PushPlan.checked(record)
    targets = table.targets
    guard Int(statement.targetCount) == targets.clients.count else {
      throw .contradiction("target count")
    }
    guard targets.root == statement.targetRoot else { throw .contradiction("target set") }
    self.record = record
    guard !answered.isEmpty else {
      self.answered = []
      return
    }
    let set = TargetSet(table.resourceIDs)
    self.answered = answered.compactMap { set.index(of: $0) }
  }

  /// A task that nobody has answered yet and whose signed targets are those of a task before it;
  /// nil if they are others.
  ///
  /// The root is a hash of all of them in their order, so they need not be read again.
  init?(record: TaskRecord, sharing known: TaskTargets) throws(PlanError) {
    statement = try PushPlan.checked(record)
    guard known.root == statement.targetRoot, known.clients.count == Int(statement.targetCount)
    else { return nil }
    targets = known
    self.record = record
    answered = []
  }

  /// What was signed, if the database says the same.
  static func checked(_ record: TaskRecord) throws(PlanError) -> TaskStatement {
    guard let statement = try? TaskStatement(decoding: record.signed.statement) else {
      throw .malformed
    }
    guard statement.taskID == record.taskID else { throw .contradiction("task id") }
    guard statement.deliverBefore == record.deliverBefore else { throw .contradiction("deadline") }
    return statement
  }

  /// The leaf of a client, or nil when it is no target.
  func leaf(of client: ClientID, guess: Int = 0) -> Int? { targets.leaf(of: client, guess: guess) }
}
