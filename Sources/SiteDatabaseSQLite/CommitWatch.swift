// Whether anybody commits, told by the kernel: every commit of whatever process writes to the
// write-ahead log. It lets those who wait for news sleep where they would look at the database
// every second, and still not depend on a bell alone.

import Glibc

/// Watches the write-ahead log of a database while it lives (inotify(7)).
final class CommitWatch {
  /// Readable once somebody has written.
  let descriptor: Int32

  /// Begins to watch; nil when the kernel has no room for it, or there is no log.
  init?(of database: String) {
    descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { return nil }
    guard unsafe inotify_add_watch(descriptor, database + "-wal", UInt32(IN_MODIFY)) >= 0 else {
      close(descriptor)
      return nil
    }
  }

  deinit { close(descriptor) }

  /// Forgets what was written so far.
  func forget() {
    var room = [UInt8](repeating: 0, count: 4_096)
    while unsafe read(descriptor, &room, room.count) > 0 {}
  }
}

@available(*, unavailable)
extension CommitWatch: Sendable {}
