// A worker's journal belongs to one process at a time. A supervisor that was killed and started
// again may start a worker while the one of its former life still ends: it waits for that one here,
// before it registers, so that neither reads what the other writes.

import Logging
import Reactor
import ServiceSettings

extension Server {
  /// Looks this often.
  private static let pauseMilliseconds: Int32 = 50

  /// Takes the journal's lock; waits for a former process as long as one may take to end.
  func lockJournal() throws(StartError) -> ProcessLock {
    let path = settings.journal.path
    let deadline = MonotonicClock.now() + 30_000
    var isWaiting = false
    do throws(Errno) {
      try Folder.make(path)
      let poller = try Poller()
      while true {
        if let lock = try ProcessLock.take("\(path)/lock") { return lock }
        guard MonotonicClock.now() < deadline else { break }
        if !isWaiting { log.notice("waiting for an earlier process to end") }
        isWaiting = true
        _ = try poller.wait(
          into: ReadyList(capacity: 1), timeoutMilliseconds: Server.pauseMilliseconds)
      }
    } catch {
      throw StartError(description: "the journal folder \(path) cannot be used: \(error)")
    }
    throw StartError(description: "another process uses the journal folder \(path)")
  }
}
