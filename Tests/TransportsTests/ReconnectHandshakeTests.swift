// Reconnect identities in real handshakes (OpenSSL/ExternalPSK.swift, OpenSSL/TicketProof.swift):
// our client, stock tools, and hostile ones. Each rule of docs/SECURITY.md, "Reconnect identities",
// that needs a handshake to be seen has its test here, and each is played twice: with OpenSSL's
// handshake at the server, and with ours (Returning/), which hands to OpenSSL what is not its own.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

/// Whose handshake a server of these tests answers with.
enum HandshakeMaker: CaseIterable, CustomTestStringConvertible {
  case openSSL, ours

  var testDescription: String { self == .ours ? "our handshake" : "OpenSSL's handshake" }
}

@Suite("Reconnect handshakes")
struct ReconnectHandshakeTests {
  let site = Site()
  let stage: DeskStage

  init() throws {
    stage = try DeskStage()
    // Certificates are judged by the machine's clock, so the desk begins at its time.
    stage.now = Int64(time(nil))
  }

  static let subject: UInt128 = 0x8C1F_0A52_0000_4000_8000_0000_0000_0001

  private func grant(_ subject: UInt128 = subject) throws -> ReconnectGrant {
    try #require(stage.desk.issue(for: stage.client(subject)))
  }

  private func server(
    _ desk: ReconnectDesk? = nil, tickets: TicketKeys? = nil, suites: String? = nil,
    groups: String? = nil
  ) throws -> TLSContext {
    var options = TLSOptions()
    options.detaches = true
    options.ticketKeys = tickets
    if let suites { options.cipherSuites = suites }
    if let groups { options.groups = groups }
    return try TLSContext(
      role: .server, certificateChainFile: site.server.chainFile,
      privateKeyFile: site.server.keyFile, caFile: site.server.caFile, options: options,
      reconnects: desk ?? stage.desk)
  }

  /// What both ends of one connection saw.
  struct Visit {
    var server: PeerProof?
    var client: PeerProof?
    var serverPeer: PeerIdentity?
    var clientPeer: PeerIdentity?
    var session: [UInt8]?
    /// Bytes that the server sent during the handshake.
    var serverBytes: Int
    /// Whether the server's handshake was done without OpenSSL.
    var isOurs: Bool

    /// What must be the same whoever makes the handshake.
    func agrees(with other: Visit) -> Bool {
      server == other.server && client == other.client && serverPeer == other.serverPeer
        && clientPeer == other.clientPeer && (session == nil) == (other.session == nil)
    }
  }

  /// Plays the same visit with either handshake, and expects the same of both; answers how it was
  /// with ours.
  private func visit(
    _ server: TLSContext, _ client: TLSContext, session: [UInt8]? = nil,
    reconnect: ReconnectGrant? = nil, table: DetachedTable? = nil
  ) throws -> Visit {
    let visits = HandshakeMaker.allCases.map { maker in
      Result { try visit(maker, server, client, session: session, reconnect: reconnect, table) }
    }
    switch (visits[0], visits[1]) {
    case (.success(let theirs), .success(let ours)):
      #expect(!theirs.isOurs)
      #expect(ours.agrees(with: theirs))
    case (.failure(let theirs), .failure(let ours)):
      #expect(theirs as? TransportError == ours as? TransportError)
    default: Issue.record("not the same: \(visits)")
    }
    return try visits[1].get()
  }

