// Session tickets: who may resume, for how long, and what a server still learns of a peer that
// does.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Resumption")
struct ResumptionTests {
  let site = Site()
  let keys: TicketKeys

  init() throws { keys = try TicketKeys.fresh(now: 1_000_000) }

  private func options(_ keys: TicketKeys?, sessionContext: String = "agents") -> TLSOptions {
    var options = TLSOptions()
    options.ticketKeys = keys
    options.sessionContext = sessionContext
    return options
  }

  /// What one connection came to.
  struct Visit {
    var resumed: Bool
    var clientResumed: Bool
    var peer: PeerIdentity?
    var session: [UInt8]?
  }

  /// Connects over TCP, sends a byte each way so that the ticket arrives, and ends as told.
  private func visit(
    _ server: TLSContext, _ client: TLSContext, session: [UInt8]? = nil,
    serverName: String? = "mp.test", reset: Bool = false
  ) throws -> Visit {
    let (nearNumber, farNumber) = try tcpPair()
    let near = Descriptor(owning: nearNumber)
    let far = Descriptor(owning: farNumber)
    let pool = BlockPool(limit: 64)
    let clientChannel = ByteChannel(
      .tls(try TLSTransport(near, context: client, serverName: serverName, session: session)),
      token: Token(generation: 1, index: 1), pool: pool, outboundBytesMax: 100, now: .zero)
    let serverChannel = ByteChannel(
      .tls(try TLSTransport(far, context: server)),
      token: Token(generation: 1, index: 2), pool: pool, outboundBytesMax: 100, now: .zero)
    try connect(clientChannel, serverChannel)
    #expect(serverChannel.enqueue([1].span, now: .zero) == .stored)
    #expect(serverChannel.flush(now: .zero) == .progressed(1))
    var buffer = ReceiveBuffer(capacity: 100)
    while clientChannel.receive(into: &buffer) == .wouldBlock(.readable) {
      try awaitReady((clientChannel.descriptor, .readable))
    }
    let visit = Visit(
      resumed: serverChannel.resumed, clientResumed: clientChannel.resumed,
      peer: serverChannel.peer, session: clientChannel.takeNewSession())
    #expect(clientChannel.takeNewSession() == nil, "a session is handed out once")
    if reset { try StreamSocket.setAbortiveClose(serverChannel.descriptor) }
    serverChannel.close(sendCloseNotify: !reset)
    if reset {
      try awaitReady((clientChannel.descriptor, .readable))
      #expect(
        clientChannel.receive(into: &buffer)
          == .failed(TransportError(.connectionReset, errno: ECONNRESET)))
    }
    clientChannel.close(sendCloseNotify: !reset)
    return visit
  }

  @Test("A client resumes, and the server sees the same peer as the first time")
  func resumes() throws {
    let server = try site.serverContext(options(keys))
    let client = try site.clientContext()
    let first = try visit(server, client)
    #expect(!first.resumed)
    #expect(first.peer?.uris == ["urn:test:client:8c1f0a52-0000-4000-8000-000000000001"])
    let second = try visit(server, client, session: first.session)
    #expect(second.resumed)
    #expect(second.clientResumed)
    #expect(second.peer == first.peer)
    // The owner's deny list finds the peer on a resumed connection as on a full one.
    let denied: Set<CertificateFingerprint> = [try #require(first.peer).fingerprint]
    #expect(denied.contains(try #require(second.peer).fingerprint))
    #expect(server.fullHandshakes == 1)
    #expect(server.resumedHandshakes == 1)
    #expect(server.staleErrors == 0)
    #expect(client.staleErrors == 0)
  }

  @Test("A reset connection still resumes from the session that was put aside")
  func resumesAfterReset() throws {
    let server = try site.serverContext(options(keys))
    let client = try site.clientContext()
    var session = try #require(try visit(server, client, reset: true).session)
    for _ in 0..<5 {
      let next = try visit(server, client, session: session, reset: true)
      #expect(next.resumed)
      session = try #require(next.session)
    }
  }

  @Test("Each resumption brings a fresh ticket")
  func freshTickets() throws {
    let server = try site.serverContext(options(keys))
    let client = try site.clientContext()
    let first = try #require(try visit(server, client).session)
    let second = try #require(try visit(server, client, session: first).session)
    #expect(first != second)
  }

  @Test("A restarted server resumes: the keys come from their file")
  func restart() throws {
    let file = TicketKeyFile(path: "\(site.folder.path)/tickets")
    let client = try site.clientContext()
    let session: [UInt8]
    do {
      let server = try site.serverContext(options(try file.loadOrMake(now: 5)))
      session = try #require(try visit(server, client).session)
    }
    let restarted = try site.serverContext(options(try file.loadOrMake(now: 999)))
    let restartedClient = try site.clientContext()
    #expect(try visit(restarted, restartedClient, session: session).resumed)
  }

  @Test("After a rotation the old key still opens, after too many it does not")
  func rotation() throws {
    let client = try site.clientContext()
    let server = try site.serverContext(options(keys))
    let session = try #require(try visit(server, client).session)
    var rotated = keys
    for round in 1..<TicketKeys.keysMax {
      try rotated.rotate(now: Int64(round))
      server.adopt(rotated)
      let again = try visit(server, client, session: session)
      #expect(again.resumed, "after \(round) rotations")
      // The fresh ticket is sealed with the current key: it outlives the old ones.
      var onlyCurrent = options(TicketKeys(keys: [try #require(rotated.keys.first)]))
      onlyCurrent.ticketsPerHandshake = 1
      let other = try site.serverContext(onlyCurrent)
      #expect(try visit(other, client, session: again.session).resumed)
    }
    try rotated.rotate(now: 99)
    server.adopt(rotated)
    #expect(try !visit(server, client, session: session).resumed)
  }

  @Test("Keys of another site open nothing")
  func foreignKeys() throws {
    let client = try site.clientContext()
    let session = try #require(try visit(try site.serverContext(options(keys)), client).session)
    let stranger = try site.serverContext(options(try TicketKeys.fresh(now: 1)))
    let second = try visit(stranger, client, session: session)
    #expect(!second.resumed)
    #expect(second.peer != nil)
  }

  @Test("A ticket of one listener is not taken by another")
  func otherListener() throws {
    let client = try site.clientContext()
    let agents = try site.serverContext(options(keys, sessionContext: "agents"))
    let console = try site.serverContext(options(keys, sessionContext: "console"))
    let session = try #require(try visit(agents, client).session)
    #expect(try !visit(console, client, session: session).resumed)
    #expect(try visit(agents, client, session: session).resumed)
  }

  @Test("Without keys there are no tickets")
  func noKeys() throws {
    let client = try site.clientContext()
    let server = try site.serverContext(options(nil))
    #expect(try visit(server, client).session == nil)
  }

  @Test("An altered ticket or session means a full handshake, never a failure")
  func altered() throws {
    let server = try site.serverContext(options(keys))
    let client = try site.clientContext()
    let session = try #require(try visit(server, client).session)
    for index in stride(from: 0, to: session.count, by: 67) {
      var bent = session
      bent[index] ^= 0x40
      do {
        _ = try visit(server, client, session: bent)
      } catch let error as TransportError {
        // A bent secret is found out by the binder, which ends a handshake in OpenSSL's client.
        #expect(error.kind == .alertReceived || error.kind == .protocolViolation, "\(error)")
      }
    }
    for nonsense in [[], [0x30], Array(session.dropLast()), pattern(5000)] {
      #expect(try !visit(server, client, session: nonsense).resumed)
    }
  }

  @Test("A session made with another server name is not offered")
  func otherName() throws {
    let server = try site.serverContext(options(keys))
    let client = try site.clientContext()
    let session = try #require(try visit(server, client).session)
    #expect(try visit(server, client, session: session, serverName: "127.0.0.1").resumed)
    // The server bears no such name: a resumption would never have noticed.
    #expect(throws: TransportError.self) {
      try visit(server, client, session: session, serverName: "elsewhere.test")
    }
  }

  @Test("Resumption does not outlive the peer's certificate")
  func expiredCertificate() throws {
    var wish = CertificateWish()
    wish.validFrom = -7200
    wish.validUntil = -3600
    let old = Credentials(
      site.authority.issue(wish), trusting: [site.authority], in: site.folder, name: "old")
    let server = try site.serverContext(options(keys))
    let client = try site.context(.client, old)
    // The server's verification believes to live an hour and a half ago; its clock does not.
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(server.pointer), time(nil) - 5400)
    X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(client.pointer), time(nil))
    let first = try visit(server, client)
    let second = try visit(server, client, session: first.session)
    #expect(!second.resumed)
  }

  @Test("A client without any certificate resumes as who it was, so the owner must look")
  func certificateLost() throws {
    let server = try site.serverContext(options(keys))
    let session = try #require(try visit(server, try site.clientContext()).session)
    let bare = Credentials(nil, trusting: [site.authority], in: site.folder, name: "bare")
    let second = try visit(server, try site.context(.client, bare), session: session)
    #expect(second.resumed)
    #expect(second.peer?.commonName == "client-1")
  }
}
