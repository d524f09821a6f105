// Looks at a server's counts of online clients all the time, from a thread of its own: a client
// that is away for a moment, or twice there, would be seen.

import Foundation
import Glibc
import Synchronization

/// Watches who is online until it is stopped.
final class OnlineWatch: Sendable {
  /// The counts from one moment on.
  struct Change: Equatable {
    var at: Date
    var tcp: Int
    var https: Int
    var online: Int
  }

  private struct Seen {
    var isRunning = true
    var looks = 0
    var changes: [Change] = []
  }

  private let seen = Mutex(Seen())
  private let ended = DispatchSemaphore(value: 0)

  init(_ stage: Stage) {
    let port = stage.healthPort
    Thread.detachNewThread { [self] in
      while seen.withLock({ $0.isRunning }) {
        look(Metrics.read(port))
        usleep(10_000)
      }
      ended.signal()
    }
  }

  private func look(_ values: [String: Int]) {
    guard let online = values["bgb_online_clients"], let tcp = values["bgb_online_clients_tcp"],
      let https = values["bgb_online_clients_https"]
    else { return }  // The server is down: the test's own doing.
    seen.withLock { seen in
      seen.looks += 1
      let now = Change(at: Date(), tcp: tcp, https: https, online: online)
      if let last = seen.changes.last, last.tcp == tcp, last.https == https, last.online == online {
        return
      }
      seen.changes.append(now)
    }
  }

  /// What changed so far, the first look included.
  var changes: [Change] { seen.withLock { $0.changes } }
  /// How often it looked.
  var looks: Int { seen.withLock { $0.looks } }
  /// The fewest and the most that were online at any look.
  var fewest: Int { changes.map(\.online).min() ?? -1 }
  var most: Int { changes.map(\.online).max() ?? -1 }

  /// Ends the watch.
  func stop() {
    seen.withLock { $0.isRunning = false }
    ended.wait()
  }
}
