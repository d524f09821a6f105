// Manual time stands still until it is moved.

import Reactor
import Testing

@Suite struct TimeSourceTests {
  @Test func bothClocksMoveTogetherAndTheWallAlsoAlone() {
    let time = ManualTime(now: Ticks(milliseconds: 50), wall: 1_000)
    let source = time.source
    #expect(source.now() == Ticks(milliseconds: 50))
    time.advance(by: 25)
    #expect(source.now() == Ticks(milliseconds: 75))
    #expect(source.wall() == 1_025)
    time.setWall(-9)
    #expect(source.wall() == -9)
    #expect(source.now() == Ticks(milliseconds: 75), "durations do not see the jump")
    time.advance(to: Ticks(milliseconds: 70))
    #expect(source.now() == Ticks(milliseconds: 75))
    time.advance(to: Ticks(milliseconds: 80))
    #expect(source.wall() == -4)
    #expect(!source.passesByItself)
  }
}
