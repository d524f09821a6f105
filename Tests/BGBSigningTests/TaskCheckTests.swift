// What an agent decides about a pushed task: every reason to refuse, and the boundaries of time.

import BGBModel
import Testing

@testable import BGBSigning

private let start = WallTime(milliseconds: 1_795_456_800_000)

private struct Site {
  let key: SigningKey
  let leaves = clients(5)
  let tree: MerkleTree
  let site: SiteCode
  var statement: TaskStatement

  init() throws {
    key = try SigningKey.generate()
    tree = MerkleTree(leaves: leaves)
    site = try #require(SiteCode("S01"))
    statement = TaskStatement(
      taskID: TaskID(Bits128(high: 1, low: 2)), site: site, keyID: KeyID(0), actionCode: 8,
      parameters: .none, notBefore: start, deliverBefore: start.adding(milliseconds: 3_600_000),
      startBefore: start.adding(milliseconds: 3_600_000), runSeconds: 600, spreadSeconds: 0,
      targetCount: 5, targetRoot: tree.root)
  }

  func admit(
    _ task: SignedTask? = nil, leaf: Int = 3, path: MerklePath? = nil, keys: [PublicKey]? = nil,
    site other: SiteCode? = nil, client: ClientID? = nil,
    now: WallTime = start.adding(milliseconds: 1)
  ) throws(TaskRejection) -> TaskStatement {
    try TaskCheck.admit(
      task: task ?? TaskSignature.sign(statement, with: key), leafIndex: UInt32(leaf),
      path: path ?? tree.path(at: leaf), keys: keys ?? [key.publicKey], site: other ?? site,
      client: client ?? leaves[leaf], now: now)
  }
}

private let noPath = MerklePath(bytes: [])

