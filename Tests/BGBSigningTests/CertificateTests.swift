// Certificates as the real openssl sees them, and requests that try to say more than their key.

import BGBModel
import Glibc
import Testing

@testable import BGBSigning

private let now = WallTime(milliseconds: 1_795_456_800_000)
/// The same moment for `openssl verify -attime`.
private let nowSeconds = "1795456800"
private let client = ClientID(Bits128(high: 0x0123_4567_89ab_4cde, low: 0x8f01_2345_6789_abcd))

@Suite struct CertificateTests {
  let scratch = Scratch()

  private func authority() throws -> CertificateAuthority {
    let site = try #require(SiteCode("S01"))
    return try CertificateAuthority.create(site: site, directory: scratch.file("ca"), now: now)
  }

  private func text(_ name: String) -> String {
    scratch.openssl(
      "x509", "-in", scratch.file(name), "-noout", "-text", "-nameopt", "RFC2253"
    ).output
  }

  private func verify(_ name: String, purpose: String, at time: String = nowSeconds) -> String {
    scratch.openssl(
      "verify", "-CAfile", scratch.file("ca/ca.pem"), "-purpose", purpose, "-x509_strict",
      "-attime", time, scratch.file(name)
    ).output
  }

  @Test func theAuthorityIsOne() throws {
    _ = try authority()
    let shown = text("ca/ca.pem")
    for part in [
      "Issuer: CN=BGB site S01 CA\n", "Subject: CN=BGB site S01 CA\n", "CA:TRUE, pathlen:0",
      "Certificate Sign, CRL Sign", "NIST CURVE: P-256", "ecdsa-with-SHA256",
      "X509v3 Subject Key Identifier", "URI:urn:bgb:site:S01", "Not After : Nov 22 18:00:00 2036",
    ] { #expect(shown.contains(part), "\(part)") }
    #expect(
      scratch.openssl(
        "verify", "-CAfile", scratch.file("ca/ca.pem"), "-x509_strict", "-attime", nowSeconds,
        scratch.file("ca/ca.pem")
      ).status == 0)
    var facts = stat()
    #expect(stat(scratch.file("ca/ca.key"), &facts) == 0 && facts.st_mode & 0o777 == 0o600)
    #expect(stat(scratch.file("ca"), &facts) == 0 && facts.st_mode & 0o777 == 0o700)
  }

  @Test func anAuthorityIsNeverReplaced() throws {
    let first = try authority()
    #expect(throws: SigningError.self) { try authority() }
    let loaded = try CertificateAuthority.load(directory: scratch.file("ca"))
    #expect(loaded.certificatePEM == first.certificatePEM)
    #expect(loaded.site == first.site)
  }

