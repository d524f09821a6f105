// The rules of admission at their edges, on identities that need no certificate.
import Testing
import Transports

@Suite("Peer identity")
struct PeerIdentityTests {
  private func peer(
    uris: [String] = ["urn:test:client:a-1.b"], uriCount: Int? = nil, notBefore: Int64 = 100,
    notAfter: Int64 = 200, purposes: CertificatePurposes = .clientAuthentication,
    isAuthority: Bool = false
  ) -> PeerIdentity {
    PeerIdentity(
      uris: uris, uriCount: uriCount ?? uris.count, commonName: "x", serial: "01",
      fingerprint: made(digest(pattern(32))), notBefore: notBefore,
      notAfter: notAfter, purposes: purposes, isAuthority: isAuthority)
  }

  private func digest(_ bytes: [UInt8]) -> CertificateFingerprint? {
    CertificateFingerprint(bytes.span)
  }

  private func verdict(_ peer: PeerIdentity, now: Int64 = 150) -> Result<String, CertificateRefusal>
  {
    do throws(CertificateRefusal) {
      return .success(
        try peer.admit(for: .clientAuthentication, uriPrefix: "urn:test:client:", now: now))
    } catch {
      return .failure(error)
    }
  }

  @Test("Valid from the first second, and not in the last")
  func edges() {
    #expect(verdict(peer(), now: 99) == .failure(.notYetValid))
    #expect(verdict(peer(), now: 100) == .success("a-1.b"))
    #expect(verdict(peer(), now: 199) == .success("a-1.b"))
    #expect(verdict(peer(), now: 200) == .failure(.expired))
    #expect(verdict(peer(), now: .max) == .failure(.expired))
    #expect(verdict(peer(), now: .min) == .failure(.notYetValid))
  }

  @Test("The purpose must be among those stated")
  func purposes() {
    let both: CertificatePurposes = [.clientAuthentication, .serverAuthentication]
    #expect(verdict(peer(purposes: both)) == .success("a-1.b"))
    #expect(verdict(peer(purposes: .serverAuthentication)) == .failure(.wrongPurpose))
    #expect(verdict(peer(purposes: [])) == .failure(.wrongPurpose))
  }

  @Test("One readable URI with the prefix, and a name of plain characters behind it")
  func names() {
    for name in ["0", "z", "8c1f0a52-0000-4000-8000-000000000001", "mp.example.org"] {
      #expect(verdict(peer(uris: ["urn:test:client:" + name])) == .success(name))
    }
    for name in ["", "A", "a b", "a/b", "a:b", "a%62", "a_b", "é", "a\u{0}"] {
      #expect(
        verdict(peer(uris: ["urn:test:client:" + name])) == .failure(.badName(.malformed)),
        "\(name)")
    }
    #expect(verdict(peer(uris: ["URN:test:client:a"])) == .failure(.badName(.malformed)))
    #expect(verdict(peer(uris: [], uriCount: 1)) == .failure(.badName(.malformed)))
    #expect(verdict(peer(uris: [])) == .failure(.badName(.none)))
    #expect(verdict(peer(uriCount: 2)) == .failure(.badName(.several)))
  }

  @Test("A fingerprint is 32 bytes, written as 64 digits")
  func fingerprint() {
    #expect(digest([UInt8](repeating: 0, count: 31)) == nil)
    #expect(digest([UInt8](repeating: 0, count: 33)) == nil)
    let counted = made(digest((0..<32).map { UInt8($0) }))
    #expect(
      counted.description == "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
    var bytes = (0..<32).map { UInt8($0) }
    for index in bytes.indices {
      bytes[index] ^= 1
      #expect(digest(bytes) != counted)
      bytes[index] ^= 1
    }
    #expect(digest(bytes) == counted)
  }
}
