// Certificates that must not get in, each with the audit reason that it must get. Half of them
// OpenSSL refuses in the handshake, the others only our own rules; the table does not care.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

/// One bad client and why it is refused.
struct BadClient: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let reason: CertificateRefusal
  /// Makes the certificate, and what the client sends above it.
  let make: @Sendable (Site) -> (leaf: TestCertificate?, above: [TestCertificate])

  init(
    _ name: String, _ reason: CertificateRefusal,
    _ make: @escaping @Sendable (Site) -> (leaf: TestCertificate?, above: [TestCertificate])
  ) {
    testDescription = name
    self.reason = reason
    self.make = make
  }

  /// A client whose certificate our authority signed, but with something changed.
  init(
    _ name: String, _ reason: CertificateRefusal,
    changing change: @escaping @Sendable (inout CertificateWish) -> Void
  ) {
    self.init(name, reason) { site in
      var wish = CertificateWish()
      change(&wish)
      return (site.authority.issue(wish), [])
    }
  }
}

extension BadClient {
  /// Refused by the handshake.
  static let refusedByHandshake: [BadClient] = [
    BadClient("no certificate", .noCertificate) { _ in (nil, []) },
    BadClient("another authority", .unknownAuthority) { _ in
      var wish = CertificateWish.authority
      wish.commonName = "somebody"
      return (TestCertificate(wish).issue(), [])
    },
    BadClient("another authority that sends its root", .unknownAuthority) { _ in
      var wish = CertificateWish.authority
      wish.commonName = "somebody"
      let other = TestCertificate(wish)
      return (other.issue(), [other])
    },
    BadClient("an authority of the same name", .unknownAuthority) { _ in
      (TestCertificate(.authority).issue(), [])
    },
    BadClient("signed by itself", .selfSigned) { _ in (TestCertificate(CertificateWish()), []) },
    BadClient("expired", .expired) { $0.validUntil = -1 },
    BadClient("expires this moment", .expired) { $0.validUntil = 0 },
    BadClient("not yet valid", .notYetValid) { $0.validFrom = 3600 },
    BadClient("for servers", .wrongPurpose) { $0.purposes = "serverAuth" },
    BadClient("for code signing", .wrongPurpose) { $0.purposes = "codeSigning" },
    BadClient("RSA with 1024 bits", .weakKey) { $0.key = .rsa1024 },
    BadClient("signed with SHA-1", .weakSignature) { $0.digest = .sha1 },
    BadClient("damaged signature", .badSignature) { $0.hasDamagedSignature = true },
    BadClient("unknown critical extension", .unknownCriticalExtension) {
      $0.hasUnknownCriticalExtension = true
    },
    BadClient("100 kB of comment", .tooLarge) { $0.commentBytes = 100_000 },
    BadClient("chain too long", .chainTooLong) { site in
      var above: [TestCertificate] = []
      var issuer = site.authority
      for depth in 1...3 {
        var wish = CertificateWish.authority
        wish.commonName = "intermediate \(depth)"
        issuer = issuer.issue(wish)
        above.insert(issuer, at: 0)
      }
      return (issuer.issue(), above)
    },
    BadClient("path length exceeded", .chainTooLong) { site in
      var wish = CertificateWish.authority
      wish.commonName = "last one"
      wish.basicConstraints = "critical,CA:TRUE,pathlen:0"
      let last = site.authority.issue(wish)
      wish.commonName = "one too many"
      let extra = last.issue(wish)
      return (extra.issue(), [extra, last])
    },
    BadClient("signed by a client", .invalidAuthority) { site in
      let client = site.authority.issue()
      return (client.issue(), [client])
    },
    BadClient("signed by an expired intermediate", .expired) { site in
      var wish = CertificateWish.authority
      wish.commonName = "past"
      wish.validUntil = -1
      let past = site.authority.issue(wish)
      return (past.issue(), [past])
    },
    BadClient("name outside the authority's constraints", .nameNotPermitted) { site in
      var wish = CertificateWish.authority
      wish.commonName = "for example.org only"
      wish.extensions = [(NID_name_constraints, "critical,permitted;DNS:example.org")]
      let bounded = site.authority.issue(wish)
      var leaf = CertificateWish()
      leaf.altNames.append(.dns("client.test"))
      return (bounded.issue(leaf), [bounded])
    },
  ]

  /// Let through by OpenSSL, refused by our rules.
  static let refusedByRules: [BadClient] = [
    BadClient("no purpose stated", .wrongPurpose) { $0.purposes = nil },
    BadClient("an authority's own certificate", .authorityAsPeer) {
      $0.isAuthority = true
    },
    BadClient("no URI", .badName(.none)) { $0.altNames = [.dns("client.test")] },
    BadClient("no alternative name at all", .badName(.none)) { $0.altNames = [] },
    BadClient("two URIs", .badName(.several)) { $0.altNames.append(.uri("urn:test:client:2")) },
    BadClient("the same URI twice", .badName(.several)) { $0.altNames += $0.altNames },
    BadClient("a good URI and an unreadable one", .badName(.several)) {
      $0.altNames.append(.uri([0x75, 0x00]))
    },
    BadClient("URI of a server", .badName(.malformed)) {
      $0.altNames = [.uri("urn:test:server:1")]
    },
    BadClient("URI without a name", .badName(.malformed)) {
      $0.altNames = [.uri("urn:test:client:")]
    },
    BadClient("URI in capitals", .badName(.malformed)) {
      $0.altNames = [.uri("urn:test:client:AB")]
    },
    BadClient("URI with an escape", .badName(.malformed)) {
      $0.altNames = [.uri("urn:test:client:%61")]
    },
    BadClient("URI with a path", .badName(.malformed)) {
      $0.altNames = [.uri("urn:test:client:a/b")]
    },
    BadClient("URI with a NUL inside", .badName(.malformed)) {
      $0.altNames = [.uri(Array("urn:test:client:1".utf8) + [0] + Array("x".utf8))]
    },
    BadClient("URI with a blank behind", .badName(.malformed)) {
      $0.altNames = [.uri("urn:test:client:1 ")]
    },
    BadClient("URI in another script", .badName(.malformed)) {
      $0.altNames = [.uri("urn:test:client:\u{0430}")]
    },
    BadClient("empty URI", .badName(.malformed)) { $0.altNames = [.uri("")] },
  ]
}

