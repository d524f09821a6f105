// The way back from HTTPS to TCP: tried beside the session that works, at the agreed times, and
// taken over in one moment.

import BGBModel
import BGBWire
import Glibc
import Reactor
import Synchronization
import Testing

@testable import BGBAgent

@Suite(.serialized) struct AgentClimbTests {
  let site: TestSite
  let tcp: FakeServer
  let https: FakePollServer
  let folder = TestFolder()

  init() throws {
    site = try TestSite()
    tcp = try FakeServer(site)
    https = try FakePollServer(site)
  }

  /// An agent on HTTPS, because the TCP server did not let it in.
  private func onHTTPS(
    perform: @escaping @Sendable (ActionOrder, StopFlag) -> ActionResult = { _, _ in
      .succeeded("done")
    }
  ) throws -> TestAgent {
    let agent = try TestAgent(
      site, tcp, state: folder.path, perform: perform,
      configure: { $0.httpsPoints = [https.address] })
    agent.beside = { [https] in https.turn() }
    // No Welcome over TCP: the attempt times out.
    try agent.until("a sign-in without an answer") { tcp.signIns.count == 1 }
    try agent.advance(by: 10_000)
    try agent.advance(by: 1_001)
    try agent.until("polling") { https.isHolding }
    #expect(https.signIns.map(\.fallback) == [.timedOut])
    return agent
  }

  private let replaced = Refused(
    code: CloseCode.replaced.rawValue, retryAfterMilliseconds: 0, reason: "")

  private func link(_ agent: TestAgent) -> AgentLink? { agent.loop.link(of: testClient) }

  @Test func `TCP is tried again after two minutes and takes over in one moment`() throws {
    let agent = try onHTTPS()
    tcp.answer = { _ in .welcome(welcome()) }
    let attempts = tcp.signIns.count
    try agent.advance(by: 95_000)
    try agent.settle()
    #expect(tcp.signIns.count == attempts, "not before a fifth less than two minutes")
    try agent.advance(by: 50_000)
    try agent.until("taken over") { agent.events.contains(.climbed) }
    #expect(tcp.signIns.count == attempts + 1)
    #expect(tcp.signIns.last?.fallback == FallbackReason.none)
    #expect(link(agent)?.polls == nil)
    #expect(link(agent)?.session.isSignedIn == true)
    #expect(
      !agent.events.contains { if case .disconnected(.ended, _) = $0 { true } else { false } })
    try agent.until("the poll's connection is closed") { https.openLines == 0 }
    // The session works: a push arrives over TCP and is answered there.
    tcp.send(.pushTask(site.key.push(TaskWish(), pushID: 9)))
    try agent.until("an outcome over TCP") { tcp.outcomes.count == 1 }
    #expect(https.outcomes.isEmpty)
  }

  @Test func `a try that fails leaves the session alone and comes again a quarter later`() throws {
    let agent = try onHTTPS()
    let attempts = tcp.signIns.count
    try agent.advance(by: 145_000)
    try agent.until("the first try") { tcp.signIns.count == attempts + 1 }
    try agent.advance(by: 10_001)
    try agent.until("given up") {
      agent.events.contains(.climbFailed(.attemptTimedOut))
    }
    #expect(link(agent)?.session.isSignedIn == true)
    #expect(https.isHolding)
    #expect(https.signIns.count == 1)
    try agent.advance(by: 719_000)
    try agent.settle()
    #expect(tcp.signIns.count == attempts + 1)
    try agent.advance(by: 362_000)
    try agent.until("the second try") { tcp.signIns.count == attempts + 2 }
    https.send(.pushTask(site.key.push(TaskWish(), pushID: 3)))
    try agent.until("HTTPS still works") { https.outcomes.count == 1 }
  }

  @Test func `the old session's replacement is no reason to stop climbing`() throws {
    let agent = try onHTTPS()
    try agent.advance(by: 145_000)
    try agent.until("a sign-in over TCP") { tcp.signIns.count == 2 }
    // As the server does it: the old session is told first, the Welcome comes a moment later.
    https.send(.refused(replaced))
    https.forget()
    try agent.settle()
    #expect(link(agent)?.session.isSignedIn == true)
    tcp.send(.welcome(welcome()))
    try agent.until("taken over") { agent.events.contains(.climbed) }
    #expect(link(agent)?.session.isSignedIn == true)
  }

  @Test func `a replacement by a climb that was given up is no reason to stay away`() throws {
    let agent = try onHTTPS()
    try agent.advance(by: 145_000)
    try agent.until("a sign-in over TCP") { tcp.signIns.count == 2 }
    try agent.advance(by: 10_001)
    try agent.until("given up") { agent.events.contains(.climbFailed(.attemptTimedOut)) }
    // The server had taken the climb for the newer session all the same.
    https.send(.refused(replaced))
    try agent.until("noticed") {
      agent.events.contains { if case .disconnected(.sessionGone, _) = $0 { true } else { false } }
    }
    try agent.advance(by: 1_001)
    try agent.until("signed in anew") { https.signIns.count == 2 }
  }

  @Test func `when both are gone in the middle of a climb the agent signs in anew`() throws {
    let agent = try onHTTPS()
    try agent.advance(by: 145_000)
    try agent.until("a sign-in over TCP") { tcp.signIns.count == 2 }
    https.send(.refused(replaced))
    https.forget()
    try agent.settle()
    tcp.hangUp()
    try agent.until("noticed") {
      agent.events.contains { if case .disconnected(.sessionGone, _) = $0 { true } else { false } }
    }
    for _ in 0..<3 where https.signIns.count < 2 {
      try agent.advance(by: 1_001)
      try agent.settle()
    }
    try agent.until("signed in anew") { https.signIns.count == 2 }
  }

  @Test func `a task in flight survives the climb and is done once`() throws {
    let gate = StopFlag()
    let begun = Mutex(0)
    let agent = try onHTTPS(perform: { _, _ in
      begun.withLock { $0 += 1 }
      while !gate.isRaised { usleep(1_000) }
      return .succeeded("scanned")
    })
    tcp.answer = { _ in .welcome(welcome()) }
    let scan = TaskWish(
      taskID: TaskID(Bits128(high: 5, low: 5)), action: ClientAction.quickScan.rawValue)
    https.send(.pushTask(site.key.push(scan, pushID: 1)))
    try agent.until("begun over HTTPS") { begun.withLock { $0 } == 1 }
    try agent.advance(by: 145_000)
    try agent.until("taken over") { agent.events.contains(.climbed) }
    tcp.send(.pushTask(site.key.push(scan, pushID: 2)))
    gate.raise()
    try agent.until("its end is told over TCP") {
      tcp.outcomes.contains { $0.outcome.state == .succeeded }
    }
    #expect(begun.withLock { $0 } == 1)
  }

  @Test func `TCP sessions that break at once, three in a row, lead to HTTPS`() throws {
    tcp.answer = { _ in .welcome(welcome(crashWindowSeconds: 1)) }
    let agent = try TestAgent(
      site, tcp, state: folder.path, configure: { $0.httpsPoints = [https.address] })
    agent.beside = { [https] in https.turn() }
    for count in 1...3 {
      try agent.until("TCP session \(count)") {
        tcp.signIns.count == count && link(agent)?.session.isSignedIn == true
      }
      tcp.hangUp()
      try agent.until("lost") { link(agent)?.channel == nil }
      for _ in 0..<5 where tcp.signIns.count == count && https.signIns.isEmpty {
        try agent.advance(by: 2_000)
        try agent.settle()
      }
    }
    try agent.until("over HTTPS") { https.isHolding }
    #expect(https.signIns.map(\.fallback) == [.unstable])
  }
}

