// The way from a leaf to the root is whole hashes and nothing else.

import BGBModel
import Testing

@Suite struct MerklePathTests {
  private func hash(_ byte: UInt8) -> [UInt8] { Array(repeating: byte, count: Limits.hashBytes) }

  @Test func isAListOfHashes() throws {
    let path = try #require(MerklePath([hash(1), hash(2), hash(3)]))
    #expect(path.count == 3)
    #expect(path.map { Array($0) } == [hash(1), hash(2), hash(3)])
    #expect(path.bytes == hash(1) + hash(2) + hash(3))
    #expect(path == MerklePath(bytes: path.bytes))
    #expect(MerklePath([])?.isEmpty == true)
  }

  @Test(arguments: [0, 1, 31, 33, 64]) func refusesWhatIsNoHash(_ count: Int) {
    #expect(MerklePath([hash(1), Array(repeating: 2, count: count)]) == nil)
  }

  @Test(arguments: 0...70) func leavesOutWhatIsNoWholeHash(_ count: Int) {
    let bytes = (0..<count).map { UInt8($0) }
    let path = MerklePath(bytes: bytes)
    #expect(path.count == count / 32)
    #expect(path.bytes == Array(bytes.prefix(count / 32 * 32)))
  }
}
