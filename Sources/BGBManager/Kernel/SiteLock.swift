// One manager per site: an advisory lock on a file in the run folder, held for the life of the
// process and freed by the kernel however the process ends. A file with a process number would
// outlive its process.

import Glibc
import Reactor

/// The lock that a running manager holds on its site.
final class SiteLock: Sendable {
  private let descriptor: Descriptor

  /// Takes the lock, or says who failed to give it: `wouldBlock` means that another manager runs.
  ///
  /// The corresponding C function is `flock`.
  init(_ path: String) throws(Errno) {
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
    let number = unsafe open(path, flags, 0o600)
    if number == -1 { throw .current }
    descriptor = Descriptor(owning: number)
    if flock(descriptor.raw, LOCK_EX | LOCK_NB) == -1 { throw .current }
  }
}
