// Hears that a file was put into a folder. It is only a doorbell: who hears it looks at the folder
// itself, and a sweep every few seconds finds what a lost ring would have announced.

import Glibc
import Reactor

/// A descriptor that becomes readable when a file appears in a folder under its final name.
struct FolderBell: ~Copyable {
  private let descriptor: Descriptor

  /// Starts to listen.
  ///
  /// The corresponding C functions are `inotify_init1` and `inotify_add_watch`.
  init(_ path: String) throws(Errno) {
    let number = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    if number == -1 { throw .current }
    let owned = Descriptor(owning: number)
    // Reports appear by being renamed; a file copied by hand is complete when it is closed.
    let wanted = UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_ONLYDIR)
    if unsafe inotify_add_watch(owned.raw, path, wanted) == -1 { throw .current }
    descriptor = owned
  }

  /// The number to watch for readability.
  var fd: Int32 { descriptor.raw }

  /// Ends the ringing; whether there was any.
  func silence() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 16_384)
    var heard = false
    while unsafe read(descriptor.raw, &buffer, buffer.count) > 0 { heard = true }
    return heard
  }
}