  /// Shakes hands over a wire, sends a byte each way, and ends.
  private func visit(
    _ maker: HandshakeMaker, _ server: TLSContext, _ client: TLSContext, session: [UInt8]?,
    reconnect: ReconnectGrant?, _ table: DetachedTable?
  ) throws -> Visit {
    let (wire, near, far) = Wire.make()
    let pool = BlockPool(limit: 64)
    let clientChannel = ByteChannel(
      .tls(
        try TLSTransport(
          Descriptor(owning: near), context: client, serverName: "mp.test", session: session,
          reconnect: reconnect)),
      token: Token(generation: 1, index: 1), pool: pool, outboundBytesMax: 100, now: .zero)
    let serverChannel = ByteChannel(
      .plain(PlainTransport(Descriptor(owning: far))),
      token: Token(generation: 1, index: 2), pool: pool, outboundBytesMax: 100, now: .zero)
    let roomForOurs = table ?? DetachedTable(limit: 1)
    try serverChannel.startTLS(server, detachingInto: maker == .ours ? roomForOurs : nil)
    defer {
      clientChannel.close(sendCloseNotify: false)
      serverChannel.close(sendCloseNotify: false)
    }
    #expect(serverChannel.readProof() == nil)
    try shake(clientChannel, serverChannel, wire)
    let serverBytes = wire.delivered[.toClient] ?? 0
    let proofs = (serverChannel.readProof(), clientChannel.readProof())
    let isOurs = serverChannel.isDetached
    if let table {
      for channel in [serverChannel, clientChannel] {
        #expect(channel.detach(into: table) == .detached)
      }
    }
    var buffer = ReceiveBuffer(capacity: 100)
    for (sender, receiver, way) in [
      (serverChannel, clientChannel, Wire.Way.toClient),
      (clientChannel, serverChannel, Wire.Way.toServer),
    ] {
      #expect(sender.enqueue([1].span, now: .zero) == .stored)
      #expect(sender.flush(now: .zero) == .progressed(1))
      wire.carry(way)
      #expect(receiver.receive(into: &buffer) == .progressed(1))
    }
    #expect(server.staleErrors == 0)
    #expect(client.staleErrors == 0)
    return Visit(
      server: proofs.0, client: proofs.1,
      serverPeer: serverChannel.peer, clientPeer: clientChannel.peer,
      session: clientChannel.takeNewSession(), serverBytes: serverBytes,
      isOurs: isOurs)
  }

  private func shake(_ client: ByteChannel, _ server: ByteChannel, _ wire: Wire) throws {
    for _ in 0..<100 {
      let near = client.handshake()
      wire.carry(.toServer)
      let far = server.handshake()
      wire.carry(.toClient)
      // The refusing side's own reason, before what the other one makes of its alert.
      if case .failed(let error) = far { throw error }
      if case .failed(let error) = near { throw error }
      if near == .done && far == .done { return }
    }
    Issue.record("the handshake does not end")
  }

  @Test("A client comes back without a certificate in either direction")
  func comesBack() throws {
    let visit = try visit(server(), site.clientContext(), reconnect: grant())
    #expect(visit.server == .reconnect(stage.client(Self.subject)))
    #expect(visit.client == .reconnect(nil))
    #expect(visit.isOurs)
    #expect(visit.serverPeer == nil)
    #expect(visit.clientPeer == nil)
    // ServerHello, EncryptedExtensions, Finished and the byte: no certificate fits in that.
    #expect(visit.serverBytes < 400)
  }

