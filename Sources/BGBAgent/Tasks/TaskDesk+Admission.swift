// What happens when a task comes: refused, known already, withdrawn, or taken. A task is known by
// its id only after the site's signature was verified, so that a forger cannot learn or spoil
// anything with the id of a real one.

public import BGBModel
import BGBSigning
public import BGBWire
import Reactor

extension TaskDesk {
  /// A task was pushed.
  public func push(_ client: ClientID, _ push: PushTask, at now: Moment) {
    admit(client, push.task, push.leafIndex, push.path, pushID: push.pushID, at: now)
  }

  /// A policy brought a task: taken like a push, but known ones are silently left alone.
  public func policyTask(_ client: ClientID, _ task: PolicyTask, at now: Moment) {
    admit(client, task.task, task.leafIndex, task.path, pushID: 0, at: now)
  }

  /// The server withdraws a task.
  public func cancel(_ client: ClientID, _ task: TaskID, at now: Moment) {
    let key = TaskKey(client: client, task: task)
    guard book.entry(of: key) != nil else { return }
    let waited = plan.remove(key) != nil
    announce(client, .cancelAsked(task, tooLate: !waited))
    guard waited else { return }  // Begun or over: the outcome follows, or was sent.
    end(key, .cancelled, text: "withdrawn before it was started", pushID: 0, at: now)
  }

  private func admit(
    _ client: ClientID, _ came: SignedTask, _ leafIndex: UInt32, _ path: MerklePath,
    pushID: UInt64, at now: Moment
  ) {
    guard let clock = desk(of: client)?.clock.time(at: now.ticks) else { return }
    let statement: TaskStatement
    do throws(TaskRejection) {
      statement = try TaskCheck.admit(
        task: came, leafIndex: leafIndex, path: path, keys: rules.keys, site: rules.site,
        client: client, now: clock, proven: &proven)
    } catch {
      // Time is judged last: what failed by time alone is signed and ours, and may be known.
      let isOurs = error == .expired || error == .notYetValid
      let named = (try? TaskStatement(decoding: came.statement))?.taskID
      if isOurs, let named, answerKnown(client, named, came, pushID: pushID, at: now) { return }
      refuse(client, named, error, pushID: pushID, at: now)
      return
    }
    if answerKnown(client, statement.taskID, came, pushID: pushID, at: now) { return }
    take(client, statement, pushID: pushID, clock: clock, at: now)
  }

  /// Answers a task that is remembered; false for a new one.
  private func answerKnown(
    _ client: ClientID, _ task: TaskID, _ came: SignedTask, pushID: UInt64, at now: Moment
  ) -> Bool {
    let key = TaskKey(client: client, task: task)
    guard let entry = book.entry(of: key) else { return false }
    guard entry.digest == TaskBook.digest(came.statement) else {
      refuse(client, task, .altered, pushID: pushID, at: now)
      return true
    }
    guard pushID != 0 else { return true }
    switch entry.phase {
    case .received, .started:
      if line.contains(where: { $0.waiting.admits(key) }) {
        lineUp(.acknowledge(key, pushID: pushID), of: client)
      } else if held[key] != nil {
        held[key]?.pushID = pushID
      } else {
        orders.append(.send(client, .taskAck(TaskAck(pushID: pushID, taskID: task))))
      }
    case .ended(let news):
      if let desk = desk(of: client), news.sequence > desk.cursor,
        book[client].unstored.contains(where: { $0.sequence == news.sequence })
      {
        desk.pushIDs.set(pushID, for: news.sequence)  // It is on its way already.
      } else {
        let report = OutcomeReport(
          pushID: pushID, sequence: news.sequence, outcome: news.outcome)
        orders.append(.send(client, .taskOutcome(report)))
      }
    }
    return true
  }

