// How far an operation has come, as arithmetic without a database: every backend stores these
// fields and changes them only here, so that the counters of all backends agree and always add up.

package import BGBModel

/// What a signed statement fixes about an operation.
package struct TaskPlan: Hashable, Sendable {
  /// The task.
  package let taskID: TaskID
  /// Undelivered targets end at this moment.
  package let deliverBefore: WallTime
  /// Delivered targets without a result end at this moment.
  package let closeAt: WallTime

  /// Reads a statement and compares it with what was asked for.
  package init(
    _ signed: SignedTask, for request: OperationRequest, targetCount: Int
  ) throws(StoreError) {
    let statement: TaskStatement
    do throws(CodingError) {
      statement = try TaskStatement(decoding: signed.statement)
    } catch {
      throw .invalid("the signed statement cannot be read: \(error)")
    }
    guard statement.actionCode == request.action.rawValue,
      statement.parameters == request.parameters, Int(statement.targetCount) == targetCount
    else { throw .invalid("the signed statement is not what was asked for") }
    taskID = statement.taskID
    deliverBefore = statement.deliverBefore
    let seconds = Int64(statement.runSeconds) + Int64(statement.spreadSeconds)
    closeAt = max(statement.deliverBefore, statement.startBefore)
      .adding(milliseconds: seconds * 1000).adding(milliseconds: Limits.outcomeGraceMilliseconds)
  }
}

/// The counters of an operation and the moments at which time changes them.
package struct TaskProgress: Hashable, Sendable {
  /// How many targets are in each state.
  package var counts: OutcomeCounts
  /// The state of all targets without a row of their own, and since when.
  package var restState: TaskState
  package var restAt: WallTime
  /// Undelivered targets end at this moment.
  package var deliverBefore: WallTime
  /// Delivered targets without a result end at this moment.
  package var closeAt: WallTime
  /// When it was withdrawn.
  package var cancelledAt: WallTime?

  /// Joins the parts.
  package init(
    counts: OutcomeCounts, restState: TaskState, restAt: WallTime, deliverBefore: WallTime,
    closeAt: WallTime, cancelledAt: WallTime?
  ) {
    self.counts = counts
    self.restState = restState
    self.restAt = restAt
    self.deliverBefore = deliverBefore
    self.closeAt = closeAt
    self.cancelledAt = cancelledAt
  }

  /// The beginning: everybody waits.
  package init(_ plan: TaskPlan, targetCount: Int, at: WallTime) {
    self.init(
      counts: OutcomeCounts(queued: targetCount), restState: .queued, restAt: at,
      deliverBefore: plan.deliverBefore, closeAt: plan.closeAt, cancelledAt: nil)
  }

  private var undelivered: Int { counts[.queued] + counts[.pushed] }
  private var unanswered: Int { counts[.delivered] + counts[.started] + counts[.deferred] }

  /// Whether any target may still change by itself.
  package var isOpen: Bool { undelivered + unanswered > 0 }

  /// How the operation stands.
  package var state: OperationState {
    if cancelledAt != nil { return .cancelled }
    return isOpen ? .active : .completed
  }

  /// When time changes something next; nil when it cannot any more.
  package var nextClose: WallTime? {
    if undelivered > 0 { return deliverBefore }
    return unanswered > 0 ? closeAt : nil
  }

  /// What a target without a row is known to be.
  package var rest: KnownOutcome {
    KnownOutcome(
      state: restState, code: 0, text: "", at: restAt, pushes: 0, isAssumed: restState.isFinal)
  }

  /// Moves one target.
  package mutating func move(from old: TaskState, to new: TaskState) {
    counts[old] -= 1
    counts[new] += 1
  }

  /// Ends all undelivered targets in one of the two ways that need no answer, those without a row
  /// included; `rows` counts the ones with a row, by state.
  package mutating func endUndelivered(as state: TaskState, at: WallTime) {
    counts[state] += undelivered
    counts[.queued] = 0
    counts[.pushed] = 0
    if restState == .queued {
      restState = state
      restAt = at
    }
  }

  /// Ends all delivered targets without a result.
  package mutating func endUnanswered() {
    counts[.unknown] += unanswered
    for state in [TaskState.delivered, .started, .deferred] { counts[state] = 0 }
  }
}

/// What is known of one target.
package struct KnownOutcome: Hashable, Sendable {
  /// What became of the task.
  package var state: TaskState
  /// The code that came with it.
  package var code: Int32
  /// The text that came with it.
  package var text: String
  /// When, by the clock of who says it.
  package var at: WallTime
  /// Push attempts.
  package var pushes: UInt32
  /// Whether the site concluded it and nobody reported it.
  package var isAssumed: Bool

  /// Joins the parts.
  package init(
    state: TaskState, code: Int32, text: String, at: WallTime, pushes: UInt32, isAssumed: Bool
  ) {
    self.state = state
    self.code = code
    self.text = text
    self.at = at
    self.pushes = pushes
    self.isAssumed = isAssumed
  }

  /// Whether a target in this state still waits for the task.
  package static func isUnanswered(_ state: TaskState) -> Bool {
    state == .queued || state == .pushed
  }

  /// The same as news of a task.
  package func outcome(of taskID: TaskID) -> TaskOutcome {
    TaskOutcome(taskID: taskID, state: state, code: code, text: text, at: at)
  }

  /// What is known after a report's record; nil when that is nothing new.
  ///
  /// `TaskState.replaces` decides, with one addition: a `cancelled` that the site only assumed
  /// gives way to a real result. The report that the agent had begun was still under way when the
  /// operator cancelled, and a computer that restarted must not be shown as spared.
  package func merged(with record: OutcomeRecord) -> KnownOutcome? {
    let new = record.outcome.state
    let isResult = new == .succeeded || new == .failed || new == .rejected
    let takes = new.replaces(state) || (isAssumed && state == .cancelled && isResult)
    let pushes = max(self.pushes, record.pushes)
    guard takes else {
      guard pushes > self.pushes else { return nil }
      var known = self
      known.pushes = pushes
      return known
    }
    return KnownOutcome(
      state: new, code: record.outcome.code,
      text: StoreChecks.bounded(record.outcome.text, bytes: Limits.outcomeTextBytesMax),
      at: record.outcome.at, pushes: pushes, isAssumed: false)
  }
}
