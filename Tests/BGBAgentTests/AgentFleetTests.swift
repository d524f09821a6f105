// Thousands of clients on one loop: credentials read while one connects, a bound on the attempts
// under way, and what a load generator may do to a link.

import BGBModel
import BGBSigning
import BGBWire
import Reactor
import Synchronization
import Testing
import Transports

@testable import BGBAgent

@Suite(.serialized) struct AgentFleetTests {
  let site: TestSite
  let server: FakeServer
  let folder = TestFolder()

  init() throws {
    site = try TestSite()
    server = try FakeServer(site)
    server.answer = { _ in .welcome(welcome()) }
  }

  /// A loop with the usual client and one more of a fleet.
  private func agent(
    attemptsMax: Int = .max, attemptsPerTurnMax: Int = .max,
    reads: @escaping @Sendable (UInt32) -> Void = { _ in }
  ) throws -> TestAgent {
    let files = try site.client(otherClient)
    let authority = site.authorityFile
    return try TestAgent(
      site, server, state: folder.path,
      configure: { configuration in
        configuration.attemptsMax = attemptsMax
        configuration.attemptsPerTurnMax = attemptsPerTurnMax
        configuration.fleet = AgentFleet(authorityFile: authority) { number in
          reads(number)
          guard number == 7,
            let certificate = try? Folder.read(files.certificate, limit: 65_536),
            let key = try? Folder.read(files.key, limit: 65_536)
          else { return nil }
          return (certificate, key)
        }
      })
  }

  private func identity(_ number: UInt32) -> AgentIdentity {
    var identity = AgentIdentity(
      clientID: otherClient, certificateFile: "", keyFile: "", authorityFile: "",
      facts: ClientFacts(hostname: "pc-2"))
    identity.fleetNumber = number
    return identity
  }

  @Test func `a fleet's client proves itself with what is read when it connects`() throws {
    let read = Mutex<[UInt32]>([])
    let agent = try agent { number in read.withLock { $0.append(number) } }
    try agent.until("the first") { server.signIns.count == 1 }
    #expect(read.withLock { $0 } == [])
    try agent.loop.add(identity(7))
    try agent.until("the fleet's") { server.signIns.count == 2 }
    #expect(server.signIns[1].clientID == otherClient)
    #expect(server.channel?.peer?.uris == [otherClient.uri])
    #expect(read.withLock { $0 } == [7])
    let first = try #require(agent.loop.link(of: testClient))
    let second = try #require(agent.loop.link(of: otherClient))
    #expect(first.context !== second.context)
    #expect(agent.loop.fleetContext?.tcp === second.context)
  }

  @Test func `an observer hears each client by its number`() throws {
    let agent = try agent()
    var signedIn: [Int: ClientID] = [:]
    var refused: [Int] = []
    agent.loop.observer = { client, number, event in
      switch event {
      case .welcomed: signedIn[number] = client
      case .task(.refused): refused.append(number)
      default: break
      }
    }
    try agent.until("the first") { signedIn.count == 1 }
    try agent.loop.add(identity(7))
    try agent.until("the second") { signedIn.count == 2 }
    #expect(signedIn == [0: testClient, 1: otherClient])
    // The server speaks to who came last, which is no target of this task.
    server.send(.pushTask(site.key.push(TaskWish(), pushID: 1)))
    try agent.until("refused") { !refused.isEmpty }
    #expect(refused == [1])
  }

  @Test func `credentials that cannot be read end the attempt, not the loop`() throws {
    let agent = try agent()
    try agent.until("the first") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    try agent.loop.add(identity(8))
    try agent.until("failed") {
      agent.events.contains { event in
        if case .disconnected(.lost(let error), _) = event { error.kind == .setup } else { false }
      }
    }
    #expect(agent.loop.attemptsUnderWay == 0)
  }

  @Test func `attempts beyond the bound wait for their turn`() throws {
    server.answer = { _ in nil }
    let agent = try agent(attemptsMax: 1)
    try agent.until("the first signs in") { server.signIns.count == 1 }
    try agent.loop.add(identity(7))
    try agent.settle()
    #expect(agent.loop.attemptsUnderWay == 1)
    #expect(server.accepted == 1)
    #expect(agent.loop.link(of: otherClient)?.channel == nil)
    server.send(.welcome(welcome()))
    try agent.until("the second signs in") { server.signIns.count == 2 }
    #expect(agent.loop.attemptsUnderWay == 1)
    server.send(.welcome(welcome()))
    try agent.until("both are in") { agent.loop.attemptsUnderWay == 0 }
  }

