// The agent over HTTPS, against a server that does what the test says, in virtual time.

import BGBModel
import BGBWire
import Glibc
import Reactor
import Synchronization
import Testing

@testable import BGBAgent

@Suite(.serialized) struct AgentPollTests {
  let site: TestSite
  let tcp: FakeServer
  let https: FakePollServer
  let folder = TestFolder()

  init() throws {
    site = try TestSite()
    tcp = try FakeServer(site)
    tcp.answer = { _ in .welcome(welcome()) }
    https = try FakePollServer(site)
  }

  /// An agent whose TCP port is closed, unless the test has another one.
  private func agent(
    tcpAddress: String = "127.0.0.1:1",
    perform: (@Sendable (ActionOrder, StopFlag) -> ActionResult)? = { _, _ in .succeeded("done") },
    configure: (inout AgentConfiguration) -> Void = { _ in }
  ) throws -> TestAgent {
    let agent = try TestAgent(
      site, tcp, state: folder.path, perform: perform, managementPoints: [tcpAddress],
      configure: {
        $0.httpsPoints = [https.address]
        configure(&$0)
      })
    agent.beside = { [https] in https.turn() }
    return agent
  }

  private func signedIn(_ agent: TestAgent) throws {
    try agent.until("the TCP attempt failed") {
      agent.events.contains { if case .disconnected = $0 { true } else { false } }
    }
    try agent.advance(by: 1_001)
    try agent.until("polling") { https.isHolding }
  }

  private func link(_ agent: TestAgent) -> AgentLink? { agent.loop.link(of: testClient) }

  @Test func `a closed port leads to HTTPS within a second, and says why`() throws {
    let agent = try agent()
    try signedIn(agent)
    #expect(link(agent)?.session.isSignedIn == true)
    #expect(https.signIns.map(\.fallback) == [.refused])
    #expect(agent.events.contains(.trying(.https, .refused)))
    #expect(https.requests.map(\.path) == ["/bgb/login", "/bgb/continue"])
    #expect(https.accepted == 1, "login and poll share a connection")
  }

  @Test func `a port that swallows packets leads to HTTPS at the attempt's end`() throws {
    // Accepted by the kernel and never answered: to the agent it is the same silence.
    let silent = try Listener(.loopback(port: 0))
    let agent = try agent(tcpAddress: silent.boundAddress.description)
    try agent.settle()
    try agent.advance(by: 9_999)
    try agent.settle()
    #expect(https.accepted == 0)
    try agent.advance(by: 1)
    try agent.advance(by: 1_001)
    try agent.until("polling") { https.isHolding }
    #expect(https.signIns.map(\.fallback) == [.timedOut])
  }

  @Test func `settings can forbid HTTPS, or TCP`() throws {
    let stubborn = try agent(configure: { $0.transport = .tcp })
    for _ in 0..<5 {
      try stubborn.settle()
      try stubborn.advance(by: 10_000)
    }
    #expect(https.accepted == 0)
    let other = TestFolder()
    let only = try TestAgent(
      site, tcp, state: other.path,
      configure: {
        $0.httpsPoints = [https.address]
        $0.transport = .https
      })
    only.beside = { [https] in https.turn() }
    try only.until("polling") { https.isHolding }
    #expect(tcp.accepted == 0)
    #expect(https.signIns.map(\.fallback) == [.configured])
  }