  private func take(
    _ client: ClientID, _ statement: TaskStatement, pushID: UInt64, clock: WallTime, at now: Moment
  ) {
    let key = TaskKey(client: client, task: statement.taskID)
    guard health == .sound else {
      return refuse(client, statement.taskID, .journalFailed, pushID: pushID, at: now)
    }
    let action: ClientAction
    switch judge(statement) {
    case .success(let judged): action = judged
    case .failure(let rejection):
      noteReceived(client, statement, at: clock, startAfter: clock)
      lineUp(.admitted(key, pushID: pushID), of: client)
      announce(client, .refused(statement.taskID, rejection))
      end(
        key, .rejected, code: rejection.rawValue, text: rejection.sentence, pushID: pushID, at: now)
      return
    }
    let order = ActionOrder(
      key: key, action: action, parameters: statement.parameters,
      runMilliseconds: runMilliseconds(statement))
    let delay = startDelay(statement, clock: clock)
    announce(client, .received(statement.taskID, pushID: pushID, action: action))
    desk(of: client)?.clock.takeSigned(statement.notBefore)
    if delay == 0, let instant = rules.instant {
      // Done: nothing of it could be taken back or acknowledged.
      return noteDone(order, statement, instant(order), pushID: pushID, clock: clock, at: now)
    }
    noteReceived(
      client, statement, at: clock,
      startAfter: clock.adding(milliseconds: Int64(clamping: delay)))
    lineUp(.admitted(key, pushID: pushID), of: client)
    let waiting = WaitingTask(
      order: order, startBefore: statement.startBefore, startAt: now.ticks + delay)
    guard plan.add(waiting) else {
      end(key, .failed, code: 1, text: "too many tasks wait on this agent", pushID: pushID, at: now)
      return
    }
    advance(at: now)
  }

  private func judge(_ statement: TaskStatement) -> Result<ClientAction, TaskRejection> {
    guard let action = ClientAction(rawValue: statement.actionCode) else {
      return .failure(.unknownAction)
    }
    do throws(ParameterError) {
      try statement.parameters.check(for: action)
    } catch {
      return .failure(.badParameters)
    }
    guard rules.permits(action, statement.parameters) else { return .failure(.localPolicy) }
    return .success(action)
  }

  func runMilliseconds(_ statement: TaskStatement) -> UInt64 {
    let asked = UInt64(statement.runSeconds) * 1_000
    return asked == 0 ? rules.runMillisecondsMax : min(asked, rules.runMillisecondsMax)
  }

  /// A random moment within the spread that lies before the start's deadline.
  private func startDelay(_ statement: TaskStatement, clock: WallTime) -> UInt64 {
    guard statement.spreadSeconds > 0 else { return 0 }
    let room = UInt64(clamping: statement.startBefore.since(clock))
    let window = min(UInt64(statement.spreadSeconds) * 1_000, room)
    return window == 0 ? 0 : UInt64.random(in: 0..<window, using: &random)
  }

  /// Refuses a task that does not become ours, to the server that pushed it and to nobody else.
  ///
  /// Not journalled and not told again in a later session: a liar must not fill the disk, and an
  /// honest server ends the session of an agent that reports on a task it was never given, so that
  /// one lie would keep the agent away from every server.
  private func refuse(
    _ client: ClientID, _ task: TaskID?, _ rejection: TaskRejection, pushID: UInt64, at now: Moment
  ) {
    announce(client, .refused(task, rejection))
    guard let task else {
      // No task can be named, so none can have an outcome: it is told as live data.
      let value = LiveData.Value(name: "refused-task", text: rejection.sentence)
      orders.append(.send(client, .liveData(LiveData([value]))))
      return
    }
    answerUnwritten(TaskKey(client: client, task: task), rejection, pushID: pushID, at: now)
  }
}

extension TaskDesk.Waiting {
  /// Whether this is the first record of a task.
  func admits(_ key: TaskKey) -> Bool {
    if case .admitted(key, _) = self { true } else { false }
  }
}

extension TaskRejection {
  /// A sentence for operators.
  public var sentence: String {
    switch self {
    case .malformed: "the task cannot be read"
    case .unsigned: "the task is not signed"
    case .unknownKey: "the task is signed with a key this agent does not trust"
    case .badSignature: "the signature does not belong to the task"
    case .foreignSite: "the task is of another site"
    case .notTarget: "this client is no target of the task"
    case .expired: "the task came after its deadline"
    case .notYetValid: "the task's time has not come"
    case .unknownAction: "this agent does not know the action"
    case .badParameters: "the action's parameters break its bounds"
    case .localPolicy: "this computer's own settings do not allow it"
    case .altered: "the same task came before with other contents"
    case .journalFailed: "the agent cannot write its journal"
    }
  }
}
