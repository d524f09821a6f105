// Body of PushTask: push 8, server time 8, statement, signature (0 or 64 bytes), leaf index 4,
// number of hashes 1, hashes of 32 bytes. One task goes to many clients, so `PushTemplate` encodes
// the statement and the signature once and copies them into each frame.

public import BGBModel

extension PushTask {
  func encode(into writer: inout ByteWriter) {
    writer.integer(pushID)
    writer.wallTime(serverTime)
    writer.signedTask(task)
    writer.integer(leafIndex)
    writer.merklePath(path)
  }

  init(from reader: inout ByteReader) throws(CodingError) {
    pushID = try reader.integer()
    serverTime = try reader.wallTime()
    let statement = Array(try reader.block(limit: Limits.statementBytesMax))
    let signature = Array(try reader.block(limit: Limits.signatureBytes))
    guard signature.isEmpty || signature.count == Limits.signatureBytes else { throw .badValue }
    task = SignedTask(statement: statement, signature: signature)
    leafIndex = try reader.integer()
    let count = Int(try reader.integer(UInt8.self))
    guard count <= Limits.merklePathMax else { throw .tooLong }
    path = MerklePath(bytes: try reader.raw(count * Limits.hashBytes))
  }
}

extension ByteWriter {
  fileprivate mutating func signedTask(_ task: SignedTask) {
    block(task.statement.prefix(Limits.statementBytesMax))
    // A signature of another length is none: the agent then reports an unsigned task.
    block(task.signature.count == Limits.signatureBytes ? task.signature : [])
  }

  fileprivate mutating func merklePath(_ path: MerklePath) {
    let count = min(path.count, Limits.merklePathMax)
    integer(UInt8(truncatingIfNeeded: count))
    raw(path.bytes.prefix(count * Limits.hashBytes))
  }
}

/// One task's frames: what all targets share is encoded once.
public struct PushTemplate: Sendable {
  private let shared: [UInt8]

  /// Encodes the statement and the signature.
  public init(task: SignedTask) {
    var writer = ByteWriter(capacity: task.statement.count + 80)
    writer.signedTask(task)
    shared = writer.bytes
  }

  /// The whole frame for one target.
  public func frame(
    pushID: UInt64, serverTime: WallTime, leafIndex: UInt32, path: MerklePath
  ) -> [UInt8] {
    var writer = ByteWriter(capacity: shared.count + 32 + path.count * Limits.hashBytes)
    writer.frame(.pushTask) { writer in
      writer.integer(pushID)
      writer.wallTime(serverTime)
      writer.raw(shared)
      writer.integer(leafIndex)
      writer.merklePath(path)
    }
    return writer.bytes
  }

  /// Appends the whole frame for one target, whose path of so many hashes `writePath` appends.
  public func write(
    pushID: UInt64, serverTime: WallTime, leafIndex: UInt32, hashCount: Int,
    into writer: inout ByteWriter, _ writePath: (inout ByteWriter) -> Void
  ) {
    assert(hashCount <= Limits.merklePathMax, "a tree of all clients there can be is not deeper")
    writer.frame(.pushTask) { writer in
      writer.integer(pushID)
      writer.wallTime(serverTime)
      writer.raw(shared)
      writer.integer(leafIndex)
      writer.integer(UInt8(truncatingIfNeeded: hashCount))
      writePath(&writer)
    }
  }
}
