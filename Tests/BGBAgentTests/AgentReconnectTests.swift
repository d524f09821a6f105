// Coming back without the certificate, as the agent does it: kept, offered, dropped
// (AgentLoop+Reconnect.swift, KeptReconnect.swift). Against a server over real TLS in virtual time.

import BGBModel
import BGBWire
import Glibc
import Reactor
import Testing
import Transports

@testable import BGBAgent

@Suite(.serialized) struct AgentReconnectTests {
  let site: TestSite
  let server: FakeServer
  let folder = TestFolder()

  init() throws {
    site = try TestSite()
    // As a notification server does: identities instead of tickets.
    server = try FakeServer(site, tickets: 0)
    server.answer = { _ in .welcome(welcome(crashWindowSeconds: 0)) }
    server.givesIdentities = true
  }

  private func signedIn(_ agent: TestAgent, times: Int) throws {
    for _ in 0..<8 where server.signIns.count < times {
      try agent.settle()
      try agent.advance(by: 2_000)
    }
    try agent.until("signed in \(times) times") {
      server.signIns.count == times && agent.loop.link(of: testClient)?.session.isSignedIn == true
    }
    try agent.settle()
  }

  private func kept(_ agent: TestAgent) -> KeptReconnect? {
    agent.loop.link(of: testClient)?.keptReconnect.flatMap { KeptReconnect(bytes: $0) }
  }

  private var file: String { "\(folder.path)/reconnect" }

  @Test func `what the server gives is kept and offered, and each one is replaced by the next`()
    throws
  {
    let agent = try TestAgent(site, server, state: folder.path)
    try signedIn(agent, times: 1)
    #expect(server.signIns[0].takesReconnect)
    let first = try #require(kept(agent))
    #expect(server.proofs == [.certificate])
    for round in 2...4 {
      server.hangUp()
      try signedIn(agent, times: round)
      #expect(server.lastProofIsIdentity)
    }
    #expect(kept(agent)?.message != first.message)
    #expect(server.proofs.count == 4)
  }

  @Test func `a new start of the agent takes it from its file, which only the owner can read`()
    throws
  {
    do {
      let agent = try TestAgent(site, server, state: folder.path)
      try signedIn(agent, times: 1)
      try agent.until("on the disk") { access(file, F_OK) == 0 }
    }
    var status = stat()
    #expect(stat(file, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o600)
    server.hangUp()
    do {
      let agent = try TestAgent(site, server, state: folder.path)
      try signedIn(agent, times: 2)
      #expect(server.lastProofIsIdentity)
    }
    server.hangUp()
    chmod(file, 0o644)
    let agent = try TestAgent(site, server, state: folder.path)
    try signedIn(agent, times: 3)
    #expect(server.proofs.last == .certificate)
  }

