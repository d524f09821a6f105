// What one worker wrote another reads, and nothing else: every damage is seen, none is a trap.

import BGBModel
import BGBSigning
import Glibc
import Reactor
import SiteDatabase
import Testing

@testable import BGBServer

struct TargetTableTests {
  private func table(_ count: Int) -> TargetTable {
    TargetTable(
      (1...count).map {
        TargetRecord(
          resourceID: ResourceID(UInt32($0) * 3),
          // Mixed, so that the order by client is not that of the leaves.
          clientID: Sample.client(UInt64($0) &* 0x9E37_79B9_7F4A_7C15))
      })
  }

  @Test(arguments: [65, 1_000, 1_023, 1_024, 1_025, 4_097])
  func whatWasWrittenIsRead(_ count: Int) throws {
    let written = table(count)
    let bytes = try #require(written.encoded())
    #expect(bytes.count <= TargetTable.bytesMax(count: count))
    let read = try TargetTable(decoding: bytes)
    #expect(read.targets.clients == written.targets.clients)
    #expect(read.targets.root == written.targets.root)
    #expect(read.resourceIDs == written.resourceIDs)
    for leaf in [0, 1, 31, 32, count / 2, count - 1] {
      let client = written.targets.clients[leaf]
      #expect(read.targets.leaf(of: client) == leaf)
      #expect(
        read.targets.tree.path(at: leaf, of: read.targets.clients)
          == written.targets.tree.path(at: leaf, of: written.targets.clients))
    }
    #expect(read.targets.leaf(of: Sample.client(0)) == nil)
  }

  @Test func fewTargetsHaveNoFile() throws {
    #expect(table(1).encoded() == nil)
    #expect(table(32).encoded() == nil)
    let place = Place()
    #expect(try table(32).write(to: AppendFile(path: place.path)) == nil)
  }

  /// A file for a table.
  private final class Place {
    let path = "/var/tmp/bgb-table-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    deinit { unlink(path) }

    func put(_ bytes: [UInt8]) throws(Errno) -> PlacedFile {
      unlink(path)
      try AppendFile(path: path).append(bytes)
      return try PlacedFile(path: path)
    }
  }

  /// The file of a table, as bytes.
  private func file(of table: TargetTable) throws -> [UInt8] {
    let place = Place()
    _ = try table.write(to: AppendFile(path: place.path))
    return try Folder.read(place.path, limit: 1 << 24)
  }

  @Test(arguments: [65, 95, 96, 1_000, 4_097])
  func theFileHasTheLowestNodesToo(_ count: Int) throws {
    let place = Place()
    let written = table(count)
    #expect(written.targets.blocks == nil)
    let reading = try #require(try written.write(to: AppendFile(path: place.path)))
    let opened = try PlacedFile(path: place.path)
    let whole = count / MerkleBlock.leavesMax
    let size = try #require(written.encoded()).count
    #expect(opened.size == size + whole * MerkleBlock.wholeBytes + 4)
    let other = try #require(TargetTable(reading: opened, count: count))
    let maker = MerkleBlock()
    for table in [reading(opened), other] {
      #expect(table.targets.clients == written.targets.clients)
      #expect(table.resourceIDs == written.resourceIDs)
      let blocks = try #require(table.targets.blocks)
      var room = [UInt8](repeating: 0, count: 2_048)
      for number in 0..<whole where blocks.read(number, &room) {
        let made = maker.nodes(ofWhole: number, of: written.targets.clients)
        #expect(room[..<made.count] == made, "block \(number)")
      }
      // Behind the last one there is only the checksum.
      #expect(!blocks.read(whole, &room))
      for leaf in written.targets.clients.indices {
        var writer = ByteWriter()
        table.targets.tree.writePath(
          at: leaf, of: table.targets.clients, using: maker, key: 1, from: blocks, into: &writer)
        let path = written.targets.tree.path(at: leaf, of: written.targets.clients)
        #expect(writer.bytes == path.bytes, "leaf \(leaf)")
      }
    }
  }

  @Test func aFileIsWholeOrNoFile() throws {
    let place = Place()
    let bytes = try file(of: table(70))
    #expect(TargetTable(reading: try place.put(bytes), count: 70) != nil)
    for place in stride(from: 0, to: bytes.count, by: 131) {
      var flipped = bytes
      flipped[place] ^= 0x10
      let file = try Place().put(flipped)
      #expect(TargetTable(reading: file, count: 70) == nil, "byte \(place)")
    }
    let table = try #require(table(70).encoded()).count
    for count in [0, 3, 4, table, table + 4, bytes.count - 1, bytes.count + 1] {
      let cut = Array((bytes + [0]).prefix(count))
      #expect(TargetTable(reading: try place.put(cut), count: 70) == nil, "\(count) bytes")
    }
    let file = try place.put(bytes)
    for count in [0, 31, 32, 69, 71, 96, 1 << 40] {
      #expect(TargetTable(reading: file, count: count) == nil, "as one of \(count)")
    }
  }

  @Test func theFormatIsTheOneThatIsWrittenDown() throws {
    let written = table(65)
    let bytes = try #require(written.encoded())
    // Three blocks of leaves, two nodes above them, one above those: six hashes.
    #expect(bytes.count == 8 + 8 + 65 * 24 + 6 * 32 + 4)
    #expect(bytes[..<16].elementsEqual(Array("BGBTRGT2".utf8) + [0, 0, 0, 65, 0, 0, 0, 192]))
    #expect(bytes[16..<32].elementsEqual(written.targets.clients[0].bits.bytes))
    #expect(bytes[(16 + 65 * 16)...].starts(with: [0, 0, 0, 3, 0, 0, 0, 6]))
    #expect(bytes.dropLast(4).suffix(32).elementsEqual(written.targets.root))
  }

  @Test func aFlippedBitAndATornEndAreRefused() throws {
    let bytes = try #require(table(70).encoded())
    for place in stride(from: 0, to: bytes.count, by: 7) {
      var flipped = bytes
      flipped[place] ^= 0x10
      #expect(throws: CodingError.self) { try TargetTable(decoding: flipped) }
    }
    for count in [0, 3, 4, 15, 16, 100, bytes.count - 1] {
      #expect(throws: CodingError.self) { try TargetTable(decoding: Array(bytes[..<count])) }
    }
    #expect(throws: CodingError.self) { try TargetTable(decoding: bytes + [0]) }
  }

  /// With a checksum that is right, so that it is not what refuses.
  private func changed(_ change: (inout [UInt8]) -> Void) throws -> [UInt8] {
    var bytes = try #require(table(70).encoded())
    bytes.removeLast(4)
    change(&bytes)
    var writer = ByteWriter()
    writer.raw(bytes)
    writer.integer(CRC32C.checksum(bytes))
    return writer.bytes
  }

  @Test func nothingInItIsBelievedThatCouldTrapOrLeadAstray() throws {
    #expect(try TargetTable(decoding: changed { _ in }).resourceIDs.count == 70)
    let leaves = 16 + 70 * 20
    let lies: [(inout [UInt8]) -> Void] = [
      { $0[7] = UInt8(ascii: "1") },  // another version
      { $0[8] = 0xFF },  // more targets than bytes
      { $0[11] = 71 },  // one more
      { $0[11] = 69 },  // one less
      { $0[15] ^= 0x20 },  // another tree
      { $0[leaves] = 0xFF },  // a leaf beyond the last
      { $0.swapAt(leaves + 3, leaves + 7) },  // two leaves in the wrong order
      { $0[leaves + 3] = $0[leaves + 7] },  // one of them twice
      { $0[$0.count - 1] ^= 1 },  // another root
      { $0[leaves + 70 * 4] ^= 1 },  // another block
    ]
    for (number, lie) in lies.enumerated() {
      #expect(throws: CodingError.self, "lie \(number)") {
        try TargetTable(decoding: try changed(lie))
      }
    }
  }
}
