// What a shard does without being asked, and above all when it does nothing (Shard+House.swift): a
// server that nobody speaks to sleeps, and keeps every promise all the same.

import BGBModel
import BGBWire
import Reactor
import Testing
import Transports

@testable import BGBServer

struct ShardHouseTests {
  /// How long the next wait would sleep.
  private func sleep(_ harness: ShardHarness) -> UInt64 {
    let shard = harness.shard
    return UInt64(shard.loop.sleepMilliseconds(maySleep: !shard.hasWorkInHand))
  }

  /// An agent that is signed in, told, and silent.
  private func quiet(
    _ change: (inout ShardSettings) -> Void = { _ in }
  ) throws -> (ShardHarness, TestAgent) {
    let harness = try ShardHarness { settings in
      settings.keepAliveSeconds = 86_400
      change(&settings)
    }
    let agent = try harness.signedIn(1)
    // The first report waits for those who may come back from an earlier run.
    let window = UInt64(Limits.crashWindowSeconds) * 1_000
    try harness.pass(window, with: [agent])
    #expect(harness.presenceReports().count == 1)
    // And house is kept for the first time.
    try harness.pass(60_000 - window, with: [agent])
    return (harness, agent)
  }

  @Test func whoIsInLeavesNoDeadlineOfTheHandshakeBehind() throws {
    let harness = try ShardHarness { $0.keepAliveSeconds = 900 }
    let agent = try harness.signedIn(1)
    try harness.settle(with: [agent])
    let start = harness.shard.loop.now
    let wake = try #require(harness.shard.loop.wheel.nextWake())
    #expect(wake.since(start) > Limits.handshakeMilliseconds)
    var deadlines: [UInt64] = []
    harness.shard.connections.forEach { deadlines.append($1.timerDeadline.since($1.lastHeard)) }
    #expect(deadlines == [900_000 * Limits.keepAliveExpiryTenths / 10])
  }

  @Test func nobodySpeaksAndNothingWakes() throws {
    let (harness, _) = try quiet()
    #expect(harness.shard.loop.sleepMaximumMilliseconds < Int32.max)
    let house = try #require(harness.shard.loop.wheel.nextWake())
    #expect(house.since(harness.shard.loop.now) == Shard.quietMilliseconds)
    // The periods of both reports pass without a wish to be woken.
    harness.time.advance(by: 599_999)
    #expect(sleep(harness) == 1)
    try harness.pass(1)
    #expect(harness.shard.loop.wheel.nextWake() != house)
    #expect(harness.reports.count == 1)
  }

  @Test func aChangeIsToldAtTheNextBeatAsIfTheClockHadNeverStopped() throws {
    let (harness, agent) = try quiet { $0.presencePeriodMilliseconds = 100_000 }
    // The first report was due after 50 s; so the beats are at 150, 250, ...
    try harness.pass(120_000)
    agent.drop()
    try harness.turn("loss") { harness.shard.registry.onlineCount == 0 }
    #expect(sleep(harness) == 60_000, "the loop's own ceiling in this harness")
    try harness.pass(69_999)
    #expect(harness.presenceReports().count == 1)
    #expect(sleep(harness) == 1)
    try harness.pass(1)
    #expect(harness.presenceReports().map(\.scope) == [.full, .delta])
  }

  @Test func anOutcomeIsReportedWithinItsPeriod() throws {
    let (harness, agent) = try quiet { $0.outcomePeriodMilliseconds = 10_000 }
    try harness.pass(3_000, with: [agent])
    let plan = try Sample.plan(
      targets: 1, notBefore: harness.now, deliverBefore: harness.now.adding(milliseconds: 60_000))
    harness.shardBox.post(.task(plan))
    try harness.turn("push", with: [agent]) { agent.pushes.count == 1 }
    // Not a final one, which would not wait.
    agent.send(
      .taskOutcome(
        OutcomeReport(
          pushID: agent.pushes[0].pushID, sequence: 1,
          outcome: TaskOutcome(taskID: Sample.task(1), state: .started, at: harness.now))))
    try harness.turn("outcome", with: [agent]) { harness.shard.counters.outcomes == 1 }
    try harness.settle(with: [agent])
    #expect(harness.outcomeRecords().isEmpty)
    try harness.pass(6_999, with: [agent])
    #expect(harness.outcomeRecords().isEmpty)
    try harness.pass(1, with: [agent])
    #expect(harness.outcomeRecords().count == 1, "70 s after the start is a beat of ten seconds")
    // And silence again.
    let next = try #require(harness.shard.loop.wheel.nextWake())
    #expect(next.since(harness.shard.loop.now) > 60_000)
  }

