// Moments saturate and never wrap.

import Reactor
import Testing

@Suite struct TicksTests {
  @Test func arithmeticSaturates() {
    #expect(Ticks(milliseconds: 5) + 7 == Ticks(milliseconds: 12))
    #expect(Ticks(milliseconds: .max - 1) + 7 == .never)
    #expect(Ticks.never + .max == .never)
    #expect(Ticks(milliseconds: 5) - 7 == .zero)
    #expect(Ticks(milliseconds: 9).since(Ticks(milliseconds: 4)) == 5)
    #expect(Ticks(milliseconds: 4).since(Ticks(milliseconds: 9)) == 0)
  }

  @Test func momentsAreOrdered() {
    #expect(Ticks.zero < .never)
    #expect(Ticks(milliseconds: 1 << 32) > Ticks(milliseconds: (1 << 32) - 1))
  }

  @Test func theMachinesClockDoesNotGoBack() {
    var last = MonotonicClock.now()
    for _ in 0..<1_000 {
      let now = MonotonicClock.now()
      #expect(now >= last)
      last = now
    }
    #expect(WallClock.nowMilliseconds() > 1_767_225_600_000, "after the beginning of 2026")
  }
}
