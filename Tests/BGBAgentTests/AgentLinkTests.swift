// The agent against a server over real TLS sockets, in virtual time.

import BGBModel
import BGBWire
import Glibc
import Reactor
import Synchronization
import Testing

@testable import BGBAgent

@Suite(.serialized) struct AgentLinkTests {
  let site: TestSite
  let server: FakeServer
  let folder = TestFolder()

  init() throws {
    site = try TestSite()
    server = try FakeServer(site)
    server.answer = { _ in .welcome(welcome()) }
  }

  @Test func `a push is journalled, done and answered in one frame`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    #expect(server.signIns.first?.facts.hostname == "pc-1")
    let push = site.key.push(TaskWish(), pushID: 42)
    server.send(.pushTask(push))
    try agent.until("an outcome") { !server.outcomes.isEmpty }
    let report = try #require(server.outcomes.first)
    #expect(report.pushID == 42)
    #expect(report.sequence == 1)
    #expect(report.outcome.state == .succeeded)
    #expect(server.acks.isEmpty, "a brief action answers with the outcome alone")
    // The same push again is answered from memory and not done again.
    server.send(.pushTask(site.key.push(TaskWish(taskID: report.outcome.taskID), pushID: 43)))
    try agent.until("the stored outcome") { server.outcomes.count == 2 }
    #expect(server.outcomes[1].pushID == 43)
    #expect(server.outcomes[1].outcome == report.outcome)
    #expect(server.outcomes[1].sequence == 1)
  }

  @Test func `a long action is acknowledged, started and ended`() throws {
    let gate = StopFlag()
    let agent = try TestAgent(
      site, server, state: folder.path,
      perform: { _, _ in
        while !gate.isRaised { usleep(1_000) }
        return .succeeded("scanned")
      })
    try agent.until("signed in") { !server.signIns.isEmpty }
    server.send(
      .pushTask(site.key.push(TaskWish(action: ClientAction.quickScan.rawValue), pushID: 5)))
    try agent.until("acknowledged and started") { server.outcomes.count == 1 }
    #expect(server.acks.map(\.pushID) == [5])
    #expect(server.outcomes[0].outcome.state == .started)
    gate.raise()
    try agent.until("ended") { server.outcomes.count == 2 }
    #expect(server.outcomes.map(\.outcome.state) == [.started, .succeeded])
    #expect(server.outcomes.map(\.sequence) == [1, 2])
  }

  @Test func `outcomes come again after a reconnect until they are stored`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try agent.until("signed in") { !server.signIns.isEmpty }
    server.send(.pushTask(site.key.push(TaskWish(), pushID: 1)))
    try agent.until("an outcome") { server.outcomes.count == 1 }
    server.hangUp()
    try agent.until("lost") { agent.loop.link(of: testClient)?.channel == nil }
    try agent.advance(by: 61_000)
    try agent.until("the outcome again") { server.outcomes.count == 2 }
    #expect(server.wasResumed, "the saved TLS session resumes")
    #expect(server.outcomes[1].pushID == 0)
    #expect(server.outcomes[1].sequence == 1)
    server.send(.outcomeStored(OutcomeStored(upTo: 1)))
    try agent.until("stored") { agent.loop.desk.storedUpTo(of: testClient) == 1 }
    server.hangUp()
    try agent.until("lost") { agent.loop.link(of: testClient)?.channel == nil }
    try agent.advance(by: 300_000)
    try agent.until("signed in again") { server.signIns.count == 3 }
    #expect(server.signIns[2].outcomesStored == 1)
    try agent.settle()
    #expect(server.outcomes.count == 2)
  }

  @Test func `the TLS session on disk resumes after a restart of the agent`() throws {
    var agent: TestAgent? = try TestAgent(site, server, state: folder.path)
    try agent?.until("signed in") { !server.signIns.isEmpty }
    try agent?.settle()
    agent = nil
    server.hangUp()
    let again = try TestAgent(site, server, state: folder.path)
    try again.until("signed in") { server.signIns.count == 2 }
    #expect(server.wasResumed)
    #expect(server.signIns[0].incarnation == server.signIns[1].incarnation)
  }

  @Test func `a keep-alive is sent after the interval and a silent server is left`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try agent.until("welcomed") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    try agent.advance(by: 899_000)
    try agent.settle()
    #expect(!server.messages.contains { $0.kind == .keepAlive })
    try agent.advance(by: 1_001)
    try agent.until("a keep-alive") { server.messages.contains { $0.kind == .keepAlive } }
    try agent.advance(by: 450_100)
    try agent.until("left") { agent.loop.link(of: testClient)?.channel == nil }
    #expect(
      agent.events.contains {
        if case .disconnected(.silent, _) = $0 { true } else { false }
      })
  }

  @Test func `a client's certificate does not make a server`() throws {
    let impostor = try FakeServer(site, asClient: otherClient)
    let agent = try TestAgent(site, impostor, state: folder.path)
    try agent.until("refused") { !agent.events.isEmpty }
    try agent.settle()
    #expect(impostor.signIns.isEmpty)
    guard case .disconnected = agent.events[0] else {
      Issue.record("expected a refusal, got \(agent.events)")
      return
    }
  }

  @Test func `the next server of the list is tried when one does not answer`() throws {
    let agent = try TestAgent(
      site, server, state: folder.path, managementPoints: ["127.0.0.1:1", server.address])
    for _ in 0..<6 where server.signIns.isEmpty {
      try agent.settle()
      try agent.advance(by: 2_000)
    }
    try agent.until("signed in at the other one") { !server.signIns.isEmpty }
  }

  @Test func `a stop says goodbye`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try agent.until("welcomed") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    agent.loop.mailbox.post(.stop(reason: "test"))
    try agent.until("goodbye") { server.messages.contains { $0.kind == .goodbye } }
  }
}
