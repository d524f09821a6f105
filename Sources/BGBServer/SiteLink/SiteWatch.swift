// The thread that waits for news from the site's broker queue and makes them ready for the loop. It
// sleeps inside `messages`, which the doorbell wakes at once; when the site is away it keeps trying
// and the loop goes on with what it has.

import BGBModel
import Logging
import Reactor
import SiteDatabase
import Synchronization

/// Waits for the site's messages.
final class SiteWatch: Sendable {
  /// How long one wait lasts when nothing comes.
  ///
  /// News end it early, by the doorbell and by the kernel's word of every commit; this is for the
  /// day on which both fail.
  private static let waitMilliseconds = Int(Shard.quietMilliseconds)
  /// Pauses between tries while the site is away.
  private static let retryMilliseconds: UInt32 = 500

  private let link: any SiteLink
  private let shard: Mailbox<ShardLetter>
  private let time: TimeSource
  private let log: Logger
  private let tables: TargetTables?
  private let isStopping = Mutex(false)

  /// - Parameter tables: where the workers of a server share targets; nil for one that is alone.
  init(
    link: any SiteLink, shard: Mailbox<ShardLetter>, time: TimeSource, log: Logger,
    tables: TargetTables? = nil
  ) {
    self.tables = tables
    self.link = link
    self.shard = shard
    self.time = time
    self.log = log
  }

  /// Asks the thread to end soon.
  func stop() {
    isStopping.withLock { $0 = true }
    link.interrupt()
  }

  /// The thread's body: everything that still holds, then news for ever.
  func run(from registration: SiteRegistration) {
    var cursor = registration.cursor
    var isCaughtUp = false
    var isReachable = true
    // Weak: a set of targets is worth its memory only while a task in the loop has it.
    weak var known: TaskTargets?
    while !isStopping.withLock({ $0 }) {
      do throws(SiteLinkError) {
        if !isCaughtUp {
          try catchUp(&known)
          isCaughtUp = true
        }
        let messages = try link.messages(
          after: cursor, waitMilliseconds: SiteWatch.waitMilliseconds)
        if !isReachable { announce(true, &isReachable) }
        for message in messages {
          try handle(message, &known)
          cursor = message.messageID
        }
        if !messages.isEmpty { try link.advance(to: cursor) }
      } catch {
        log.warning("the site does not answer", metadata: ["error": "\(error)"])
        announce(false, &isReachable)
        pause()
      }
    }
  }

  /// Reads what holds now: the deny list and every task that may still be delivered.
  private func catchUp(_ known: inout TaskTargets?) throws(SiteLinkError) {
    shard.post(.denyList(try link.denyList()))
    let now = WallTime(milliseconds: time.wall())
    for record in try link.unexpiredTasks(at: now) { try bring(record.taskID, &known) }
  }

  private func handle(
    _ message: BrokerMessage, _ known: inout TaskTargets?
  ) throws(SiteLinkError) {
    switch message.content {
    case .push(let taskID):
      log.info("Get one push message from database.", metadata: ["task": "\(taskID)"])
      try bring(taskID, &known)
    case .cancel(let taskID): shard.post(.taskCancelled(taskID))
    case .denyListChanged: shard.post(.denyList(try link.denyList()))
    case .fullReportWanted: shard.post(.fullReportWanted)
    case .policyChanged: return
    case .drain(let order): shard.post(.drain(order))
    case .undrain: shard.post(.undrain)
    }
  }

  /// Reads a task, checks it against what was signed, and hands it to the loop.
  ///
  /// One that does not fit is left out with an error and a status message; the queue goes on
  /// behind it. Operations on the same collection have the same targets: those are read once, by
  /// one worker.
  private func bring(
    _ taskID: TaskID, _ known: inout TaskTargets?
  ) throws(SiteLinkError) {
    guard let record = try link.task(taskID) else {
      log.warning("a task of the queue is gone", metadata: ["task": "\(taskID)"])
      return
    }
    let answered = try link.answered(of: taskID)
    let statement: TaskStatement
    do throws(PlanError) {
      statement = try PushPlan.checked(record)
      if answered.isEmpty, let known, let plan = try PushPlan(record: record, sharing: known) {
        shard.post(.task(plan))
        return
      }
    } catch {
      return try leaveOut(taskID, error)
    }
    let table = try targets(of: statement)
    do throws(PlanError) {
      let plan = try PushPlan(record: record, table: table, answered: answered)
      known = plan.targets
      shard.post(.task(plan))
    } catch {
      try leaveOut(taskID, error)
    }
  }

  /// The targets of a task, from another worker of this server or from the site.
  private func targets(of statement: TaskStatement) throws(SiteLinkError) -> TargetTable {
    let read = { [link] () throws(SiteLinkError) in try link.targets(of: statement.taskID) }
    guard let tables else { return TargetTable(try read()) }
    return try tables.table(
      root: statement.targetRoot, count: Int(statement.targetCount), read: read)
  }

  private func leaveOut(_ taskID: TaskID, _ error: PlanError) throws(SiteLinkError) {
    log.error(
      "a task is not what was signed", metadata: ["task": "\(taskID)", "error": "\(error)"])
    try link.report(
      StatusCatalogue.taskRefused.message(
        at: WallTime(milliseconds: time.wall()), text: "Task \(taskID) is left out: \(error)"))
  }

  private func announce(_ reachable: Bool, _ known: inout Bool) {
    guard known != reachable else { return }
    known = reachable
    shard.post(.siteReachable(reachable))
  }

  private func pause() {
    let poller = try? Poller()
    _ = try? poller?.wait(
      into: ReadyList(capacity: 1), timeoutMilliseconds: Int32(SiteWatch.retryMilliseconds))
  }
}
