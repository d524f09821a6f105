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
  /// How long one wait lasts when nothing comes; the doorbell ends it early.
  private static let waitMilliseconds = 5_000
  /// Pauses between tries while the site is away.
  private static let retryMilliseconds: UInt32 = 500

  private let link: any SiteLink
  private let shard: Mailbox<ShardLetter>
  private let time: TimeSource
  private let log: Logger
  private let isStopping = Mutex(false)

  init(link: any SiteLink, shard: Mailbox<ShardLetter>, time: TimeSource, log: Logger) {
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
    while !isStopping.withLock({ $0 }) {
      do throws(SiteLinkError) {
        if !isCaughtUp {
          try catchUp()
          isCaughtUp = true
        }
        let messages = try link.messages(
          after: cursor, waitMilliseconds: SiteWatch.waitMilliseconds)
        if !isReachable { announce(true, &isReachable) }
        for message in messages {
          try handle(message)
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
  private func catchUp() throws(SiteLinkError) {
    shard.post(.denyList(try link.denyList()))
    let now = WallTime(milliseconds: time.wall())
    for record in try link.unexpiredTasks(at: now) { try bring(record.taskID) }
  }

  private func handle(_ message: BrokerMessage) throws(SiteLinkError) {
    switch message.content {
    case .push(let taskID):
      log.info("Get one push message from database.", metadata: ["task": "\(taskID)"])
      try bring(taskID)
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
  /// behind it.
  private func bring(_ taskID: TaskID) throws(SiteLinkError) {
    guard let (record, targets, answered) = try link.task(taskID) else {
      log.warning("a task of the queue is gone", metadata: ["task": "\(taskID)"])
      return
    }
    do throws(PlanError) {
      shard.post(.task(try PushPlan(record: record, targets: targets, answered: answered)))
    } catch {
      log.error(
        "a task is not what was signed", metadata: ["task": "\(taskID)", "error": "\(error)"])
      try link.report(
        StatusCatalogue.taskRefused.message(
          at: WallTime(milliseconds: time.wall()), text: "Task \(taskID) is left out: \(error)"))
    }
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
