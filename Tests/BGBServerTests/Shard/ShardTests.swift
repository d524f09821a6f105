// The whole shard over real TLS in virtual time: sign-in, push, outcomes, the 15-minute and
// one-hour rules at their boundaries, takeover, deny list, limits.

import BGBModel
import BGBSigning
import BGBWire
import Reactor
import Testing

@testable import BGBServer

struct ShardTests {
  private func outcome(
    _ push: PushTask, _ sequence: UInt64, _ state: TaskState = .succeeded, at: WallTime
  ) -> Message {
    .taskOutcome(
      OutcomeReport(
        pushID: push.pushID, sequence: sequence,
        outcome: TaskOutcome(taskID: Sample.task(1), state: state, at: at)))
  }

  private func plan(_ harness: ShardHarness, targets: Int, validity: Int64 = Sample.hour) throws
    -> PushPlan
  {
    try Sample.plan(
      targets: targets, notBefore: harness.now,
      deliverBefore: harness.now.adding(milliseconds: validity))
  }

  @Test func oneTaskGoesOutIsAnsweredAndReported() throws {
    let harness = try ShardHarness()
    let agents = [try harness.signedIn(1), try harness.signedIn(2)]
    #expect(harness.shard.registry.onlineCount == 2)
    let plan = try plan(harness, targets: 3)
    harness.shardBox.post(.task(plan))
    try harness.turn("pushes", with: agents) { agents.allSatisfy { $0.pushes.count == 1 } }
    for agent in agents {
      let push = agent.pushes[0]
      #expect(push.task == plan.record.signed)
      #expect(
        MerkleTree.verify(
          leaf: agent.clientID, index: Int(push.leafIndex), count: 3, path: push.path,
          root: plan.statement.targetRoot))
      agent.send(outcome(push, 7, at: harness.now))
    }
    try harness.turn("confirmation", with: agents) { agents.allSatisfy { $0.stored == [7] } }
    // Every online target has answered: the report does not wait for its period.
    try harness.turn("report", with: agents) { harness.outcomeRecords().count == 2 }
    #expect(Set(harness.outcomeRecords().map(\.clientID)) == [Sample.client(1), Sample.client(2)])
    #expect(harness.outcomeRecords().allSatisfy { $0.pushes == 1 })
  }

  /// While a task goes out, a turn makes several rounds of pushes and serves few sockets.
  @Test func deliveriesComeBeforeWhatOthersSay() throws {
    let harness = try ShardHarness {
      ($0.pushesPerRound, $0.pushRoundsPerTurn, $0.eventsWhilePushing) = (2, 2, 1)
    }
    let agents = try (1...9).map { try harness.signedIn($0) }
    harness.shardBox.post(.task(try plan(harness, targets: 9)))
    try harness.turn()
    #expect(harness.shard.counters.pushes == 4)
    for agent in agents.prefix(4) {
      agent.send(.keepAlive(KeepAlive(clock: harness.now)))
      agent.turn()
    }
    try harness.turn()
    #expect(harness.shard.counters.pushes == 8)
    #expect(harness.shard.counters.keepAlives <= 1)
    try harness.turn()
    #expect(harness.shard.counters.pushes == 9)
    #expect(harness.shard.counters.keepAlives <= 2)
    // Nothing goes out any more: everybody is served at once.
    try harness.turn()
    #expect(harness.shard.counters.keepAlives == 4)
    try harness.turn("pushes", with: agents) { agents.allSatisfy { $0.pushes.count == 1 } }
  }

  @Test func anOutcomeIsNotConfirmedBeforeItIsDurable() throws {
    let harness = try ShardHarness()
    harness.journalStores = false
    let agent = try harness.signedIn(1)
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.turn("push", with: [agent]) { agent.pushes.count == 1 }
    agent.send(outcome(agent.pushes[0], 1, at: harness.now))
    try harness.turn("outcome", with: [agent]) { harness.shard.counters.outcomes == 1 }
    #expect(harness.shard.counters.finalOutcomes == 1)
    try harness.settle(with: [agent])
    #expect(agent.stored.isEmpty)
    harness.shardBox.post(.outcomesDurable(upTo: 1))
    try harness.turn("confirmation", with: [agent]) { agent.stored == [1] }
  }

  /// A confirmation waits for company: one frame for all that became durable, with the next one
  /// that goes to the agent.
  @Test func confirmationsTravelWithTheNextFrame() throws {
    let harness = try ShardHarness { $0.confirmsAtOnce = false }
    let agent = try harness.signedIn(1)
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.turn("push", with: [agent]) { agent.pushes.count == 1 }
    for sequence in 1...5 as ClosedRange<UInt64> {
      agent.send(
        outcome(agent.pushes[0], sequence, sequence < 5 ? .started : .succeeded, at: harness.now))
    }
    try harness.turn("durable", with: [agent]) {
      harness.shard.counters.outcomes == 5 && harness.shard.outcomes.unstoredCount == 0
    }
    try harness.settle(with: [agent])
    #expect(agent.stored.isEmpty)
    agent.send(.keepAlive(KeepAlive(clock: harness.now)))
    try harness.turn("confirmation", with: [agent]) { !agent.stored.isEmpty }
    agent.send(.keepAlive(KeepAlive(clock: harness.now)))
    try harness.settle(with: [agent])
    #expect(agent.stored == [5], "all at once, and once")
  }

  @Test func anOutcomeThatCannotBeKeptEndsTheSessionInsteadOfBeingForgotten() throws {
    let harness = try ShardHarness { $0.unstoredOutcomesMax = 1 }
    harness.journalStores = false
    let agent = try harness.signedIn(1)
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.turn("push", with: [agent]) { agent.pushes.count == 1 }
    agent.send(outcome(agent.pushes[0], 1, .started, at: harness.now))
    agent.send(outcome(agent.pushes[0], 2, at: harness.now))
    try harness.turn("refusal", with: [agent]) { agent.refusals == [.overloaded] }
    harness.shardBox.post(.outcomesDurable(upTo: 1))
    try harness.settle(with: [agent])
    #expect(agent.stored.isEmpty, "the second was not kept, so nothing may cover it")
  }

  @Test func silenceEndsASessionAfterOneAndAHalfIntervalsToTheMillisecond() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(1)
    #expect(agent.welcome?.keepAliveSeconds == 900)
    try harness.pass(1_349_999, with: [agent])
    #expect(agent.refusals.isEmpty)
    #expect(harness.shard.registry.onlineCount == 1)
    try harness.pass(1, with: [agent])
    #expect(agent.refusals == [.keepAliveExpired])
    #expect(harness.shard.registry.onlineCount == 0)
  }

  @Test func aKeepAliveMovesTheDeadline() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(1)
    for _ in 0..<8 {
      try harness.pass(900_000, with: [agent])
      agent.send(.keepAlive(KeepAlive(clock: harness.now)))
      try harness.settle(with: [agent])
    }
    #expect(harness.shard.registry.onlineCount == 1)
    #expect(harness.shard.counters.keepAlives == 8)
    #expect(harness.shard.loop.wheel.count < 16, "keep-alives leave no timers behind")
  }

  @Test(arguments: [(3_599_999 as UInt64, 1), (3_600_000, 0), (3_600_001, 0)])
  func aClientThatComesLateGetsTheTaskWithinTheHourOnly(_ after: UInt64, _ pushes: Int) throws {
    let harness = try ShardHarness()
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.settle()
    try harness.pass(after)
    let agent = try harness.signedIn(1)
    try harness.settle(with: [agent])
    #expect(agent.pushes.count == pushes)
  }

  @Test func anUnansweredPushComesAgainAfterAReconnectAndAnAnsweredOneDoesNot() throws {
    let harness = try ShardHarness()
    let first = try harness.signedIn(1)
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.turn("push", with: [first]) { first.pushes.count == 1 }
    first.drop()
    try harness.turn("loss") { harness.shard.registry.onlineCount == 0 }
    let second = try harness.signedIn(1)
    try harness.turn("re-push", with: [second]) { second.pushes.count == 1 }
    second.send(outcome(second.pushes[0], 1, at: harness.now))
    try harness.turn("report", with: [second]) { harness.outcomeRecords().count == 1 }
    #expect(harness.outcomeRecords()[0].pushes == 2)
    second.drop()
    try harness.turn("loss") { harness.shard.registry.onlineCount == 0 }
    let third = try harness.signedIn(1)
    try harness.settle(with: [third])
    #expect(third.pushes.isEmpty)
  }

  @Test func anOutcomeThatIsToldAgainIsConfirmedAndNotStoredAgain() throws {
    let harness = try ShardHarness()
    let first = try harness.signedIn(1)
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.turn("push", with: [first]) { first.pushes.count == 1 }
    let news = outcome(first.pushes[0], 3, at: harness.now)
    first.send(news)
    try harness.turn("confirmation", with: [first]) { first.stored == [3] }
    #expect(harness.journalled.count == 1)
    first.drop()
    try harness.turn("loss") { harness.shard.registry.onlineCount == 0 }
    let second = try harness.signedIn(1)
    second.send(news)
    try harness.turn("confirmation", with: [second]) { second.stored == [3] }
    #expect(harness.journalled.count == 1)
    #expect(harness.shard.counters.repeatedOutcomes == 1)
    try harness.pass(Limits.outcomePeriodMilliseconds, with: [second])
    #expect(harness.outcomeRecords().count == 1)
  }

  /// Another server, or an earlier life of this one, pushed it: nothing is pushed, and what the
  /// agent tells is news here.
  @Test func whatIsOverForAnArrivingAgentIsNotPushed() throws {
    let harness = try ShardHarness()
    let plan = try plan(harness, targets: 2)
    harness.shardBox.post(.task(plan))
    try harness.settle(with: [])
    let agent = try harness.signedIn(1, ended: [Sample.task(1)])
    let other = try harness.signedIn(2)
    try harness.turn("push", with: [agent, other]) { other.pushes.count == 1 }
    #expect(agent.pushes.isEmpty)
    let told = TaskOutcome(taskID: Sample.task(1), state: .failed, at: harness.now)
    agent.send(.taskOutcome(OutcomeReport(pushID: 0, sequence: 4, outcome: told)))
    try harness.turn("confirmation", with: [agent, other]) { agent.stored == [4] }
    #expect(harness.journalled.map(\.outcome.state) == [.failed])
  }

  /// Reports that do not wait for their period leave a moment between them.
  @Test func reportsOfAgentsThatTellOneByOneAreGathered() throws {
    let harness = try ShardHarness()
    harness.shardBox.post(.task(try plan(harness, targets: 3)))
    try harness.settle(with: [])
    let ended = [Sample.task(1)]
    let agents = try (1...3).map { try harness.signedIn($0, ended: ended) }
    for (number, agent) in agents.enumerated() {
      let told = TaskOutcome(taskID: Sample.task(1), state: .succeeded, at: harness.now)
      agent.send(.taskOutcome(OutcomeReport(pushID: 0, sequence: 1, outcome: told)))
      try harness.pass(OutcomeDesk.postMilliseconds, with: agents)
      #expect(agent.stored == [1])
      #expect(harness.outcomeRecords().count == 1, "after \(number + 1)")
    }
    try harness.pass(Limits.quietReportMilliseconds, with: agents)
    try harness.turn("report", with: agents) { harness.outcomeRecords().count == 3 }
  }

  @Test func theSameClientAgainReplacesItsSession() throws {
    let harness = try ShardHarness()
    let old = try harness.signedIn(1)
    let new = try harness.signedIn(1)
    try harness.turn("replaced", with: [old, new]) { old.refusals == [.replaced] }
    #expect(harness.shard.registry.onlineCount == 1)
    #expect((new.welcome?.session ?? 0) > (old.welcome?.session ?? 0))
    try harness.turn("closed", with: [old, new]) { old.isClosed }
    #expect(harness.shard.registry.onlineCount == 1)
  }

  @Test func aBlockedClientIsCutAndNotLetInAgain() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(1)
    let other = try harness.signedIn(2)
    harness.shardBox.post(.denyList([Sample.client(1)]))
    try harness.turn("cut", with: [agent, other]) { agent.refusals == [.blocked] }
    #expect(harness.shard.registry.onlineCount == 1)
    let again = try harness.agent(1)
    again.send(.signIn(Sample.signIn(again.clientID)))
    try harness.turn("refusal", with: [again, other]) { again.refusals == [.blocked] }
    #expect(again.welcome == nil)
    #expect(!other.isClosed)
  }

  @Test func anotherClientsIdIsRefused() throws {
    let harness = try ShardHarness()
    let agent = try harness.agent(1)
    agent.send(.signIn(Sample.signIn(Sample.client(2))))
    try harness.turn("refusal", with: [agent]) { agent.refusals == [.foreignIdentity] }
    #expect(harness.shard.registry.onlineCount == 0)
  }

  @Test func anOutcomeOfATaskForOthersIsRefused() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(9)
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.settle(with: [agent])
    let foreign = TaskOutcome(taskID: Sample.task(1), state: .succeeded, at: harness.now)
    agent.send(.taskOutcome(OutcomeReport(pushID: 1, sequence: 1, outcome: foreign)))
    try harness.turn("refusal", with: [agent]) { agent.refusals == [.foreignTask] }
    #expect(harness.journalled.isEmpty)
  }

  @Test(arguments: [[0xEE, 0, 0, 0], [1, 0, 0xFF, 0xFF], [1, 0, 0, 1, 0]] as [[UInt8]])
  func brokenFramesEndTheirConnectionOnly(_ bytes: [UInt8]) throws {
    let harness = try ShardHarness()
    let good = try harness.signedIn(2)
    let bad = try harness.agent(1)
    bad.send(bytes)
    try harness.turn("refusal", with: [bad, good]) { bad.refusals.count == 1 && bad.isClosed }
    #expect(harness.shard.registry.onlineCount == 1)
    #expect(!good.isClosed)
  }

  @Test func whoSaysNothingAfterTheHandshakeIsCutAtTenSeconds() throws {
    let harness = try ShardHarness()
    let agent = try harness.agent(1)
    try harness.turn("handshake", with: [agent]) { harness.shard.counters.handshakesFull == 1 }
    try harness.pass(9_999, with: [agent])
    #expect(harness.shard.connections.count == 1)
    try harness.pass(1, with: [agent])
    try harness.turn("cut", with: [agent]) { harness.shard.connections.count == 0 }
    #expect(agent.refusals == [.handshakeTimeout])
  }

  @Test func whoSaysNothingAtAllIsCutAtEightSeconds() throws {
    let harness = try ShardHarness()
    let socket = try StreamSocket.connect(to: harness.shard.listeners[0].listener.boundAddress)
    try harness.turn("accept") { harness.shard.connections.count == 1 }
    try harness.pass(7_999)
    #expect(harness.shard.connections.count == 1)
    #expect(harness.shard.handshakesUnderWay == 0, "no TLS object for somebody who says nothing")
    try harness.pass(1)
    #expect(harness.shard.connections.count == 0)
    #expect(harness.shard.newcomers == 0)
    socket.close()
  }

  /// The door that closes at the limit of handshakes opens with the next one that ends, not by a
  /// timer: no time passes in this test.
  @Test func aStormIsLetInAsFastAsHandshakesEnd() throws {
    let harness = try ShardHarness { $0.handshakesMax = 2 }
    let agents = try (1...12).map { try harness.agent($0) }
    for agent in agents { agent.send(.signIn(Sample.signIn(agent.clientID))) }
    var most = 0
    try harness.turn("everybody is signed in", with: agents) {
      most = max(most, harness.shard.handshakesUnderWay)
      return agents.allSatisfy { $0.welcome != nil }
    }
    #expect(most <= 2)
    #expect(harness.shard.registry.onlineCount == 12)
  }

  /// Whoever begins handshakes and never ends them fills the places; those who wait get them after
  /// two seconds and not after ten.
  @Test func halvesOfHandshakesDoNotKeepTheirPlaces() throws {
    let harness = try ShardHarness { $0.handshakesMax = 2 }
    let stuck = try (1...2).map { try harness.agent($0) }
    for agent in stuck { agent.turn() }
    try harness.turn("they fill the places") { harness.shard.handshakesUnderWay == 2 }
    let honest = try harness.agent(3)
    honest.send(.signIn(Sample.signIn(honest.clientID)))
    try harness.settle(with: [honest])
    #expect(honest.welcome == nil)
    #expect(harness.shard.newcomers == 3)
    try harness.pass(1_999, with: [honest])
    #expect(honest.welcome == nil)
    try harness.pass(1, with: [honest])
    try harness.turn("the honest one is in", with: [honest]) { honest.welcome != nil }
    #expect(harness.shard.counters.handshakesCut >= 1)
    #expect(harness.shard.newcomers + 1 >= harness.shard.handshakesUnderWay)
    try harness.pass(10_000, with: [honest])
    #expect(harness.shard.newcomers == 0)
    #expect(harness.shard.handshakesUnderWay == 0)
    #expect(honest.refusals.isEmpty)
  }

  @Test func aFullServerSaysWhenToComeAgain() throws {
    let harness = try ShardHarness { $0.connectionsMax = 2 }
    let first = try harness.signedIn(1)
    let second = try harness.signedIn(2)
    let third = try harness.agent(3)
    third.send(.signIn(Sample.signIn(third.clientID)))
    try harness.turn("refused", with: [first, second, third]) { !third.refusals.isEmpty }
    #expect(third.refusals == [.overloaded])
    let again = try harness.signedIn(1)
    #expect(again.refusals.isEmpty, "who is here already replaces itself")
    #expect(harness.shard.registry.onlineCount == 2)
  }

  @Test func aCertificateThatExpiresEndsTheSession() throws {
    let harness = try ShardHarness { $0.keepAliveSeconds = 10 * 86_400 }
    let agent = try harness.signedIn(1, days: 1)
    try harness.pass(86_400_000 - 3_600_000, with: [agent])
    #expect(agent.refusals.isEmpty)
    try harness.pass(3_601_000, with: [agent])
    #expect(agent.refusals == [.certificateExpired])
  }

  @Test func presenceReportsAreFullThenDeltaThenNothing() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(1)
    try harness.pass(60_000, with: [agent])
    #expect(harness.presenceReports().map(\.scope) == [.full])
    #expect(harness.presenceReports()[0].records.map(\.clientID) == [Sample.client(1)])
    try harness.pass(300_000, with: [agent])
    #expect(harness.presenceReports().count == 1, "nothing changed, nothing is written")
    agent.drop()
    try harness.turn("loss") { harness.shard.registry.onlineCount == 0 }
    try harness.pass(300_000)
    #expect(harness.presenceReports().map(\.scope) == [.full, .delta])
    #expect(harness.presenceReports()[1].records.first?.isOnline == false)
    harness.shardBox.post(.fullReportWanted)
    try harness.settle()
    #expect(harness.presenceReports().last?.scope == .full)
  }

  @Test func aSlowReaderIsCutByItsQueueAndOthersAreNot() throws {
    let harness = try ShardHarness()
    let slow = try harness.signedIn(1)
    let good = try harness.signedIn(2)
    slow.reads = false
    // Keep-alives are answered; whoever does not read the answers fills socket and queue.
    var sent = 0
    while harness.shard.counters.slowReaders == 0, sent < 400 {
      for _ in 0..<200 { slow.send(.keepAlive(KeepAlive(clock: harness.now))) }
      sent += 1
      for _ in 0..<20 {
        try harness.turn()
        slow.turn()
        good.turn()
      }
    }
    #expect(harness.shard.counters.slowReaders == 1)
    #expect(harness.shard.registry.onlineCount == 1)
    #expect(!good.isClosed)
    #expect(harness.shard.pool.inUse == 0, "a dead connection's blocks come back")
  }

  @Test func drainSendsEverybodyAwayAndReportsWhatIsLeft() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(1)
    harness.shardBox.post(.task(try plan(harness, targets: 1)))
    try harness.turn("push", with: [agent]) { agent.pushes.count == 1 }
    agent.send(outcome(agent.pushes[0], 1, .started, at: harness.now))
    try harness.turn("outcome", with: [agent]) { agent.stored == [1] }
    // The first report is full and told that the client is there; the last one tells the change.
    try harness.pass(60_000, with: [agent])
    harness.shardBox.post(.stop)
    try harness.turn("end", with: [agent]) { harness.shard.life == .done }
    #expect(harness.outcomeRecords().count == 1)
    #expect(harness.presenceReports().last?.records.first?.reason == .serverStopped)
    agent.turn()
    let isAsked = agent.received.contains { if case .reconnect = $0 { true } else { false } }
    #expect(isAsked)
  }
}
