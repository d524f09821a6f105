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

  @Test func `what comes while a batch is synced is one batch behind it`() throws {
    let disk = HeldDisk()
    let agent = try TestAgent(
      site, server, state: folder.path, rules: { $0.instant = { _ in .succeeded("at once") } },
      disk: { HeldDiskHandle(disk) })
    try agent.until("signed in") { !server.signIns.isEmpty }
    func push(_ number: UInt64) throws {
      server.send(.pushTask(site.key.push(TaskWish(), pushID: number)))
      try agent.until("taken") {
        agent.events.count { if case .task(.received) = $0 { true } else { false } } == number
      }
    }
    try push(1)
    try agent.until("the first batch is being synced") { disk.state.withLock { $0.syncs } == [1] }
    try push(2)
    try push(3)
    try agent.settle()
    #expect(server.outcomes.isEmpty, "nothing is answered before it is durable")
    disk.state.withLock { $0.isHeld = false }
    try agent.until("all outcomes") { server.outcomes.count == 3 }
    #expect(server.outcomes.map(\.pushID) == [1, 2, 3])
    #expect(disk.state.withLock { $0.syncs } == [1, 2], "two appends, not three")
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
    #expect(server.signIns[0].endedTasks.isEmpty)
    #expect(server.signIns[2].endedTasks == [server.outcomes[0].outcome.taskID])
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

  @Test func `a server's name cannot lead the saved session out of its folder`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    let link: AgentLink? = agent.loop.link(of: testClient)
    let file = link?.sessionFile(of: "../../etc/x y:10123")
    #expect(file == "\(folder.path)/session..._.._etc_x_y_10123")
  }

  @Test func `a client's certificate does not make a server`() throws {
    let impostor = try FakeServer(site, asClient: otherClient)
    let agent = try TestAgent(site, impostor, state: folder.path)
    try agent.until("refused") { agent.events.contains { $0.isDisconnect } }
    try agent.settle()
    #expect(impostor.signIns.isEmpty)
    guard case .disconnected = agent.events[1] else {
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

  @Test func `a hundred pushes in one flood are each done once, byte by byte too`() throws {
    let done = Mutex<[TaskID]>([])
    let agent = try TestAgent(
      site, server, state: folder.path,
      perform: { order, _ in
        done.withLock { $0.append(order.key.task) }
        return .succeeded(String(repeating: "x", count: 2_000))
      })
    try agent.until("signed in") { !server.signIns.isEmpty }
    var bytes: [UInt8] = []
    for number in 1...100 {
      let push = site.key.push(
        TaskWish(
          action: ClientAction.siteDefined.rawValue,
          parameters: ActionParameters([.init(name: "name", text: "n\(number % 7)")])),
        pushID: UInt64(number))
      bytes += MessageCodec.encode(.pushTask(push))
    }
    for byte in bytes.prefix(700) {
      server.sendRaw([byte])
      try agent.loop.turn()
    }
    server.sendRaw(Array(bytes.dropFirst(700)))
    try agent.until("all ended") {
      server.outcomes.count { $0.outcome.state == .succeeded } == 100
    }
    #expect(done.withLock { Set($0).count } == 100)
    #expect(done.withLock { $0.count } == 100)
    #expect(Set(server.acks.map(\.pushID)) == Set(1...100))
    #expect(server.outcomes.map(\.sequence) == Array(1...200), "in order, none missing")
    #expect(
      server.outcomes.allSatisfy {
        $0.outcome.text.utf8.count <= Limits.outcomeTextBytesMax
      })
  }

  @Test(
    arguments: [
      [0x7F, 0, 0, 0], [0x10, 0, 0, 1, 0], [0x10, 1, 0, 0], [0x01, 0, 0, 0], [0x13, 0, 0, 1, 0],
    ] as [[UInt8]])
  func `a server that breaks the protocol is left, slowly`(_ bytes: [UInt8]) throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try agent.until("welcomed") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    server.sendRaw(bytes)
    try agent.until("left") { agent.loop.link(of: testClient)?.channel == nil }
    guard case .disconnected(.protocolError, _) = agent.events.last else {
      Issue.record("\(agent.events)")
      return
    }
  }

  @Test func `a refusal is told and no attempt comes before its time`() throws {
    server.answer = { _ in
      .refused(
        Refused(code: CloseCode.overloaded.rawValue, retryAfterMilliseconds: 30_000, reason: ""))
    }
    let agent = try TestAgent(site, server, state: folder.path)
    try agent.until("refused") { !agent.events.filter { $0.isDisconnect }.isEmpty }
    try agent.advance(by: 29_999)
    try agent.settle()
    #expect(server.accepted == 1)
    server.answer = { _ in .welcome(welcome()) }
    try agent.advance(by: 1_002)
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
  }

  @Test func `policies are fetched by the timer, and their tasks are done`() throws {
    let fetched = Mutex(0)
    let exclude = site.key.push(
      TaskWish(
        action: ClientAction.excludePath.rawValue,
        parameters: ActionParameters([.init(name: "path", text: "/srv")]),
        deliverBefore: WallTime(milliseconds: 1_000_000 + 86_400_000)))
    let agent = try TestAgent(
      site, server, state: folder.path,
      perform: { order, _ in
        guard order.action == .downloadComputerPolicy else { return .succeeded("excluded") }
        fetched.withLock { $0 += 1 }
        let task = PolicyTask(task: exclude.task, leafIndex: 0, path: exclude.path)
        return .succeeded("1 policy stored", policyTasks: [task])
      }, policyInterval: 3_600_000)
    try agent.until("welcomed") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    try agent.advance(by: 60_001)
    try agent.until("its task is done") { !server.outcomes.isEmpty }
    #expect(server.outcomes[0].outcome.text == "excluded")
    for count in 2...4 {
      server.send(.keepAlive(KeepAlive(clock: WallTime(milliseconds: 0))))
      try agent.advance(by: 3_600_000 * 105 / 100)
      try agent.until("fetched again") { fetched.withLock { $0 } == count }
      try agent.settle()
    }
    #expect(server.outcomes.count { $0.outcome.state == .succeeded && $0.sequence > 1 } == 0)
  }

  @Test func `what was acknowledged and not begun at a stop is begun by the next agent`() throws {
    let gate = StopFlag()
    var agent: TestAgent? = try TestAgent(
      site, server, state: folder.path,
      perform: { _, stop in
        while !stop.isRaised && !gate.isRaised { usleep(1_000) }
        return .failed("stopped")
      })
    try agent?.until("signed in") { !server.signIns.isEmpty }
    let scans = (1...2).map { number in
      TaskWish(
        taskID: TaskID(Bits128(high: 3, low: UInt64(number))),
        action: ClientAction.quickScan.rawValue)
    }
    for scan in scans { server.send(.pushTask(site.key.push(scan, pushID: 1))) }
    try agent?.until("both acknowledged") { server.acks.count == 2 }
    agent?.loop.mailbox.post(.stop(reason: "test"))
    try agent?.until("goodbye") { server.messages.contains { $0.kind == .goodbye } }
    agent = nil
    server.hangUp()
    let next = try TestAgent(site, server, state: folder.path)
    try next.until("the second one is done") {
      server.outcomes.contains {
        $0.outcome.taskID == scans[1].taskID && $0.outcome.state == .succeeded
      }
    }
    #expect(
      server.outcomes.contains {
        $0.outcome.taskID == scans[0].taskID && $0.outcome.state == .failed
      })
  }
}

extension AgentEvent {
  fileprivate var isDisconnect: Bool { if case .disconnected = self { true } else { false } }
}

/// A disk whose syncs last until the test lets go of it.
private final class HeldDisk: Sendable {
  struct State {
    var isHeld = true
    var appends = 0
    /// How many appends there had been when each sync began.
    var syncs: [Int] = []
  }
  let state = Mutex(State())
}

private final class HeldDiskHandle: JournalDisk {
  private let disk: HeldDisk
  init(_ disk: HeldDisk) { self.disk = disk }
  func load() throws(DiskError) -> [UInt8]? { nil }
  func append(_ bytes: [UInt8]) throws(DiskError) { disk.state.withLock { $0.appends += 1 } }
  func sync() throws(DiskError) {
    disk.state.withLock { $0.syncs.append($0.appends) }
    while disk.state.withLock({ $0.isHeld }) { usleep(500) }
  }
  func replace(with bytes: [UInt8]) throws(DiskError) {}
  func quarantine(_ bytes: [UInt8]) {}
}
