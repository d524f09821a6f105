// Real foreign programs at the far end: OpenSSL's own client and server, and Python's ssl module,
// each with a full handshake, a resumed one, and a refusal.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Interoperability")
struct InteroperabilityTests {
  let site = Site()

  static let hasOpenSSL = ChildProcess.exists("openssl")
  static let hasPython = ChildProcess.exists("python3")

  // MARK: Our server

  /// Our server on a port of its own, which answers each line with the same line in capitals.
  final class CapitalsServer {
    let listener: Listener
    let context: TLSContext
    private(set) var peers: [PeerIdentity?] = []
    private(set) var resumptions: [Bool] = []
    private(set) var failures: [TransportError] = []
    /// If set, connections are detached into it as soon as that can be.
    var table: DetachedTable?

    init(_ context: TLSContext) throws {
      self.context = context
      listener = try Listener(.loopback(port: 0))
    }

    var port: UInt16 { listener.boundAddress.port ?? 0 }

    /// Serves one connection to its end, or ends it after so many answers; returns the last step.
    /// - Parameter after: is called with the number of answers given, after each.
    @discardableResult
    func serveOne(
      answers answersMax: Int = .max, after: (Int) throws -> Void = { _ in }
    ) throws -> IOStep {
      try awaitReady((listener.fd, .readable))
      guard case .accepted(let socket, _) = listener.accept() else { throw NothingHappened() }
      let channel = ByteChannel(
        .tls(try TLSTransport(socket, context: context)), token: Token(generation: 1, index: 1),
        pool: BlockPool(limit: 64), outboundBytesMax: 1 << 20, now: .zero)
      handshake: while true {
        switch channel.handshake() {
        case .done: break handshake
        case .wouldBlock(let needed): try awaitReady((channel.descriptor, needed))
        case .failed(let error):
          failures.append(error)
          channel.close(sendCloseNotify: false)
          return .failed(error)
        }
      }
      peers.append(channel.peer)
      resumptions.append(channel.resumed)
      var buffer = ReceiveBuffer()
      var answers = 0
      while true {
        if let table, channel.detach(into: table) == .never { throw NothingHappened() }
        let step = channel.receive(into: &buffer)
        switch step {
        case .progressed:
          let answer = buffer.withBytes { bytes in
            (0..<bytes.count).map { (0x61...0x7A).contains(bytes[$0]) ? bytes[$0] - 32 : bytes[$0] }
          }
          #expect(channel.enqueue(answer.span, now: .zero) == .stored)
          while channel.outboundCount > 0 {
            if case .wouldBlock(let needed) = channel.flush(now: .zero) {
              try awaitReady((channel.descriptor, needed))
            }
          }
          answers += 1
          try after(answers)
          if answers == answersMax {
            channel.close(sendCloseNotify: true)
            return step
          }
        case .wouldBlock(let needed): try awaitReady((channel.descriptor, needed))
        case .ended, .failed:
          channel.close(sendCloseNotify: true)
          return step
        }
      }
    }
  }

  private func capitalsServer(detached: Bool = false) throws -> CapitalsServer {
    try Self.capitalsServer(site, detached: detached)
  }

