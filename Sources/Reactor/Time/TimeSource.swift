// Time as a parameter: the machine's clocks, or hands that a test moves.
//
// Whoever needs to know the time is given a TimeSource when it is made. Under ManualTime nothing
// passes by itself, and a Loop then never asks the kernel to sleep: the test decides when it is
// later.

import Synchronization

/// Where a part of the program gets the time from.
public struct TimeSource: Sendable {
  /// The present moment of monotonic time.
  public var now: @Sendable () -> Ticks
  /// The present wall time, in milliseconds since 1970 in UTC.
  public var wall: @Sendable () -> Int64
  /// Whether time passes by itself, so that waiting for a later moment makes sense.
  public var passesByItself: Bool

  /// Makes a source of the two clocks.
  public init(
    now: @escaping @Sendable () -> Ticks, wall: @escaping @Sendable () -> Int64,
    passesByItself: Bool = true
  ) {
    self.now = now
    self.wall = wall
    self.passesByItself = passesByItself
  }

  /// The machine's own clocks.
  public static let system = TimeSource(
    now: { MonotonicClock.now() }, wall: { WallClock.nowMilliseconds() })
}

/// A clock that stands still until a test or a simulation moves it; usable from any thread.
public final class ManualTime: Sendable {
  private struct Hands {
    var now: Ticks
    var wall: Int64
  }

  private let hands: Mutex<Hands>

  /// Sets both clocks; the default wall time is the beginning of 2026.
  public init(now: Ticks = Ticks(milliseconds: 1_000), wall: Int64 = 1_767_225_600_000) {
    hands = Mutex(Hands(now: now, wall: wall))
  }

  /// The present moment of this clock.
  public var now: Ticks { hands.withLock { $0.now } }

  /// The present wall time of this clock, in milliseconds since 1970.
  public var wall: Int64 { hands.withLock { $0.wall } }

  /// Lets time pass: both clocks move on together.
  public func advance(by milliseconds: UInt64) {
    hands.withLock { hands in
      hands.now = hands.now + milliseconds
      hands.wall = hands.wall &+ Int64(clamping: milliseconds)
    }
  }

  /// Lets time pass until a moment; does nothing if it is past already.
  public func advance(to moment: Ticks) {
    hands.withLock { hands in
      let step = moment.since(hands.now)
      hands.now = hands.now + step
      hands.wall = hands.wall &+ Int64(clamping: step)
    }
  }

  /// Makes the wall clock jump, and only that one.
  public func setWall(_ milliseconds: Int64) {
    hands.withLock { $0.wall = milliseconds }
  }

  /// The source to hand to what is tested.
  public var source: TimeSource {
    TimeSource(now: { self.now }, wall: { self.wall }, passesByItself: false)
  }
}
