// The site is asked once, whoever wants the targets; whatever happens to the folder, everybody has
// them.

import BGBModel
import BGBSigning
import Glibc
import Logging
import Reactor
import SiteDatabase
import Synchronization
import Testing

@testable import BGBServer

struct TargetTablesTests {
  private final class Place {
    let path = "/tmp/bgb-targets-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    deinit {
      for name in (try? Folder.names(in: path)) ?? [] { try? Folder.remove("\(path)/\(name)") }
      remove(path)
    }

    var names: [String] { ((try? Folder.names(in: path)) ?? []).filter { $0 != "lock" } }
  }

  private static let count = 2_000
  private static let records = (1...count).map {
    TargetRecord(resourceID: ResourceID(UInt32($0)), clientID: Sample.client(UInt64($0)))
  }
  private static let root = MerkleTree(leaves: records.map(\.clientID)).root

  /// Tables at a moment, seconds after another one.
  private func tables(_ place: Place, after seconds: Int64 = 0) -> TargetTables {
    tables(in: place.path, after: seconds)
  }

  private func tables(in folder: String, after seconds: Int64 = 0) -> TargetTables {
    let wall = 1_767_225_600_000 + seconds * 1_000
    return TargetTables(
      folder: folder, time: TimeSource(now: { .zero }, wall: { wall }),
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Asks as one worker, and says how often the site was asked for it.
  private func ask(
    _ tables: TargetTables, root: [UInt8] = root, records: [TargetRecord] = records
  ) throws -> (table: TargetTable, reads: Int) {
    var reads = 0
    let table = try tables.table(root: root, count: records.count) { () throws(SiteLinkError) in
      reads += 1
      return records
    }
    return (table, reads)
  }

  @Test func theSecondWorkerHasThemFromTheFirst() throws {
    let place = Place()
    let first = try ask(tables(place))
    let second = try ask(tables(place))
    #expect((first.reads, second.reads) == (1, 0))
    #expect(second.table.targets.clients == first.table.targets.clients)
    #expect(second.table.targets.root == TargetTablesTests.root)
    #expect(second.table.resourceIDs == first.table.resourceIDs)
    #expect(place.names.count == 1)
  }

  private final class Tally: Sendable {
    let reads = Mutex(0)
    let roots = Mutex<[[UInt8]]>([])
  }

  @Test func manyAtOnceAskTheSiteOnce() throws {
    let place = Place()
    let tally = Tally()
    let tables = tables(place)
    let ask: @Sendable () -> Void = {
      let table = try? tables.table(
        root: TargetTablesTests.root, count: TargetTablesTests.count
      ) { () throws(SiteLinkError) in
        tally.reads.withLock { $0 += 1 }
        return TargetTablesTests.records
      }
      if let table { tally.roots.withLock { $0.append(table.targets.root) } }
    }
    let first = try KernelThread.start(name: "worker 1", body: ask)
    let second = try KernelThread.start(name: "worker 2", body: ask)
    let third = try KernelThread.start(name: "worker 3", body: ask)
    first.join()
    second.join()
    third.join()
    #expect(tally.reads.withLock { $0 } == 1)
    #expect(
      tally.roots.withLock { $0 } == Array(repeating: TargetTablesTests.root, count: 3))
  }

  @Test func aDamagedFileIsReplaced() throws {
    let place = Place()
    _ = try ask(tables(place))
    let name = try #require(place.names.first)
    let path = "\(place.path)/\(name)"
    let whole = try Folder.read(path, limit: 1 << 20)
    try Folder.remove(path)
    try AppendFile(path: path).append(Array(whole.dropLast(100)))
    #expect(try ask(tables(place, after: 5)).reads == 1)
    #expect(try ask(tables(place, after: 6)).reads == 0)
    #expect(place.names.count == 1)
  }

  @Test func whatIsNotWhatWasSignedIsNotKept() throws {
    let place = Place()
    var others = TargetTablesTests.records
    others[7].clientID = Sample.client(1 << 40)
    let wrong = try ask(tables(place), records: others)
    #expect(wrong.table.targets.root != TargetTablesTests.root)
    #expect(place.names.isEmpty)
    #expect(try ask(tables(place)).reads == 1)
  }

  @Test func filesOfYesterdayAndUnfinishedOnesGoWhenAnotherComes() throws {
    let place = Place()
    let day = TargetTables.keptSeconds
    _ = try ask(tables(place))
    try AppendFile(path: "\(place.path)/new").append([1, 2, 3])
    try AppendFile(path: "\(place.path)/notes").append([1])
    let fewer = Array(TargetTablesTests.records.dropLast())
    let root = MerkleTree(leaves: fewer.map(\.clientID)).root
    _ = try ask(tables(place, after: day), root: root, records: fewer)
    #expect(place.names.count == 2, "one second is missing to the day's end")
    let fewest = Array(fewer.dropLast())
    let last = MerkleTree(leaves: fewest.map(\.clientID)).root
    _ = try ask(tables(place, after: day + 1), root: last, records: fewest)
    #expect(place.names.count == 2)
    #expect(try ask(tables(place, after: day + 1)).reads == 1, "the first one is gone")
  }

  @Test func withoutAFolderEachWorkerReadsForItself() throws {
    let place = Place()
    try AppendFile(path: place.path).append([1])
    let beneath = tables(in: "\(place.path)/file")
    for _ in 0..<2 {
      let asked = try ask(beneath)
      #expect(asked.reads == 1)
      #expect(asked.table.targets.root == TargetTablesTests.root)
    }
  }

  @Test func fewTargetsAreReadByEachWorker() throws {
    let place = Place()
    let few = Array(TargetTablesTests.records.prefix(TargetTables.targetsMin - 1))
    let root = MerkleTree(leaves: few.map(\.clientID)).root
    for _ in 0..<2 { #expect(try ask(tables(place), root: root, records: few).reads == 1) }
    #expect(place.names.isEmpty)
  }

  @Test func aSiteThatIsAwayLetsTheNextOneTry() throws {
    let place = Place()
    #expect(throws: SiteLinkError.away("gone")) {
      try tables(place).table(root: TargetTablesTests.root, count: TargetTablesTests.count) {
        () throws(SiteLinkError) in throw .away("gone")
      }
    }
    #expect(try ask(tables(place)).reads == 1)
  }
}
