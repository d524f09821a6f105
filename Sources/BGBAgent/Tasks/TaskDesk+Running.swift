// Beginning and ending: which waiting task gets a place, what is written before it begins, and how
// its end becomes news.

import BGBModel
import BGBWire
import Reactor

extension TaskDesk {
  /// Time has passed.
  public func tick(at now: Moment) {
    if case .broken(let retryAt) = health, now.ticks >= retryAt {
      health = .broken(retryAt: now.ticks + rules.journalRetryMilliseconds)
      orders.append(.rewriteJournal)
    }
    for (key, one) in held where one.deadline <= now.ticks {
      held[key] = nil
      orders.append(
        .send(key.client, .taskAck(TaskAck(pushID: one.pushID, taskID: key.task))))
      tellStarted(key, at: now)
    }
    advance(at: now)
  }

  /// An action ended.
  public func finished(_ key: TaskKey, _ result: ActionResult, at now: Moment) {
    running[key] = nil
    let pushID = held.removeValue(forKey: key)?.pushID ?? 0
    let state: TaskState = result.state == .succeeded ? .succeeded : .failed
    end(key, state, code: result.code, text: result.text, pushID: pushID, at: now)
    for task in result.policyTasks { policyTask(key.client, task, at: now) }
    if !result.live.isEmpty {
      orders.append(.send(key.client, .liveData(LiveData(result.live))))
    }
    advance(at: now)
  }

  /// Begins what may begin and ends what may not begin any more.
  func advance(at now: Moment) {
    plan.advance(to: now.ticks) { expiry(of: $0) }
    if now.ticks >= plan.nextExpiry { endLate(at: now) }
    guard health == .sound, beginsActions else { return }
    while running.count < rules.parallelMax,
      let task = plan.takeReady(where: { !isLaneTaken($0.order) })
    {
      if isLate(task, at: now) {
        end(task.order.key, .expired, text: TaskDesk.lateText, pushID: 0, at: now)
      } else if let instant = rules.instant {
        let result = instant(task.order)
        end(task.order.key, result.state, code: result.code, text: result.text, pushID: 0, at: now)
      } else {
        begin(task.order, at: now)
      }
    }
  }

  private static let lateText = "not started before its deadline"

  /// Ends every waiting task whose deadline has come, and learns when the next one will.
  private func endLate(at now: Moment) {
    while let late = plan.takeReady(where: { isLate($0, at: now) }) {
      end(late.order.key, .expired, text: TaskDesk.lateText, pushID: 0, at: now)
    }
    plan.learnExpiry { expiry(of: $0) }
  }

  private func isLaneTaken(_ order: ActionOrder) -> Bool {
    let lane = ActionLane(order)
    return running.contains { $0.key.client == order.key.client && $0.value == lane }
  }

  private func isLate(_ task: WaitingTask, at now: Moment) -> Bool {
    guard let time = desk(of: task.order.key.client)?.clock.time(at: now.ticks) else { return true }
    return time >= task.startBefore
  }

  private func begin(_ order: ActionOrder, at now: Moment) {
    running[order.key] = ActionLane(order)
    note(.started(order.key.client, order.key.task, boot: rules.boot))
    if !order.action.isBrief { tellStarted(order.key, at: now) }
    lineUp(.begin(order), of: order.key.client)
  }

  private func tellStarted(_ key: TaskKey, at now: Moment) {
    let outcome = TaskOutcome(
      taskID: key.task, state: .started, at: time(of: key.client, at: now))
    tell(key.client, outcome, pushID: 0)
  }

  /// Ends a task of ours.
  func end(
    _ key: TaskKey, _ state: TaskState, code: Int32 = 0, text: String, pushID: UInt64,
    at now: Moment
  ) {
    let outcome = outcome(of: key, state, code: code, text: text, at: now)
    announce(key.client, .ended(outcome))
    tell(key.client, outcome, pushID: pushID)
  }

  func outcome(
    of key: TaskKey, _ state: TaskState, code: Int32, text: String, at now: Moment
  ) -> TaskOutcome {
    TaskOutcome(
      taskID: key.task, state: state, code: code,
      text: String(text.cut(toBytes: Limits.outcomeTextBytesMax)),
      at: time(of: key.client, at: now))
  }

  /// Writes news down; they are sent when they are durable.
  func tell(_ client: ClientID, _ outcome: TaskOutcome, pushID: UInt64) {
    tell(client, pushID: pushID) { .outcome(client, sequence: $0, outcome) }
  }

  /// The same with a record of the news that is made of their sequence; they answer a push unless
  /// its number is 0.
  func tell(_ client: ClientID, pushID: UInt64, _ record: (_ sequence: UInt64) -> JournalRecord) {
    let sequence = book.nextSequence(of: client)
    if pushID != 0, let desk = desk(of: client), desk.isConnected {
      desk.pushIDs.set(pushID, for: sequence)
    }
    note(record(sequence))
    lineUp(.news(sequence: sequence), of: client)
  }

  /// Plans what the journal remembers as received: after a restart, once a server told the time.
  func planReceived(of client: ClientID, at now: Moment) {
    guard let clock = desk(of: client)?.clock else { return }
    for (task, entry) in book[client].tasks.sorted(by: { $0.key < $1.key }) {
      let key = TaskKey(client: client, task: task)
      guard case .received(let bytes, let startAfter) = entry.phase, running[key] == nil,
        let statement = try? TaskStatement(decoding: bytes),
        let action = ClientAction(rawValue: statement.actionCode)
      else { continue }
      let order = ActionOrder(
        key: key, action: action, parameters: statement.parameters,
        runMilliseconds: runMilliseconds(statement))
      let wait = clock.milliseconds(until: startAfter, at: now.ticks)
      _ = plan.add(
        WaitingTask(
          order: order, startBefore: statement.startBefore, startAt: now.ticks + wait))
    }
  }
}
