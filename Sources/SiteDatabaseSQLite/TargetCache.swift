// The targets of recent tasks, decoded. A task's targets never change and neither do client ids, so
// nothing here can be stale; servers ask for the same large sets again with every policy download.

import BGBModel
import SiteDatabase
import Synchronization

/// Target sets and target records of some tasks, within a bound of bytes in all.
final class TargetCache: Sendable {
  /// Bytes kept in all: a task for a million clients, or sixteen for 100,000.
  private static let bytesMax = 128 << 20
  /// Bytes of one target in a set, in the records, and in the numbers by client id with the room
  /// that a dictionary leaves free.
  private static let (setBytes, recordBytes, numberBytes) = (4, 24, 52)

  private struct Content {
    var sets: [Int64: TargetSet] = [:]
    var records: [Int64: [TargetRecord]] = [:]
    var numbers: [Int64: [ClientID: ResourceID]] = [:]
    var bytes = 0

    /// Makes room for as much; forgets everything when there is not enough, for tasks come and go
    /// together.
    mutating func makeRoom(for more: Int) {
      if bytes + more > TargetCache.bytesMax { self = Content() }
      bytes += more
    }
  }

  private let content = Mutex(Content())

  /// The set of a task, or what `load` reads.
  func set(of task: Int64, _ load: () throws -> TargetSet) rethrows -> TargetSet {
    if let known = content.withLock({ $0.sets[task] }) { return known }
    let set = try load()
    content.withLock { content in
      content.makeRoom(for: set.count * TargetCache.setBytes)
      content.sets[task] = set
    }
    return set
  }

  /// The records of a task, or what `load` reads.
  func records(of task: Int64, _ load: () throws -> [TargetRecord]) rethrows -> [TargetRecord] {
    if let known = content.withLock({ $0.records[task] }) { return known }
    let records = try load()
    content.withLock { content in
      content.makeRoom(for: records.count * TargetCache.recordBytes)
      content.records[task] = records
    }
    return records
  }

  /// The numbers of a task's targets by client id, made of the records that `load` reads.
  func numbers(
    of task: Int64, _ load: () throws -> [TargetRecord]
  ) rethrows -> [ClientID: ResourceID] {
    if let known = content.withLock({ $0.numbers[task] }) { return known }
    let targets = try records(of: task, load)
    let numbers = Dictionary(targets.map { ($0.clientID, $0.resourceID) }) { first, _ in first }
    content.withLock { content in
      content.makeRoom(for: numbers.count * TargetCache.numberBytes)
      content.numbers[task] = numbers
    }
    return numbers
  }
}