@Suite struct TaskCheckTests {
  @Test func whatWasProvenOnceIsBelievedForTheSameBytesAndKeysOnly() throws {
    let site = try Site()
    let task = TaskSignature.sign(site.statement, with: site.key)
    let keys = [site.key.publicKey]
    var proven = ProvenTask()
    for _ in 0..<2 { #expect(try proven.verify(task, keys: keys).taskID == site.statement.taskID) }
    #expect(proven.last.bytes == task.statement)
    #expect(proven.last.digest == Digest.sha256(task.statement))
    var forged = task
    forged.signature[0] ^= 1
    #expect(throws: TaskRejection.badSignature) { try proven.verify(forged, keys: keys) }
    var altered = task
    altered.statement[altered.statement.count - 1] ^= 1
    #expect(throws: TaskRejection.self) { try proven.verify(altered, keys: keys) }
    #expect(throws: TaskRejection.unknownKey) {
      try proven.verify(task, keys: [try SigningKey.generate().publicKey])
    }
    #expect(proven.last.bytes == task.statement, "what was refused is not remembered")
    for leaf in site.leaves.indices {
      let admitted = try TaskCheck.admit(
        task: task, leafIndex: UInt32(leaf), path: site.tree.path(at: leaf), keys: keys,
        site: site.site, client: site.leaves[leaf], now: start.adding(milliseconds: 1),
        proven: &proven)
      #expect(admitted.taskID == site.statement.taskID)
    }
    #expect(throws: TaskRejection.notTarget) {
      try TaskCheck.admit(
        task: task, leafIndex: 1, path: site.tree.path(at: 0), keys: keys, site: site.site,
        client: site.leaves[0], now: start.adding(milliseconds: 1), proven: &proven)
    }
  }

  @Test func everyTargetIsAdmitted() throws {
    let site = try Site()
    for leaf in site.leaves.indices {
      let statement = try site.admit(leaf: leaf)
      #expect(statement.keyID == site.key.keyID)
      #expect(statement.taskID == site.statement.taskID)
    }
  }

  /// (milliseconds from the deadline, whether the task may begin).
  @Test(arguments: [(-1, true), (0, false), (1, false)] as [(Int64, Bool)], [true, false])
  func deadlinesEndBeforeTheirMoment(_ boundary: (Int64, Bool), _ isDelivery: Bool) throws {
    var site = try Site()
    let deadline = start.adding(milliseconds: 60_000)
    if isDelivery {
      site.statement.deliverBefore = deadline
    } else {
      site.statement.startBefore = deadline
    }
    let now = deadline.adding(milliseconds: boundary.0)
    if boundary.1 {
      _ = try site.admit(now: now)
    } else {
      #expect(throws: TaskRejection.expired) { try site.admit(now: now) }
    }
  }

  @Test func timeBeginsAtItsMoment() throws {
    let site = try Site()
    #expect(throws: TaskRejection.notYetValid) {
      try site.admit(now: start.adding(milliseconds: -1))
    }
    _ = try site.admit(now: start)
  }

  @Test func everyChangedBitIsRefused() throws {
    let site = try Site()
    let signed = TaskSignature.sign(site.statement, with: site.key)
    for place in signed.statement.indices {
      var changed = signed
      changed.statement[place] ^= 1
      #expect(throws: TaskRejection.self) { try site.admit(changed) }
    }
    for place in signed.signature.indices {
      var changed = signed
      changed.signature[place] ^= 1
      #expect(throws: TaskRejection.badSignature) { try site.admit(changed) }
    }
  }

  @Test func unsignedIsToldFromForged() throws {
    let site = try Site()
    var task = TaskSignature.sign(site.statement, with: site.key)
    task.signature = []
    #expect(throws: TaskRejection.unsigned) { try site.admit(task) }
    let stranger = try SigningKey.generate()
    #expect(throws: TaskRejection.unknownKey) {
      try site.admit(TaskSignature.sign(site.statement, with: stranger))
    }
    // Says it is the site's key, but is signed by another.
    var statement = site.statement
    statement.keyID = site.key.keyID
    let forged = SignedTask(
      statement: statement.encoded(), signature: stranger.sign(statement.encoded()))
    #expect(throws: TaskRejection.badSignature) { try site.admit(forged) }
    #expect(throws: TaskRejection.unknownKey) { try site.admit(keys: []) }
  }

  @Test func aSignatureOverTheSameBytesForAnotherPurposeIsNone() throws {
    // The domain at the start of each statement keeps reports' and tasks' signatures apart.
    let site = try Site()
    let bytes = Array(TaskSignature.sign(site.statement, with: site.key).statement.dropFirst(4))
    #expect(throws: TaskRejection.malformed) {
      try site.admit(SignedTask(statement: bytes, signature: site.key.sign(bytes)))
    }
  }

  @Test func malformedIsRefusedEvenWhenSigned() throws {
    let site = try Site()
    let signed = TaskSignature.sign(site.statement, with: site.key)
    let longer = signed.statement + [0]
    let huge = [UInt8](repeating: 0, count: Limits.statementBytesMax + 1)
    for bytes in [longer, [], huge, Array(signed.statement.dropLast())] {
      #expect(throws: TaskRejection.malformed) {
        try site.admit(SignedTask(statement: bytes, signature: site.key.sign(bytes)))
      }
    }
  }

  @Test func otherSitesAndOtherClientsAreRefused() throws {
    let site = try Site()
    #expect(throws: TaskRejection.foreignSite) { try site.admit(site: SiteCode("S02")) }
    let outsider = ClientID(Bits128(high: 9, low: 9))
    #expect(throws: TaskRejection.notTarget) { try site.admit(client: outsider) }
    // A target with another target's place.
    #expect(throws: TaskRejection.notTarget) {
      try site.admit(leaf: 3, path: site.tree.path(at: 2))
    }
    #expect(throws: TaskRejection.notTarget) { try site.admit(client: site.leaves[0]) }
    #expect(throws: TaskRejection.notTarget) { try site.admit(path: noPath) }
  }

  @Test func aSingleTargetNeedsNoPath() throws {
    var site = try Site()
    let only = site.leaves[3]
    site.statement.targetCount = 1
    site.statement.targetRoot = MerkleTree(leaves: [only]).root
    let task = TaskSignature.sign(site.statement, with: site.key)
    _ = try TaskCheck.admit(
      task: task, leafIndex: 0, path: noPath, keys: [site.key.publicKey], site: site.site,
      client: only, now: start)
    #expect(throws: TaskRejection.notTarget) {
      try TaskCheck.admit(
        task: task, leafIndex: 0, path: noPath, keys: [site.key.publicKey], site: site.site,
        client: site.leaves[0], now: start)
    }
  }

  @Test func aTaskWithoutTargetsIsNobodys() throws {
    var site = try Site()
    site.statement.targetCount = 0
    site.statement.targetRoot = MerkleTree(leaves: []).root
    #expect(throws: TaskRejection.notTarget) { try site.admit(leaf: 0, path: noPath) }
  }

  @Test func anyOfSeveralKeysWillDo() throws {
    let site = try Site()
    let old = try SigningKey.generate()
    _ = try site.admit(keys: [old.publicKey, site.key.publicKey])
  }
}

