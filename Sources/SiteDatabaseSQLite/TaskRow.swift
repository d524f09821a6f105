// One row of BGB_Task: an operation, its task, its counters and the moments at which time changes
// them.

import BGBModel
import GRDB
import SiteDatabase

/// An operation as the table holds it.
struct TaskRow {
  var number: Int64
  var taskID: TaskID
  var templateID: Int64
  var signed: SignedTask
  var targetName: String
  var requestedBy: String
  var createdAt: WallTime
  var ratePerSecond: UInt32
  var progress: TaskProgress

  /// The columns that `init(row:)` reads, in its order.
  static let select = """
    SELECT TaskID, GUID, TemplateID, Statement, Signature, TargetName, RequestedBy, CreateTime,
      RatePerSecond, RestState, RestTime, DeliverBefore, CloseTime, CancelTime,
      \(Schema.counters.joined(separator: ", "))
    FROM BGB_Task
    """

  init(row: Row) throws {
    number = try row.number(0)
    taskID = try TaskID(column: row.text(1))
    templateID = try row.number(2)
    signed = try SignedTask(statement: row.bytes(3), signature: row.bytes(4))
    targetName = try row.text(5)
    requestedBy = try row.text(6)
    createdAt = try row.time(7)
    ratePerSecond = try UInt32(truncatingIfNeeded: row.number(8))
    var counts = OutcomeCounts()
    for (offset, state) in TaskState.allCases.enumerated() {
      counts[state] = Int(try row.number(14 + offset))
    }
    progress = try TaskProgress(
      counts: counts, restState: TaskState(column: row.number(9)), restAt: row.time(10),
      deliverBefore: row.time(11), closeAt: row.time(12),
      cancelledAt: row.timeIfAny(13))
  }

  /// As lists show it.
  var summary: OperationSummary {
    OperationSummary(
      operationID: OperationID(number), taskID: taskID,
      actionCode: UInt16(truncatingIfNeeded: templateID), targetName: targetName,
      requestedBy: requestedBy, createdAt: createdAt, expiresAt: progress.deliverBefore,
      state: progress.state, counts: progress.counts)
  }

  /// As servers need it.
  var record: TaskRecord {
    TaskRecord(
      operationID: OperationID(number), taskID: taskID, signed: signed,
      deliverBefore: progress.deliverBefore, ratePerSecond: ratePerSecond,
      isCancelled: progress.cancelledAt != nil)
  }
}

extension Database {
  /// A task by its identity.
  func task(_ taskID: TaskID) throws -> TaskRow? {
    try row("\(TaskRow.select) WHERE GUID = ?", [taskID.description]).map(TaskRow.init(row:))
  }

  /// A task by its operation.
  func task(_ operationID: OperationID) throws -> TaskRow? {
    try row("\(TaskRow.select) WHERE TaskID = ?", [operationID.rawValue]).map(TaskRow.init(row:))
  }

  /// A task that must exist.
  func existing(_ taskID: TaskID) throws -> TaskRow {
    guard let task = try task(taskID) else { throw StoreError.notFound("task \(taskID)") }
    return task
  }

  /// An operation that must exist.
  func existing(_ operationID: OperationID) throws -> TaskRow {
    guard let task = try task(operationID) else {
      throw StoreError.notFound("operation \(operationID)")
    }
    return task
  }

  /// Writes the counters and moments of a task.
  func save(_ progress: TaskProgress, of task: Int64) throws {
    let sets = Schema.counters.map { "\($0) = ?" }.joined(separator: ", ")
    let counts: Arguments = TaskState.allCases.map { progress.counts[$0] }
    try run(
      """
      UPDATE BGB_Task SET NextCloseTime = ?, CancelTime = ?, RestState = ?, RestTime = ?, \(sets)
      WHERE TaskID = ?
      """,
      [
        progress.nextClose?.column, progress.cancelledAt?.column,
        Int64(progress.restState.rawValue), progress.restAt.column,
      ] + counts + [task])
  }

  /// Writes a task that just began, with its targets.
  func insert(
    _ request: OperationRequest, _ plan: TaskPlan, _ signed: SignedTask, _ targets: TargetSet,
    _ progress: TaskProgress, targetName: String
  ) throws -> Int64 {
    let columns = Schema.counters.joined(separator: ", ")
    let marks = Array(repeating: "?", count: Schema.counters.count).joined(separator: ", ")
    let counts: Arguments = TaskState.allCases.map { progress.counts[$0] }
    let values = request.parameters.values.map { "\($0.name)=\($0.text)" }
    try run(
      """
      INSERT INTO BGB_Task (GUID, TemplateID, Param, Statement, Signature, TargetName, TargetCount,
        RequestedBy, CreateTime, DeliverBefore, CloseTime, NextCloseTime, CancelTime,
        RatePerSecond, RestState, RestTime, IdempotencyKey, Fingerprint, \(columns))
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, ?, ?, ?, \(marks))
      """,
      [
        plan.taskID.description, Int64(request.action.rawValue), values.joined(separator: "\n"),
        Blob(signed.statement), Blob(signed.signature), targetName, targets.count,
        request.requestedBy, progress.restAt.column, plan.deliverBefore.column,
        plan.closeAt.column, progress.nextClose?.column, Int64(request.ratePerSecond),
        Int64(progress.restState.rawValue), progress.restAt.column, request.idempotencyKey,
        request.fingerprint,
      ] + counts)
    let number = lastInsertedRowID
    try run(
      "INSERT INTO BGB_TaskTarget (TaskID, TargetSet) VALUES (?, ?)",
      [number, Blob(targets.encoded())])
    return number
  }
}
