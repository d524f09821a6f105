// The other direction: servers that a client must not believe, and strangers who do not speak TLS
// at all.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Bad servers and strangers")
struct BadServerTests {
  let site = Site()

  /// What a client of ours makes of a server with this certificate.
  private func meet(
    _ leaf: TestCertificate, expecting name: String = "mp.test"
  ) throws -> HandshakeStep {
    let credentials = Credentials(leaf, trusting: [], in: site.folder, name: "bad-server")
    let (near, far) = socketPair()
    let serverEnd = Descriptor(owning: far)
    var client = try TLSTransport(
      Descriptor(owning: near), context: try site.clientContext(), serverName: name)
    let raw = RawPeer(.server, credentials, fd: serverEnd.raw)
    var step = HandshakeStep.wouldBlock(.readable)
    for _ in 0..<10 {
      step = client.handshake()
      guard case .wouldBlock = step else { break }
      _ = raw.handshake()
    }
    return step
  }

  private func refusal(_ step: HandshakeStep) -> CertificateRefusal? {
    guard case .failed(let error) = step else { return nil }
    return CertificateRefusal(error)
  }

  @Test("A client believes the server's names and no other")
  func names() throws {
    let server = site.authority.issue(.server)
    #expect(try meet(server) == .done)
    #expect(try meet(server, expecting: "127.0.0.1") == .done)
    #expect(try refusal(meet(server, expecting: "mp2.test")) == .nameMismatch)
    #expect(try refusal(meet(server, expecting: "127.0.0.2")) == .nameMismatch)
    // The common name is for people.
    #expect(try refusal(meet(server, expecting: "server-1")) == .nameMismatch)
  }

  @Test("A client's certificate makes no server")
  func clientAsServer() throws {
    #expect(try refusal(meet(site.authority.issue())) == .wrongPurpose)
  }

  @Test("A server of another authority, expired or weak is refused")
  func badServers() throws {
    var wish = CertificateWish.authority
    wish.commonName = "somebody"
    #expect(try refusal(meet(TestCertificate(wish).issue(.server))) == .unknownAuthority)
    #expect(try refusal(meet(TestCertificate(.server))) == .selfSigned)
    var server = CertificateWish.server
    server.validUntil = -1
    #expect(try refusal(meet(site.authority.issue(server))) == .expired)
    server = .server
    server.digest = .sha1
    #expect(try refusal(meet(site.authority.issue(server))) == .weakSignature)
  }

  /// What a server of ours makes of the first bytes of a stranger.
  private func hear(_ bytes: [UInt8]) throws -> HandshakeStep {
    let (near, far) = socketPair()
    let stranger = Descriptor(owning: near)
    var server = try TLSTransport(
      Descriptor(owning: far), context: try site.serverContext())
    #expect(StreamSocket.write(stranger.raw, bytes.span) == .moved(bytes.count))
    return server.handshake()
  }

  @Test("Those who do not speak TLS are told apart from those who do")
  func strangers() throws {
    let notTLS = ["GET / HTTP/1.1\r\n\r\n", "CONNECT mp:10123 HTTP/1.1\r\n\r\n", "hello, world\n"]
    for text in notTLS {
      #expect(try refusal(hear(Array(text.utf8))) == .notTLS, "\(text)")
    }
    #expect(try refusal(hear([UInt8](repeating: 0, count: 64))) == .notTLS)
    #expect(try refusal(hear([UInt8](repeating: 0xFF, count: 64))) == .notTLS)
    // An SSL 2 hello, and a record that claims more than a record can hold.
    #expect(try refusal(hear([0x80, 0x2E, 1, 0, 2] + pattern(43))) != nil)
    #expect(try refusal(hear([22, 3, 1, 0xFF, 0xFF] + pattern(100))) != nil)
  }

  @Test("Old versions and foreign suites are refused by name", arguments: [0x0301, 0x0302, 0x0303])
  func oldVersions(_ version: Int32) throws {
    #expect(try refusal(meetRaw(version: version) { _ in }) == .protocolVersion)
  }

  @Test("Without a group or suite in common there is no connection")
  func nothingInCommon() throws {
    #expect(
      try refusal(meetRaw { copenssl_SSL_CTX_set1_groups_list($0, "ffdhe2048") }) == .noSharedCipher
    )
    #expect(
      try refusal(meetRaw { SSL_CTX_set_ciphersuites($0, "TLS_AES_128_CCM_SHA256") })
        == .noSharedCipher)
  }

  /// What a server of ours makes of a raw client with these settings.
  private func meetRaw(
    version: Int32 = TLS1_3_VERSION, configure: (OpaquePointer) -> Void
  ) throws -> HandshakeStep {
    let (near, far) = socketPair()
    let clientEnd = Descriptor(owning: near)
    var server = try TLSTransport(
      Descriptor(owning: far), context: try site.serverContext())
    let raw = RawPeer(.client, site.client, fd: clientEnd.raw, version: version) { context in
      SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0")
      configure(context)
    }
    _ = raw.handshake()
    return server.handshake()
  }

  @Test("TLS 1.2 is to be had by option, with the same demands")
  func tls12() throws {
    var options = TLSOptions()
    options.oldestVersion = .tls12
    let (near, far) = socketPair()
    let clientEnd = Descriptor(owning: near)
    var server = try TLSTransport(
      Descriptor(owning: far), context: try site.serverContext(options))
    let raw = RawPeer(.client, site.client, fd: clientEnd.raw, version: TLS1_2_VERSION)
    var step = HandshakeStep.wouldBlock(.readable)
    for _ in 0..<10 where step != .done {
      _ = raw.handshake()
      step = server.handshake()
    }
    #expect(step == .done)
    #expect(server.readPeer()?.commonName == "client-1")
  }
}
