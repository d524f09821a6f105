// A real shard with real TLS sockets on loopback under a clock that the test moves: both ends turn
// in the test's thread, so an hour of the protocol costs milliseconds and nothing is awaited by
// sleeping.

import BGBModel
import BGBReport
import BGBSigning
import BGBWire
import Glibc
import Logging
import Reactor
import SiteDatabase
import Testing
import Transports

@testable import BGBServer

enum HarnessError: Error { case setUp(String), neverHappened(String) }

/// A folder with a site authority, a server certificate and as many client certificates as asked.
final class TestSite {
  let folder: String
  let authority: CertificateAuthority
  private let now: WallTime

  init(now: WallTime) throws {
    var template = Array("/tmp/bgb-shard-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { buffer -> String? in
      guard let base = buffer.baseAddress, let path = mkdtemp(base) else { return nil }
      return String(cString: path)
    }
    guard let made else { throw HarnessError.setUp("no folder") }
    folder = made
    self.now = now
    authority = try CertificateAuthority.create(
      site: try Sample.site(), directory: made, now: now)
    let (key, request) = try CertificateRequest.make(name: "mp1")
    try write("server.key", key)
    try write(
      "server.crt",
      try authority.issueServer(
        name: "mp1", hosts: ["localhost", "127.0.0.1"], request: request, days: 30, now: now))
  }

  deinit {
    for name in (try? Folder.names(in: folder)) ?? [] { try? Folder.remove("\(folder)/\(name)") }
    rmdir(folder)
  }

  func write(_ name: String, _ text: String) throws {
    try? Folder.remove("\(folder)/\(name)")
    let file = try AppendFile(path: "\(folder)/\(name)")
    try file.append(Array(text.utf8))
  }

  func serverContext(_ session: String, _ desk: ReconnectDesk? = nil) throws -> TLSContext {
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: now.milliseconds / 1000)
    options.sessionContext = session
    options.detaches = true
    return try TLSContext(
      role: .server, certificateChainFile: "\(folder)/server.crt",
      privateKeyFile: "\(folder)/server.key", caFile: "\(folder)/ca.pem", options: options,
      reconnects: desk)
  }

  func clientContext(_ client: ClientID, days: Int = 30) throws -> TLSContext {
    let (key, request) = try CertificateRequest.make(name: "client")
    try write("\(client).key", key)
    try write(
      "\(client).crt",
      try authority.issueClient(client, request: request, days: days, now: now))
    return try TLSContext(
      role: .client, certificateChainFile: "\(folder)/\(client).crt",
      privateKeyFile: "\(folder)/\(client).key", caFile: "\(folder)/ca.pem")
  }
}

/// A shard and what its other threads would be, played by the test.
final class ShardHarness {
  let time: ManualTime
  let site: TestSite
  let shard: Shard
  let shardBox: Mailbox<ShardLetter>
  let journalBox: Mailbox<JournalLetter>
  let siteBox: Mailbox<SiteLetter>
  private(set) var reports: [Report] = []
  private(set) var tended: [ReconnectKeyFile] = []
  private(set) var statuses: [StatusMessage] = []
  private(set) var drains: [ServerDrain] = []
  private(set) var policyQuestions: [(token: Token, client: ClientID, entityTag: String?)] = []
  /// While false, the journal keeps what it gets and confirms nothing.
  var journalStores = true
  private(set) var journalled: [OutcomeRecord] = []
  private var segment: UInt64 = 1