  @Test func foreignKeysAndOpenKeysAreRefused() throws {
    _ = try authority()
    let other = try CertificateAuthority.create(
      site: try #require(SiteCode("S02")), directory: scratch.file("other"), now: now)
    scratch.put("ca/ca.pem", other.certificatePEM)
    #expect(throws: SigningError.self) {
      try CertificateAuthority.load(directory: scratch.file("ca"))
    }
    chmod(scratch.file("other/ca.key"), 0o644)
    #expect(throws: SigningError.openToOthers(path: scratch.file("other/ca.key"))) {
      try CertificateAuthority.load(directory: scratch.file("other"))
    }
  }

  @Test func clientsAreClientsAndNothingElse() throws {
    let authority = try authority()
    let (key, request) = try CertificateRequest.make(name: "pc-7")
    let issued = try authority.issueClient(client, request: request, days: 30, now: now)
    scratch.put("client.pem", issued)
    scratch.put("client.key", key)
    #expect(verify("client.pem", purpose: "sslclient").contains("OK"))
    #expect(!verify("client.pem", purpose: "sslserver").contains("OK"))
    let shown = text("client.pem")
    for part in [
      "Subject: CN=\(client)\n", "CA:FALSE", "Digital Signature\n",
      "TLS Web Client Authentication\n", "URI:urn:bgb:client:\(client)\n",
      "X509v3 Authority Key Identifier", "Not Before: Nov 23 17:00:00 2026",
      "Not After : Dec 23 18:00:00 2026", "Version: 3",
    ] { #expect(shown.contains(part), "\(part)") }
    #expect(!shown.contains("pc-7"))
    let day = 86_400
    let ended = String(1_795_456_800 + 30 * day + 1)
    #expect(verify("client.pem", purpose: "sslclient", at: ended).contains("expired"))
    let facts = try CertificateFacts.read(pem: issued)
    #expect(facts.clientID == client)
    #expect(facts.notAfter == now.adding(milliseconds: 30 * 86_400_000))
    #expect(facts.subject == "/CN=\(client)")
    let printed = scratch.openssl(
      "x509", "-in", scratch.file("client.pem"), "-noout", "-serial", "-fingerprint", "-sha256"
    ).output.lowercased().replacing(":", with: "")
    #expect(printed.contains("serial=\(facts.serial)\n"))
    #expect(printed.contains("fingerprint=\(facts.fingerprint)\n"))
    let pair = scratch.openssl("pkey", "-in", scratch.file("client.key"), "-pubout").output
    let certified = scratch.openssl(
      "x509", "-in", scratch.file("client.pem"), "-noout", "-pubkey")
    #expect(pair.contains("PUBLIC KEY") && pair == certified.output)
  }

  @Test func serversAreServersUnderTheirHosts() throws {
    let authority = try authority()
    let (_, request) = try CertificateRequest.make(name: "mp1")
    let hosts = ["mp1.example", "localhost", "127.0.0.1", "2001:db8::7"]
    let issued = try authority.issueServer(
      name: "mp1", hosts: hosts, request: request, days: 365, now: now)
    scratch.put("server.pem", issued)
    #expect(verify("server.pem", purpose: "sslserver").contains("OK"))
    #expect(!verify("server.pem", purpose: "sslclient").contains("OK"))
    let shown = text("server.pem")
    for part in [
      "URI:urn:bgb:server:S01:mp1, DNS:mp1.example, DNS:localhost, IP Address:127.0.0.1, "
        + "IP Address:2001:DB8:0:0:0:0:0:7\n", "TLS Web Server Authentication\n", "CA:FALSE",
    ] { #expect(shown.contains(part), "\(part)") }
    for host in ["mp1.example", "localhost"] {
      let checked = scratch.openssl(
        "verify", "-CAfile", scratch.file("ca/ca.pem"), "-verify_hostname", host, "-attime",
        nowSeconds, scratch.file("server.pem"))
      #expect(checked.status == 0)
    }
  }

  @Test(arguments: [
    "", "*", "*.example", "a,DNS:evil.example", "a\nb", "a b", "-a", "a-", "a..b", ".a",
    "127.0.0.1,IP:10.0.0.1", "fe80::1%eth0", "é.example", "::1,URI:urn:x",
    String(repeating: "a", count: 64) + ".example", String(repeating: "a.", count: 130),
  ])
  func otherHostsAreRefused(_ host: String) throws {
    let authority = try authority()
    let (_, request) = try CertificateRequest.make(name: "mp1")
    #expect(throws: SigningError.badName(host)) {
      try authority.issueServer(name: "mp1", hosts: [host], request: request, days: 1, now: now)
    }
  }

  @Test(arguments: [
    "", "a b", "a,b", "a:b", "a/b", "a\n", "é", "-a", ".a", "MP1", "mp_1",
    String(repeating: "a", count: 65),
  ])
  func otherServerNamesAreRefused(_ name: String) throws {
    let authority = try authority()
    let (_, request) = try CertificateRequest.make(name: "mp1")
    #expect(throws: SigningError.badName(name)) {
      try authority.issueServer(name: name, hosts: [], request: request, days: 1, now: now)
    }
  }

  @Test func termsAreBounded() throws {
    let authority = try authority()
    let (_, request) = try CertificateRequest.make(name: "x")
    for days in [0, -1, 3_651, .max, .min] {
      #expect(throws: SigningError.badTerm(days: days)) {
        try authority.issueClient(client, request: request, days: days, now: now)
      }
    }
    // Nine years from now only one is left; after ten, nothing is issued any more.
    let late = now.adding(milliseconds: 3_300 * 86_400_000)
    let issued = try authority.issueClient(client, request: request, days: 3_650, now: late)
    let end = try CertificateFacts.read(pem: authority.certificatePEM).notAfter
    #expect(try CertificateFacts.read(pem: issued).notAfter == end)
    #expect(throws: SigningError.self) {
      try authority.issueClient(client, request: request, days: 1, now: end)
    }
  }

  @Test func serialsDiffer() throws {
    let authority = try authority()
    let (_, request) = try CertificateRequest.make(name: "x")
    let serials = try (0..<20).map { _ in
      try CertificateFacts.read(
        pem: try authority.issueClient(client, request: request, days: 1, now: now)
      ).serial
    }
    #expect(Set(serials).count == 20)
    #expect(serials.allSatisfy { $0.utf8.count == 32 })
  }

  @Test func otherTextsAreNoCertificates() throws {
    for text in ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
      #expect(throws: SigningError.notACertificate) { try CertificateFacts.read(pem: text) }
    }
  }
}

@Suite struct CertificateRequestTests {
  let scratch = Scratch()