  @Test func aTaskOfAClockAheadIsPushedWhenItsTimeHasCome() throws {
    let (harness, agent) = try quiet()
    let begin = harness.now.adding(milliseconds: 1_500)
    let plan = try Sample.plan(
      targets: 1, notBefore: begin, deliverBefore: begin.adding(milliseconds: 60_000))
    harness.shardBox.post(.task(plan))
    try harness.settle(with: [agent])
    #expect(sleep(harness) == 1_000, "not longer than a second while somebody waits")
    try harness.pass(1_000, with: [agent])
    #expect(sleep(harness) == 500)
    #expect(agent.pushes.isEmpty)
    try harness.pass(500, with: [agent])
    try harness.turn("push", with: [agent]) { agent.pushes.count == 1 }
  }

  @Test func houseIsKeptOnceAMinuteByWhoIsAwakeAndOnceInTenByWhoIsNot() throws {
    let (harness, agent) = try quiet()
    let file = ReconnectKeyFile(path: "/nowhere", rotationSeconds: 86_400, keptSeconds: 60)
    harness.shard.reconnectFile = file
    harness.shard.planHouse()
    for _ in 0..<5 { try harness.pass(13_000, with: [agent]) }
    #expect(harness.tended.count == 1)
    let asleep = try #require(harness.shard.loop.wheel.nextWake())
    #expect(asleep.since(harness.shard.loop.now) > 500_000)
    try harness.pass(asleep.since(harness.shard.loop.now))
    #expect(harness.tended.count == 2)
  }

  @Test func aShortRotationIsNotSleptThrough() throws {
    let (harness, _) = try quiet()
    harness.shard.reconnectFile = ReconnectKeyFile(
      path: "/nowhere", rotationSeconds: 120, keptSeconds: 60)
    harness.shard.planHouse()
    let house = try #require(harness.shard.loop.wheel.nextWake())
    #expect(house.since(harness.shard.loop.now) == 120_000)
  }

  @Test func theClockIsFollowedBeforeAnythingIsJudgedByIt() throws {
    let (harness, agent) = try quiet()
    let drifted = harness.time.wall + 1_900
    harness.time.advance(by: 300_000)
    harness.time.setWall(drifted + 300_000)
    agent.send(.keepAlive(KeepAlive(clock: harness.now)))
    try harness.settle(with: [agent])
    #expect(harness.shard.wallNow.milliseconds == harness.time.wall)
  }

  @Test func memoryIsGivenBackOnceAfterAFlood() throws {
    let (harness, agent) = try quiet()
    #expect(!harness.shard.isOwnArmed(.memoryLook))
    harness.shard.counters.handshakesReconnect += 2_000
    try harness.settle(with: [agent])
    #expect(harness.shard.isOwnArmed(.memoryLook))
    try harness.pass(MemoryTide.lookMilliseconds, with: [agent])
    #expect(harness.shard.counters.memoryGivenBack == 0, "it may go on")
    try harness.pass(MemoryTide.lookMilliseconds, with: [agent])
    #expect(harness.shard.counters.memoryGivenBack == 1)
    #expect(harness.shard.pool.kept == 0)
    #expect(!harness.shard.isOwnArmed(.memoryLook))
    #expect(harness.shard.metricsText().contains("\nbgb_memory_given_back_total 1\n"))
  }

  @Test func handshakesThatAreOverAreForgotten() throws {
    let harness = try ShardHarness()
    var agents: [TestAgent] = []
    for number in 1...6 as ClosedRange<UInt64> { agents.append(try harness.signedIn(number)) }
    #expect(harness.shard.admission.orderedCount <= 1)
    withExtendedLifetime(agents) {}
  }

  @Test(
    arguments: [(0, 10), (9, 10), (10, 20), (19, 20), (20, 30), (105, 110)] as [(UInt64, UInt64)])
  func beatsLieBehindTheMoment(_ now: UInt64, _ beat: UInt64) {
    let beginning = Ticks(milliseconds: 10)
    let next = Ticks(milliseconds: now).next(inStepsOf: 10, from: beginning)
    #expect(next == Ticks(milliseconds: beat))
  }

  @Test func aStepOfNothingOrOfForEverIsNoTrap() {
    let now = Ticks(milliseconds: 50)
    #expect(now.next(inStepsOf: 0, from: .zero) == Ticks(milliseconds: 51))
    #expect(now.next(inStepsOf: .max, from: Ticks(milliseconds: 10)) == .never)
  }
}
