// How many agents of a draining server are to go by now: evenly over the time that was given, or at
// the rate that was given. Pure: the time comes in, a number goes out.

import BGBModel
import Reactor
import SiteDatabase

/// The pace of one drain.
struct DrainPace: Equatable {
  /// Agents that had to go when it began.
  let total: Int
  /// When it began.
  let startedAt: Ticks
  /// Agents that were told to go.
  private(set) var moved = 0
  private let order: DrainOrder

  /// Begins now.
  init(_ order: DrainOrder, total: Int, now: Ticks) {
    self.order = order
    self.total = total
    startedAt = now
  }

  /// How many more are to go at this moment; the first portion goes at once.
  func due(_ now: Ticks) -> Int {
    // A day is longer than any drain, and no product below can overflow.
    let elapsed = min(now.since(startedAt), 86_400_000) + Limits.drainTickMilliseconds
    if order.ratePerSecond > 0 {
      // Rounded up, or a low rate would wait for its first whole agent for ever.
      let allowed = (UInt64(order.ratePerSecond) * elapsed + 999) / 1_000
      return max(0, Int(clamping: allowed) - moved)
    }
    let within = UInt64(order.withinSeconds) * 1_000
    // Newcomers during the drain do not make it longer.
    guard elapsed < within else { return .max }
    let share = UInt64(clamping: total) * elapsed
    return max(0, Int(clamping: (share + within - 1) / within) - moved)
  }

  /// So many were told to go.
  mutating func move(_ count: Int) { moved += count }
}