  init(
    _ change: (inout ShardSettings) -> Void = { _ in },
    reconnects desk: (TimeSource) throws -> ReconnectDesk? = { _ in nil }
  ) throws {
    time = ManualTime(wall: WallClock.nowMilliseconds())
    let now = WallTime(milliseconds: time.wall)
    site = try TestSite(now: now)
    shardBox = try Mailbox()
    journalBox = try Mailbox()
    siteBox = try Mailbox()
    var settings = ShardSettings()
    settings.confirmsAtOnce = true
    change(&settings)
    let address = SocketAddress.loopback(port: 0)
    let listeners = [
      ShardListener(listener: try Listener(address), role: .agent),
      ShardListener(listener: try Listener(address), role: .https),
      ShardListener(listener: try Listener(address), role: .watch),
    ]
    // Small kernel buffers, inherited by accepted sockets: a slow reader shows after kilobytes.
    for entry in listeners {
      try StreamSocket.setBufferSizes(entry.listener.fd, send: 4_096, receive: nil)
    }
    let desk = try desk(time.source)
    shard = try Shard(
      loop: try Loop(time: time.source), mailbox: shardBox, journal: journalBox, site: siteBox,
      identity: ReportIdentity(site: try Sample.site(), serverID: ServerID(1), epoch: 5),
      settings: settings, agentTLS: try site.serverContext("agent", desk),
      httpsTLS: try site.serverContext("https"), listeners: listeners,
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
      httpLog: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    shard.reconnects = desk
    shardBox.post(.recovered([], damaged: 0))
  }

  var now: WallTime { WallTime(milliseconds: time.wall) }

  /// One turn of everything but the clients.
  func turn() throws {
    try shard.turn()
    var journal: [JournalLetter] = []
    journalBox.takeAll(into: &journal)
    for letter in journal { answer(letter) }
    var letters: [SiteLetter] = []
    siteBox.takeAll(into: &letters)
    for letter in letters {
      switch letter {
      case .report(let report, _):
        reports.append(report)
        shardBox.post(.reportDelivered(report.header.kind, sequence: report.header.sequence))
      case .policy(let token, let client, let tag): policyQuestions.append((token, client, tag))
      case .tendReconnectKeys(let file): tended.append(file)
      case .status(let message): statuses.append(message)
      case .drain(let news): drains.append(news)
      case .end: continue
      }
    }
  }

  private func answer(_ letter: JournalLetter) {
    switch letter {
    case .append(let records, let upTo):
      guard journalStores else { return }
      journalled += records
      shardBox.post(.outcomesDurable(upTo: upTo))
    case .cut(let sequence):
      segment += 1
      shardBox.post(.journalCut(sequence: sequence, segment: segment))
    case .release, .end: return
    }
  }

  /// Turns everything until a condition holds; a condition that never does is a failure.
  func turn(
    _ what: String, with agents: [TestAgent] = [], until condition: () -> Bool
  ) throws {
    for _ in 0..<20_000 {
      try turn()
      for agent in agents { agent.turn() }
      if condition() { return }
      sched_yield()
    }
    throw HarnessError.neverHappened(what)
  }

  /// Turns a good while and expects that nothing more happens than what the test checks after it.
  func settle(with agents: [TestAgent] = []) throws {
    for _ in 0..<50 {
      try turn()
      for agent in agents { agent.turn() }
      sched_yield()
    }
  }

  /// Lets time pass and everything that is due happen.
  func pass(_ milliseconds: UInt64, with agents: [TestAgent] = []) throws {
    time.advance(by: milliseconds)
    try settle(with: agents)
  }

  func agent(
    _ number: UInt64, days: Int = 30, reconnect: ReconnectGrant? = nil
  ) throws -> TestAgent {
    try TestAgent(
      Sample.client(number), site: site, port: shard.listeners[0].listener.boundAddress,
      days: days, now: shard.loop.now, reconnect: reconnect)
  }

  /// An agent that is signed in.
  func signedIn(
    _ number: UInt64, days: Int = 30, takesReconnect: Bool = false,
    reconnect: ReconnectGrant? = nil, ended: [TaskID] = []
  ) throws -> TestAgent {
    let agent = try agent(number, days: days, reconnect: reconnect)
    var signIn = Sample.signIn(agent.clientID)
    signIn.takesReconnect = takesReconnect
    signIn.endedTasks = ended
    agent.send(.signIn(signIn))
    try turn("welcome", with: [agent]) { agent.welcome != nil }
    return agent
  }

  func outcomeRecords() -> [OutcomeRecord] {
    reports.flatMap { report -> [OutcomeRecord] in
      if case .outcomes(let records) = report.body { records } else { [] }
    }
  }

  func presenceReports() -> [(scope: ReportScope, records: [PresenceRecord])] {
    reports.compactMap { report in
      if case .presence(let records) = report.body { (report.header.scope, records) } else { nil }
    }
  }
}

/// The other end: a client that does what the test says and notes what it gets.
final class TestAgent {
  let clientID: ClientID
  private let channel: ByteChannel
  private let pool = BlockPool(blockSize: 4096, limit: 256)
  private let poller: Poller
  private let now: Ticks
  private var buffer = ReceiveBuffer()
  private var frames = FrameReader()
  private var isSecure = false
  private var waiting: [[UInt8]] = []
  private(set) var received: [Message] = []
  private(set) var isClosed = false
  /// While false, nothing is read from the socket.
  var reads = true

  init(
    _ clientID: ClientID, site: TestSite, port: SocketAddress, days: Int, now: Ticks,
    session: [UInt8]? = nil, reconnect: ReconnectGrant? = nil
  ) throws {
    self.clientID = clientID
    self.now = now
    poller = try Poller()
    let socket = try StreamSocket.connect(to: port)
    try StreamSocket.setBufferSizes(socket.raw, send: nil, receive: 4_096)
    let context = try site.clientContext(clientID, days: days)
    let transport = try TLSTransport(
      socket, context: context, serverName: "localhost", session: session,
      reconnect: reconnect)
    channel = ByteChannel(
      .tls(transport), token: Token(generation: 1, index: 0), pool: pool,
      outboundBytesMax: 1 << 20, now: now)
  }

  func send(_ message: Message) { send(MessageCodec.encode(message)) }

  func send(_ bytes: [UInt8]) { waiting.append(bytes) }

  func turn() {
    guard !isClosed else { return }
    if !isSecure {
      switch channel.handshake() {
      case .done: isSecure = true
      case .wouldBlock: return
      case .failed:
        isClosed = true
        return
      }
    }
    for bytes in waiting { _ = channel.enqueue(bytes.span, now: now) }
    waiting = []
    if case .failed = channel.flush(now: now) { isClosed = true }
    guard reads else { return }
    while true {
      switch channel.receive(into: &buffer) {
      case .progressed: frames.append(buffer.bytes)
      case .wouldBlock: return take()
      case .ended, .failed:
        take()
        isClosed = true
        return
      }
    }
  }

  func drop() {
    channel.close(sendCloseNotify: false)
    isClosed = true
  }

  private func take() {
    while let message = try? frames.next() { received.append(message) }
  }

  var welcome: Welcome? {
    for case .welcome(let welcome) in received { return welcome }
    return nil
  }

  var pushes: [PushTask] {
    received.compactMap { if case .pushTask(let push) = $0 { push } else { nil } }
  }

  var refusals: [CloseCode] {
    received.compactMap {
      if case .refused(let refused) = $0 { CloseCode(rawValue: refused.code) } else { nil }
    }
  }

  /// What it was given to come back with, oldest first.
  var grants: [ReconnectGrant] {
    received.compactMap {
      guard case .reconnectIdentity(let given) = $0 else { return nil }
      return ReconnectGrant(
        identity: given.identity, key: given.key, lifeSeconds: given.lifeSeconds)
    }
  }

  var stored: [UInt64] {
    received.compactMap { if case .outcomeStored(let stored) = $0 { stored.upTo } else { nil } }
  }
}
