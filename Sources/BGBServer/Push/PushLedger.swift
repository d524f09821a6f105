// What this server knows of each (task, client) pair: pushed how often, answered or not. Pure: it
// takes values and `now`, and says whom to push to next. The agents' journals make pushing twice
// harmless, so the ledger may forget at a crash; the database and the outcome journal may not.

import BGBModel
import BGBSigning
import BGBWire
import Reactor
import SiteDatabase

/// One push to make.
struct PushOrder: Equatable {
  /// The task.
  let taskID: TaskID
  /// The client's leaf in the task's tree.
  let leaf: Int
  /// The client.
  let clientID: ClientID
}

/// What an answer meant.
enum AnswerEffect: Equatable {
  /// News: count it and pass it on.
  case news(pushes: UInt32)
  /// Known already, with this state.
  case repeated(TaskState)
  /// The task is not here (any more): believe the agent, the manager checks against the snapshot.
  case unknownTask
  /// The client is no target of the task: it invents.
  case notTarget
}

/// A task that can still be delivered or answered, and how far it is.
///
/// An object, so that an answer changes a byte of it in place.
private final class LiveTask {
  let plan: PushPlan
  /// Tells its tree from those of others.
  let key: UInt64
  let template: PushTemplate
  var states: [TaskState]
  var pushes: [UInt8]
  /// Leaves below it have been looked at since the task came.
  var cursor = 0
  var pushedUnanswered = 0
  var isCancelled: Bool
  /// The moment until which the next push must wait, when the operation is paced.
  var nextPushAt = Int64.min

  init(_ plan: PushPlan, key: UInt64) {
    self.plan = plan
    self.key = key
    template = PushTemplate(task: plan.record.signed)
    states = Array(repeating: .queued, count: plan.clients.count)
    pushes = Array(repeating: 0, count: plan.clients.count)
    isCancelled = plan.record.isCancelled
    for leaf in plan.answered { states[leaf] = .delivered }
  }
}

@available(*, unavailable)
extension LiveTask: Sendable {}

/// The ledger of all live tasks of this server.
struct PushLedger {
  private var tasks: [TaskID: LiveTask] = [:]
  private var order: [TaskID] = []
  private var lastKey: UInt64 = 0
  /// The task that was asked for last: a wave of pushes and answers is all about one.
  private var latest: LiveTask?
  /// Where the paths of a round's neighbours are made.
  private let block = MerkleBlock()

  /// Tasks that can still be delivered or answered.
  var taskCount: Int { tasks.count }
  /// The ids of the live tasks, oldest first.
  var taskIDs: [TaskID] { order }

  /// Takes a task over; returns false when it is here already.
  mutating func add(_ plan: PushPlan) -> Bool {
    guard tasks[plan.record.taskID] == nil else { return false }
    lastKey += 1
    tasks[plan.record.taskID] = LiveTask(plan, key: lastKey)
    order.append(plan.record.taskID)
    return true
  }

  private mutating func find(_ taskID: TaskID) -> LiveTask? {
    if let latest, latest.plan.record.taskID == taskID { return latest }
    guard let task = tasks[taskID] else { return nil }
    latest = task
    return task
  }

  /// Writes the frame that carries a task to one of its targets; false when the task is not here or
  /// its time is over.
  ///
  /// The deadline is judged at the moment of writing, not of queueing: valid iff now < deadline.
  mutating func write(
    _ order: PushOrder, pushID: UInt64, at now: WallTime, into writer: inout ByteWriter
  ) -> Bool {
    guard let task = find(order.taskID), now < task.plan.record.deliverBefore else { return false }
    let (targets, block) = (task.plan.targets, block)
    let tree = targets.tree
    task.template.write(
      pushID: pushID, serverTime: now, leafIndex: UInt32(truncatingIfNeeded: order.leaf),
      hashCount: tree.pathCount(at: order.leaf), into: &writer
    ) {
      tree.writePath(
        at: order.leaf, of: targets.clients, using: block, key: task.key, from: targets.blocks,
        into: &$0)
    }
    return true
  }

  /// Withdraws a task: no more pushes.
  ///
  /// Returns leaves that may have it and were not begun.
  mutating func cancel(_ taskID: TaskID) -> [ClientID] {
    guard let task = tasks[taskID], !task.isCancelled else { return [] }
    task.isCancelled = true
    return task.states.indices.compactMap { leaf in
      switch task.states[leaf] {
      case .pushed, .delivered, .deferred: task.plan.clients[leaf]
      default: nil
      }
    }
  }

  /// Whether some task's first round over its targets is not finished.
  func hasFanOutWork(at now: WallTime) -> Bool {
    tasks.values.contains { task in
      task.cursor < task.states.count && PushLedger.isDeliverable(task, at: now)
        && now.milliseconds >= task.nextPushAt
    }
  }

