// Public keys of P-256 as the narrow library reads them (NarrowP256.c): whatever the bytes are, it
// reads what OpenSSL reads, takes as many of them, and makes the same key of them.
import COpenSSL
import Testing

@testable import Transports

@Suite("Public keys of P-256")
struct NarrowP256Tests {
  /// What a SubjectPublicKeyInfo was read as.
  private struct Reading: Equatable {
    /// How many bytes it took.
    var consumed = 0
    /// The key, written again.
    var again: [UInt8] = []
    var group = ""
    var bits: Int32 = 0
  }

  private let narrow: OpaquePointer

  init() throws { narrow = try #require(copenssl_narrow_library()) }

  /// A new public key, as a certificate holds it.
  private func info(
    _ group: String = "P-256", form: String? = nil, encoding: String? = nil
  ) throws -> [UInt8] {
    let key = try #require(copenssl_EVP_EC_gen(group))
    defer { EVP_PKEY_free(key) }
    if let form {
      try #require(EVP_PKEY_set_utf8_string_param(key, "point-format", form) == 1)
    }
    if let encoding {
      try #require(EVP_PKEY_set_utf8_string_param(key, "encoding", encoding) == 1)
    }
    return try Self.written(key)
  }

  private static func written(_ key: OpaquePointer) throws -> [UInt8] {
    var bytes: UnsafeMutablePointer<UInt8>?
    let count = i2d_PUBKEY(key, &bytes)
    defer { CRYPTO_free(bytes, nil, 0) }
    try #require(count > 0)
    return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }

  /// Reads a key, which the caller frees, and says how many bytes it took; nil if it is refused.
  private static func key(
    of bytes: [UInt8], in library: OpaquePointer?
  ) -> (key: OpaquePointer, consumed: Int)? {
    bytes.withUnsafeBufferPointer { buffer in
      guard let start = buffer.baseAddress else { return nil }
      var next: UnsafePointer<UInt8>? = start
      guard let key = d2i_PUBKEY_ex(nil, &next, buffer.count, library, nil) else {
        ERR_clear_error()
        return nil
      }
      return (key, next.map { $0 - start } ?? 0)
    }
  }

  /// Reads a key, and says what it was read as; nil if it is refused.
  private static func read(_ bytes: [UInt8], in library: OpaquePointer?) throws -> Reading? {
    guard let (key, consumed) = key(of: bytes, in: library) else { return nil }
    defer { EVP_PKEY_free(key) }
    var name = [CChar](repeating: 0, count: 40)
    var count = 0
    _ = EVP_PKEY_get_group_name(key, &name, name.count, &count)
    return Reading(
      consumed: consumed, again: try written(key),
      group: String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self),
      bits: EVP_PKEY_get_bits(key))
  }

  @Test("A key is read as it was written, and verifies what its owner signs")
  func verifies() throws {
    let text = Array("signed".utf8)
    let before = copenssl_narrow_p256_count()
    for _ in 0..<100 {
      let owner = try #require(copenssl_EVP_EC_gen("P-256"))
      defer { EVP_PKEY_free(owner) }
      let bytes = try Self.written(owner)
      #expect(
        try Self.read(bytes, in: narrow)
          == Reading(consumed: 91, again: bytes, group: "prime256v1", bits: 256))
      let (key, _) = try #require(Self.key(of: bytes, in: narrow))
      defer { EVP_PKEY_free(key) }
      var signature = try Self.sign(text, by: owner)
      #expect(Self.isValid(signature, of: text, by: key, in: narrow))
      signature[signature.count - 1] ^= 1
      #expect(!Self.isValid(signature, of: text, by: key, in: narrow))
    }
    #expect(copenssl_narrow_p256_count() - before == 200, "none of them by OpenSSL's decoder")
  }

  private static func sign(_ text: [UInt8], by owner: OpaquePointer) throws -> [UInt8] {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    try #require(EVP_DigestSignInit(context, nil, EVP_sha256(), nil, owner) == 1)
    var bytes = [UInt8](repeating: 0, count: 80)
    var count = bytes.count
    try #require(EVP_DigestSign(context, &bytes, &count, text, text.count) == 1)
    return Array(bytes.prefix(count))
  }

  private static func isValid(
    _ signature: [UInt8], of text: [UInt8], by key: OpaquePointer, in library: OpaquePointer
  ) -> Bool {
    let context = EVP_MD_CTX_new()
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    return EVP_DigestVerifyInit_ex(context, nil, "SHA2-256", library, nil, key, nil) == 1
      && EVP_DigestVerify(context, signature, signature.count, text, text.count) == 1
  }

  @Test("Any byte changed, it is read or refused as OpenSSL does")
  func changed() throws {
    let whole = try info()
    #expect(whole.count == 91)
    var refused = 0
    for place in whole.indices {
      for flip: UInt8 in [1, 2, 3, 4, 6, 0x10, 0x80, 0xFF] {
        var bytes = whole
        bytes[place] ^= flip
        let expected = try Self.read(bytes, in: nil)
        #expect(try Self.read(bytes, in: narrow) == expected, "byte \(place), \(flip)")
        refused += expected == nil ? 1 : 0
      }
    }
    // Hardly any: what a changed coordinate makes is no point of the curve.
    #expect(refused > 700)
  }

  @Test("Cut, or with more behind it, it is read or refused as OpenSSL does")
  func lengths() throws {
    let whole = try info()
    for count in 0..<whole.count {
      let bytes = Array(whole.prefix(count))
      #expect(try Self.read(bytes, in: narrow) == nil, "\(count) bytes")
    }
    for more in [1, 2, 91, 5_000] {
      let bytes = whole + [UInt8](repeating: 0x30, count: more)
      let expected = try Self.read(bytes, in: nil)
      #expect(expected?.consumed == 91)
      #expect(try Self.read(bytes, in: narrow) == expected, "\(more) more")
    }
  }

  @Test("Other forms of a point, other groups and the group spelled out are read as ever")
  func forms() throws {
    for form in ["uncompressed", "compressed", "hybrid"] {
      for group in ["P-256", "P-384", "P-521"] {
        let bytes = try info(group, form: form)
        let expected = try Self.read(bytes, in: nil)
        #expect(expected != nil)
        #expect(try Self.read(bytes, in: narrow) == expected, "\(group), \(form)")
      }
    }
    let explicit = try info(encoding: "explicit")
    #expect(explicit.count > 91)
    let expected = try Self.read(explicit, in: nil)
    #expect(try Self.read(explicit, in: narrow) == expected)
  }

  @Test("A point that is none, and coordinates beyond the field, are refused")
  func noPoints() throws {
    let head = Array(try info().prefix(27))
    for (x, y) in [(0, 0), (0xFF, 0xFF), (0, 1), (0xFF, 0)] as [(UInt8, UInt8)] {
      let point = [UInt8](repeating: x, count: 32) + [UInt8](repeating: y, count: 32)
      #expect(try Self.read(head + point, in: nil) == nil)
      #expect(try Self.read(head + point, in: narrow) == nil)
    }
  }

  @Test("Threads read at once, each its own keys")
  func together() async throws {
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        let keys = try (0..<20).map { _ in try info() }
        group.addTask {
          try (0..<400).count {
            let bytes = keys[$0 % keys.count]
            return try Self.read(bytes, in: copenssl_narrow_library())?.again == bytes
          }
        }
      }
      #expect(try await group.reduce(0, +) == 1_600)
    }
  }
}
