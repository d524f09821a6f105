// The narrow library: its key derivation against RFC 8448 and OpenSSL's own, the keys that it
// knows and those that it does not, and handshakes between both libraries.
import COpenSSL
import Testing

@testable import Transports

@Suite("Narrow library")
struct NarrowLibraryTests {
  /// One derivation.
  struct Derivation {
    var mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY
    var digest = "SHA2-256"
    var key: [UInt8]?
    var salt: [UInt8]?
    var label = "derived"
    var data: [UInt8]?

    /// The output of `count` bytes; nil if it is refused.
    func callAsFunction(_ library: OpaquePointer?, _ count: Int) -> [UInt8]? {
      guard let derivation = EVP_KDF_fetch(library, "TLS13-KDF", nil) else { return nil }
      defer { EVP_KDF_free(derivation) }
      guard let context = EVP_KDF_CTX_new(derivation) else { return nil }
      defer { EVP_KDF_CTX_free(context) }
      // The parameters keep their pointers, so everything they point to outlives the call.
      var held: [UnsafeMutableRawBufferPointer] = []
      defer { held.forEach { $0.deallocate() } }
      func hold(_ bytes: [UInt8]) -> UnsafeMutableRawPointer? {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + 1, alignment: 8)
        room.initializeMemory(as: UInt8.self, repeating: 0)
        room.copyBytes(from: bytes)
        held.append(room)
        return room.baseAddress
      }
      func name(_ text: String) -> UnsafePointer<CChar>? {
        hold(Array(text.utf8)).map { UnsafePointer($0.assumingMemoryBound(to: CChar.self)) }
      }
      func octets(_ key: String, _ bytes: [UInt8]) -> OSSL_PARAM {
        OSSL_PARAM_construct_octet_string(name(key), hold(bytes), bytes.count)
      }
      var parameters: [OSSL_PARAM] = []
      let number = hold([UInt8](repeating: 0, count: 8))?.assumingMemoryBound(to: Int32.self)
      number?.pointee = mode
      parameters.append(OSSL_PARAM_construct_int(name("mode"), number))
      let text = hold(Array(digest.utf8))?.assumingMemoryBound(to: CChar.self)
      parameters.append(OSSL_PARAM_construct_utf8_string(name("digest"), text, 0))
      if let key { parameters.append(octets("key", key)) }
      if let salt { parameters.append(octets("salt", salt)) }
      parameters.append(octets("prefix", Array("tls13 ".utf8)))
      parameters.append(octets("label", Array(label.utf8)))
      if let data { parameters.append(octets("data", data)) }
      parameters.append(OSSL_PARAM_construct_end())
      var output = [UInt8](repeating: 0, count: count)
      return EVP_KDF_derive(context, &output, count, parameters) == 1 ? output : nil
    }
  }

  let narrow: OpaquePointer

  init() throws { narrow = try #require(copenssl_narrow_library()) }

  @Test("The first secrets of a handshake are those of RFC 8448")
  func golden() {
    let early = Derivation(mode: EVP_KDF_HKDF_MODE_EXTRACT_ONLY)
    let first = hex("33ad0a1c607ec03b09e6cd9893680ce2 10adf300aa1f2660e1b22e10f170f92a")
    #expect(early(narrow, 32) == first)
    let nothing = hex("e3b0c44298fc1c149afbf4c8996fb924 27ae41e4649b934ca495991b7852b855")
    let derived = hex("6f2615a108c702c5678f54fc9dbab697 16c076189c48250cebeac3576c3611ba")
    #expect(Derivation(key: first, data: nothing)(narrow, 32) == derived)
    let agreed = hex("8bd4054fb55b9d63fdfbacf9f04b9f0d 35e6d63f537563efd46272900f89492d")
    let handshake = hex("1dc826e93606aa6fdc0aadc12f741b01 046aa6b99f691ed221a9f0ca043fbeac")
    let next = Derivation(mode: EVP_KDF_HKDF_MODE_EXTRACT_ONLY, key: agreed, salt: first)
    #expect(next(narrow, 32) == handshake)
  }

  @Test("Whatever is derived, it is what OpenSSL derives")
  func differential() {
    var random = SystemRandomNumberGenerator()
    func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in random.next() } }
    for _ in 0..<2_000 {
      let is384 = Bool.random(using: &random)
      let digestBytes = is384 ? 48 : 32
      var derivation = Derivation()
      derivation.digest = is384 ? "SHA384" : "SHA256"
      derivation.label = ["derived", "c hs traffic", "exporter", "iv", ""].randomElement() ?? ""
      var count = Int.random(in: 1...300)
      if Bool.random(using: &random) {
        derivation.key = bytes(Int.random(in: 1...300))
        if Bool.random(using: &random) { derivation.data = bytes(digestBytes) }
      } else {
        derivation.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY
        count = digestBytes
        if Bool.random(using: &random) { derivation.key = bytes(Int.random(in: 1...300)) }
        if Bool.random(using: &random) { derivation.salt = bytes(digestBytes) }
      }
      let expected = derivation(nil, count)
      #expect(expected != nil)
      #expect(derivation(narrow, count) == expected, "\(derivation), \(count) bytes")
    }
  }

  @Test("What TLS 1.3 does not derive is refused")
  func refused() {
    let key = [UInt8](repeating: 7, count: 32)
    #expect(Derivation(key: key)(narrow, 32) != nil)
    #expect(Derivation(digest: "SHA512", key: key)(narrow, 32) == nil)
    #expect(Derivation(mode: EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, key: key)(narrow, 32) == nil)
    #expect(Derivation()(narrow, 32) == nil, "expanding needs a secret")
    #expect(Derivation(key: [UInt8](repeating: 7, count: 1_024))(narrow, 32) != nil)
    #expect(Derivation(key: [UInt8](repeating: 7, count: 1_025))(narrow, 32) == nil)
    #expect(Derivation(key: key, data: [UInt8](repeating: 7, count: 65))(narrow, 32) == nil)
    #expect(Derivation(key: key, label: String(repeating: "a", count: 249))(narrow, 32) != nil)
    #expect(Derivation(key: key, label: String(repeating: "a", count: 250))(narrow, 32) == nil)
    #expect(Derivation(key: key)(narrow, 255 * 32) != nil)
    #expect(Derivation(key: key)(narrow, 255 * 32 + 1) == nil)
    let extract = Derivation(mode: EVP_KDF_HKDF_MODE_EXTRACT_ONLY, key: key)
    #expect(extract(narrow, 31) == nil, "an extract is one digest")
  }

  @Test("An HMAC is OpenSSL's, with short, full and long keys")
  func hmac() {
    for is384 in [Int32(0), 1] {
      for count in [0, 1, 63, 64, 65, 127, 128, 129, 300] {
        let key = [UInt8](repeating: 0xaa, count: count)
        let text = Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)
        var ours = [UInt8](repeating: 0, count: is384 == 1 ? 48 : 32)
        var theirs = ours
        let digest = is384 == 1 ? EVP_sha384() : EVP_sha256()
        #expect(copenssl_hmac(is384, key, key.count, text, text.count, &ours) == 1)
        #expect(HMAC(digest, key, Int32(key.count), text, text.count, &theirs, nil) != nil)
        #expect(ours == theirs, "a key of \(count) bytes")
      }
    }
  }

  @Test("Keys of certificates are known, others not, and what cannot be done is an error")
  func keys() throws {
    let known = [
      copenssl_EVP_EC_gen("P-256"), copenssl_EVP_EC_gen("P-384"), copenssl_EVP_RSA_gen(2_048),
      copenssl_EVP_PKEY_Q_keygen_ED25519(),
    ]
    for key in known {
      let key = try #require(key)
      defer { EVP_PKEY_free(key) }
      let copy = try #require(copenssl_narrow_key(key))
      defer { EVP_PKEY_free(copy) }
      #expect(EVP_PKEY_eq(key, copy) == 1)
    }
    for (name, isKnown) in [("X25519", true), ("HMAC", true), ("DSA", false), ("DH", false)] {
      let manager = EVP_KEYMGMT_fetch(narrow, name, nil)
      #expect((manager != nil) == isKnown, "\(name)")
      EVP_KEYMGMT_free(manager)
    }
  }

  @Test("A key pair of X25519 is one: its public key is what OpenSSL makes of the private one")
  func keyPairs() throws {
    let context = try #require(EVP_PKEY_CTX_new_from_name(narrow, "X25519", nil))
    defer { EVP_PKEY_CTX_free(context) }
    #expect(EVP_PKEY_keygen_init(context) == 1)
    #expect(EVP_PKEY_CTX_set_group_name(context, "x448") != 1)
    #expect(EVP_PKEY_CTX_set_group_name(context, "x25519") == 1)
    var seen: Set<[UInt8]> = []
    for _ in 0..<500 {
      var pair: OpaquePointer?
      #expect(EVP_PKEY_keygen(context, &pair) == 1)
      let key = try #require(pair)
      defer { EVP_PKEY_free(key) }
      let (secret, point) = (try raw(key, EVP_PKEY_get_raw_private_key), try raw(key, Self.point))
      #expect(secret[0] & 7 == 0 && secret[31] & 0xC0 == 0x40, "RFC 7748, 5")
      let again = try #require(
        EVP_PKEY_new_raw_private_key_ex(nil, "X25519", nil, secret, secret.count))
      defer { EVP_PKEY_free(again) }
      #expect(try raw(again, Self.point) == point)
      seen.insert(secret)
    }
    #expect(seen.count == 500)
  }

  private static let point = EVP_PKEY_get_raw_public_key

  private func raw(
    _ key: OpaquePointer,
    _ get: (OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>?) -> Int32
  ) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = bytes.count
    try #require(get(key, &bytes, &count) == 1 && count == 32)
    return bytes
  }

  @Test("Both libraries shake hands with each other", arguments: [true, false], [true, false])
  func mixed(isServerNarrow: Bool, isClientNarrow: Bool) throws {
    var ofServer = TLSOptions()
    ofServer.algorithms = isServerNarrow ? .narrow : .all
    var ofClient = TLSOptions()
    ofClient.algorithms = isClientNarrow ? .narrow : .all
    let duet = try Duet(.detached, serverOptions: ofServer, clientOptions: ofClient)
    try duet.shakeHands()
    #expect(duet.send(pattern(40_000), from: duet.client) == pattern(40_000))
    #expect(duet.server.peer?.commonName == "client-1")
  }
}