/// The session machine by itself.
struct ClimbingSessionTests {
  private static let start = Ticks(milliseconds: 10_000)
  private let facts = SignInFacts(
    clientID: testClient, incarnation: 1, outcomesStored: 0, clock: WallTime(milliseconds: 0),
    facts: ClientFacts())
  private let wall = WallTime(milliseconds: 0)

  /// A session on HTTPS since `start` + 2 s.
  private func onHTTPS() -> AgentSession {
    var session = AgentSession(
      start: Self.start, endpoints: 1, random: JitterRandom(seed: 1),
      ladder: TransportLadder(rule: .automatic, hasHTTPS: true))
    _ = session.tick(at: Self.start, wall: wall)
    session.disconnected(.unresolved, at: Self.start)
    let steps = session.tick(at: Self.start + 1_000, wall: wall)
    #expect(steps == [.connect(to: nil, over: .https)])
    _ = session.connected(facts, at: Self.start + 2_000)
    _ = session.received(.welcome(welcome()), at: Self.start + 2_000)
    return session
  }

  @Test func `a keep-alive without an answer over HTTPS is nothing that TCP owes`() {
    var session = onHTTPS()
    let due = Self.start + 902_000
    let steps = session.tick(at: due, wall: wall)
    #expect(steps == [.send(.keepAlive(KeepAlive(clock: wall))), .climb])
    let signIn = session.climbConnected(facts, at: due)
    #expect(signIn.count == 1)
    let taken = session.climbReceived(.welcome(welcome()), at: due + 5_000)
    #expect(taken == [.takeOver, .welcomed(welcome())])
    let next = session.tick(at: due + 905_000, wall: wall)
    #expect(next == [.send(.keepAlive(KeepAlive(clock: wall)))], "asked first, given up later")
    #expect(session.isSignedIn)
  }

  @Test func `a lost session takes its climb along`() {
    var session = onHTTPS()
    _ = session.tick(at: Self.start + 152_000, wall: wall)
    #expect(session.climb.isTrying)
    session.disconnected(.ended, at: Self.start + 153_000)
    #expect(session.climb.state == .off)
    let steps = session.climbConnected(facts, at: Self.start + 154_000)
    #expect(steps == [.dropClimb(.stopped)])
    let late = session.climbLost(.ended, at: Self.start + 154_000)
    #expect(late.isEmpty)
  }
}