@Suite("Bad certificates")
struct BadCertificateTests {
  let site = Site()

  /// What a server of ours makes of a client with these credentials.
  struct Outcome {
    var step: HandshakeStep
    var peer: PeerIdentity?
    var refusedPeer: PeerIdentity?
    var alert: Int32?
  }

  private func meet(
    _ client: BadClient, options: TLSOptions = TLSOptions()
  ) throws -> Outcome {
    let (leaf, above) = client.make(site)
    let credentials = Credentials(
      leaf, above: above, trusting: [], in: site.folder, name: "bad-client")
    let (near, far) = socketPair()
    let clientEnd = Descriptor(owning: near)
    var server = try TLSTransport(
      Descriptor(owning: far), context: try site.serverContext(options))
    let raw = RawPeer(.client, credentials, fd: clientEnd.raw)
    var step = HandshakeStep.wouldBlock(.readable)
    for _ in 0..<10 {
      _ = raw.handshake()
      step = server.handshake()
      guard case .wouldBlock = step else { break }
    }
    _ = raw.read()
    return Outcome(
      step: step, peer: server.readPeer(), refusedPeer: server.readRefusedPeer(), alert: raw.alert)
  }

  @Test("The handshake refuses, with the reason", arguments: BadClient.refusedByHandshake)
  func handshake(_ client: BadClient) throws {
    let outcome = try meet(client)
    guard case .failed(let error) = outcome.step else {
      Issue.record("let in: \(outcome.step)")
      return
    }
    #expect(CertificateRefusal(error) == client.reason, "\(error)")
    // What the refused learns: that it sent none, or too much, or was refused; never why.
    switch client.reason {
    case .noCertificate: #expect(outcome.alert == SSL_AD_CERTIFICATE_REQUIRED)
    case .tooLarge: #expect(outcome.alert == SSL_AD_ILLEGAL_PARAMETER)
    default:
      #expect(outcome.alert == SSL_AD_HANDSHAKE_FAILURE)
      // And whom we refused: the audit has the certificate's facts.
      #expect(outcome.refusedPeer?.commonName == "client-1")
    }
  }

  @Test("The rules refuse what the handshake lets through", arguments: BadClient.refusedByRules)
  func rules(_ client: BadClient) throws {
    let outcome = try meet(client)
    #expect(outcome.step == .done)
    let peer = try #require(outcome.peer)
    #expect(throws: client.reason) {
      try peer.admit(
        for: .clientAuthentication, uriPrefix: Site.clientPrefix, now: Int64(time(nil)))
    }
  }

  @Test("A good client is admitted by its name")
  func good() throws {
    let outcome = try meet(
      BadClient("good", .noCertificate) { ($0.authority.issue(), []) })
    #expect(outcome.step == .done)
    let name = try #require(outcome.peer).admit(
      for: .clientAuthentication, uriPrefix: Site.clientPrefix, now: Int64(time(nil)))
    #expect(name == "8c1f0a52-0000-4000-8000-000000000001")
    #expect(outcome.refusedPeer == nil)
  }

  @Test("A good client below two intermediates is admitted")
  func intermediates() throws {
    let outcome = try meet(
      BadClient("good", .noCertificate) { site in
        var wish = CertificateWish.authority
        wish.commonName = "first"
        let first = site.authority.issue(wish)
        wish.commonName = "second"
        let second = first.issue(wish)
        return (second.issue(), [second, first])
      })
    #expect(outcome.step == .done)
  }

  @Test("A listener may tell the reason, where that helps more than it harms")
  func openReason() throws {
    var options = TLSOptions()
    options.hidesRefusalReason = false
    let expired = BadClient("expired", .expired) { $0.validUntil = -1 }
    let outcome = try meet(expired, options: options)
    #expect(outcome.alert == SSL_AD_CERTIFICATE_EXPIRED)
    guard case .failed(let error) = outcome.step else {
      Issue.record("let in")
      return
    }
    #expect(CertificateRefusal(error) == .expired)
  }

  @Test("Where a certificate is optional, none is fine and a bad one is not")
  func optional() throws {
    var options = TLSOptions()
    options.peerCertificate = .optional
    let none = BadClient("none", .noCertificate) { _ in (nil, []) }
    let without = try meet(none, options: options)
    #expect(without.step == .done)
    #expect(without.peer == nil)
    let expired = BadClient("expired", .expired) { $0.validUntil = -1 }
    guard case .failed(let error) = try meet(expired, options: options).step else {
      Issue.record("let in")
      return
    }
    #expect(CertificateRefusal(error) == .expired)
  }

  @Test("Every reason of the tables has a word of its own")
  func words() {
    let reasons = Set((BadClient.refusedByHandshake + BadClient.refusedByRules).map(\.reason))
    #expect(Set(reasons.map(\.description)).count == reasons.count)
    #expect(reasons.count >= 17)
  }
}
