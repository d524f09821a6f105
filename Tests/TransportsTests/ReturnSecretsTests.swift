// The key schedule of reconnects against the steps of RFC 8446, written down a second time here
// over OpenSSL's HMAC, and X25519 against OpenSSL's exchange.
import COpenSSL
import Testing

@testable import Transports

/// HKDF and the secrets of RFC 8446, 7.1, with SHA-256, by the letter.
enum PlainSchedule {
  static func hmac(_ key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: 32)
    HMAC(EVP_sha256(), key, Int32(key.count), bytes, bytes.count, &output, nil)
    return output
  }

  static func hash(_ bytes: [UInt8]) -> [UInt8] {
    var output = [UInt8](repeating: 0, count: 32)
    SHA256(bytes, bytes.count, &output)
    return output
  }

  static func expand(
    _ secret: [UInt8], _ label: String, _ context: [UInt8], _ count: Int = 32
  ) -> [UInt8] {
    let text = Array("tls13 \(label)".utf8)
    let info =
      [0, UInt8(count), UInt8(text.count)] + text + [UInt8(context.count)] + context + [1]
    return Array(hmac(secret, info).prefix(count))
  }

  static func derive(_ secret: [UInt8], _ label: String, _ transcript: [UInt8]) -> [UInt8] {
    expand(secret, label, hash(transcript))
  }

  static func early(_ key: [UInt8]) -> [UInt8] { hmac([UInt8](repeating: 0, count: 32), key) }

  /// The secret after the one before it.
  static func next(_ secret: [UInt8], _ input: [UInt8]) -> [UInt8] {
    hmac(derive(secret, "derived", []), input)
  }

  static func finished(_ secret: [UInt8], _ transcript: [UInt8]) -> [UInt8] {
    hmac(expand(secret, "finished", []), hash(transcript))
  }

  static func binder(_ key: [UInt8], _ hello: [UInt8]) -> [UInt8] {
    finished(derive(early(key), "ext binder", []), hello)
  }
}

/// A pair of X25519, by OpenSSL's own interface.
final class PlainPair {
  private let key: OpaquePointer

  init() throws {
    let context = try #require(EVP_PKEY_CTX_new_id(EVP_PKEY_X25519, nil))
    defer { EVP_PKEY_CTX_free(context) }
    var made: OpaquePointer?
    #expect(EVP_PKEY_keygen_init(context) == 1)
    #expect(EVP_PKEY_keygen(context, &made) == 1)
    key = try #require(made)
  }

  deinit { EVP_PKEY_free(key) }

  var share: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = 32
    #expect(EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1)
    return bytes
  }

  func agree(with share: [UInt8]) throws -> [UInt8] {
    let peer = try #require(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nil, share, 32))
    defer { EVP_PKEY_free(peer) }
    let context = try #require(EVP_PKEY_CTX_new(key, nil))
    defer { EVP_PKEY_CTX_free(context) }
    var secret = [UInt8](repeating: 0, count: 32)
    var count = 32
    #expect(EVP_PKEY_derive_init(context) == 1)
    #expect(EVP_PKEY_derive_set_peer(context, peer) == 1)
    #expect(EVP_PKEY_derive(context, &secret, &count) == 1)
    return secret
  }
}

@Suite("Secrets of clients that come back")
struct ReturnSecretsTests {
  private let key = pattern(32)

