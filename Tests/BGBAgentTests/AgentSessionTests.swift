// The session machine in virtual time: every wait, every deadline, every answer of a server.

import BGBModel
import BGBWire
import Reactor
import Testing

@testable import BGBAgent

@Suite struct AgentSessionTests {
  private static let start = Ticks(milliseconds: 100_000)
  private let wall = WallTime(milliseconds: 5)

  private func facts() -> SignInFacts {
    SignInFacts(
      clientID: testClient, incarnation: 9, outcomesStored: 4, clock: wall, facts: ClientFacts())
  }

  /// A machine that is signed in since `start`.
  private func signedIn(
    keepAlive: UInt32 = 900, crashWindow: UInt32 = 60, seed: UInt64 = 1
  ) -> AgentSession {
    var session = AgentSession(
      start: Self.start, endpoints: 1, random: JitterRandom(seed: seed))
    #expect(session.tick(at: Self.start, wall: wall) == [.connect(to: nil, over: .tcp)])
    _ = session.connected(facts(), at: Self.start)
    _ = session.received(
      .welcome(welcome(keepAliveSeconds: keepAlive, crashWindowSeconds: crashWindow)),
      at: Self.start)
    #expect(session.isSignedIn)
    return session
  }

  private func wait(of session: AgentSession, from now: Ticks) -> UInt64? {
    if case .waiting(let until) = session.state { until.since(now) } else { nil }
  }

  @Test func `signing in tells who I am`() {
    var session = AgentSession(start: Self.start, endpoints: 1, random: JitterRandom(seed: 1))
    #expect(session.tick(at: Self.start - 1, wall: wall).isEmpty)
    #expect(session.tick(at: Self.start, wall: wall) == [.connect(to: nil, over: .tcp)])
    let steps = session.connected(facts(), at: Self.start)
    guard case .send(.signIn(let signIn)) = steps.first else {
      Issue.record("no sign-in: \(steps)")
      return
    }
    #expect(signIn.clientID == testClient)
    #expect(signIn.incarnation == 9)
    #expect(signIn.outcomesStored == 4)
  }

