// One context for many clients: each connection proves itself with credentials of its own, from
// bytes or files, and OpenSSL refuses what does not belong together.
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("TLS credentials")
struct TLSCredentialsTests {
  let site = Site()

  private func bytes(_ path: String?) throws -> [UInt8] {
    try Folder.read(try #require(path), limit: 1 << 16)
  }

  private func der(_ pem: [UInt8]) throws -> [UInt8] {
    let text = String(decoding: pem, as: UTF8.self)
    let body = text.split(separator: "\n").drop { !$0.hasPrefix("-----BEGIN") }.dropFirst()
      .prefix { !$0.hasPrefix("-----END") }.joined()
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var bytes: [UInt8] = []
    var group: UInt32 = 0
    var bits = 0
    for character in body.utf8 where character != UInt8(ascii: "=") {
      group = group << 6 | UInt32(try #require(alphabet.firstIndex(of: character)))
      bits += 6
      if bits >= 8 {
        bits -= 8
        bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
      }
    }
    return bytes
  }

  /// The identity that a server sees behind these credentials.
  private func identity(_ credentials: TLSCredentials?) throws -> PeerIdentity? {
    let shared = try TLSContext(
      role: .client, certificateChainFile: nil, privateKeyFile: nil, caFile: site.client.caFile)
    let (wire, near, far) = Wire.make()
    let pool = BlockPool(limit: 64)
    let client = ByteChannel(
      .tls(
        try TLSTransport(
          Descriptor(owning: near), context: shared, serverName: "mp.test",
          credentials: credentials)),
      token: Token(generation: 1, index: 1), pool: pool, outboundBytesMax: 64, now: .zero)
    let server = ByteChannel(
      .tls(try TLSTransport(Descriptor(owning: far), context: try site.serverContext())),
      token: Token(generation: 1, index: 2), pool: pool, outboundBytesMax: 64, now: .zero)
    for _ in 0..<1_000 {
      _ = client.handshake()
      switch server.handshake() {
      case .done: return server.peer
      case .failed: return nil
      case .wouldBlock: break
      }
      wire.carry(.toServer, atMost: .max)
      wire.carry(.toClient, atMost: .max)
    }
    return nil
  }

  @Test("Files, PEM and DER make the same client of a shared context")
  func threeForms() throws {
    let chain = try bytes(site.client.chainFile)
    let key = try bytes(site.client.keyFile)
    let fromFiles = try identity(
      TLSCredentials(
        certificateChainFile: try #require(site.client.chainFile),
        privateKeyFile: try #require(site.client.keyFile)))
    let fromPEM = try identity(TLSCredentials(certificate: chain, privateKey: key))
    let fromDER = try identity(
      TLSCredentials(certificate: try der(chain), privateKey: try der(key)))
    #expect(fromFiles != nil)
    #expect(fromPEM == fromFiles)
    #expect(fromDER == fromFiles)
    #expect(try identity(nil) == nil, "the shared context proves nothing by itself")
  }

  @Test("A key of P-256 is read as numbers; any other bytes are left to OpenSSL")
  func numbersOfAKey() throws {
    let key = try der(try bytes(site.client.keyFile))
    let numbers = try #require(P256PrivateKey(pkcs8: key), "the form that OpenSSL writes")
    #expect(numbers.scalar == Array(key[36..<68]))
    #expect(numbers.point == Array(key[73...]))
    #expect(numbers.point.count == 65)
    for place in [0, 8, 35, 68, 72, 73] {
      var other = key
      other[place] ^= 0x01
      #expect(P256PrivateKey(pkcs8: other) == nil, "byte \(place)")
    }
    #expect(P256PrivateKey(pkcs8: key.dropLast()) == nil)
    #expect(P256PrivateKey(pkcs8: key + [0]) == nil)
    #expect(P256PrivateKey(pkcs8: []) == nil)
  }

  /// What is said of a certificate and a key.
  private func sentence(_ certificate: [UInt8], _ key: [UInt8]) -> String {
    do {
      _ = try TLSCredentials(certificate: certificate, privateKey: key)
      return "no error"
    } catch { return error.description }
  }

  @Test("Certificate and key in DER that do not belong together, or are no key, are refused")
  func refusalsInDER() throws {
    let chain = try der(try bytes(site.client.chainFile))
    let key = try der(try bytes(site.client.keyFile))
    let other = try der(try bytes(site.server.keyFile))
    #expect(sentence(chain, key) == "no error")
    #expect(sentence(chain, other).contains("does not belong"))
    #expect(sentence(Array(chain.dropLast()), key).contains("certificate"))
    var outside = key
    outside[137] ^= 0x01
    #expect(P256PrivateKey(pkcs8: outside) != nil)
    #expect(sentence(chain, outside).contains("private key"), "a point beside the curve")
  }

  @Test("What does not serve is refused with a sentence, and no trap")
  func refusals() throws {
    let chain = try bytes(site.client.chainFile)
    let key = try bytes(site.client.keyFile)
    let other = try bytes(site.server.keyFile)
    #expect(sentence(chain, key) == "no error")
    #expect(sentence([], key).contains("certificate"))
    #expect(sentence(chain, []).contains("private key"))
    #expect(sentence([0x30, 0x82, 0xFF, 0xFF], key).contains("certificate"))
    #expect(sentence(chain, [0x30, 0x82, 0xFF, 0xFF]).contains("private key"))
    #expect(sentence(chain, other).contains("does not belong"))
    do {
      _ = try TLSCredentials(certificateChainFile: "/nothing/here", privateKeyFile: "/nothing")
      Issue.record("a file that is not there was read")
    } catch { #expect(error.description.contains("/nothing/here")) }
  }
}
