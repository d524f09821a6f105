// The targets of recent tasks, decoded. A task's targets never change and neither do client ids, so
// nothing here can be stale; servers ask for the same large sets again with every policy download,
// and one operation after the other goes to the same clients.

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
  /// Targets from which on tasks share what is kept of them.
  static let twinMin = 64

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

    /// What is kept of another task with the same targets.
    ///
    /// Small sets are not compared: there may be many of them, and each is quickly read.
    func twin<Kept>(of set: TargetSet, in kept: [Int64: Kept]) -> Kept? {
      guard set.count >= TargetCache.twinMin else { return nil }
      return kept.first { sets[$0.key] == set }?.value
    }

    /// What is kept of a task, or of a twin, which is then kept of both.
    mutating func known<Kept>(
      _ kept: WritableKeyPath<Content, [Int64: Kept]>, of task: Int64, _ set: TargetSet
    ) -> Kept? {
      if let known = self[keyPath: kept][task] { return known }
      guard let twin = twin(of: set, in: self[keyPath: kept]) else { return nil }
      self[keyPath: kept][task] = twin
      return twin
    }
  }

  private let content = Mutex(Content())

  /// The set of a task, or what `load` reads.
  func set(of task: Int64, _ load: () throws -> TargetSet) rethrows -> TargetSet {
    if let known = content.withLock({ $0.sets[task] }) { return known }
    let set = try load()
    return content.withLock { content in
      if let twin = content.twin(of: set, in: content.sets) {
        content.sets[task] = twin
        return twin
      }
      content.makeRoom(for: set.count * TargetCache.setBytes)
      content.sets[task] = set
      return set
    }
  }

  /// The records of a task with these targets, or what `load` reads.
  func records(
    of task: Int64, _ set: TargetSet, _ load: () throws -> [TargetRecord]
  ) rethrows -> [TargetRecord] {
    if let known = content.withLock({ $0.known(\.records, of: task, set) }) { return known }
    let records = try load()
    content.withLock { content in
      content.makeRoom(for: records.count * TargetCache.recordBytes)
      content.records[task] = records
    }
    return records
  }

  /// The numbers of a task's targets by client id, made of the records that `load` reads.
  func numbers(
    of task: Int64, _ set: TargetSet, _ load: () throws -> [TargetRecord]
  ) rethrows -> [ClientID: ResourceID] {
    if let known = content.withLock({ $0.known(\.numbers, of: task, set) }) { return known }
    let targets = try records(of: task, set, load)
    let numbers = Dictionary(targets.map { ($0.clientID, $0.resourceID) }) { first, _ in first }
    content.withLock { content in
      content.makeRoom(for: numbers.count * TargetCache.numberBytes)
      content.numbers[task] = numbers
    }
    return numbers
  }
}
