// The server's idea of calendar time: the wall clock read once, carried on by the monotonic clock,
// so that a jump of the wall clock neither expires a task nor revives one. Slow drift is followed;
// a jump is not, and is told.

import BGBModel
import Reactor

/// Calendar time by which this process judges deadlines.
struct ServerClock {
  /// Differences up to this are drift or slewing and are followed.
  static let driftMaximumMilliseconds: Int64 = 2_000

  private var anchorWall: WallTime
  private var anchorTicks: Ticks

  /// Begins with what the wall clock says now.
  init(wall: WallTime, ticks: Ticks) {
    anchorWall = wall
    anchorTicks = ticks
  }

  /// The calendar time at a moment of the monotonic clock.
  func time(at ticks: Ticks) -> WallTime {
    anchorWall.adding(milliseconds: Int64(clamping: ticks.since(anchorTicks)))
  }

  /// The moment of the monotonic clock at a calendar time; the present for times gone by.
  func ticks(of wall: WallTime, now: Ticks) -> Ticks {
    let distance = wall.since(time(at: now))
    return distance <= 0 ? now : now + UInt64(distance)
  }

  /// Compares with the wall clock; returns the jump if there was one, else follows the drift.
  mutating func follow(wall: WallTime, ticks: Ticks) -> Int64? {
    let difference = wall.since(time(at: ticks))
    if abs(difference) > ServerClock.driftMaximumMilliseconds { return difference }
    anchorWall = wall
    anchorTicks = ticks
    return nil
  }
}