  @Test func `a push arrives on the poll and its outcome goes with the next one`() throws {
    let agent = try agent()
    try signedIn(agent)
    https.send(.pushTask(site.key.push(TaskWish(), pushID: 42)))
    try agent.until("an outcome") { https.outcomes.count == 1 }
    #expect(https.outcomes[0].pushID == 42)
    #expect(https.outcomes[0].outcome.state == .succeeded)
    #expect(
      https.requests.count == 3, "login, the poll that brought the task, the poll with its outcome")
    #expect(https.isHolding)
    https.send(.outcomeStored(OutcomeStored(upTo: 1)))
    try agent.until("stored") { agent.events.contains(.task(.stored(1))) }
    // A further push on the same connection: nothing of the first comes again.
    try agent.advance(by: 201)
    try agent.until("polling again") { https.isHolding }
    https.send(.pushTask(site.key.push(TaskWish(), pushID: 43)))
    try agent.until("the second outcome") { https.outcomes.count == 2 }
    #expect(https.outcomes.map(\.pushID) == [42, 43])
    #expect(https.accepted == 1)
  }

  @Test func `news do not wait for a held poll`() throws {
    let gate = StopFlag()
    let agent = try agent(perform: { _, _ in
      while !gate.isRaised { usleep(1_000) }
      return .succeeded("scanned")
    })
    try signedIn(agent)
    https.send(
      .pushTask(site.key.push(TaskWish(action: ClientAction.quickScan.rawValue), pushID: 5)))
    try agent.until("acknowledged and started") { https.outcomes.count == 1 }
    try agent.until("the poll is held") { https.isHolding }
    let before = https.requests.count
    gate.raise()
    try agent.until("ended") { https.outcomes.count == 2 }
    #expect(https.requests.count == before + 1, "one request, behind the held one")
    #expect(https.accepted == 1, "on the same connection")
    #expect(https.outcomes.map(\.outcome.state) == [.started, .succeeded])
  }

  @Test func `a cut poll goes on over another connection, in the same session`() throws {
    let agent = try agent()
    try signedIn(agent)
    try agent.advance(by: 60_000)
    https.cut()
    try agent.until("noticed") { agent.events.contains { $0.isCarrierLoss } }
    #expect(link(agent)?.session.isSignedIn == true)
    try agent.advance(by: 3_001)
    try agent.until("polling again") { https.isHolding }
    #expect(https.signIns.count == 1)
    #expect(https.requests.last?["bgb-cut"] == "60")
    #expect(https.accepted == 2)
    // Said once: the next request has nothing to report.
    https.endPoll()
    try agent.until("the next poll") { https.isHolding }
    #expect(https.requests.last?["bgb-cut"] == nil)
  }

  @Test func `a push whose answer was cut is done once`() throws {
    let done = Mutex(0)
    let agent = try agent(perform: { _, _ in
      done.withLock { $0 += 1 }
      return .succeeded("done")
    })
    try signedIn(agent)
    // The answer is written and its connection cut before the agent reads it.
    https.send(.pushTask(site.key.push(TaskWish(), pushID: 7)))
    https.cut()
    try agent.settle()
    try agent.advance(by: 3_001)
    try agent.until("an outcome") { https.outcomes.count == 1 }
    #expect(done.withLock { $0 } == 1)
    #expect(https.outcomes[0].pushID == 7)
  }

  @Test func `a poll without an answer is given up after its length and fifteen seconds`() throws {
    https.pollSeconds = 60
    let agent = try agent()
    try signedIn(agent)
    try agent.advance(by: 74_999)
    try agent.settle()
    #expect(https.accepted == 1)
    try agent.advance(by: 1)
    #expect(agent.events.contains(.carrierLost(.silent)))
    try agent.advance(by: 3_001)
    try agent.until("polling again") { https.isHolding && https.accepted == 2 }
    #expect(https.signIns.count == 1)
  }

  @Test func `a server that forgot the session is signed in to anew`() throws {
    let agent = try agent()
    try signedIn(agent)
    https.endPoll()
    https.forget()
    try agent.until("told") {
      agent.events.contains { if case .disconnected(.sessionGone, _) = $0 { true } else { false } }
    }
    try agent.advance(by: 1_001)
    try agent.until("polling again") { https.isHolding }
    #expect(https.signIns.count == 2)
    #expect(tcp.accepted == 0, "HTTPS worked, so it is tried first")
  }

  @Test func `a server that was probably restarted is not met by everybody at once`() throws {
    let agent = try agent()
    try signedIn(agent)
    https.forget()
    https.cut()
    try agent.settle()
    try agent.advance(by: 3_001)
    try agent.until("told") {
      agent.events.contains { if case .disconnected(.restarted, _) = $0 { true } else { false } }
    }
    guard case .disconnected(_, let wait) = agent.events.last else {
      Issue.record("\(agent.events)")
      return
    }
    // The seed's share of the crash window of 60 s; a second would be the mark of a storm.
    #expect((1_001...60_000).contains(wait))
    try agent.advance(by: 60_001)
    try agent.until("polling again") { https.isHolding }
  }

  @Test func `a request behind a poll is not waited for as long as the poll`() throws {
    let gate = StopFlag()
    let agent = try agent(perform: { _, _ in
      while !gate.isRaised { usleep(1_000) }
      return .succeeded("scanned")
    })
    try signedIn(agent)
    https.send(
      .pushTask(site.key.push(TaskWish(action: ClientAction.quickScan.rawValue), pushID: 5)))
    try agent.until("started, and polling") { https.outcomes.count == 1 && https.isHolding }
    // The path swallows everything from here; what is to be said must not wait for five minutes.
    https.reads = false
    gate.raise()
    try agent.until("said") { link(agent)?.polls?.exchange.deadline != .never }
    try agent.settle()
    try agent.advance(by: 15_001)
    try agent.settle()
    #expect(agent.events.contains(.carrierLost(.silent)))
    https.reads = true
    try agent.advance(by: 3_001)
    try agent.until("told over another connection") {
      https.outcomes.contains { $0.outcome.state == .succeeded }
    }
  }

  @Test func `outcomes that were not stored come again in the next session`() throws {
    let agent = try agent()
    try signedIn(agent)
    https.send(.pushTask(site.key.push(TaskWish(), pushID: 1)))
    try agent.until("an outcome") { https.outcomes.count == 1 }
    https.forget()
    https.cut()
    for _ in 0..<30 where https.outcomes.count < 2 {
      try agent.settle()
      try agent.advance(by: 3_001)
    }
    try agent.until("again") { https.outcomes.count == 2 }
    #expect(https.outcomes[1].sequence == https.outcomes[0].sequence)
  }

  @Test(
    arguments: [
      "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
      "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad",
      "HTTP/1.1 403 Forbidden\r\nContent-Length: 8\r\n\r\nblocked\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "<html>",
      "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.bgb.frames\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.bgb.frames\r\nBGB-Session: x\r\n"
        + "BGB-Sent: 0\r\nBGB-Received: 0\r\nBGB-Poll: 300\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.bgb.frames\r\nBGB-Session: 1\r\n"
        + "BGB-Sent: 9\r\nBGB-Received: 0\r\nBGB-Poll: 300\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.bgb.frames\r\nBGB-Session: 1\r\n"
        + "BGB-Sent: 0\r\nBGB-Received: 99999\r\nBGB-Poll: 300\r\nContent-Length: 0\r\n\r\n",
    ])
  func `answers that are not ours are reported and not believed`(_ text: String) throws {
    https.manner = .raw(Array(text.utf8))
    let agent = try agent()
    try agent.until("the TCP attempt failed") {
      agent.events.contains { if case .disconnected = $0 { true } else { false } }
    }
    try agent.advance(by: 1_001)
    try agent.until("reported") {
      agent.events.contains {
        if case .disconnected(.notOurAnswer, _) = $0 { true } else { false }
      }
    }
    #expect(link(agent)?.session.isSignedIn == false)
    #expect(!agent.events.contains { if case .welcomed = $0 { true } else { false } })
  }

  @Test func `an answer that is cut in the middle is void`() throws {
    let agent = try agent()
    try signedIn(agent)
    https.manner = .cutAfter(
      Array("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.bgb.frames\r\nConte".utf8))
    https.endPoll()
    try agent.until("noticed") { agent.events.contains(.carrierLost(.cutAnswer)) }
    https.manner = .proper
    try agent.advance(by: 3_001)
    try agent.until("polling again") { https.isHolding }
    #expect(https.signIns.count == 1)
  }

  @Test func `a stop says goodbye over HTTPS`() throws {
    let agent = try agent()
    try signedIn(agent)
    agent.loop.mailbox.post(.stop(reason: "test"))
    try agent.until("goodbye") { https.messages.contains { $0.kind == .goodbye } }
    #expect(https.requests.last?.path == "/bgb/goodbye")
  }

  @Test func `a keep-alive goes over polls as over TCP`() throws {
    https.pollSeconds = 3_600
    let agent = try agent()
    try signedIn(agent)
    try agent.advance(by: 899_000)
    try agent.settle()
    #expect(!https.messages.contains { $0.kind == .keepAlive })
    try agent.advance(by: 1_001)
    try agent.until("a keep-alive") { https.messages.contains { $0.kind == .keepAlive } }
  }
}

extension AgentEvent {
  fileprivate var isCarrierLoss: Bool { if case .carrierLost = self { true } else { false } }
}
