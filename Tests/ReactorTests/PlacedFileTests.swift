// A file read here and there: what is there comes, and nothing else.

import Glibc
import Reactor
import Testing

@Suite struct PlacedFileTests {
  private final class Place {
    // Not below /tmp, which may be a file system that cannot tell what is in memory.
    let path = "/var/tmp/bgb-placed-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    deinit { unlink(path) }

    init(_ bytes: [UInt8]) throws(Errno) {
      let file = try AppendFile(path: path)
      try file.append(bytes)
      try file.sync()
    }
  }

  private static let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }

  @Test func anyPartIsRead() throws {
    let place = try Place(PlacedFileTests.bytes)
    let file = try PlacedFile(path: place.path)
    #expect(file.size == 100_000)
    for (count, at) in [(100_000, 0), (1, 0), (1, 99_999), (5_000, 40_000), (0, 100_000)] {
      let part = try file.read(count, at: at)
      #expect(part.elementsEqual(PlacedFileTests.bytes[at..<at + count]), "\(count) at \(at)")
    }
  }

  @Test(arguments: [(1, 100_000), (100_001, 0), (2, 99_999), (-1, 0), (1, -1), (Int.max, 1)])
  func whatIsNotThereIsAnError(_ count: Int, _ at: Int) throws {
    let place = try Place(PlacedFileTests.bytes)
    let file = try PlacedFile(path: place.path)
    #expect(throws: Errno(rawValue: ERANGE)) { try file.read(count, at: at) }
    var room = [UInt8](repeating: 0, count: 200_000)
    #expect(!file.readFromMemory(count, at: at, into: &room))
  }

  @Test func aFileThatBecameShorterIsAnError() throws {
    let place = try Place(PlacedFileTests.bytes)
    let file = try PlacedFile(path: place.path)
    #expect(truncate(place.path, 10) == 0)
    #expect(throws: Errno(rawValue: ERANGE)) { try file.read(20, at: 0) }
    var room = [UInt8](repeating: 0, count: 20)
    #expect(!file.readFromMemory(20, at: 0, into: &room))
  }

  @Test func whatIsInMemoryComesWithoutWaiting() throws {
    let place = try Place(PlacedFileTests.bytes)
    let file = try PlacedFile(path: place.path)
    _ = try file.read(100_000, at: 0)
    var room = [UInt8](repeating: 0xEE, count: 3_000)
    let isThere = file.readFromMemory(2_000, at: 77_000, into: &room)
    if isThere {
      #expect(room[..<2_000].elementsEqual(PlacedFileTests.bytes[77_000..<79_000]))
    }
    #expect(room[2_000...].allSatisfy { $0 == 0xEE }, "no more than was asked for")
    // What has just been read is in memory; some file systems cannot tell.
    if try canTell(place.path) { #expect(isThere) }
    #expect(!file.readFromMemory(3_001, at: 0, into: &room), "more than the room has")
  }

  @Test func aFileWhoseNameIsGoneStaysReadable() throws {
    let place = try Place(PlacedFileTests.bytes)
    let file = try PlacedFile(path: place.path)
    #expect(unlink(place.path) == 0)
    #expect(try file.read(3, at: 5) == Array(PlacedFileTests.bytes[5..<8]))
  }

  @Test func whatIsNoFileIsRefused() throws {
    let place = try Place([1])
    let link = place.path + "-link"
    #expect(symlink(place.path, link) == 0)
    defer { unlink(link) }
    #expect(throws: Errno(rawValue: ELOOP)) { _ = try PlacedFile(path: link) }
    #expect(throws: Errno.invalidArgument) { _ = try PlacedFile(path: "/dev/null") }
    #expect(throws: Errno.notFound) { _ = try PlacedFile(path: place.path + "-none") }
  }

  /// Whether a file lies on a file system that can tell what of it is in memory.
  private func canTell(_ path: String) throws -> Bool {
    let mounts = String(decoding: try readAll("/proc/self/mounts"), as: UTF8.self)
    let fields = mounts.split(separator: "\n").map { $0.split(separator: " ") }
    let at = fields.filter { path.hasPrefix($0[1] == "/" ? "/" : $0[1] + "/") }
      .max { $0[1].count < $1[1].count }
    return ["ext4", "xfs", "btrfs"].contains(at?[2])
  }

  private func readAll(_ path: String) throws -> [UInt8] {
    let fd = open(path, O_RDONLY)
    let descriptor = Descriptor(owning: fd)
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4_096)
    while case let count = Glibc.read(descriptor.raw, &chunk, chunk.count), count > 0 {
      all += chunk[..<count]
    }
    return all
  }
}