/// The golden vector of docs/PROTOCOL.md: made by a program that shares no code with ours.
enum ProtocolVector {
  static let seed = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
  static let publicKey = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
  static let keyID = "56475aa75463474c"
  static let root = "b96b701c7f53f6c906683e4b7409f73489f8ab93d42d1dcd9101bc05848e0f0e"
  static let path = ["3574a6071f7707d6bbd1c9d07c16e4729df0f6d09d03ea8cb66233f59512bad4"]
  static let statement =
    "424742207461736b2073746174656d656e74203100fedcba98765443218fedcba987654321533031"
    + "56475aa75463474c0011000001a209909500000001a209c78380000001a209c78380000007080000"
    + "003c00000003b96b701c7f53f6c906683e4b7409f73489f8ab93d42d1dcd9101bc05848e0f0e0200"
    + "0d64656c61792d7365636f6e6473000336303000076d657373616765000755706461746573"
  static let signature =
    "ba2c3157070b84256b578e11b4569ae61affde104623fdbc40ebacbece6184f86f2ffd0788e58f48"
    + "469ad974242bd896add182671ffbf187a3807193a3146c0a"
}

@Suite struct ProtocolVectorTests {
  let scratch = Scratch()

  @Test func statementAndSignatureAreGolden() throws {
    let path = scratch.file("seed.key")
    try SecretFile.create(path, contents: pem(seed: bytes(ProtocolVector.seed)).utf8)
    let key = try SigningKey.load(path)
    #expect(hex(key.publicKey.rawValue) == ProtocolVector.publicKey)
    #expect(key.keyID.description == ProtocolVector.keyID)
    let leaves = clients(3)
    let statement = TaskStatement(
      taskID: try #require(TaskID("fedcba98-7654-4321-8fed-cba987654321")),
      site: try #require(SiteCode("S01")), keyID: KeyID(0), actionCode: 17,
      parameters: ActionParameters([
        .init(name: "message", text: "Updates"), .init(name: "delay-seconds", text: "600"),
      ]),
      notBefore: start, deliverBefore: start.adding(milliseconds: 3_600_000),
      startBefore: start.adding(milliseconds: 3_600_000), runSeconds: 1800, spreadSeconds: 60,
      targetCount: 3, targetRoot: MerkleTree(leaves: leaves).root)
    let signed = TaskSignature.sign(statement, with: key)
    #expect(hex(signed.statement) == ProtocolVector.statement)
    #expect(hex(signed.signature) == ProtocolVector.signature)
    _ = try TaskCheck.admit(
      task: signed, leafIndex: 2, path: MerklePath(bytes: bytes(ProtocolVector.path.joined())),
      keys: [key.publicKey], site: statement.site, client: leaves[2], now: start)
  }
}
