// The targets of an operation in SQLite: the members of its set, each with its outcome row or,
// without one, with what holds for the rest.

public import BGBModel
import GRDB
public import SiteDatabase

extension SQLiteSiteStore {
  /// Targets of an operation after a cursor.
  public func targets(
    of operationID: OperationID, in state: TaskState?, after cursor: ResourceID?, limit: Int
  ) throws(StoreError) -> [TargetOutcome] {
    try read { db in
      let task = try db.existing(operationID)
      if let state, state != task.progress.restState {
        return try db.rows(
          """
          SELECT r.ResourceID, r.State, r.Code, r.Text, r.StatusTime, r.Pushes, r.IsAssumed,
            c.ClientID, c.Name
          FROM BGB_ResTask r JOIN BGB_Client c ON c.ResourceID = r.ResourceID
          WHERE r.TaskID = ? AND r.State = ? AND r.ResourceID > ? ORDER BY r.ResourceID LIMIT ?
          """, [task.number, Int64(state.rawValue), cursor?.column ?? 0, max(0, limit)]
        ) { row in
          let known = try KnownOutcome(row: row)
          return try TargetOutcome(
            resourceID: ResourceID(row.number(0)), clientID: ClientID(column: row.text(7)),
            name: row.text(8), pushes: known.pushes, outcome: known.outcome(of: task.taskID))
        }
      }
      return try self.page(of: task, in: state, after: cursor, limit: limit, db)
    }
  }

  /// Walks the set in slices, for targets without a row are found nowhere else.
  private func page(
    of task: TaskRow, in state: TaskState?, after cursor: ResourceID?, limit: Int, _ db: Database
  ) throws -> [TargetOutcome] {
    let members = try targetSet(of: task.number, db).members
    var start = members.partitioningIndex { $0 > cursor ?? ResourceID(UInt32(0)) }
    var page: [TargetOutcome] = []
    while page.count < limit, start < members.count {
      let slice = members[start..<min(start + 1_000, members.count)]
      start = slice.endIndex
      let rows = try db.outcomes(of: task.number, in: slice)
      for resourceID in slice where page.count < limit {
        let known = rows[resourceID] ?? task.progress.rest
        guard state == nil || known.state == state else { continue }
        let client = try db.row(
          "SELECT ClientID, Name FROM BGB_Client WHERE ResourceID = ?", [resourceID.column])
        guard let client else { throw StoreError.damaged("client \(resourceID) is missing") }
        page.append(
          try TargetOutcome(
            resourceID: resourceID, clientID: ClientID(column: client.text(0)),
            name: client.text(1), pushes: known.pushes, outcome: known.outcome(of: task.taskID)))
      }
    }
    return page
  }

  /// What is known of one target; nil for a client that is none.
  func known(of resourceID: ResourceID, _ task: TaskRow, _ db: Database) throws -> KnownOutcome? {
    guard try targetSet(of: task.number, db).index(of: resourceID) != nil else { return nil }
    return try db.outcome(of: task.number, resourceID) ?? task.progress.rest
  }

  /// What happened to one target, in the order of time.
  public func history(
    ofTask taskID: TaskID, client clientID: ClientID
  ) throws(StoreError) -> [OutcomeStep] {
    try read { db in
      let task = try db.existing(taskID)
      let resourceID = try db.existing(clientID).resourceID
      guard let known = try self.known(of: resourceID, task, db) else { return [] }
      let steps = try db.rows(
        """
        SELECT State, Code, Text, StatusTime, ServerID, ReportTime, ImportTime
        FROM BGB_ResTaskHistory WHERE TaskID = ? AND ResourceID = ?
        """, [task.number, resourceID.column]
      ) { row in
        try OutcomeStep(
          outcome: TaskOutcome(
            taskID: taskID, state: TaskState(column: row.number(0)),
            code: Int32(truncatingIfNeeded: row.number(1)), text: row.text(2),
            at: row.time(3)),
          serverID: ServerID(row.number(4)), reportedAt: row.time(5),
          importedAt: row.time(6))
      }
      return OutcomeStep.ordered(steps, and: known, of: taskID)
    }
  }

  /// The counters of an operation, counted anew from the set and the rows.
  public func recount(_ operationID: OperationID) throws(StoreError) -> OutcomeCounts {
    try read { db in
      let task = try db.existing(operationID)
      var counts = OutcomeCounts()
      var rest = try self.targetSet(of: task.number, db).count
      let found = try db.rows(
        "SELECT State, count(*) FROM BGB_ResTask WHERE TaskID = ? GROUP BY State", [task.number]
      ) { try (state: TaskState(column: $0.number(0)), count: Int($0.number(1))) }
      for row in found {
        counts[row.state] += row.count
        rest -= row.count
      }
      counts[task.progress.restState] += rest
      return counts
    }
  }

