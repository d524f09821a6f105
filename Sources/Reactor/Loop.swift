// What every turn of an event loop needs: the poller, the clock sampled once, the wheel, the
// decision to sleep.
//
// Loop has no handlers and calls nobody. Its owner (a server's shard, an agent's link) writes the
// turn on one screen and calls the phases in its own order:
//
//     let ready = try loop.wait(maySleep: leftovers.isEmpty)
//     letters; leftovers; for i in 0..<ready { loop.ready[i] }; accept; handshakes
//     for _ in 0..<loop.gatherExpired() { if let payload = loop.popExpired() { ... } }
//     push; flush; reap
//
// Sleeping with work in hand is the one mistake a loop must not make, so that decision is one pure
// method.

/// The poller, clock and wheel of one thread.
///
/// Belongs to the thread that made it.
public final class Loop {
  /// The descriptors this thread waits for.
  public let poller: Poller
  /// What the last ``wait(maySleep:)`` found.
  public let ready: ReadyList
  /// This thread's timers.
  public let wheel: TimerWheel
  /// Where the time comes from.
  public let time: TimeSource
  /// The longest one wait may last, in milliseconds.
  ///
  /// The kernel's waits do not count the time a machine is suspended, while deadlines do: after
  /// waking up a laptop's timers are late by at most this.
  public let sleepMaximumMilliseconds: Int32
  /// The moment of this turn: sampled when the wait ended, the same for everybody within the turn.
  public var now: Ticks { moment }
  // Not public itself: an object's property that other modules can reach is asked at each access
  // whether anybody else is at it, and this one is asked several times for each event.
  private var moment: Ticks
  /// How many turns have begun.
  public private(set) var turns: UInt64 = 0
  /// How many waits were preceded by a pause, for events to gather.
  public private(set) var gatherings: UInt64 = 0
  /// How many waits were preceded by a pause for company.
  public private(set) var pauses: UInt64 = 0
  private let mayGather: Bool
  private var moderation = WakeModeration()
  /// What ends a pause for company, and room for its news, which the wait behind it tells.
  private let urgent: Poller
  private let urgentReady = ReadyList(capacity: 1)

  /// Makes a loop with no descriptors and no timers.
  ///
  /// With `mayGather`, events that come fast one by one may be told a millisecond late and
  /// together.
  public init(
    time: TimeSource = .system, readyCapacity: Int = 1024, timerCapacity: Int = 0,
    sleepMaximumMilliseconds: Int32 = 60_000, mayGather: Bool = false
  ) throws(Errno) {
    precondition(sleepMaximumMilliseconds > 0, "a sleep lasts some time")
    self.time = time
    self.sleepMaximumMilliseconds = sleepMaximumMilliseconds
    self.mayGather = mayGather && time.passesByItself
    poller = try Poller()
    urgent = try Poller()
    ready = ReadyList(capacity: readyCapacity)
    moment = time.now()
    wheel = TimerWheel(now: moment, reserving: timerCapacity)
  }

  /// Lets news of a watched descriptor end a pause for company; closing its last copy undoes it.
  public func hurry(for fd: Int32) throws(Errno) { try urgent.add(fd, .bell, .readable) }

  /// Undoes ``hurry(for:)``.
  public func stopHurrying(for fd: Int32) throws(Errno) { try urgent.remove(fd) }

  /// Begins a turn: waits for readiness or for the next timer, samples the time, says how many are
  /// ready.
  ///
  /// Pass false while anything is left to do that no descriptor will announce (bytes inside
  /// OpenSSL, an unfinished batch): the wait then only looks. With `atMost` it reports no more than
  /// so many, for turns that shall be short: the kernel tells of the others next, in their turn.
  /// With `companyMilliseconds` a wait that may sleep first lets as much time pass for news to come
  /// together, timers with them; news of those whom the loop hurries for end that at once.
  public func wait(
    maySleep: Bool, atMost: Int = .max, companyMilliseconds: Int32 = 0
  ) throws(Errno) -> Int {
    if companyMilliseconds > 0, maySleep, time.passesByItself {
      pauses &+= 1
      _ = try urgent.wait(into: urgentReady, timeoutMilliseconds: companyMilliseconds)
    } else if mayGather, maySleep, moderation.gathers {
      gatherings &+= 1
      KernelThread.pause(microseconds: WakeModeration.microseconds)
    }
    // Under a manual clock a sleep would never end by itself; the test moves the clock instead.
    let timeout = time.passesByItself ? sleepMilliseconds(maySleep: maySleep) : 0
    let count = try poller.wait(into: ready, atMost: atMost, timeoutMilliseconds: timeout)
    moment = max(moment, time.now())
    turns &+= 1
    if mayGather { moderation.note(events: count, slept: maySleep, at: now) }
    return count
  }

  /// How long the next wait may sleep: 0 with work in hand, else until the next timer, else the
  /// maximum.
  ///
  /// Reads the clock anew: the turn that just ended took time, and counting from its beginning
  /// would oversleep by that much.
  public func sleepMilliseconds(maySleep: Bool) -> Int32 {
    guard maySleep else { return 0 }
    guard let wake = wheel.nextWake() else { return sleepMaximumMilliseconds }
    return Int32(clamping: min(UInt64(sleepMaximumMilliseconds), wake.since(time.now())))
  }

  /// Arms a timer so many milliseconds after the moment of this turn.
  public func arm(afterMilliseconds milliseconds: UInt64, payload: UInt64) -> TimerHandle {
    wheel.arm(deadline: now + milliseconds, payload: payload)
  }

  /// Brings the wheel to the moment of this turn and says how many timers to pop.
  ///
  /// Pop at most that many: a timer that a handler arms for now then waits for the next turn, which
  /// does not sleep.
  public func gatherExpired() -> Int { wheel.advance(to: now) }

  /// The payload of the next expired timer, or nil if it was disarmed meanwhile.
  public func popExpired() -> UInt64? { wheel.popExpired() }
}

@available(*, unavailable)
extension Loop: Sendable {}
