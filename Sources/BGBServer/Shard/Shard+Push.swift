// Tasks to clients: the first round over a task's targets, bounded per turn; single pushes to those
// who come online; confirmations of what became durable.

import BGBModel
import BGBSigning
import BGBWire
import Logging
import Reactor
import SiteDatabase
import Transports

extension Shard {
  /// Whether the first round of some task has pushes that are due.
  var isPushing: Bool { life == .serving && ledger.hasFanOutWork(at: wallNow) }

  /// Makes the other pushes of this turn, each round with its flush: blocks of output are used
  /// again, and the first of them are on their way while the last are made.
  func pushOn() {
    var rounds = 1
    while rounds < settings.pushRoundsPerTurn, isPushing {
      pushTasks()
      flushDirty()
      rounds += 1
    }
  }

  /// Goes on with the first round of the live tasks, within one round's bounds.
  func pushTasks() {
    guard life == .serving else { return }
    let now = wallNow
    let orders = ledger.fanOut(
      at: now, lookMax: settings.looksPerRound, pushMax: settings.pushesPerRound
    ) { registry.token(of: $0) }
    for (index, (order, token)) in orders.enumerated() {
      foresee(from: index, below: orders.count) { orders[$0].1 }
      if let connection = connections[token] { push(order, connection) }
    }
    if let next = ledger.nextPush(at: now), !isOwnArmed(.pacedPush) {
      // Another task may be due before this one: none waits longer than a second for its turn.
      armOwn(.pacedPush, afterMilliseconds: UInt64(min(max(1, next.since(now)), 1_000)))
    }
  }

  /// Pushes one task to one connection, or lets it wait behind the unacknowledged ones.
  func push(_ order: PushOrder, _ connection: Connection) {
    guard connection.condemned == nil, connection.phase == .signedIn else { return }
    guard connection.unacknowledged < Limits.unacknowledgedPushesMax else {
      connection.waitingOrders.append(order)
      return
    }
    frame.clear()
    // A confirmation that waited for company goes first, in the same record.
    writeConfirmation(connection, into: &frame)
    let isWritten = ledger.write(order, pushID: lastPushID &+ 1, at: wallNow, into: &frame)
    guard dispatch(frame.bytes, connection), isWritten else { return }
    lastPushID &+= 1
    connection.unacknowledged += 1
    connection.lastLeaf = UInt32(truncatingIfNeeded: order.leaf)
    ledger.pushed(order)
    counters.pushes &+= 1
  }

  /// Takes a task over from the site.
  func take(_ plan: PushPlan) {
    guard ledger.add(plan) else { return }
    counters.tasks &+= 1
    log.info(
      "Starting to send push task",
      metadata: [
        "task": "\(plan.record.taskID)", "operation": "\(plan.record.operationID)",
        "type": "\(plan.statement.actionCode)", "targets": "\(plan.clients.count)",
        "answered": "\(plan.answered.count)",
      ])
  }

  /// Withdraws a task: those who may have it are told.
  func cancel(_ taskID: TaskID) {
    let holders = ledger.cancel(taskID)
    log.info("task withdrawn", metadata: ["task": "\(taskID)", "holders": "\(holders.count)"])
    for clientID in holders {
      guard let token = registry.token(of: clientID), let connection = connections[token] else {
        continue
      }
      send(.cancelTask(CancelTask(taskID: taskID)), connection)
    }
  }

  /// Posts outcomes to the journal when they are due there.
  func storeOutcomes() {
    guard let due = outcomes.postDue(at: loop.now) else { return }
    if due <= loop.now { return postOutcomes() }
    guard !isOwnArmed(.outcomePost) else { return }
    armOwn(.outcomePost, afterMilliseconds: due.since(loop.now))
  }

  /// Posts all outcomes to the journal that it has not got.
  func postOutcomes() {
    guard let (records, upTo) = outcomes.takeUnposted(at: loop.now) else { return }
    journal.post(.append(records, upTo: upTo))
  }

  /// Outcomes are durable: their agents may forget them.
  ///
  /// They are told with the next thing they are sent, at the latest the answer to their next
  /// keep-alive: a frame of its own for each would cost as much as the push did, and until then an
  /// agent only keeps a line of its journal longer.
  func confirm(upTo number: UInt64) {
    for confirmation in outcomes.stored(upTo: number) {
      guard let connection = connections[confirmation.token], connection.phase == .signedIn,
        confirmation.upTo > connection.storedUpTo
      else { continue }
      let isFirst = connection.storedUpTo == connection.confirmedUpTo
      connection.storedUpTo = confirmation.upTo
      if isFirst, settings.confirmsAtOnce || connection.polls != nil {
        unconfirmed.append(confirmation.token)
      }
    }
    for token in unconfirmed {
      guard let connection = connections[token], connection.phase == .signedIn else { continue }
      confirm(connection)
      markDirty(connection)
    }
    unconfirmed.removeAll(keepingCapacity: true)
  }
}
