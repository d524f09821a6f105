// The targets of a task, made ready, and the same as bytes: to read them from the site and to make
// their tree and order costs some 1.5 us for each, to read them from a file a tenth of it. The
// workers of a server need the same ones at the same moment; so one of them reads, and the others
// have them from its file (TargetTables.swift).

import BGBModel
import BGBSigning
import SiteDatabase

/// The targets of a task with what the site calls them.
struct TargetTable: Sendable {
  /// The targets.
  let targets: TaskTargets
  /// The site's number of each, by leaf.
  let resourceIDs: [ResourceID]

  private static let magic: [UInt8] = Array("BGBTRGT1".utf8)
  private static let checksumBytes = 4

  /// Builds the tree and the order by client, in O(n log n).
  init(_ records: [TargetRecord]) {
    targets = TaskTargets(records.map(\.clientID))
    resourceIDs = records.map(\.resourceID)
  }

  // MARK: Bytes

  /// The most bytes that the file of so many targets has.
  static func bytesMax(count: Int) -> Int {
    // 24 bytes for each target; the tree has a thirty-second of its leaves, and as many nodes above
    // them again.
    magic.count + 8 + 24 * count + (count / 16 + 64) * Limits.hashBytes + checksumBytes
  }

  /// The file; nil for so few targets that reading them is as quick.
  ///
  ///     magic "BGBTRGT1" | count 4 | count of node bytes 4 | client ids 16 each | resource ids 4
  ///     each | leaves by client id 4 each | nodes of the compact tree | CRC-32C 4 of all before
  ///
  /// All numbers are big-endian; ids are in the order of the leaves.
  func encoded() -> [UInt8]? {
    guard let nodes = targets.tree.compactNodes else { return nil }
    var writer = ByteWriter(capacity: TargetTable.bytesMax(count: resourceIDs.count))
    writer.raw(TargetTable.magic)
    writer.integer(UInt32(truncatingIfNeeded: resourceIDs.count))
    writer.integer(UInt32(truncatingIfNeeded: nodes.count))
    for client in targets.clients { writer.bits128(client.bits) }
    for resourceID in resourceIDs { writer.integer(resourceID.rawValue) }
    for leaf in targets.leavesByClient { writer.integer(leaf) }
    writer.raw(nodes)
    // A statement of its own: while the slice lives, writing copies everything before it.
    let checksum = CRC32C.checksum(writer.bytes)
    writer.integer(checksum)
    return writer.bytes
  }

  /// Reads a file, whatever happened to it; O(n).
  init(decoding bytes: [UInt8]) throws(CodingError) {
    let end = bytes.count - TargetTable.checksumBytes
    guard end >= 0 else { throw .truncated }
    var sum = ByteReader(bytes[end...])
    guard try sum.integer(UInt32.self) == CRC32C.checksum(bytes[..<end]) else { throw .badValue }
    var reader = ByteReader(bytes[..<end])
    guard try reader.raw(TargetTable.magic.count).elementsEqual(TargetTable.magic) else {
      throw .badValue
    }
    let count = Int(try reader.integer(UInt32.self))
    let nodeBytes = Int(try reader.integer(UInt32.self))
    guard count <= reader.remaining / 24 else { throw .truncated }
    var clients: [ClientID] = []
    clients.reserveCapacity(count)
    for _ in 0..<count { clients.append(ClientID(try reader.bits128())) }
    var resourceIDs: [ResourceID] = []
    resourceIDs.reserveCapacity(count)
    for _ in 0..<count { resourceIDs.append(ResourceID(try reader.integer(UInt32.self))) }
    let leaves = try TargetTable.leaves(of: clients, from: &reader)
    let nodes = Array(try reader.raw(nodeBytes))
    try reader.end()
    guard let tree = MerkleTree(count: count, compactNodes: nodes) else { throw .badValue }
    targets = TaskTargets(clients, tree: tree, leavesByClient: leaves)
    self.resourceIDs = resourceIDs
  }

  /// Leaves in the order of their clients; a look-up by halves relies on it, and must not trap.
  private static func leaves(
    of clients: [ClientID], from reader: inout ByteReader
  ) throws(CodingError) -> [UInt32] {
    var leaves: [UInt32] = []
    leaves.reserveCapacity(clients.count)
    var last: ClientID?
    for _ in clients.indices {
      let leaf: UInt32 = try reader.integer()
      guard Int(leaf) < clients.count else { throw .badValue }
      let client = clients[Int(leaf)]
      if let last, client <= last { throw .badValue }
      last = client
      leaves.append(leaf)
    }
    return leaves
  }
}
