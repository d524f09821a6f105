// The targets of recent tasks, decoded. A task's targets never change and neither do client ids, so
// nothing here can be stale; servers ask for the same large sets again with every policy download.

import BGBModel
import SiteDatabase
import Synchronization

/// Target sets and target records of some tasks, within a bound of members in all.
final class TargetCache: Sendable {
  /// Members kept in all: some 30 MB at most.
  private static let membersMax = 1_000_000

  private struct Content {
    var sets: [Int64: TargetSet] = [:]
    var records: [Int64: [TargetRecord]] = [:]
    var members = 0

    /// Makes room for as many; forgets everything when there is not enough, for tasks come and go
    /// together.
    mutating func makeRoom(for count: Int) {
      if members + count > TargetCache.membersMax { self = Content() }
      members += count
    }
  }

  private let content = Mutex(Content())

  /// The set of a task, or what `load` reads.
  func set(of task: Int64, _ load: () throws -> TargetSet) rethrows -> TargetSet {
    if let known = content.withLock({ $0.sets[task] }) { return known }
    let set = try load()
    content.withLock { content in
      content.makeRoom(for: set.count)
      content.sets[task] = set
    }
    return set
  }

  /// The records of a task, or what `load` reads.
  func records(of task: Int64, _ load: () throws -> [TargetRecord]) rethrows -> [TargetRecord] {
    if let known = content.withLock({ $0.records[task] }) { return known }
    let records = try load()
    content.withLock { content in
      content.makeRoom(for: records.count)
      content.records[task] = records
    }
    return records
  }
}