  @Test("Without an identity the certificate is asked for as ever")
  func fullHandshake() throws {
    let visit = try visit(server(), site.clientContext())
    #expect(visit.server == .certificate)
    #expect(visit.client == .certificate)
    #expect(visit.serverPeer?.commonName == "client-1")
    let bare = Credentials(nil, trusting: [site.authority], in: site.folder, name: "bare")
    #expect(throws: TransportError.self) {
      try self.visit(server(), site.context(.client, bare))
    }
  }

  @Test(
    "What is not taken falls back to certificates in the same handshake",
    arguments: ["expired", "proof too old", "rotated away", "foreign site", "tampered", "garbage"])
  func fallsBack(_ what: String) throws {
    var grant = try grant()
    switch what {
    case "expired": stage.now += 86_400
    case "proof too old": stage.desk.rules.proofSeconds = 0
    case "rotated away": stage.desk.keys = try ReconnectKeys.fresh(now: 1)
    case "foreign site":
      let theirs = try DeskStage(stage.desk.keys, audience: "P02")
      theirs.now = stage.now
      grant = try #require(theirs.desk.issue(for: theirs.client()))
    case "tampered":
      var identity = grant.identity
      identity[50] ^= 1
      grant = try #require(
        ReconnectGrant(identity: identity, key: grant.key, lifeSeconds: grant.lifeSeconds))
    default:
      grant = try #require(ReconnectGrant(identity: pattern(200), key: grant.key, lifeSeconds: 1))
    }
    let visit = try visit(server(), site.clientContext(), reconnect: grant)
    #expect(visit.server == .certificate)
    #expect(visit.client == .certificate)
    #expect(visit.serverPeer?.commonName == "client-1")
    #expect(visit.clientPeer?.commonName == "server-1")
    #expect(!visit.isOurs)
    // A refusal is counted once, whoever asks.
    #expect(stage.desk.refused.values.reduce(0, +) == 2)
  }

  @Test("A server that knows no identities falls back too")
  func plainServer() throws {
    let visit = try visit(site.serverContext(), site.clientContext(), reconnect: grant())
    #expect(visit.server == .certificate)
    #expect(visit.serverPeer?.commonName == "client-1")
  }

  @Test("replayed by an onlooker: the identity without the key ends the handshake")
  func replayedWithoutKey() throws {
    let grant = try grant()
    let copy = try #require(
      ReconnectGrant(identity: grant.identity, key: pattern(32), lifeSeconds: grant.lifeSeconds))
    do {
      _ = try visit(server(), site.clientContext(), reconnect: copy)
      Issue.record("let in")
    } catch let error as TransportError {
      #expect(error.kind == .protocolViolation)
    }
  }

  @Test("used again by its owner: as often as it likes, until it expires")
  func usedAgain() throws {
    let (server, client, grant) = (try server(), try site.clientContext(), try grant())
    for _ in 0..<3 {
      #expect(
        try visit(server, client, reconnect: grant).server
          == .reconnect(stage.client(Self.subject)))
    }
    // Each visit is two.
    #expect(server.resumedHandshakes == 6)
    #expect(stage.desk.accepted == 6)
  }

  @Test("restart of the server: the keys come from their file, the identity stays valid")
  func restart() throws {
    let file = ReconnectKeyFile(
      path: "\(site.folder.path)/reconnect", rotationSeconds: 100, keptSeconds: 86_400)
    let before = try DeskStage(try file.tend(now: stage.now))
    before.now = stage.now
    let grant = try #require(before.desk.issue(for: before.client()))
    let after = try DeskStage(try file.tend(now: stage.now + 50))
    after.now = stage.now + 50
    let visit = try visit(server(after.desk), site.clientContext(), reconnect: grant)
    #expect(visit.server == .reconnect(before.client()))
  }

  @Test("key file rotated while two servers run: each takes what the other gives")
  func rotatedWhileRunning() throws {
    let file = ReconnectKeyFile(
      path: "\(site.folder.path)/reconnect", rotationSeconds: 100, keptSeconds: 86_400)
    let now = stage.now
    let keys = try file.tend(now: now)
    let desks = (0..<2).map { _ in
      ReconnectDesk(
        keys: keys, rules: ReconnectRules(lifeSeconds: 86_400, proofSeconds: 604_800),
        audience: "P01", wall: { now }, reread: { (try? file.load()) ?? nil })
    }
    desks[0].keys = try file.tend(now: now + 100)
    #expect(desks[0].keys != desks[1].keys)
    let client = try site.clientContext()
    for (giver, taker) in [(0, 1), (1, 0), (0, 0), (1, 1)] {
      let grant = try #require(desks[giver].issue(for: stage.client()))
      let visit = try visit(server(desks[taker]), client, reconnect: grant)
      #expect(visit.server == .reconnect(stage.client()), "\(giver) gave, \(taker) took")
    }
    #expect(desks[0].keys == desks[1].keys)
  }

  @Test("A reconnect brings no ticket, whose session would hold no certificate")
  func noTicket() throws {
    let server = try server(tickets: try TicketKeys.fresh(now: 1))
    let client = try site.clientContext()
    #expect(try visit(server, client).session != nil)
    #expect(try visit(server, client, reconnect: grant()).session == nil)
  }

  @Test("After a reconnect both ends go on without OpenSSL's object")
  func detached() throws {
    var options = TLSOptions()
    options.detaches = true
    let table = try #require(DetachedTable(limit: 2))
    for suite in ["TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"] {
      let visit = try visit(
        server(suites: suite), site.clientContext(options), reconnect: grant(),
        table: table)
      #expect(visit.server == .reconnect(stage.client(Self.subject)))
    }
  }

  @Test("Tickets still resume beside identities, and an identity is offered instead of a ticket")
  func ticketsBeside() throws {
    let server = try server(tickets: try TicketKeys.fresh(now: 1))
    let client = try site.clientContext()
    let first = try visit(server, client)
    let second = try visit(server, client, session: first.session)
    #expect(second.server == .ticket(shownAt: stage.now))
    #expect(second.serverPeer?.commonName == "client-1")
    let third = try visit(server, client, session: second.session, reconnect: grant())
    #expect(third.server == .reconnect(stage.client(Self.subject)))
  }

  @Test("A chain of tickets ends when the certificate was not shown for too long")
  func ticketChain() throws {
    let server = try server(tickets: try TicketKeys.fresh(now: 1))
    let client = try site.clientContext()
    let shownAt = stage.now
    var last = try visit(server, client)
    for _ in 0..<6 {
      stage.now += 86_400
      last = try visit(server, client, session: last.session)
      #expect(last.server == .ticket(shownAt: shownAt))
    }
    stage.now += 86_400
    #expect(try visit(server, client, session: last.session).server == .certificate)
  }

  @Test("With no tickets by themselves the keys still open those given out before")
  func zeroTickets() throws {
    let keys = try TicketKeys.fresh(now: 1)
    let client = try site.clientContext()
    var options = TLSOptions()
    options.ticketKeys = keys
    let session = try #require(try visit(try site.serverContext(options), client).session)
    options.ticketsPerHandshake = 0
    let silent = try site.serverContext(options)
    #expect(try visit(silent, client).session == nil)
    let visit = try visit(silent, client, session: session)
    guard case .ticket = visit.server else {
      Issue.record("\(String(describing: visit.server))")
      return
    }
  }

  @Test("With a suite of another digest the key is left out, before and after a retry")
  func otherDigest() throws {
    let sha384 = "TLS_AES_256_GCM_SHA384"
    let visit = try visit(server(suites: sha384), site.clientContext(), reconnect: grant())
    #expect(visit.server == .certificate)
    #expect(visit.serverPeer?.commonName == "client-1")
    // A group that the client did not guess makes a HelloRetryRequest.
    let again = try self.visit(
      server(suites: sha384, groups: "P-256"), site.clientContext(), reconnect: grant())
    #expect(again.server == .certificate)
    let retried = try self.visit(
      server(groups: "P-256"), site.clientContext(), reconnect: grant())
    #expect(retried.server == .reconnect(stage.client(Self.subject)))
    #expect(!retried.isOurs)
  }

  @Test("Every suite with SHA-256 can be agreed upon")
  func otherSuite() throws {
    let visit = try visit(
      server(suites: "TLS_CHACHA20_POLY1305_SHA256"), site.clientContext(), reconnect: grant())
    #expect(visit.server == .reconnect(stage.client(Self.subject)))
    #expect(visit.isOurs)
  }

  @Test("Without (EC)DHE, and before the handshake's end, nothing is taken")
  func always() throws {
    let context = try server()
    #expect(SSL_CTX_get_options(context.pointer) & COPENSSL_SSL_OP_ALLOW_NO_DHE_KEX == 0)
    #expect(SSL_CTX_get_max_early_data(context.pointer) == 0)
    #expect(SSL_CTX_get_recv_max_early_data(context.pointer) <= 16_384)
  }

  // MARK: Stock tools

  /// Arguments of `openssl s_client` that offer an identity.
  private func offering(_ grant: ReconnectGrant) -> [String] {
    [
      "-psk", hexadecimal(grant.key), "-psk_identity",
      String(decoding: grant.identity, as: UTF8.self),
    ]
  }

  private var certificate: [String] {
    [
      "-cert", site.client.chainFile ?? "", "-key", site.client.keyFile ?? "", "-servername",
      "mp.test",
    ]
  }

  /// Serves one `openssl s_client`, and sends it a ticket if it is told to.
  private func serveStock(
    _ arguments: [String], _ maker: HandshakeMaker, _ context: TLSContext? = nil,
    sendsTicket: Bool = false
  ) throws -> (
    proof: PeerProof?, peer: PeerIdentity?, said: String, step: HandshakeStep, isOurs: Bool
  ) {
    let listener = try Listener(.loopback(port: 0))
    let child = try ChildProcess(
      "openssl",
      [
        "s_client", "-connect", "127.0.0.1:\(listener.boundAddress.port ?? 0)", "-CAfile",
        site.client.caFile, "-verify_return_error", "-tls1_3",
      ] + arguments)
    try awaitReady((listener.fd, .readable))
    guard case .accepted(let socket, _) = listener.accept() else { throw NothingHappened() }
    let channel = ByteChannel(
      .plain(PlainTransport(socket)),
      token: Token(generation: 1, index: 1), pool: BlockPool(limit: 64),
      outboundBytesMax: 1 << 10, now: .zero)
    let table = try #require(DetachedTable(limit: 1))
    try channel.startTLS(
      try context ?? server(), detachingInto: maker == .ours ? table : nil)
    var step = channel.handshake()
    while case .wouldBlock(let needed) = step {
      try awaitReady((channel.descriptor, needed))
      step = channel.handshake()
    }
    let proof = channel.readProof()
    let peer = channel.peer
    let isOurs = channel.isDetached
    if sendsTicket { #expect(channel.sendTicket() == .progressed(0)) }
    channel.close(sendCloseNotify: true)
    _ = try child.exitCode()
    return (proof, peer, child.said, step, isOurs)
  }

  static let hasOpenSSL = ChildProcess.exists("openssl")

  @Test(
    "openssl s_client comes back with the identity as text", .enabled(if: hasOpenSSL),
    arguments: HandshakeMaker.allCases)
  func stockClient(_ maker: HandshakeMaker) throws {
    let served = try serveStock(offering(try grant()), maker)
    #expect(served.isOurs == (maker == .ours))
    #expect(served.proof == .reconnect(stage.client(Self.subject)))
    #expect(served.said.contains("Reused, TLSv1.3"))
  }

  @Test(
    "openssl s_client with an expired identity shows its certificate", .enabled(if: hasOpenSSL),
    arguments: HandshakeMaker.allCases)
  func stockClientExpired(_ maker: HandshakeMaker) throws {
    let grant = try grant()
    stage.now += 86_400
    let served = try serveStock(offering(grant) + certificate, maker)
    #expect(served.proof == .certificate)
    #expect(served.peer?.commonName == "client-1")
  }

  @Test(
    "openssl s_client that allows no (EC)DHE gets no session by it", .enabled(if: hasOpenSSL),
    arguments: HandshakeMaker.allCases)
  func stockClientWithoutDHE(_ maker: HandshakeMaker) throws {
    let served = try serveStock(offering(try grant()) + ["-allow_no_dhe_kex"], maker)
    #expect(served.proof == .reconnect(stage.client(Self.subject)))
    // It offers both kinds; the server must have chosen the one with a key share.
    #expect(served.said.contains("Server Temp Key: X25519"))
  }

  @Test("A ticket made after a reconnect stands for no certificate", .enabled(if: hasOpenSSL))
  func ticketOfReconnect() throws {
    let context = try server(tickets: try TicketKeys.fresh(now: 1))
    let file = "\(site.folder.path)/session"
    let first = try serveStock(
      offering(try grant()) + ["-sess_out", file], .openSSL, context, sendsTicket: true)
    #expect(first.proof == .reconnect(stage.client(Self.subject)))
    #expect(access(file, F_OK) == 0, "it got a ticket")
    // Whoever shows it has to show a certificate as well, or else would be nobody.
    let second = try serveStock(["-sess_in", file] + certificate, .ours, context)
    #expect(second.proof == .certificate)
    #expect(second.peer?.commonName == "client-1")
  }
}