  @Test(arguments: [1, 2]) func `a turn begins no more attempts than it may`(_ most: Int) throws {
    server.answer = { _ in nil }
    let agent = try agent(attemptsPerTurnMax: most)
    try agent.until("the first signs in") { server.signIns.count == 1 }
    for number in 0..<10 {
      var another = identity(7)
      another.clientID = ClientID(Bits128(high: 0xF1EE7, low: UInt64(number)))
      try agent.loop.add(another)
    }
    var (begun, steepest) = (0, 0)
    try agent.until("all have begun") {
      steepest = max(steepest, agent.loop.attemptsThisTurn)
      begun += agent.loop.attemptsThisTurn
      return begun >= 10
    }
    #expect(steepest == most)
  }

  @Test func `a cut client comes back at once if told so, and one at rest when its time is over`()
    throws
  {
    let agent = try agent()
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    agent.loop.cut(testClient, comesBackAtOnce: true)
    #expect(agent.loop.link(of: testClient)?.channel == nil)
    try agent.until("back") { server.signIns.count == 2 }
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    #expect(agent.loop.rest(testClient, milliseconds: 5_000))
    #expect(!agent.loop.rest(testClient, milliseconds: 5_000), "it has left")
    try agent.until("goodbye") {
      server.messages.contains { if case .goodbye = $0 { true } else { false } }
    }
    try agent.until("closed") { agent.loop.link(of: testClient)?.channel == nil }
    try agent.settle()
    #expect(server.signIns.count == 2)
    try agent.advance(by: 5_001)
    try agent.until("back again") { server.signIns.count == 3 }
    agent.loop.cut(testClient)
    agent.loop.hurry(testClient)
    try agent.until("back by hurry") { server.signIns.count == 4 }
  }

  @Test func `a client that was sent away stays away until it is called`() throws {
    let agent = try agent()
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    agent.loop.sendAway(testClient, forgets: true)
    #expect(agent.loop.link(of: testClient)?.channel == nil)
    #expect(agent.loop.link(of: testClient)?.keptReconnect == [])
    try agent.advance(by: 3_600_000)
    #expect(server.signIns.count == 1)
    agent.loop.limitAttempts(to: 0)
    #expect(agent.loop.configuration.attemptsMax == 1, "nobody is kept out for ever")
    agent.loop.hurry(testClient)
    try agent.until("back") { server.signIns.count == 2 }
  }

  @Test func `answers to keep-alives are counted`() throws {
    let agent = try agent()
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    #expect(agent.loop.keepAlivesHeard == 0)
    server.send(.keepAlive(KeepAlive(clock: WallTime(milliseconds: 1))))
    server.send(.keepAlive(KeepAlive(clock: WallTime(milliseconds: 2))))
    try agent.until("both are heard") { agent.loop.keepAlivesHeard == 2 }
  }

  @Test func `a deaf client takes nothing until it hears again, and a flood is bounded`() throws {
    let agent = try agent()
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    #expect(agent.loop.setReading(testClient, false))
    try agent.settle()
    server.send(.pushTask(site.key.push(TaskWish(), pushID: 1)))
    try agent.settle()
    #expect(server.outcomes.isEmpty)
    #expect(agent.loop.setReading(testClient, true))
    try agent.until("heard") { server.outcomes.count == 1 }
    let sent = agent.loop.flood(testClient, keepAlives: 1_000_000)
    #expect(sent > 100 && sent < 1_000_000)
    try agent.until("flooded") {
      server.messages.count { if case .keepAlive = $0 { true } else { false } } == sent
    }
  }

  @Test func `lines and calls reach the loop's owner on its thread`() throws {
    let agent = try agent()
    var heard: [String] = []
    var isCalled = false
    agent.loop.listener = { heard.append($0) }
    agent.loop.mailbox.post(.line("cut count=5"))
    agent.loop.call(afterMilliseconds: 1_000) { _ in isCalled = true }
    try agent.until("the line") { heard == ["cut count=5"] }
    #expect(!isCalled)
    try agent.advance(by: 1_002)
    try agent.until("the call") { isCalled }
  }

  @Test func `who watches turns is called in each until that is enough`() throws {
    let agent = try agent()
    var calls = 0
    agent.loop.watchTurns { _ in
      calls += 1
      return calls < 3
    }
    for expected in [1, 2, 3, 3, 3] {
      try agent.loop.turn()
      #expect(calls == expected)
    }
  }
}
