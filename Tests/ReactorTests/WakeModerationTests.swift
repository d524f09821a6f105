// Only a loop that is woken often within a millisecond lets events gather, and not for longer than
// it is worth it.

import Testing

@testable import Reactor

struct WakeModerationTests {
  private func at(_ milliseconds: UInt64) -> Ticks { Ticks(milliseconds: milliseconds) }

  @Test func aQuietLoopNeverGathers() {
    var moderation = WakeModeration()
    for tick in 1...100 as ClosedRange<UInt64> {
      for _ in 1..<WakeModeration.waitsMax {
        moderation.note(events: 50, slept: true, at: at(tick))
      }
      #expect(!moderation.gathers)
    }
  }

  @Test func aDenseOneGathersUntilItIsNotWorthIt() {
    var moderation = WakeModeration()
    for _ in 0..<WakeModeration.waitsMax { moderation.note(events: 1, slept: true, at: at(7)) }
    #expect(moderation.gathers)
    for tick in 8...20 as ClosedRange<UInt64> {
      moderation.note(events: WakeModeration.eventsMin, slept: true, at: at(tick))
      #expect(moderation.gathers)
    }
    moderation.note(events: WakeModeration.eventsMin - 1, slept: true, at: at(21))
    #expect(!moderation.gathers)
  }

  @Test func workInHandIsNotHeldUp() {
    var moderation = WakeModeration()
    for _ in 0..<100 { moderation.note(events: 1, slept: false, at: at(7)) }
    #expect(!moderation.gathers)
    for _ in 0..<WakeModeration.waitsMax { moderation.note(events: 1, slept: true, at: at(8)) }
    #expect(moderation.gathers)
    moderation.note(events: 9, slept: false, at: at(8))
    #expect(!moderation.gathers)
  }

  /// A bell that is rung by each turn keeps a loop busy: one that may gather then does.
  @Test func aLoopThatMayGatherDoes() throws {
    for mayGather in [false, true] {
      let loop = try Loop(mayGather: mayGather)
      let bell = try Bell()
      try loop.poller.add(bell.fd, .bell, .readable)
      for _ in 0..<1_000 {
        bell.ring()
        _ = try loop.wait(maySleep: true)
      }
      #expect((loop.gatherings > 0) == mayGather)
    }
  }
}