  /// A request made by the real openssl with a key of this kind and this configuration.
  private func request(_ algorithm: [String], _ extensions: [String] = []) -> String {
    let key = scratch.file("r.key")
    _ = scratch.openssl(["genpkey", "-out", key] + algorithm)
    let configuration = scratch.put(
      "r.cnf",
      """
      [req]
      distinguished_name=dn
      prompt=no
      req_extensions=ext
      [dn]
      CN=ca
      O=evil
      [ext]
      \((extensions.isEmpty ? ["keyUsage=digitalSignature"] : extensions).joined(separator: "\n"))
      """)
    let made = scratch.openssl(
      "req", "-new", "-key", key, "-config", configuration, "-out", scratch.file("r.csr"))
    #expect(made.status == 0, "\(made.output)")
    return scratch.read("r.csr")
  }

  private static let p256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]

  private func issue(_ request: String) throws -> String {
    let authority = try CertificateAuthority.create(
      site: try #require(SiteCode("S01")), directory: scratch.file("ca"), now: now)
    let issued = try authority.issueClient(client, request: request, days: 30, now: now)
    scratch.put("issued.pem", issued)
    return scratch.openssl("x509", "-in", scratch.file("issued.pem"), "-noout", "-text").output
  }

  @Test(arguments: [
    "basicConstraints=critical,CA:TRUE", "subjectAltName=URI:urn:bgb:client:other",
    "subjectAltName=DNS:*.example,IP:10.0.0.1", "extendedKeyUsage=serverAuth,codeSigning",
    "keyUsage=keyCertSign,cRLSign", "nsComment=evil",
    "subjectAltName=email:root@example", "1.2.3.4=ASN1:UTF8String:evil",
  ])
  func wishesAreNotGranted(_ wish: String) throws {
    let shown = try issue(request(CertificateRequestTests.p256, [wish]))
    for part in [
      "CA:TRUE", "urn:bgb:client:other", "DNS:", "IP Address", "Server Authentication",
      "Code Signing", "Certificate Sign", "evil", "email", "1.2.3.4", "CN = ca", "O = ",
    ] { #expect(!shown.contains(part), "\(part)") }
    #expect(shown.contains("URI:urn:bgb:client:\(client)\n"))
    #expect(shown.contains("TLS Web Client Authentication\n"))
  }

  @Test func ed25519IsAllowed() throws {
    let shown = try issue(request(["-algorithm", "ED25519"]))
    #expect(shown.contains("Public Key Algorithm: ED25519"))
  }

  @Test(arguments: [
    ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"],
    ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-224"],
    ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"], ["-algorithm", "ED448"],
    // P-256 with its parameters written out.
    ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
      + ["-pkeyopt", "ec_param_enc:explicit"],
  ])
  func otherKeysAreRefused(_ algorithm: [String]) throws {
    let text = request(algorithm)
    #expect(throws: SigningError.request(.forbiddenKey)) { try CertificateRequest.check(text) }
  }

  @Test func withoutProofOfPossessionNothingIsIssued() throws {
    let (_, pem) = try CertificateRequest.make(name: "x")
    let lines = pem.split(separator: "\n")
    let der = try #require(Base64.decode(lines[1..<lines.count - 1].joined()))
    var refused = 0
    for place in der.indices {
      var changed = der
      changed[place] ^= 1
      let text = """
        -----BEGIN CERTIFICATE REQUEST-----
        \(Base64.encode(changed))
        -----END CERTIFICATE REQUEST-----

        """
      #expect(throws: SigningError.self, "byte \(place)") { try CertificateRequest.check(text) }
      refused += 1
    }
    #expect(refused > 150)
    // The last bytes are the signature itself: readable, but of nobody.
    var changed = der
    changed[der.count - 1] ^= 1
    let text =
      "-----BEGIN CERTIFICATE REQUEST-----\n\(Base64.encode(changed))\n"
      + "-----END CERTIFICATE REQUEST-----\n"
    #expect(throws: SigningError.request(.badSelfSignature)) {
      try CertificateRequest.check(text)
    }
  }

  @Test func otherTextsAreNoRequests() {
    let bytes = "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"
    for text in ["", "x", bytes, String(repeating: "\0", count: 100)] {
      #expect(throws: SigningError.request(.unreadable)) { try CertificateRequest.check(text) }
    }
    #expect(throws: SigningError.request(.tooLong)) {
      try CertificateRequest.check(String(repeating: "x", count: 16_385))
    }
  }

  @Test func ourRequestsAreReadByOpenSSL() throws {
    let (key, request) = try CertificateRequest.make(name: "pc-7 größer")
    scratch.put("r.csr", request)
    scratch.put("r.key", key)
    let shown = scratch.openssl("req", "-in", scratch.file("r.csr"), "-verify", "-noout", "-text")
    #expect(shown.status == 0 && shown.output.contains("NIST CURVE: P-256"))
    for name in ["", "a\nb", String(repeating: "x", count: 65)] {
      #expect(throws: SigningError.badName(name)) { try CertificateRequest.make(name: name) }
    }
  }
}
