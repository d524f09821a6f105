// Sessions by long polls: a real shard, real TLS, virtual time. Nothing is lost and nothing comes
// twice, whatever happens to the connections that carry the polls.

import BGBModel
import BGBWire
import Reactor
import Testing
import Transports

@testable import BGBServer

struct ShardPollTests {
  private func plan(_ harness: ShardHarness, _ number: UInt64 = 1, targets: Int) throws {
    harness.shardBox.post(
      .task(
        try Sample.plan(
          number, targets: targets, notBefore: harness.now,
          deliverBefore: harness.now.adding(milliseconds: Sample.hour))))
  }

  private func outcome(_ push: PushTask, _ sequence: UInt64 = 1, task: UInt64 = 1) -> Message {
    .taskOutcome(
      OutcomeReport(
        pushID: push.pushID, sequence: sequence,
        outcome: TaskOutcome(taskID: Sample.task(task), state: .succeeded, at: Sample.start)))
  }

  @Test func aTaskReachesAHeldPollAndItsOutcomeIsConfirmed() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    #expect(session.isOnline)
    #expect(session.pollSeconds == Limits.pollSeconds)
    guard case .welcome = session.messages.first else {
      Issue.record("the login is answered with a Welcome, not \(session.messages)")
      return
    }
    session.poll()
    #expect(try session.settle() == 0, "a poll without anything to say is held")
    try plan(harness, targets: 1)
    try session.take(await: "the push")
    let push = try #require(session.pushes.first)
    session.poll([outcome(push)])
    try session.take(await: "the confirmation")
    #expect(
      session.messages.contains {
        if case .outcomeStored(let stored) = $0 { stored.upTo == 1 } else { false }
      })
    #expect(harness.journalled.count == 1)
    #expect(harness.shard.counters.pushes == 1)
    #expect(harness.shard.registry.onlineByChannel == [0, 1])
  }

  @Test func aPollIsAnsweredAtItsEndToTheMillisecond() throws {
    let harness = try ShardHarness { $0.pollSeconds = 60 }
    let session = try PollSession(harness, 1)
    #expect(session.pollSeconds == 60)
    session.poll()
    #expect(try session.settle() == 0)
    try harness.pass(59_999)
    #expect(try session.settle() == 0)
    try harness.pass(1)
    let answer = try session.take(await: "the end of the poll")
    #expect(answer.status == 200)
    #expect(answer.body.isEmpty)
    #expect(session.isOnline)
    session.poll()
    #expect(try session.settle() == 0, "the next poll is held on the same connection")
  }

  @Test func aPushBetweenPollsWaitsForTheNextOne() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    try plan(harness, targets: 1)
    try harness.turn("pushed into the session") { harness.shard.counters.pushes == 1 }
    #expect(try session.settle() == 0)
    session.poll()
    try session.take(await: "the push")
    #expect(session.pushes.count == 1)
  }

  @Test func anAnswerThatIsCutComesAgainWholeAndOnce() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    try plan(harness, targets: 1)
    try harness.turn("the answer is on its way") { harness.shard.counters.pushes == 1 }
    try harness.turn()
    // The connection is cut before the answer is read; the agent asks again elsewhere.
    try session.reconnect()
    session.poll()
    try session.take(await: "the same push again")
    #expect(session.pushes.count == 1)
    #expect(harness.shard.polledBytes > 0, "kept until it is confirmed")
    let push = try #require(session.pushes.first)
    session.poll([outcome(push)])
    try session.take(await: "the confirmation")
    session.poll()
    #expect(try session.settle() == 0)
    #expect(harness.shard.polledBytes == 0)
    #expect(harness.shard.counters.pushes == 1, "repeated by the stream, not pushed anew")
    #expect(harness.journalled.count == 1)
  }

  @Test func aRequestThatComesTwiceIsTakenOnce() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    try plan(harness, targets: 1)
    try session.take(await: "the push")
    let body = MessageCodec.encode(outcome(try #require(session.pushes.first)))
    let lines = session.fields(session.sent)
    session.peer.post("/bgb/continue", lines, body: body)
    session.sent += UInt64(body.count)
    _ = try session.settle()
    // The agent does not know whether its request arrived, and sends it again on a new connection.
    try session.reconnect()
    session.peer.post("/bgb/continue", lines, body: body)
    try session.take(await: "the confirmation, once more")
    #expect(harness.shard.counters.outcomes == 1)
    #expect(harness.journalled.count == 1)
  }

  @Test func aSecondPollEndsTheFirst() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    let first = session.peer
    session.poll()
    #expect(try session.settle() == 0)
    try session.reconnect(cut: false)
    session.poll()
    try harness.turn("the first poll is answered") {
      first.turn()
      session.peer.turn()
      return first.answers.count == 2
    }
    #expect(first.answers[1].status == 200)
    #expect(first.answers[1].body.isEmpty)
    #expect(session.peer.answers.isEmpty)
    #expect(harness.shard.counters.pollsSuperseded == 1)
    try plan(harness, targets: 1)
    try session.take(await: "the push goes to the second")
    #expect(session.pushes.count == 1)
    #expect(harness.shard.counters.pushes == 1)
    #expect(harness.shard.registry.onlineCount == 1)
  }

  @Test func aRequestBehindAHeldPollOnTheSameConnectionEndsIt() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    session.poll([.liveData(LiveData([LiveData.Value(name: "hostname", text: "renamed")]))])
    try session.take(await: "the first poll ends")
    #expect(harness.shard.registry.facts(of: session.clientID)?.hostname == "renamed")
    #expect(try session.settle() == 0, "the second is held")
  }

  @Test func aClientThatVanishesWhilePollingIsOfflineAMinuteAfter() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    session.peer.cut()
    try harness.settle()
    #expect(session.isOnline, "another connection may carry the next poll")
    try harness.pass(Limits.pollGapMilliseconds - 1)
    #expect(session.isOnline)
    try harness.pass(1)
    #expect(!session.isOnline)
    #expect(harness.shard.registry.record(of: session.clientID)?.reason == .connectionLost)
    #expect(harness.shard.polledSessions == 0)
    #expect(harness.shard.polledBytes == 0)
    #expect(harness.shard.connections.count == 0)
  }

  @Test func aTaskOfAVanishedClientIsKeptForItsReturn() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    session.peer.cut()
    try plan(harness, targets: 1)
    try harness.settle()
    try harness.pass(Limits.pollGapMilliseconds)
    #expect(!session.isOnline)
    let again = try PollSession(harness, 1)
    #expect(again.pushes.count == 1, "with the Welcome")
  }

  @Test func silenceBetweenPollsDoesNotOutliveTheGapButPollsDoWithoutEnd() throws {
    let harness = try ShardHarness { $0.pollSeconds = 300 }
    let session = try PollSession(harness, 1)
    for _ in 0..<20 {
      session.poll()
      #expect(try session.settle() == 0)
      try harness.pass(300_000)
      try session.take(await: "the end of a poll")
    }
    #expect(session.isOnline, "after a hundred minutes")
    try harness.pass(Limits.pollGapMilliseconds)
    #expect(!session.isOnline)
    try session.reconnect()
    session.poll()
    #expect(try session.take(await: "no such session").status == 410)
  }

  @Test func movingToTCPIsOneTakeoverAndATaskInFlightSurvivesIt() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    try plan(harness, targets: 1)
    try session.take(await: "the push over HTTPS")
    session.poll()
    #expect(try session.settle() == 0)
    let agent = try harness.signedIn(1)
    #expect(harness.shard.counters.takeovers == 1)
    #expect(harness.shard.registry.onlineByChannel == [1, 0])
    try session.take(await: "the old session is told")
    #expect(session.refusals == [.replaced])
    try harness.turn("the unanswered task comes again over TCP", with: [agent]) {
      agent.pushes.count == 1
    }
    agent.send(outcome(agent.pushes[0]))
    try harness.turn("stored", with: [agent]) { !agent.stored.isEmpty }
    try harness.settle(with: [agent])
    #expect(harness.shard.polledSessions == 0)
    #expect(harness.journalled.count == 1)
  }

  @Test func movingToHTTPSReplacesTheTCPSession() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(1)
    try plan(harness, targets: 1)
    try harness.turn("pushed over TCP", with: [agent]) { agent.pushes.count == 1 }
    let session = try PollSession(harness, 1)
    try harness.turn("the old session is told", with: [agent]) { agent.isClosed }
    #expect(agent.refusals == [.replaced])
    #expect(harness.shard.registry.onlineByChannel == [0, 1])
    #expect(session.pushes.count == 1, "the unanswered task comes with the Welcome")
  }

  @Test func aBlockedClientIsToldOnItsPollAndNotLetInAgain() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    harness.shardBox.post(.denyList([Sample.client(1)]))
    try session.take(await: "the refusal")
    #expect(session.refusals == [.blocked])
    #expect(!session.isOnline)
    let again = try PollSession(harness, 1)
    #expect(again.refusals == [.blocked])
    #expect(!again.isOnline)
    try harness.turn("and its connection ends") {
      again.peer.turn()
      return again.peer.isClosed
    }
  }

  @Test func anotherClientsIdOrSessionIsRefused() throws {
    let harness = try ShardHarness()
    let victim = try PollSession(harness, 1)
    victim.poll()
    #expect(try victim.settle() == 0)
    let thief = try PollPeer(harness, Sample.client(2))
    thief.post("/bgb/continue", victim.fields(victim.sent))
    thief.post("/bgb/goodbye", victim.fields(victim.sent))
    let forged = MessageCodec.encode(.signIn(Sample.signIn(Sample.client(1))))
    thief.post("/bgb/login", body: forged)
    try harness.turn("three refusals") {
      thief.turn()
      return thief.answers.count == 3
    }
    #expect(thief.answers.map(\.status) == [410, 410, 200])
    var frames = FrameReader()
    let told = thief.answers[2].body
    frames.append(told.span)
    guard case .refused(let refused) = try frames.next() else {
      Issue.record("a foreign id is refused")
      return
    }
    #expect(refused.code == CloseCode.foreignIdentity.rawValue)
    #expect(victim.isOnline)
    #expect(try victim.settle() == 0, "its poll is still held")
  }

  @Test func streamsOutOfStepAreRefusedAndChangeNothing() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    for (sent, received) in [
      (session.sent + 1, session.received), (session.sent, session.received + 1),
      (UInt64.max, session.received), (session.sent, UInt64.max),
    ] {
      session.peer.post(
        "/bgb/continue",
        PollRequestFields(session: session.number, sent: sent, received: received).lines,
        body: [3, 0, 0, 0])
      #expect(try session.take(await: "a refusal").status == 409)
    }
    #expect(session.isOnline)
    session.poll([.keepAlive(KeepAlive(clock: Sample.start))])
    try session.take(await: "an answer to the keep-alive")
    #expect(session.messages.contains { $0.kind == .keepAlive })
  }

  @Test func aBrokenFrameEndsTheSessionWithItsCode() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.peer.post("/bgb/continue", session.fields(session.sent), body: [0xEE, 0, 0, 0])
    try session.take(await: "the refusal")
    #expect(session.refusals == [.unknownKind])
    #expect(!session.isOnline)
  }

  @Test func aLoginWithoutASignInIsRefused() throws {
    let harness = try ShardHarness()
    for body in [
      [], [1, 0, 0, 9], MessageCodec.encode(.keepAlive(KeepAlive(clock: Sample.start))),
    ] {
      let peer = try PollPeer(harness, Sample.client(1))
      peer.post("/bgb/login", body: body)
      try harness.turn("an answer") {
        peer.turn()
        return !peer.answers.isEmpty
      }
      #expect(peer.answers[0].status == (body.count > 4 ? 200 : 400))
      try harness.settle()
      #expect(harness.shard.polledSessions == 0)
    }
    #expect(harness.shard.registry.onlineCount == 0)
  }

  @Test func goodbyeEndsTheSessionAtOnce() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    session.peer.post(
      "/bgb/goodbye", session.fields(session.sent),
      body: MessageCodec.encode(.goodbye(Goodbye(reason: "end"))))
    try session.take(await: "the poll ends")
    try session.take(await: "the goodbye is answered")
    #expect(!session.isOnline)
    #expect(harness.shard.registry.record(of: session.clientID)?.reason == .goodbye)
  }

  @Test func pathsThatCutTeachShorterPolls() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    for _ in 0..<2 {
      try harness.pass(60_000)
      try session.reconnect()
      session.poll(lines: ["BGB-Cut: 60"])
      #expect(try session.settle() == 0)
    }
    try harness.pass(45_000)
    try session.take(await: "the end of a shorter poll")
    #expect(session.pollSeconds == 45)
    let next = try PollSession(harness, 1, lines: ["BGB-Poll: 45"])
    #expect(next.pollSeconds == 45, "an agent that knows its path says so")
  }

  @Test func drainSendsPollingAgentsAway() throws {
    let harness = try ShardHarness()
    let session = try PollSession(harness, 1)
    session.poll()
    #expect(try session.settle() == 0)
    harness.shardBox.post(.stop)
    try session.take(await: "the advice")
    #expect(session.messages.contains { $0.kind == .reconnect })
    try harness.turn("the server ends") { harness.shard.life == .done }
  }
}
