// Deadlines do not move when the wall clock jumps.

import BGBModel
import Reactor
import Testing

@testable import BGBServer

struct ServerClockTests {
  private let origin = Ticks(milliseconds: 1_000)

  @Test func timeGoesOnWithTheMonotonicClock() {
    let clock = ServerClock(wall: Sample.start, ticks: origin)
    #expect(clock.time(at: origin) == Sample.start)
    #expect(clock.time(at: origin + 3_600_000) == Sample.start.adding(milliseconds: 3_600_000))
  }

  @Test(arguments: [-3_600_000 as Int64, -2_001, 2_001, 7_200_000])
  func aJumpIsToldAndNotFollowed(_ jump: Int64) {
    var clock = ServerClock(wall: Sample.start, ticks: origin)
    let wall = Sample.start.adding(milliseconds: 60_000 + jump)
    let answer1 = clock.follow(wall: wall, ticks: origin + 60_000)
    #expect(answer1 == jump)
    #expect(clock.time(at: origin + 60_000) == Sample.start.adding(milliseconds: 60_000))
  }

  @Test(arguments: [-2_000 as Int64, -1, 0, 1, 2_000])
  func driftIsFollowed(_ drift: Int64) {
    var clock = ServerClock(wall: Sample.start, ticks: origin)
    let wall = Sample.start.adding(milliseconds: 60_000 + drift)
    let answer2 = clock.follow(wall: wall, ticks: origin + 60_000)
    #expect(answer2 == nil)
    #expect(clock.time(at: origin + 60_000) == wall)
  }

  @Test func calendarTimesBecomeTicks() {
    let clock = ServerClock(wall: Sample.start, ticks: origin)
    let now = origin + 500
    #expect(clock.ticks(of: Sample.start.adding(milliseconds: 2_500), now: now) == origin + 2_500)
    #expect(clock.ticks(of: Sample.start, now: now) == now)
  }
}