  /// A server that gives out tickets, and detaches its connections if wanted.
  static func capitalsServer(_ site: Site, detached: Bool) throws -> CapitalsServer {
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: 1)
    options.detaches = detached
    let server = try CapitalsServer(try site.serverContext(options))
    let table = try #require(DetachedTable(limit: 4))
    if detached { server.table = table }
    return server
  }

  private func sClient(_ port: UInt16, _ more: [String]) throws -> ChildProcess {
    try ChildProcess(
      "openssl",
      [
        "s_client", "-connect", "127.0.0.1:\(port)", "-CAfile", site.client.caFile,
        "-verify_return_error", "-verify_hostname", "mp.test", "-servername", "mp.test",
      ] + more)
  }

  private var clientCertificate: [String] {
    ["-cert", site.client.chainFile ?? "", "-key", site.client.keyFile ?? ""]
  }

  @Test(
    "openssl s_client talks to our server, and resumes", .enabled(if: hasOpenSSL),
    arguments: [false, true])
  func opensslClient(detached: Bool) throws {
    let server = try capitalsServer(detached: detached)
    let session = "\(site.folder.path)/session"
    for more in [["-sess_out", session], ["-sess_in", session]] {
      let child = try sClient(server.port, clientCertificate + more)
      child.tell("hello from openssl\n")
      try server.serveOne(answers: 1)
      #expect(try child.exitCode() == 0, "\(child.said)")
      #expect(child.said.contains("HELLO FROM OPENSSL"))
      #expect(child.said.contains("Verify return code: 0 (ok)"))
    }
    #expect(server.resumptions == [false, true])
    #expect(server.peers.map { $0?.commonName } == ["client-1", "client-1"])
    #expect(server.context.staleErrors == 0)
  }

  /// OpenSSL by itself would send the authority's certificate too, which each peer has and has to
  /// decode all the same.
  @Test("we send our own chain and no more", .enabled(if: hasOpenSSL))
  func chain() throws {
    let server = try capitalsServer()
    let child = try sClient(server.port, clientCertificate + ["-showcerts"])
    child.tell("hello\n")
    try server.serveOne(answers: 1)
    #expect(try child.exitCode() == 0, "\(child.said)")
    let file = try Folder.read(site.server.chainFile ?? "", limit: 65_536)
    let own = String(decoding: file, as: UTF8.self)
    let begin = "-----BEGIN CERTIFICATE-----"
    #expect(own.ranges(of: begin).count > 0)
    #expect(child.said.ranges(of: begin).count == own.ranges(of: begin).count)
  }

  @Test("openssl s_client without a certificate is refused", .enabled(if: hasOpenSSL))
  func opensslClientRefused() throws {
    let server = try capitalsServer()
    let child = try sClient(server.port, [])
    try server.serveOne()
    #expect(server.failures.compactMap(CertificateRefusal.init) == [.noCertificate])
    #expect(try child.exitCode() != 0)
    #expect(child.said.contains("certificate required"))
  }

  @Test("openssl s_client with TLS 1.2 is refused", .enabled(if: hasOpenSSL))
  func opensslClientOld() throws {
    let server = try capitalsServer()
    let child = try sClient(server.port, clientCertificate + ["-tls1_2"])
    try server.serveOne()
    #expect(server.failures.compactMap(CertificateRefusal.init) == [.protocolVersion])
    #expect(try child.exitCode() != 0)
  }

  @Test(
    "Python's ssl talks to our server, and resumes", .enabled(if: hasPython),
    arguments: [false, true])
  func pythonClient(detached: Bool) throws {
    let server = try capitalsServer(detached: detached)
    let script = """
      import socket, ssl, sys
      context = ssl.create_default_context(cafile=sys.argv[2])
      context.load_cert_chain(sys.argv[3], sys.argv[4])
      session = None
      for text in (b"first", b"second " * 9000):
          with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as tcp:
              with context.wrap_socket(tcp, server_hostname="mp.test", session=session) as tls:
                  tls.sendall(text)
                  got = b""
                  while len(got) < len(text):
                      got += tls.recv(65536)
                  assert got == text.upper()
                  session = tls.session
                  print(tls.version(), "reused", tls.session_reused, flush=True)
                  tls.unwrap()
      """
    let child = try ChildProcess(
      "python3",
      [
        "-c", script, "\(server.port)", site.client.caFile, site.client.chainFile ?? "",
        site.client.keyFile ?? "",
      ])
    #expect(try server.serveOne() == .ended)
    #expect(try server.serveOne() == .ended)
    #expect(try child.exitCode() == 0, "\(child.said)")
    #expect(child.said == "TLSv1.3 reused False\nTLSv1.3 reused True\n")
    #expect(server.resumptions == [false, true])
    #expect(server.peers.map { $0?.uriCount } == [1, 1])
  }

  // MARK: Our client

  /// One exchange of our client: sends a line, waits for an answer as long, ends in good order.
  private func exchange(
    _ port: UInt16, _ text: String, session: [UInt8]? = nil, detached: Bool = false
  ) throws -> (answer: String, resumed: Bool, session: [UInt8]?) {
    let socket = try StreamSocket.connect(to: .loopback(port: port))
    var options = TLSOptions()
    options.detaches = detached
    let table = try #require(DetachedTable(limit: 1))
    let context = try site.clientContext(options)
    let channel = ByteChannel(
      .tls(try TLSTransport(socket, context: context, serverName: "mp.test", session: session)),
      token: Token(generation: 1, index: 1), pool: BlockPool(limit: 64),
      outboundBytesMax: 1 << 20, now: .zero)
    try awaitReady((channel.descriptor, .writable))
    try StreamSocket.finishConnect(channel.descriptor)
    handshake: while true {
      switch channel.handshake() {
      case .done: break handshake
      case .wouldBlock(let needed): try awaitReady((channel.descriptor, needed))
      case .failed(let error): throw error
      }
    }
    if detached { #expect(channel.detach(into: table) == .detached) }
    #expect(channel.enqueue(Array(text.utf8).span, now: .zero) == .stored)
    while channel.outboundCount > 0 {
      if case .wouldBlock(let needed) = channel.flush(now: .zero) {
        try awaitReady((channel.descriptor, needed))
      }
    }
    var buffer = ReceiveBuffer()
    var answer: [UInt8] = []
    while answer.count < text.utf8.count {
      switch channel.receive(into: &buffer) {
      case .progressed:
        buffer.withBytes { bytes in for index in 0..<bytes.count { answer.append(bytes[index]) } }
      case .wouldBlock(let needed): try awaitReady((channel.descriptor, needed))
      case .ended: throw NothingHappened()
      case .failed(let error): throw error
      }
    }
    let resumed = channel.resumed
    let newSession = channel.takeNewSession()
    #expect(channel.peer?.commonName == "server-1")
    channel.close(sendCloseNotify: true)
    return (String(decoding: answer, as: UTF8.self), resumed, newSession)
  }

  @Test("Our client talks to openssl s_server, and resumes", .enabled(if: hasOpenSSL))
  func opensslServer() throws {
    let child = try ChildProcess(
      "openssl",
      [
        "s_server", "-accept", "127.0.0.1:0", "-cert", site.server.chainFile ?? "", "-key",
        site.server.keyFile ?? "", "-CAfile", site.server.caFile, "-Verify", "2",
        "-verify_return_error", "-rev",
      ])
    let port = try #require(UInt16(try child.await("ACCEPT 127.0.0.1:")))
    let first = try exchange(port, "abc\n")
    #expect(first.answer == "cba\n")
    #expect(!first.resumed)
    let second = try exchange(port, "defg\n", session: first.session)
    #expect(second.answer == "gfed\n")
    #expect(second.resumed)
    // Detached at once, the tickets that s_server sends afterwards are skipped.
    let third = try exchange(port, "hij\n", session: second.session, detached: true)
    #expect(third.answer == "jih\n")
    #expect(third.resumed)
    #expect(third.session == nil)
  }

  @Test("Our client talks to Python's ssl, and resumes", .enabled(if: hasPython))
  func pythonServer() throws {
    let script = """
      import socket, ssl, sys
      context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
      context.load_cert_chain(sys.argv[2], sys.argv[3])
      context.load_verify_locations(sys.argv[1])
      context.verify_mode = ssl.CERT_REQUIRED
      listener = socket.create_server(("127.0.0.1", 0))
      print("port", listener.getsockname()[1], flush=True)
      for _ in range(3):
          tcp, _ = listener.accept()
          with context.wrap_socket(tcp, server_side=True) as tls:
              print("reused", tls.session_reused, tls.getpeercert()["subjectAltName"], flush=True)
              while True:
                  data = tls.recv(65536)
                  if not data:
                      break
                  tls.sendall(data.swapcase())
      """
    let child = try ChildProcess(
      "python3",
      [
        "-c", script, site.server.caFile, site.server.chainFile ?? "", site.server.keyFile ?? "",
      ])
    let port = try #require(UInt16(try child.await("port ")))
    let first = try exchange(port, "Hello")
    #expect(first.answer == "hELLO")
    let long = String(repeating: "Long ", count: 20_000)
    let second = try exchange(port, long, session: first.session)
    #expect(second.answer == String(repeating: "lONG ", count: 20_000))
    #expect(second.resumed)
    let third = try exchange(port, long, session: second.session, detached: true)
    #expect(third.answer == second.answer)
    #expect(try child.exitCode() == 0, "\(child.said)")
    #expect(child.said.contains("reused True (('URI', 'urn:test:client:"))
  }

  @Test("Our client refuses an s_server of another authority", .enabled(if: hasOpenSSL))
  func opensslServerRefused() throws {
    var wish = CertificateWish.authority
    wish.commonName = "somebody"
    let stranger = Credentials(
      TestCertificate(wish).issue(.server), trusting: [site.authority], in: site.folder,
      name: "stranger")
    let child = try ChildProcess(
      "openssl",
      [
        "s_server", "-accept", "127.0.0.1:0", "-cert", stranger.chainFile ?? "", "-key",
        stranger.keyFile ?? "", "-naccept", "1",
      ])
    let port = try #require(UInt16(try child.await("ACCEPT 127.0.0.1:")))
    do {
      _ = try exchange(port, "x")
      Issue.record("let in")
    } catch let error as TransportError {
      #expect(CertificateRefusal(error) == .unknownAuthority)
    }
    _ = try child.exitCode()
    #expect(child.said.contains("unknown ca"))
  }
}
