// The targets of a task, made ready, and the same as bytes: to read them from the site and to make
// their tree and order costs some 1.5 us for each, to read them from a file a tenth of it. The
// workers of a server need the same ones at the same moment; so one of them reads, and the others
// have them from its file (TargetTables.swift). Behind the table the file has the tree's lowest
// nodes, which no worker keeps in memory and each would make again for the few of its own clients
// in each block of leaves; they are read when a path needs them.

import BGBModel
import BGBSigning
import Reactor
import SiteDatabase

/// The targets of a task with what the site calls them.
struct TargetTable: Sendable {
  /// The targets.
  let targets: TaskTargets
  /// The site's number of each, by leaf.
  let resourceIDs: [ResourceID]

  private static let magic: [UInt8] = Array("BGBTRGT2".utf8)
  private static let checksumBytes = 4
  /// Blocks that are written or looked at together: 64 KB.
  private static let blocksAtOnce = 32

  /// Builds the tree and the order by client, in O(n log n).
  init(_ records: [TargetRecord]) {
    targets = TaskTargets(records.map(\.clientID))
    resourceIDs = records.map(\.resourceID)
  }

  private init(_ targets: TaskTargets, _ resourceIDs: [ResourceID]) {
    self.targets = targets
    self.resourceIDs = resourceIDs
  }

  // MARK: Files

  /// Reads the file of so many targets, whatever happened to it; nil if it is not whole.
  ///
  /// O(n). The file stays open for the tree's lowest nodes.
  init?(reading file: PlacedFile, count: Int) {
    let blockBytes = count / MerkleBlock.leavesMax * MerkleBlock.wholeBytes
    let start = file.size - TargetTable.checksumBytes - blockBytes
    guard start >= 0, start <= TargetTable.bytesMax(count: count),
      let bytes = try? file.read(start, at: 0), let table = try? TargetTable(decoding: bytes),
      table.resourceIDs.count == count,
      (try? TargetTable.checksum(of: file, from: start, blockBytes)) == true
    else { return nil }
    self = table.reading(from: file, start)
  }

  /// Appends the table and, behind it, its blocks with a checksum of theirs.
  ///
  /// Returns what makes it a table that reads from that file, once that has its name; nil for so
  /// few targets that reading them from the site is as quick.
  func write(to file: AppendFile) throws(Errno) -> ((PlacedFile) -> TargetTable)? {
    guard let bytes = encoded() else { return nil }
    try file.append(bytes)
    let (maker, clients) = (MerkleBlock(), targets.clients)
    var sum = CRC32C()
    var piece: [UInt8] = []
    for number in 0..<clients.count / MerkleBlock.leavesMax {
      piece += maker.nodes(ofWhole: number, of: clients)
      guard piece.count >= TargetTable.blocksAtOnce * MerkleBlock.wholeBytes else { continue }
      sum.update(piece[...])
      try file.append(piece)
      piece.removeAll(keepingCapacity: true)
    }
    sum.update(piece[...])
    var writer = ByteWriter(capacity: piece.count + TargetTable.checksumBytes)
    writer.raw(piece)
    writer.integer(sum.value)
    try file.append(writer.bytes)
    return { reading(from: $0, bytes.count) }
  }

  /// The same table with its tree's lowest nodes in a file, from a place on.
  private func reading(from file: PlacedFile, _ start: Int) -> TargetTable {
    let blocks = MerkleBlockStore { number, room in
      file.readFromMemory(
        MerkleBlock.wholeBytes, at: start + number * MerkleBlock.wholeBytes, into: &room)
    }
    return TargetTable(
      TaskTargets(
        targets.clients, tree: targets.tree, leavesByClient: targets.leavesByClient,
        blocks: blocks), resourceIDs)
  }

  /// Whether so many bytes from a place on have the checksum that stands behind them.
  private static func checksum(
    of file: PlacedFile, from start: Int, _ count: Int
  ) throws(Errno) -> Bool {
    var sum = CRC32C()
    var place = start
    while place < start + count {
      let step = min(start + count - place, blocksAtOnce * MerkleBlock.wholeBytes)
      sum.update(try file.read(step, at: place)[...])
      place += step
    }
    var end = ByteReader(try file.read(checksumBytes, at: place)[...])
    return (try? end.integer(UInt32.self)) == sum.value
  }

  // MARK: Bytes

  /// The most bytes that the table of so many targets has, without its blocks.
  static func bytesMax(count: Int) -> Int {
    // 24 bytes for each target; the tree has a thirty-second of its leaves, and as many nodes above
    // them again.
    magic.count + 8 + 24 * count + (count / 16 + 64) * Limits.hashBytes + checksumBytes
  }

  /// The table's bytes; nil for so few targets that reading them is as quick.
  ///
  ///     magic "BGBTRGT2" | count 4 | count of node bytes 4 | client ids 16 each | resource ids 4
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

  /// Reads a table's bytes, whatever happened to them; O(n).
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