  /// When the next push of a first round is due that waits for its time: its task is paced, or was
  /// made by a clock ahead of ours.
  func nextPush(at now: WallTime) -> WallTime? {
    var earliest: Int64?
    for task in tasks.values
    where task.cursor < task.states.count && !task.isCancelled
      && now < task.plan.record.deliverBefore
    {
      let next = max(task.nextPushAt, task.plan.statement.notBefore.milliseconds)
      guard next > now.milliseconds else { continue }
      earliest = min(earliest ?? next, next)
    }
    return earliest.map { WallTime(milliseconds: $0) }
  }

  /// Goes on with the first round of each task, oldest first: looks at no more than `lookMax`
  /// targets and returns no more than `pushMax` orders, each with the connection that `connection`
  /// knows of a client that is online.
  mutating func fanOut(
    at now: WallTime, lookMax: Int, pushMax: Int, connection: (ClientID) -> Token?
  ) -> [(order: PushOrder, connection: Token)] {
    var orders: [(order: PushOrder, connection: Token)] = []
    var looks = lookMax
    for taskID in order {
      guard looks > 0, orders.count < pushMax else { break }
      guard let task = tasks[taskID], PushLedger.isDeliverable(task, at: now) else { continue }
      guard task.cursor < task.states.count, now.milliseconds >= task.nextPushAt else { continue }
      let rate = Int64(task.plan.record.ratePerSecond)
      while looks > 0, orders.count < pushMax, task.cursor < task.states.count {
        let leaf = task.cursor
        task.cursor += 1
        looks -= 1
        let clientID = task.plan.clients[leaf]
        guard task.states[leaf] == .queued, let token = connection(clientID) else { continue }
        orders.append((PushOrder(taskID: taskID, leaf: leaf, clientID: clientID), token))
        if rate > 0 {
          // One thousandth of a second is the clock's grain, so faster rates push several per
          // grain.
          let base = max(task.nextPushAt, now.milliseconds - 1000)
          task.nextPushAt = base + max(1, 1000 / rate)
          if task.nextPushAt > now.milliseconds { break }
        }
      }
    }
    return orders
  }

  /// Notes that tasks are over for a client that came online, though this server may not have heard
  /// it: another one has, or the client tells it in a moment.
  mutating func noteEnded(_ ended: [TaskID], for clientID: ClientID) {
    for taskID in ended { _ = answer(taskID, from: clientID, state: .delivered) }
  }

  /// What a client that came online (again) must get now: every deliverable task that it has not
  /// answered, pushed before or not.
  func ordersForArrival(of clientID: ClientID, at now: WallTime) -> [PushOrder] {
    var orders: [PushOrder] = []
    for taskID in order {
      guard let task = tasks[taskID], PushLedger.isDeliverable(task, at: now),
        let leaf = task.plan.leaf(of: clientID)
      else { continue }
      switch task.states[leaf] {
      case .queued, .pushed:
        orders.append(PushOrder(taskID: taskID, leaf: leaf, clientID: clientID))
      default: continue
      }
    }
    return orders
  }

  /// A push was written to a connection.
  mutating func pushed(_ order: PushOrder) {
    guard let task = find(order.taskID) else { return }
    if task.states[order.leaf] == .queued {
      task.states[order.leaf] = .pushed
      task.pushedUnanswered += 1
    }
    if task.pushes[order.leaf] < .max { task.pushes[order.leaf] += 1 }
  }

  /// A client answered; `guess` is a leaf that it may be.
  mutating func answer(
    _ taskID: TaskID, from clientID: ClientID, guess: Int = 0, state: TaskState
  ) -> AnswerEffect {
    guard let task = find(taskID) else { return .unknownTask }
    guard let leaf = task.plan.leaf(of: clientID, guess: guess) else { return .notTarget }
    guard state.replaces(task.states[leaf]) else {
      return .repeated(task.states[leaf])
    }
    if task.states[leaf] == .pushed { task.pushedUnanswered -= 1 }
    task.states[leaf] = state
    return .news(pushes: UInt32(task.pushes[leaf]))
  }

  /// Whether every target that was pushed to has answered and the first round is over: the moment
  /// to write a report without waiting for its period.
  func isQuiet(_ taskID: TaskID) -> Bool {
    guard let task = tasks[taskID] else { return true }
    return task.pushedUnanswered == 0 && task.cursor >= task.states.count
  }

  /// Forgets tasks whose validity and grace are over; returns how many.
  mutating func forgetExpired(at now: WallTime) -> Int {
    var forgotten = 0
    order.removeAll { taskID in
      guard let task = tasks[taskID] else { return true }
      let end = task.plan.record.deliverBefore.adding(milliseconds: Limits.outcomeGraceMilliseconds)
      guard now >= end else { return false }
      tasks[taskID] = nil
      if latest?.plan.record.taskID == taskID { latest = nil }
      forgotten += 1
      return true
    }
    return forgotten
  }

  /// Valid iff now is strictly before the deadline: the one-hour rule.
  private static func isDeliverable(_ task: LiveTask, at now: WallTime) -> Bool {
    !task.isCancelled && now < task.plan.record.deliverBefore
      && now >= task.plan.statement.notBefore
  }
}