  /// The targets of a task by resource id.
  public func targets(ofTask taskID: TaskID) throws(StoreError) -> [TargetRecord] {
    try read { db in
      let task = try db.existing(taskID).number
      let set = try self.targetSet(of: task, db)
      return try self.targetCache.records(of: task, set) { try db.targets(set.members) }
    }
  }

  /// Which of a task's targets is which number: a report asks for thousands, and what one statement
  /// each costs is more than all else of importing it.
  func numbers(of task: Int64, _ db: Database) throws -> [ClientID: ResourceID] {
    let set = try targetSet(of: task, db)
    return try targetCache.numbers(of: task, set) { try db.targets(set.members) }
  }

  /// Targets of a task that are delivered or final.
  public func answeredTargets(ofTask taskID: TaskID) throws(StoreError) -> [ResourceID] {
    try read { db in
      let task = try db.existing(taskID)
      let waiting = [Int64(TaskState.queued.rawValue), Int64(TaskState.pushed.rawValue)]
      guard task.progress.restState.isFinal else {
        return try db.rows(
          """
          SELECT ResourceID FROM BGB_ResTask WHERE TaskID = ? AND State NOT IN (?, ?)
          ORDER BY ResourceID
          """, [task.number] + waiting
        ) { ResourceID(try $0.number(0)) }
      }
      let open = Set(
        try db.numbers(
          "SELECT ResourceID FROM BGB_ResTask WHERE TaskID = ? AND State IN (?, ?)",
          [task.number] + waiting))
      return try self.targetSet(of: task.number, db).members.filter { !open.contains($0.column) }
    }
  }
}

extension KnownOutcome {
  /// Reads State, Code, Text, StatusTime, Pushes, IsAssumed from the second column on.
  init(row: Row) throws {
    try self.init(
      state: TaskState(column: row.number(1)), code: Int32(truncatingIfNeeded: row.number(2)),
      text: row.text(3), at: row.time(4),
      pushes: UInt32(truncatingIfNeeded: row.number(5)), isAssumed: row.number(6) != 0)
  }
}

extension Database {
  /// The outcome row of one target.
  func outcome(of task: Int64, _ resourceID: ResourceID) throws -> KnownOutcome? {
    try row(
      """
      SELECT ResourceID, State, Code, Text, StatusTime, Pushes, IsAssumed FROM BGB_ResTask
      WHERE TaskID = ? AND ResourceID = ?
      """, [task, resourceID.column]
    ).map(KnownOutcome.init(row:))
  }

  /// The outcome rows of a slice of the targets.
  func outcomes(
    of task: Int64, in slice: ArraySlice<ResourceID>
  ) throws -> [ResourceID: KnownOutcome] {
    guard let first = slice.first, let last = slice.last else { return [:] }
    let found = try rows(
      """
      SELECT ResourceID, State, Code, Text, StatusTime, Pushes, IsAssumed FROM BGB_ResTask
      WHERE TaskID = ? AND ResourceID BETWEEN ? AND ?
      """, [task, first.column, last.column]
    ) { try (ResourceID($0.number(0)), KnownOutcome(row: $0)) }
    return Dictionary(found) { first, _ in first }
  }

  /// The clients of a target set.
  func targets(_ members: [ResourceID]) throws -> [TargetRecord] {
    guard let first = members.first, let last = members.last else { return [] }
    // One walk over the clients from the first to the last; for a few among many, one look each.
    guard Int(last.rawValue) - Int(first.rawValue) < members.count * 8 else {
      return try members.map { try target($0) }
    }
    var position = 0
    let found = try rows(
      """
      SELECT ResourceID, ClientID FROM BGB_Client WHERE ResourceID BETWEEN ? AND ?
      ORDER BY ResourceID
      """, [first.column, last.column]
    ) { row -> TargetRecord? in
      let resourceID = ResourceID(try row.number(0))
      guard position < members.count, members[position] == resourceID else { return nil }
      position += 1
      return TargetRecord(resourceID: resourceID, clientID: try ClientID(column: row.text(1)))
    }.compactMap { $0 }
    guard found.count == members.count else {
      throw StoreError.damaged("some targets of a task are no clients")
    }
    return found
  }

  /// One client as a target.
  func target(_ resourceID: ResourceID) throws -> TargetRecord {
    let found = try row(
      "SELECT ClientID FROM BGB_Client WHERE ResourceID = ?", [resourceID.column])
    guard let found else { throw StoreError.damaged("client \(resourceID) is missing") }
    return TargetRecord(resourceID: resourceID, clientID: try ClientID(column: found.text(0)))
  }
}

extension Array {
  /// The first index whose element is in the second half of a partitioned array, in O(log n).
  fileprivate func partitioningIndex(_ isInSecondHalf: (Element) -> Bool) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = low + (high - low) / 2
      if isInSecondHalf(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
