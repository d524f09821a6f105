// epoll, four verbs wide: add, modify, remove, wait.
//
// Level triggered unless asked otherwise, because then nothing is lost when a turn stops early:
// what is still ready is reported again. The price is that the kernel looks at each reported
// descriptor twice, to find that nothing is left; who knows that by himself asks for `onceEach`.
// The caller passes the buffer in, so waiting allocates nothing.

import CEpollShim
import Glibc

/// The set of descriptors one thread waits for.
///
/// Belongs to the thread that made it.
public final class Poller {
  private let descriptor: Descriptor

  /// Makes an empty set.
  ///
  /// The corresponding C function is `epoll_create1`.
  public init() throws(Errno) {
    descriptor = Descriptor(owning: try resultOrErrno(cepoll_create()))
  }

  /// Starts watching a descriptor; its events will carry the token.
  ///
  /// Throws `exists` if it is watched already, and ENOSPC at the user's limit of watches
  /// (`/proc/sys/fs/epoll/max_user_watches`). The corresponding C function is `epoll_ctl`.
  public func add(_ fd: Int32, _ token: Token, _ interest: Readiness) throws(Errno) {
    try control(CEPOLL_CTL_ADD, fd, token, interest)
  }

  /// Changes what a watched descriptor is watched for, and its token.
  ///
  /// Throws `notFound` if it is not watched.
  public func modify(_ fd: Int32, _ token: Token, _ interest: Readiness) throws(Errno) {
    try control(CEPOLL_CTL_MOD, fd, token, interest)
  }

  /// Stops watching a descriptor.
  ///
  /// Closing its last copy does the same. Events of it that were already fetched stay in the
  /// ``ReadyList``: their token tells.
  public func remove(_ fd: Int32) throws(Errno) {
    try control(CEPOLL_CTL_DEL, fd, Token(rawValue: 0), [])
  }

  /// Waits until something is ready or the time is over, and says how many are ready.
  ///
  /// A timeout of 0 asks without waiting, -1 waits without end. A signal ends the wait with 0, so
  /// that the caller looks at its clock again. It reports one at least and, if there are so many,
  /// `atMost` or what the list has room for; who was reported stands behind the others next time.
  /// The corresponding C function is `epoll_wait`.
  public func wait(
    into ready: ReadyList, atMost: Int = .max, timeoutMilliseconds: Int32
  ) throws(Errno) -> Int {
    let room = max(1, min(atMost, ready.capacity))
    let count = ready.fill(
      from: descriptor.raw, atMost: room, timeoutMilliseconds: timeoutMilliseconds)
    if count >= 0 { return Int(count) }
    let error = Errno.current
    trapIfOurFault(error, "epoll_wait")
    if error == .interrupted { return 0 }
    throw error
  }

  private func control(
    _ operation: Int32, _ fd: Int32, _ token: Token, _ interest: Readiness
  ) throws(Errno) {
    let result = cepoll_ctl(descriptor.raw, operation, fd, interest.rawValue, token.rawValue)
    if result == -1 {
      let error = Errno.current
      trapIfOurFault(error, "epoll_ctl")
      throw error
    }
  }
}

@available(*, unavailable)
extension Poller: Sendable {}

/// The events of one wait, in a buffer that is used again and again.
///
/// Belongs to the thread that made it. `@safe`: the memory is allocated and freed here alone, and
/// is read only below the count that the kernel reported. It is raw memory because an array inside
/// a class costs 20 ns an access, in checks that it is neither shared nor in use.
@safe
public final class ReadyList {
  private let events: UnsafeMutablePointer<cepoll_event>
  /// How many events one wait can report.
  public let capacity: Int
  /// How many events the last wait found.
  public var count: Int { found }
  // Not public itself: a property that other modules can reach is asked at each access whether
  // anybody else is at it, and this one is asked for each event.
  private var found = 0

  /// Makes a list for at most so many events a wait; what does not fit is reported by the next
  /// wait.
  public init(capacity: Int = 1024) {
    precondition(capacity > 0, "a wait must be able to report something")
    precondition(capacity <= Int(Int32.max), "epoll counts events with 31 bits")
    self.capacity = capacity
    unsafe events = .allocate(capacity: capacity)
    unsafe events.initialize(
      repeating: cepoll_event(readiness: 0, token: 0), count: capacity)
  }

  deinit { unsafe events.deallocate() }

  /// One event of the last wait.
  public subscript(index: Int) -> (token: Token, readiness: Readiness) {
    precondition(index >= 0, "an event has a place")
    precondition(index < found, "beyond the events of this wait")
    let event = unsafe events[index]
    return (Token(rawValue: event.token), Readiness(rawValue: event.readiness))
  }

  /// Lets the kernel write up to `room` events, which the buffer has, and keeps their count.
  fileprivate func fill(
    from poller: Int32, atMost room: Int, timeoutMilliseconds: Int32
  ) -> Int32 {
    let got = unsafe cepoll_wait(poller, events, Int32(room), timeoutMilliseconds)
    found = max(0, Int(got))
    return got
  }
}

@available(*, unavailable)
extension ReadyList: Sendable {}
