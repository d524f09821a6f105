// A hierarchical timer wheel: arming, moving, disarming and expiring cost the same at ten timers
// and at a million.
//
// Time is read as digits to the base 64, and there is one level for each of the eleven digits of a
// 64-bit number of milliseconds; so there is no deadline that is too far, and no special place for
// one. An entry sits at the level of the highest digit in which its deadline differs from the
// wheel's present, in the slot of that digit:
//
//     present ... 3 17 42     deadline ... 3 17 50   differs in digit 0: level 0, slot 50
//                             deadline ... 3 20  1   differs in digit 1: level 1, slot 20
//
// From this follows everything else. Above the level an entry shares all digits with the present,
// so slots never wrap, and slots of a lower level all come before those of a higher one. When the
// present enters the range of a slot, its entries differ in a lower digit only and move down (they
// "cascade"), at most ten times in the life of a timer and three times for one of fifteen minutes.
// A level-0 slot holds one exact millisecond: whatever the present reaches there has expired. One
// 64-bit mask per level, and one mask of levels, tell where the next entries are: nothing is ever
// scanned.
//
// Each slot keeps the earliest deadline it was given, so the next wake-up is exact even when it
// lies in a coarse slot. Disarming does not recompute it: the price is one wake-up that finds
// nothing, paid at most once for each slot, while timers that only move later (keep-alives) cost no
// wheel work at all when their owner compares its own deadline at expiry.
//
// Pulled, never calling back: advance, then popExpired until the batch that advance announced is
// done. Order is exact: by deadline, and among equals in the order of arming. checkInvariants() and
// the slow twin in the tests hold this text against the code.

/// The name of one armed timer; stale as soon as it expired or was disarmed.
@frozen
public struct TimerHandle: Hashable, Sendable {
  @usableFromInline let index: UInt32
  @usableFromInline let generation: UInt32
}

/// Timers by the million, in milliseconds.
///
/// Belongs to the thread that made it. Every operation is O(1), expiry amortised over the timers'
/// lives.
public final class TimerWheel {
  var core: WheelCore

  /// How many timers are armed, expired ones that were not popped yet included.
  public var count: Int { core.count }

  /// Makes an empty wheel whose present is `now`, with room for some timers from the start.
  public init(now: Ticks, reserving capacity: Int = 0) {
    core = WheelCore(present: now.milliseconds, reserving: capacity)
  }

  /// The moment up to which the wheel has been advanced.
  public var now: Ticks { Ticks(milliseconds: core.slots.present) }

  /// How many timers have expired and wait to be popped.
  public var expiredCount: Int { core.slots.expiredCount }

  /// How many entries were moved to a lower level so far; what keeping time costs.
  public var cascades: UInt64 { core.slots.cascades }

  /// Arms a timer that carries 64 bits of the caller's, usually a ``Token``.
  ///
  /// A deadline that is not after the wheel's present has expired already; it is popped after those
  /// that expired before.
  public func arm(deadline: Ticks, payload: UInt64) -> TimerHandle {
    core.arm(deadline.milliseconds, payload)
  }

  /// Disarms a timer; false if it was popped or disarmed before.
  ///
  /// One that expired but was not popped yet can still be disarmed.
  @discardableResult
  public func disarm(_ handle: TimerHandle) -> Bool {
    core.disarm(handle)
  }

  /// Gives an armed timer another deadline and keeps its handle; false if it was popped or
  /// disarmed.
  @discardableResult
  public func move(_ handle: TimerHandle, to deadline: Ticks) -> Bool {
    core.move(handle, to: deadline.milliseconds)
  }

  /// Whether the timer is armed, or expired and not popped yet.
  public func isArmed(_ handle: TimerHandle) -> Bool {
    core.isArmed(handle)
  }

  /// Makes a moment the present and gathers what has expired by then; answers how many wait to be
  /// popped.
  ///
  /// Time does not go back: an earlier moment changes nothing.
  @discardableResult
  public func advance(to moment: Ticks) -> Int {
    core.advance(to: moment.milliseconds)
    return core.slots.expiredCount
  }

  /// The payload of the next expired timer, which is disarmed by this; nil when there is none.
  ///
  /// Bound a batch by the number ``advance(to:)`` answered, or a handler that arms a timer for now
  /// would be called for ever.
  public func popExpired() -> UInt64? {
    core.popExpired()
  }

  /// The moment to advance to next, never later than the lowest deadline; nil when nothing is
  /// armed.
  ///
  /// It is the present when something has expired already.
  public func nextWake() -> Ticks? {
    core.slots.nextWake.map { Ticks(milliseconds: $0) }
  }
}

@available(*, unavailable)
extension TimerWheel: Sendable {}
