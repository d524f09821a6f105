// Operations in SQLite: one row in BGB_Task, one blob of targets, and outcome rows only for targets
// of which there is news.

public import BGBModel
import GRDB
public import SiteDatabase

extension SQLiteSiteStore {
  /// Starts an operation; see the contract.
  public func startOperation(
    _ request: OperationRequest, at: WallTime,
    sign: ([TargetRecord]) throws(StoreError) -> SignedTask
  ) throws(StoreError) -> OperationSummary {
    try StoreChecks.check(request)
    return try writeAndRing { db in
      if let known = try db.repeated(request) { return known.summary }
      let (candidates, name) = try db.resolve(request.target, self.code)
      let targets = candidates.filter { !$0.isBlocked }.map(\.target)
      guard !targets.isEmpty else {
        throw StoreError.invalid("nobody is a target of the operation")
      }
      let signed = try sign(targets)
      let plan = try TaskPlan(signed, for: request, targetCount: targets.count)
      guard try db.row("SELECT 1 FROM BGB_Task WHERE GUID = ?", [plan.taskID.description]) == nil
      else { throw StoreError.conflict("there is a task \(plan.taskID) already") }
      let number = try db.insert(
        request, plan, signed, TargetSet(targets.map(\.resourceID)),
        TaskProgress(plan, targetCount: targets.count, at: at), targetName: name)
      try db.post(.push(plan.taskID))
      let operationID = OperationID(number)
      try db.note(
        request.requestedBy, "operation.start",
        request.auditDetail(operationID, on: name, targetCount: targets.count), at: at)
      return try db.existing(operationID).summary
    }
  }

  /// Withdraws an operation; see the contract.
  public func cancelOperation(
    _ operationID: OperationID, by actor: String, at: WallTime
  ) throws(StoreError) -> OperationSummary {
    try writeAndRing { db in
      var task = try db.existing(operationID)
      guard task.progress.cancelledAt == nil else { return task.summary }
      guard task.progress.isOpen else {
        throw StoreError.conflict("operation \(operationID) has ended")
      }
      try db.endRows(of: task.number, from: [.queued, .pushed], as: .cancelled, at: at)
      task.progress.endUndelivered(as: .cancelled, at: at)
      task.progress.cancelledAt = at
      try db.save(task.progress, of: task.number)
      try db.post(.cancel(task.taskID))
      try db.note(actor, "operation.cancel", "operation=\(operationID)", at: at)
      return task.summary
    }
  }

  /// One operation with its counters.
  public func operation(_ operationID: OperationID) throws(StoreError) -> OperationSummary? {
    try read { db in try db.task(operationID)?.summary }
  }

  /// One operation by its task.
  public func operation(ofTask taskID: TaskID) throws(StoreError) -> OperationSummary? {
    try read { db in try db.task(taskID)?.summary }
  }

  /// Operations, newest first.
  public func operations(
    before cursor: OperationID?, limit: Int
  ) throws(StoreError) -> [OperationSummary] {
    try read { db in
      try db.rows(
        "\(TaskRow.select) WHERE TaskID < ? ORDER BY TaskID DESC LIMIT ?",
        [cursor?.rawValue ?? .max, max(0, limit)]
      ) { try TaskRow(row: $0).summary }
    }
  }

  /// Ends what time has ended.
  public func closeOverdue(at: WallTime) throws(StoreError) -> [OperationID] {
    let due = "WHERE NextCloseTime <= ? ORDER BY TaskID"
    // Most of the time nothing is due, and then nobody shall wait for the writer.
    let isDue = try read { db in
      try db.row("SELECT 1 FROM BGB_Task \(due) LIMIT 1", [at.column]) != nil
    }
    guard isDue else { return [] }
    return try write { db in
      let tasks = try db.rows("\(TaskRow.select) \(due)", [at.column], TaskRow.init(row:))
      for var task in tasks {
        let validity = task.progress.deliverBefore
        if validity <= at {
          try db.endRows(of: task.number, from: [.queued, .pushed], as: .expired, at: validity)
          task.progress.endUndelivered(as: .expired, at: validity)
        }
        let close = task.progress.closeAt
        if close <= at {
          let open: [TaskState] = [.delivered, .started, .deferred]
          try db.endRows(of: task.number, from: open, as: .unknown, at: close)
          task.progress.endUnanswered()
        }
        try db.save(task.progress, of: task.number)
      }
      return tasks.map { OperationID($0.number) }
    }
  }

  // MARK: Tasks as servers need them

  /// One task as servers need it.
  public func task(_ taskID: TaskID) throws(StoreError) -> TaskRecord? {
    try read { db in try db.task(taskID)?.record }
  }

  /// Tasks that may still be delivered.
  public func unexpiredTasks(at: WallTime) throws(StoreError) -> [TaskRecord] {
    try read { db in
      try db.rows(
        "\(TaskRow.select) WHERE DeliverBefore > ? AND CancelTime IS NULL ORDER BY TaskID",
        [at.column]
      ) { try TaskRow(row: $0).record }
    }
  }
}

extension Database {
  /// The operation that a repeated request began, if its key is known.
  func repeated(_ request: OperationRequest) throws -> TaskRow? {
    guard let key = request.idempotencyKey else { return nil }
    let found = try row(
      "SELECT TaskID, Fingerprint FROM BGB_Task WHERE IdempotencyKey = ?", [key])
    guard let found else { return nil }
    guard try found.text(1) == request.fingerprint else {
      throw StoreError.conflict("the idempotency key was used for another operation")
    }
    return try existing(OperationID(found.number(0)))
  }

  /// Ends outcome rows of some states in one that the site concludes.
  func endRows(
    of task: Int64, from open: [TaskState], as state: TaskState, at: WallTime
  ) throws {
    for old in open {
      try run(
        """
        UPDATE BGB_ResTask SET State = ?, Code = 0, Text = '', StatusTime = ?, IsAssumed = 1
        WHERE TaskID = ? AND State = ?
        """, [Int64(state.rawValue), at.column, task, Int64(old.rawValue)])
    }
  }
}
