// A way to wake one waiting thread from any other: an eventfd behind a flag.
//
// The flag keeps a burst of rings down to one system call. Its order is what makes it safe: silence
// first takes the kernel's count and only then lowers the flag, so a raised flag always has a write
// behind it or on its way. The price is stated, not hidden: a ring that falls between those two
// steps is swallowed. Therefore: silence first, then look at what the bell was rung for.

import CEpollShim
import Glibc
import Synchronization

/// A bell that any thread rings and one thread hears through its ``Poller``.
public final class Bell: Sendable {
  private let descriptor: Descriptor
  private let rung = Atomic<Bool>(false)

  /// Makes a silent bell.
  ///
  /// The corresponding C function is `eventfd`.
  public init() throws(Errno) {
    descriptor = Descriptor(owning: try resultOrErrno(clinux_eventfd()))
  }

  /// The number to watch for ``Readiness/readable``.
  public var fd: Int32 { descriptor.raw }

  /// Whether the bell was rung and not silenced since; false may turn true at any moment.
  public var isRung: Bool { rung.load(ordering: .acquiring) }

  /// Wakes the listener, from any thread; one system call at most, none if the bell is ringing
  /// already.
  public func ring() {
    if rung.exchange(true, ordering: .acquiringAndReleasing) { return }
    var one: UInt64 = 1
    // EAGAIN would mean 2^64 - 2 unheard rings: the listener is awake then. EINTR cannot happen to
    // a write that does not block.
    if unsafe write(descriptor.raw, &one, 8) == -1 { trapIfOurFault(.current, "write to a bell") }
  }

  /// Ends the ringing; called by the listener *before* it looks at what the bell announces.
  public func silence() {
    var rings: UInt64 = 0
    // Nothing to read: the write of a ring is still on its way, and will wake the listener once
    // more.
    guard unsafe read(descriptor.raw, &rings, 8) == 8 else { return }
    _ = rung.exchange(false, ordering: .acquiringAndReleasing)
  }
}
