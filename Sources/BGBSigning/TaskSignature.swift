// Signing a task where it is made, and deciding at the agent whether a pushed task may be begun.
// The decision is one pure function of what came and what the agent knows: signature, site,
// membership, time, in this order, so that nothing unsigned is ever judged by its contents.

public import BGBModel

/// The site's signature on a task.
public enum TaskSignature {
  /// Signs a statement; its key id becomes that of the key.
  public static func sign(_ statement: TaskStatement, with key: SigningKey) -> SignedTask {
    var statement = statement
    statement.keyID = key.keyID
    let bytes = statement.encoded()
    return SignedTask(statement: bytes, signature: key.sign(bytes))
  }

  /// The statement, if one of the keys signed exactly its bytes.
  public static func verify(
    _ task: SignedTask, keys: [PublicKey]
  ) throws(TaskRejection) -> TaskStatement {
    guard task.statement.count <= Limits.statementBytesMax,
      let statement = try? TaskStatement(decoding: task.statement)
    else { throw .malformed }
    guard !task.signature.isEmpty else { throw .unsigned }
    guard let key = keys.first(where: { $0.keyID == statement.keyID }) else { throw .unknownKey }
    guard key.verify(task.signature, over: task.statement) else { throw .badSignature }
    return statement
  }
}

/// A task whose signature was verified, so that the same bytes need not be verified again: a
/// process with thousands of clients gets the same task for all of them.
public struct ProvenTask: Sendable {
  /// What was verified last.
  ///
  /// An object, for it is asked about once for each client, and a value would be copied for that,
  /// field by field.
  private final class Known: Sendable {
    let task: SignedTask
    let keys: [PublicKey]
    let statement: TaskStatement

    init(_ task: SignedTask, _ keys: [PublicKey], _ statement: TaskStatement) {
      (self.task, self.keys, self.statement) = (task, keys, statement)
    }
  }

  private var known: Known?
  /// The bytes of the statement that was verified last, and their SHA-256; empty if none was.
  public private(set) var last: (bytes: [UInt8], digest: [UInt8]) = ([], [])

  /// The leaf that was proven first, and what is known of the tree since there was a second one.
  private var firstLeaf: Int?
  private var nodes: ProvenNodes?

  /// Knows none.
  public init() {}

  /// The statement, if one of the keys signed exactly its bytes; only such a task is remembered.
  mutating func verify(_ task: SignedTask, keys: [PublicKey]) throws(TaskRejection) -> TaskStatement
  {
    if let known, known.task == task, known.keys == keys { return known.statement }
    let statement = try TaskSignature.verify(task, keys: keys)
    known = Known(task, keys, statement)
    last = (task.statement, Digest.sha256(task.statement))
    (firstLeaf, nodes) = (nil, nil)
    return statement
  }

  /// Whether a client is that leaf of the task that was verified last.
  mutating func isTarget(
    _ client: ClientID, _ index: Int, _ path: MerklePath, of statement: TaskStatement
  ) -> Bool {
    let (count, root) = (Int(statement.targetCount), statement.targetRoot)
    if let isTarget = nodes?.verify(leaf: client, index: index, path: path) { return isTarget }
    guard
      MerkleTree.verify(leaf: client, index: index, count: count, path: path, root: root)
    else { return false }
    // A process with one client never needs the memory.
    if let firstLeaf, firstLeaf != index { nodes = ProvenNodes(count: count, root: root) }
    firstLeaf = index
    return true
  }
}

/// Whether a pushed task may be begun by this client now.
public enum TaskCheck {
  /// The statement, if everything that the site signed allows this client to begin it at `now`.
  ///
  /// The arguments are the fields of a PushTask message or of a task in a policy answer. `now` is
  /// the agent's clock corrected by the server's. A deadline is kept iff `now < deadline`; the
  /// beginning iff `now >= notBefore`. Action and parameters are not looked at here.
  public static func admit(
    task: SignedTask, leafIndex: UInt32, path: MerklePath, keys: [PublicKey], site: SiteCode,
    client: ClientID, now: WallTime
  ) throws(TaskRejection) -> TaskStatement {
    var proven = ProvenTask()
    return try admit(
      task: task, leafIndex: leafIndex, path: path, keys: keys, site: site, client: client,
      now: now, proven: &proven)
  }

  /// The same, for one client of many: what was verified for another one is not verified again.
  public static func admit(
    task: SignedTask, leafIndex: UInt32, path: MerklePath, keys: [PublicKey], site: SiteCode,
    client: ClientID, now: WallTime, proven: inout ProvenTask
  ) throws(TaskRejection) -> TaskStatement {
    let statement = try proven.verify(task, keys: keys)
    guard statement.site == site else { throw .foreignSite }
    guard proven.isTarget(client, Int(leafIndex), path, of: statement) else { throw .notTarget }
    guard now < statement.deliverBefore, now < statement.startBefore else { throw .expired }
    guard now >= statement.notBefore else { throw .notYetValid }
    return statement
  }
}
