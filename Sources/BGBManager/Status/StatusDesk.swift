// Where the manager tells what happened: the log always, the site database as often as the
// catalogue lets it. A broken server must not be able to fill the database with one complaint.

import BGBModel
import Logging
import SiteDatabase
import Synchronization

/// Takes events from any thread and keeps them as status messages and log lines.
final class StatusDesk: Sendable {
  /// The component's name in the database and in the log.
  static let component = "SMS_NOTIFICATION_MANAGER"
  /// Subjects remembered at most; beyond that the oldest knowledge is forgotten at once.
  static let subjectsMax = 4_096

  private let store: any SiteStore
  private let log: Logger
  private let machine: String
  private let clock: SiteClock
  private let lastTold = Mutex<[String: WallTime]>([:])

  /// Joins the parts.
  init(store: any SiteStore, log: Logger, machine: String, clock: SiteClock) {
    self.store = store
    self.log = log
    self.machine = machine
    self.clock = clock
  }

  /// Logs an event and stores it unless its subject was told a short while ago; true when stored.
  @discardableResult
  func tell(_ event: ManagerEvent) -> Bool {
    let level: Logger.Level =
      switch event.severity {
      case .information: .info
      case .warning: .warning
      case .error: .error
      }
    log.log(level: level, "\(event.text)", metadata: ["message-id": "\(event.messageID)"])
    let now = clock.now()
    guard isDue(event, at: now) else { return false }
    do {
      try store.addStatusMessage(
        StatusMessage(
          at: now, component: StatusDesk.component, machine: machine, messageID: event.messageID,
          severity: event.severity, text: event.text))
      return true
    } catch {
      // The log has the sentence; the message is worth no retry that could delay its teller.
      log.warning("Cannot store status message \(event.messageID): \(error)")
      return false
    }
  }

  private func isDue(_ event: ManagerEvent, at now: WallTime) -> Bool {
    let quiet = event.quietMilliseconds
    guard quiet > 0 else { return true }
    return lastTold.withLock { table in
      if let last = table[event.subject], now.since(last) < quiet, now >= last { return false }
      if table.count >= StatusDesk.subjectsMax { table.removeAll() }
      table[event.subject] = now
      return true
    }
  }
}
