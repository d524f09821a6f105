// When keep-alives may wait for company: only in a calm that anything else ends, and only while
// they are neither so rare nor so many that it would save nothing.

import BGBModel
import BGBWire
import Reactor
import Testing

@testable import BGBServer

struct LullTests {
  private func at(_ milliseconds: UInt64) -> Ticks { Ticks(milliseconds: milliseconds) }

  /// A lull into whose second that ended at 10,000 ms so many events fell, one by one.
  private func lull(events: Int, stirredAt: UInt64 = 0) -> Lull {
    var lull = Lull()
    lull.stir(at: at(stirredAt))
    lull.note(events: 0, at: at(9_000))
    for _ in 0..<events { lull.note(events: 1, at: at(9_500)) }
    lull.note(events: 0, at: at(10_000))
    return lull
  }

  @Test func companyIsWaitedForBetweenTooFewAndTooMany() {
    let events = [Lull.eventsMin - 1, Lull.eventsMin, Lull.eventsMax, Lull.eventsMax + 1]
    let pauses = events.map { lull(events: $0).pauseMilliseconds(at: at(10_000)) }
    #expect(pauses == [0, 500, 500, 0])
  }

  @Test func calmBeginsFiveSecondsAfterTheLastStir() {
    let lull = lull(events: 20, stirredAt: 8_000)
    #expect(lull.pauseMilliseconds(at: at(12_999)) == 0)
    #expect(lull.pauseMilliseconds(at: at(13_000)) == 500)
  }

  @Test func aFloodEndsItWithinItsSecond() {
    var lull = lull(events: 20)
    lull.note(events: Lull.eventsMax, at: at(10_500))
    #expect(lull.pauseMilliseconds(at: at(10_500)) == 500)
    lull.note(events: 1, at: at(10_501))
    #expect(lull.pauseMilliseconds(at: at(10_501)) == 0)
  }

  @Test func aSecondWithoutNewsIsNotSkippedOver() {
    var lull = lull(events: 20)
    lull.note(events: 1, at: at(12_000))
    #expect(lull.pauseMilliseconds(at: at(12_000)) == 0)
  }

  /// A shard with an agent that tells often enough that it lives.
  private func calm() throws -> (ShardHarness, TestAgent) {
    let harness = try ShardHarness { $0.keepAliveSeconds = 86_400 }
    let agent = try harness.signedIn(1)
    try harness.pass(60_000, with: [agent])
    try keepAlive(harness, agent)
    return (harness, agent)
  }

  /// Six seconds of five keep-alives each.
  private func keepAlive(_ harness: ShardHarness, _ agent: TestAgent) throws {
    for _ in 0..<6 {
      for _ in 0..<5 {
        let told = harness.shard.counters.keepAlives
        agent.send(.keepAlive(KeepAlive(clock: harness.now)))
        try harness.turn("keep-alive", with: [agent]) {
          harness.shard.counters.keepAlives == told + 1
        }
      }
      try harness.pass(1_000, with: [agent])
    }
  }

  @Test func keepAlivesAloneAreCalm() throws {
    let (harness, _) = try calm()
    #expect(harness.shard.companyMilliseconds == Lull.pauseMilliseconds)
  }

  @Test func aLetterANewcomerAndAnyOtherMessageEndIt() throws {
    let (harness, agent) = try calm()
    harness.shardBox.post(.siteReachable(true))
    try harness.turn()
    #expect(harness.shard.companyMilliseconds == 0, "a letter")
    try keepAlive(harness, agent)
    #expect(harness.shard.companyMilliseconds > 0)
    agent.send(.liveData(LiveData([])))
    let frames = harness.shard.counters.framesIn
    try harness.turn("facts", with: [agent]) { harness.shard.counters.framesIn > frames }
    #expect(harness.shard.companyMilliseconds == 0, "facts")
    try keepAlive(harness, agent)
    #expect(harness.shard.companyMilliseconds > 0)
    let other = try harness.agent(2)
    try harness.turn("newcomer", with: [other]) { harness.shard.newcomers == 1 }
    #expect(harness.shard.companyMilliseconds == 0, "a newcomer")
  }

  @Test func aRequestEndsIt() throws {
    let (harness, agent) = try calm()
    let shard = harness.shard
    let before = shard.counters.accepted
    let watch = try #require(shard.listeners.first { $0.role == .watch })
    let peer = try StreamSocket.connect(to: watch.listener.boundAddress)
    try harness.turn("health", with: [agent]) { shard.counters.accepted > before }
    #expect(shard.companyMilliseconds == 0)
    _ = peer.raw
  }
}
