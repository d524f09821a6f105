// What an operator asked for, and how far it came: the counters that the console shows.

/// How an operation stands.
public enum OperationState: UInt8, Sendable, CaseIterable {
  /// Targets may still get it or answer.
  case active = 0
  /// Every target has a final state.
  case completed = 1
  /// Withdrawn; targets that had it already may still answer.
  case cancelled = 2

  /// The word shown to people.
  public var name: String { "\(self)" }
}

/// How many targets are in each state; the sum is always the size of the snapshot.
public struct OutcomeCounts: Hashable, Sendable {
  private var counts: [Int]

  /// All targets of a snapshot waiting.
  public init(queued: Int = 0) {
    counts = Array(repeating: 0, count: TaskState.allCases.count)
    counts[Int(TaskState.queued.rawValue)] = queued
  }

  /// How many are in a state.
  public subscript(state: TaskState) -> Int {
    get { counts[Int(state.rawValue)] }
    set { counts[Int(state.rawValue)] = newValue }
  }

  /// The size of the snapshot.
  public var total: Int { counts.reduce(0, +) }
  /// Targets that have the task: what the original's *Success* column showed.
  public var delivered: Int { sum { $0.countsAsDelivered } }
  /// Targets with a final state.
  public var final: Int { sum { $0.isFinal } }

  private func sum(_ condition: (TaskState) -> Bool) -> Int {
    TaskState.allCases.reduce(0) { $0 + (condition($1) ? self[$1] : 0) }
  }
}

/// One operation as lists show it.
public struct OperationSummary: Hashable, Sendable {
  /// The operation.
  public var operationID: OperationID
  /// Its task.
  public var taskID: TaskID
  /// The action's code.
  public var actionCode: UInt16
  /// What it was started on, as the operator wrote it.
  public var targetName: String
  /// Who started it.
  public var requestedBy: String
  /// When it was started.
  public var createdAt: WallTime
  /// When its validity ends.
  public var expiresAt: WallTime
  /// How it stands.
  public var state: OperationState
  /// How many targets are in each state.
  public var counts: OutcomeCounts

  /// Joins the parts.
  public init(
    operationID: OperationID, taskID: TaskID, actionCode: UInt16, targetName: String,
    requestedBy: String, createdAt: WallTime, expiresAt: WallTime, state: OperationState,
    counts: OutcomeCounts
  ) {
    self.operationID = operationID
    self.taskID = taskID
    self.actionCode = actionCode
    self.targetName = targetName
    self.requestedBy = requestedBy
    self.createdAt = createdAt
    self.expiresAt = expiresAt
    self.state = state
    self.counts = counts
  }
}