  @Test func `connect, handshake and sign-in share one deadline`() {
    var session = AgentSession(start: Self.start, endpoints: 1, random: JitterRandom(seed: 1))
    _ = session.tick(at: Self.start, wall: wall)
    let deadline = Self.start + Limits.handshakeMilliseconds
    #expect(session.deadline == deadline)
    _ = session.connected(facts(), at: deadline - 1)
    #expect(session.tick(at: deadline - 1, wall: wall).isEmpty)
    #expect(
      session.tick(at: deadline, wall: wall) == [.close(orderly: false, reason: .attemptTimedOut)])
    #expect(wait(of: session, from: deadline) != nil)
  }

  @Test(arguments: [1, 60, 900, 4_000_000] as [UInt32])
  func `a keep-alive leaves exactly when nothing was sent for the interval`(_ seconds: UInt32) {
    var session = signedIn(keepAlive: seconds)
    let interval = UInt64(seconds) * 1_000
    #expect(session.tick(at: Self.start + (interval - 1), wall: wall).isEmpty)
    #expect(
      session.tick(at: Self.start + interval, wall: wall)
        == [.send(.keepAlive(KeepAlive(clock: wall)))])
  }

  @Test func `anything sent moves the keep-alive, without touching the timer`() {
    var session = signedIn()
    let armed = session.deadline
    session.sent(at: Self.start + 500_000)
    #expect(session.deadline == armed)
    #expect(session.tick(at: armed, wall: wall).isEmpty)
    #expect(session.deadline == Self.start + 1_400_000)
  }

  @Test func `an unanswered keep-alive ends the session after half an interval`() {
    var session = signedIn()
    let first = Self.start + 900_000
    _ = session.tick(at: first, wall: wall)
    #expect(session.deadline == first + 450_000)
    #expect(session.tick(at: first + 449_999, wall: wall).isEmpty)
    #expect(
      session.tick(at: first + 450_000, wall: wall) == [.close(orderly: false, reason: .silent)])
  }

  @Test func `an answered keep-alive does not`() {
    var session = signedIn()
    var now = Self.start
    for _ in 0..<100 {
      now = now + 900_000
      #expect(session.tick(at: now, wall: wall).count == 1)
      #expect(
        session.received(.keepAlive(KeepAlive(clock: wall)), at: now + 40) == [.clock(wall)])
      #expect(session.tick(at: now + 450_000, wall: wall).isEmpty)
    }
  }

  @Test func `a crash spreads over the agreed window`() {
    var waits: [UInt64] = []
    for seed in 0..<400 {
      var session = signedIn(crashWindow: 180, seed: UInt64(seed))
      session.disconnected(.ended, at: Self.start + 500_000)
      waits.append(wait(of: session, from: Self.start + 500_000) ?? .max)
    }
    #expect(waits.allSatisfy { $0 <= 180_000 })
    // Full jitter: every tenth of the window is used.
    for tenth in 0..<10 {
      #expect(waits.contains { $0 / 18_000 == UInt64(tenth) })
    }
  }

  @Test func `failed attempts double the bound up to five minutes`() {
    var greatest: [UInt64] = Array(repeating: 0, count: 14)
    for seed in 0..<300 {
      var reconnect = Reconnect()
      var random = JitterRandom(seed: UInt64(seed))
      for attempt in 0..<14 {
        let wait = reconnect.wait(
          after: .attemptFailed, lasted: 0, endpoints: 1, using: &random)
        greatest[attempt] = max(greatest[attempt], wait)
      }
    }
    for (attempt, wait) in greatest.enumerated() {
      let bound = min(300_000, 1_000 << UInt64(attempt))
      #expect(wait <= bound)
      #expect(wait > bound * 9 / 10, "full jitter uses the whole bound")
    }
  }

  @Test func `several servers are all tried before the bound doubles`() {
    var reconnect = Reconnect()
    var random = JitterRandom(seed: 5)
    for _ in 0..<3 {
      #expect(
        reconnect.wait(after: .attemptFailed, lasted: 0, endpoints: 3, using: &random) <= 1_000)
    }
    #expect(
      reconnect.wait(after: .attemptFailed, lasted: 0, endpoints: 3, using: &random) <= 2_000)
  }

  @Test func `only a proven session resets the back-off`() {
    var reconnect = Reconnect()
    var random = JitterRandom(seed: 5)
    for _ in 0..<6 {
      _ = reconnect.wait(after: .attemptFailed, lasted: 0, endpoints: 1, using: &random)
    }
    _ = reconnect.wait(after: .crashed, lasted: 59_999, endpoints: 1, using: &random)
    #expect(reconnect.failures == 7)
    _ = reconnect.wait(after: .crashed, lasted: 60_000, endpoints: 1, using: &random)
    #expect(reconnect.failures == 1)
  }

  @Test func `a port that closes again and again costs no more each time`() {
    var session = AgentSession(
      start: Self.start, endpoints: 1, random: JitterRandom(seed: 4),
      ladder: TransportLadder(rule: .automatic, hasHTTPS: true))
    for _ in 0..<12 {
      #expect(session.tick(at: session.deadline, wall: wall) == [.connect(to: nil, over: .tcp)])
      session.disconnected(.ended, at: session.deadline)
      var now = session.deadline
      #expect(session.tick(at: now, wall: wall) == [.connect(to: nil, over: .https)])
      _ = session.connected(facts(), at: now)
      _ = session.received(.welcome(welcome(crashWindowSeconds: 1)), at: now)
      now = session.deadline
      #expect(session.tick(at: now, wall: wall) == [.climb])
      _ = session.climbConnected(facts(), at: now)
      let steps = session.climbReceived(.welcome(welcome(crashWindowSeconds: 1)), at: now)
      #expect(steps.first == .takeOver)
      // It closes before the session over TCP has lasted long.
      now = now + 20_000
      session.disconnected(.ended, at: now)
      #expect((wait(of: session, from: now) ?? .max) <= 1_000)
    }
  }

  @Test func `advice is followed to the second`() {
    for seed in 0..<50 {
      var session = signedIn(seed: UInt64(seed))
      let message = advice(after: 30_000, address: "mp2:10123")
      let steps = session.received(.reconnect(message), at: Self.start)
      #expect(steps == [.close(orderly: false, reason: .asked)])
      let wait = wait(of: session, from: Self.start) ?? 0
      #expect((30_000...31_000).contains(wait))
      #expect(
        session.tick(at: Self.start + wait, wall: self.wall)
          == [.connect(to: "mp2:10123", over: .tcp)])
      session.disconnected(.ended, at: Self.start + wait)
      // The advice holds for one attempt.
      let next = session.deadline
      #expect(session.tick(at: next, wall: self.wall) == [.connect(to: nil, over: .tcp)])
    }
  }

  @Test(arguments: CloseCode.allCases)
  func `a refusal is obeyed by its code`(_ code: CloseCode) {
    for seed in 0..<50 {
      var session = signedIn(keepAlive: 100, seed: UInt64(seed))
      let steps = session.received(
        .refused(Refused(code: code.rawValue, retryAfterMilliseconds: 7_000, reason: "")),
        at: Self.start)
      #expect(steps == [.close(orderly: false, reason: .refused(code.rawValue))])
      let wait = wait(of: session, from: Self.start) ?? 0
      switch code.reconnect {
      case .slowly: #expect((7_000...307_000).contains(wait))
      case .afterAdvice: #expect((7_000...8_000).contains(wait))
      case .never: #expect((100_000...150_000).contains(wait))
      }
    }
  }

  @Test func `messages that only agents send end the session`() {
    let wrong: [Message] = [
      .welcome(welcome()), .taskAck(TaskAck(pushID: 1, taskID: TaskID(Bits128(high: 0, low: 1)))),
      .liveData(LiveData([])),
    ]
    for message in wrong {
      var session = signedIn()
      #expect(
        session.received(message, at: Self.start)
          == [.close(orderly: false, reason: .protocolError(.wrongState))])
      #expect(session.received(.keepAlive(KeepAlive(clock: wall)), at: Self.start).isEmpty)
    }
    var session = AgentSession(start: Self.start, endpoints: 1, random: JitterRandom(seed: 1))
    _ = session.tick(at: Self.start, wall: wall)
    _ = session.connected(facts(), at: Self.start)
    #expect(
      session.received(.keepAlive(KeepAlive(clock: wall)), at: Self.start)
        == [.close(orderly: false, reason: .protocolError(.wrongState))])
  }

  @Test func `a stop says goodbye and nothing follows`() {
    var session = signedIn()
    let steps = session.stop(reason: "bye")
    #expect(
      steps == [
        .send(.goodbye(Goodbye(reason: "bye"))), .close(orderly: true, reason: .stopped),
      ])
    session.disconnected(.ended, at: Self.start)
    #expect(session.state == .stopped)
    #expect(session.deadline == .never)
  }
}

/// A Reconnect message; the name alone would be the back-off's.
private func advice(after: UInt32, address: String) -> BGBWire.Reconnect {
  BGBWire.Reconnect(address: address, afterMilliseconds: after, reason: "")
}