  @Test("The early secret of RFC 8448's resumed handshake is made by the same HMAC")
  func early() {
    // Section 4: the PSK, and "Early Secret" by HKDF-Extract.
    let psk =
      bytes(
        hexadecimal: "4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3") ?? []
    #expect(
      hexadecimal(PlainSchedule.early(psk))
        == "9b2188e9b2fc6d64d71dc329900e20bb41915000f678aa839cbb797cb7d8332c")
  }

  @Test("The binder is taken, and no other, nor over other bytes")
  func binder() throws {
    let hello = pattern(400)
    let secrets = try #require(ReturnSecrets(key: key))
    let binder = PlainSchedule.binder(key, hello)
    #expect(secrets.isProved(by: binder, over: hello))
    #expect(!secrets.isProved(by: binder, over: hello + [0]))
    #expect(!secrets.isProved(by: binder.dropLast(), over: hello))
    #expect(!secrets.isProved(by: [], over: hello))
    for place in binder.indices {
      var other = binder
      other[place] ^= 1
      #expect(!secrets.isProved(by: other, over: hello))
    }
    let others = try #require(ReturnSecrets(key: pattern(31) + [0]))
    #expect(!others.isProved(by: binder, over: hello))
  }

  @Test("Every secret is what the steps of RFC 8446 give with OpenSSL's exchange")
  func schedule() throws {
    let (hello, answer, rest) = (pattern(300), pattern(120), pattern(42))
    let secrets = try #require(ReturnSecrets(key: key))
    // Proving the binder leaves the stage as it is.
    #expect(secrets.isProved(by: PlainSchedule.binder(key, hello), over: hello))
    let pair = try PlainPair()
    let share = try #require(secrets.answer(share: pair.share))
    let agreed = try pair.agree(with: share)
    let handshake = PlainSchedule.next(PlainSchedule.early(key), agreed)
    let shown = hello + answer
    #expect(secrets.beginHandshake(shown))
    let server = PlainSchedule.derive(handshake, "s hs traffic", shown)
    let client = PlainSchedule.derive(handshake, "c hs traffic", shown)
    #expect(secrets.serverFinished(shown + rest) == PlainSchedule.finished(server, shown + rest))
    let whole = shown + rest + [1]
    #expect(secrets.beginData(whole))
    let master = PlainSchedule.next(handshake, [UInt8](repeating: 0, count: 32))
    let slots = DetachedSlots()
    for suite in [CipherSuite.aes128, .chacha20] {
      let name = try #require(slots.take(suite))
      for (keys, way, secret) in [
        (ReturnSecrets.Keys.handshake, RecordWay.read, client), (.handshake, .write, server),
        (.data, .read, PlainSchedule.derive(master, "c ap traffic", whole)),
        (.data, .write, PlainSchedule.derive(master, "s ap traffic", whole)),
      ] {
        #expect(secrets.put(keys, into: slots, name, way))
        #expect(Array(slots.secret(name, way)) == secret)
        #expect(
          Array(slots.key(name, way))
            == PlainSchedule.expand(secret, "key", [], suite.keyBytes))
        #expect(Array(slots.vector(name, way)) == PlainSchedule.expand(secret, "iv", [], 12))
        #expect(slots.sequence(name, way) == 0)
      }
    }
    let code = PlainSchedule.finished(client, whole)
    #expect(secrets.isFinished(by: code[...]))
    #expect(!secrets.isFinished(by: code.dropLast()))
    #expect(!secrets.isFinished(by: PlainSchedule.finished(server, whole)[...]))
    // A suite of another digest has no room for such a secret.
    let long = try #require(slots.take(.aes256))
    #expect(!secrets.put(.data, into: slots, long, .read))
  }

  @Test("Each answer has a share of its own, and a share without a secret has no answer")
  func shares() throws {
    let pair = try PlainPair()
    var seen: Set<[UInt8]> = []
    for _ in 0..<50 {
      let secrets = try #require(ReturnSecrets(key: key))
      seen.insert(try #require(secrets.answer(share: pair.share)))
    }
    #expect(seen.count == 50)
    // Points of low order (RFC 7748, 7): 0, 1, and p - 1, in little-endian order.
    let zero = [UInt8](repeating: 0, count: 32)
    let one = [1] + zero.dropFirst()
    let last = [0xEC] + [UInt8](repeating: 0xFF, count: 30) + [0x7F]
    for share in [zero, one, last] {
      #expect(try #require(ReturnSecrets(key: key)).answer(share: share) == nil)
    }
    #expect(ERR_peek_error() == 0)
  }
}