  @Test func `a server that does not know it gets the certificate, and gives another one`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try signedIn(agent, times: 1)
    let first = try #require(kept(agent))
    server.desk?.keys = try ReconnectKeys.fresh(now: 1)
    server.hangUp()
    try signedIn(agent, times: 2)
    #expect(server.proofs.last == .certificate)
    #expect(server.accepted == 2, "on the same connection")
    let second = try #require(kept(agent))
    #expect(second.message != first.message)
    server.hangUp()
    try signedIn(agent, times: 3)
    #expect(server.lastProofIsIdentity)
  }

  @Test func `what is over by the agent's own clock is not offered`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try signedIn(agent, times: 1)
    server.givesIdentities = false
    server.hangUp()
    try agent.until("lost") { agent.loop.link(of: testClient)?.channel == nil }
    try agent.advance(by: 86_400_000)
    try signedIn(agent, times: 2)
    #expect(server.proofs.last == .certificate)
    #expect(server.desk?.refused.isEmpty == true, "it was not even asked")
    #expect(agent.loop.link(of: testClient)?.keptReconnect == [])
  }

  @Test func `a key that the server knows otherwise is dropped after one failure`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try signedIn(agent, times: 1)
    let good = try #require(kept(agent))
    var message = good.message
    message.key[0] ^= 1
    agent.loop.link(of: testClient)?.keptReconnect =
      KeptReconnect(message, site: good.site, client: good.client, at: good.receivedAt).bytes
    server.hangUp()
    try signedIn(agent, times: 2)
    #expect(server.accepted == 3, "one attempt in vain")
    #expect(server.proofs.last == .certificate)
  }

  @Test func `a new certificate is shown, so the identity made with the old one goes`() throws {
    let agent = try TestAgent(site, server, state: folder.path)
    try signedIn(agent, times: 1)
    agent.loop.mailbox.post(.renewCredentials)
    try agent.until("dropped") { agent.loop.link(of: testClient)?.keptReconnect == [] }
    server.hangUp()
    try signedIn(agent, times: 2)
    #expect(server.proofs.last == .certificate)
  }

  @Test func `where a server gives none, tickets serve as before`() throws {
    let plain = try FakeServer(site)
    plain.answer = { _ in .welcome(welcome(crashWindowSeconds: 0)) }
    let agent = try TestAgent(site, plain, state: folder.path)
    try agent.until("signed in") { agent.loop.link(of: testClient)?.session.isSignedIn == true }
    try agent.until("a ticket") { agent.loop.link(of: testClient)?.tlsSessions.isEmpty == false }
    plain.hangUp()
    for _ in 0..<8 where plain.signIns.count < 2 {
      try agent.settle()
      try agent.advance(by: 2_000)
    }
    try agent.until("signed in again") { plain.signIns.count == 2 }
    #expect(plain.wasResumed)
    // A new certificate is shown: neither the ticket nor anything else stands for the old one.
    agent.loop.mailbox.post(.renewCredentials)
    try agent.until("dropped") {
      agent.loop.link(of: testClient)?.savedSession(of: plain.address) == nil
    }
  }

  @Test func `settings can leave all of it out`() throws {
    let agent = try TestAgent(
      site, server, state: folder.path, configure: { $0.takesReconnect = false })
    try signedIn(agent, times: 1)
    #expect(server.signIns[0].takesReconnect == false)
    #expect(agent.loop.link(of: testClient)?.keptReconnect == nil)
    #expect(access(file, F_OK) != 0)
  }

  @Test func `without the key a server of our site must still show its certificate`() throws {
    let impostor = try FakeServer(site, asClient: otherClient)
    impostor.givesIdentities = true
    let agent = try TestAgent(site, server, state: folder.path)
    try signedIn(agent, times: 1)
    // Same folder, same identity; but what answers has neither the key nor a server's certificate.
    server.hangUp()
    let next = try TestAgent(site, impostor, state: folder.path)
    try next.until("refused") {
      next.events.contains { if case .disconnected = $0 { true } else { false } }
    }
    try next.settle()
    #expect(impostor.signIns.isEmpty)
  }

  @Test func `what was kept holds for one client of one site, for its life, and no bytes trap`()
    throws
  {
    let message = ReconnectIdentity(identity: [65, 66], key: pattern(32), lifeSeconds: 60)
    let kept = KeptReconnect(message, site: TestSite.code, client: testClient, at: site.now)
    let again = try #require(KeptReconnect(bytes: kept.bytes))
    #expect(again == kept)
    func grant(
      _ client: ClientID = testClient, _ code: SiteCode = TestSite.code, after: Int64
    ) -> ReconnectGrant? {
      again.grant(for: client, at: code, now: site.now.adding(milliseconds: after))
    }
    #expect(grant(after: 0)?.identity == [65, 66])
    #expect(grant(after: 59_999)?.key == pattern(32))
    #expect(grant(after: 60_000) == nil)
    #expect(grant(after: -1) == nil, "a clock that went back says nothing about the rest")
    #expect(grant(otherClient, after: 0) == nil)
    #expect(grant(testClient, try #require(SiteCode("S02")), after: 0) == nil)
    for count in 0..<kept.bytes.count {
      #expect(KeptReconnect(bytes: Array(kept.bytes.prefix(count))) == nil)
    }
    #expect(KeptReconnect(bytes: kept.bytes + [0]) == nil)
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<5_000 {
      var bent = kept.bytes
      bent[Int.random(in: 0..<bent.count, using: &generator)] = .random(in: 0...255)
      _ = KeptReconnect(bytes: bent)?.grant(for: testClient, at: TestSite.code, now: site.now)
    }
  }

  private func pattern(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 & 0xFF) } }
}
