// Ed25519 keys (RFC 8032). They are kept as their 32 bytes and become OpenSSL objects only for the
// time of one call: a key is then an ordinary value that may cross threads, and a signature is rare
// enough (one an operation, one a report) that the conversion costs nothing.

public import BGBModel
import COpenSSL

/// A private Ed25519 key: the site's, which signs tasks, or a server's, which signs reports.
public struct SigningKey: Sendable {
  /// The other half.
  public let publicKey: PublicKey
  private let seed: [UInt8]

  /// Which key this is.
  public var keyID: KeyID { publicKey.keyID }

  /// A new key from OpenSSL's randomness.
  public static func generate() throws(SigningError) -> SigningKey {
    ERR_clear_error()
    guard let key = unsafe KeyHandle(owning: copenssl_EVP_PKEY_Q_keygen_ED25519()) else {
      throw .openSSL()
    }
    return try SigningKey(key, what: "a new key")
  }

  /// The key in a PEM file (PKCS #8, not encrypted) that only its owner may read.
  public static func load(_ path: String) throws(SigningError) -> SigningKey {
    guard let key = KeyHandle(privatePEM: try SecretFile.read(path, secret: true)) else {
      ERR_clear_error()
      throw .notAKey(path)
    }
    return try SigningKey(key, what: path)
  }

  private init(_ key: borrowing KeyHandle, what: String) throws(SigningError) {
    var seed = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard unsafe EVP_PKEY_get_base_id(key.pointer) == EVP_PKEY_ED25519,
      unsafe EVP_PKEY_get_raw_private_key(key.pointer, &seed, &count) == 1, count == 32
    else { throw .notAKey(what) }
    publicKey = try PublicKey(key, what: what)
    self.seed = seed
  }

  /// Writes the key to a new file that only its owner may read; an existing file is never replaced.
  public func save(to path: String) throws(SigningError) {
    let handle = handle()
    try SecretFile.create(path, contents: try handle.privatePEM().utf8)
  }

  /// The signature over some bytes: 64 bytes, the same each time.
  public func sign(_ bytes: [UInt8]) -> [UInt8] {
    let key = handle()
    guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
    defer { unsafe EVP_MD_CTX_free(context) }
    var signature = [UInt8](repeating: 0, count: Limits.signatureBytes)
    var count = signature.count
    let begun = unsafe EVP_DigestSignInit(context, nil, nil, nil, key.pointer)
    let ended = unsafe EVP_DigestSign(context, &signature, &count, bytes, bytes.count)
    precondition(begun == 1 && ended == 1, "Ed25519 needs no more than memory")
    return signature
  }

  private func handle() -> KeyHandle {
    guard let key = unsafe KeyHandle(owning: copenssl_EVP_PKEY_new_ED25519_private(seed, 32))
    else { preconditionFailure("any 32 bytes are an Ed25519 key") }
    return key
  }
}

/// A public Ed25519 key.
public struct PublicKey: Hashable, Sendable {
  /// The 32 bytes of the key.
  public let rawValue: [UInt8]
  /// The first eight bytes of their SHA-256.
  public let keyID: KeyID

  /// Takes the 32 bytes; nil for another count.
  ///
  /// Bytes that are no point of the curve verify nothing.
  public init?(rawValue: [UInt8]) {
    guard rawValue.count == 32 else { return nil }
    self.rawValue = rawValue
    keyID = KeyID(Digest.sha256(rawValue).prefix(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// Reads the base64 text of the 32 bytes.
  public init?(base64: some StringProtocol) {
    guard let bytes = Base64.decode(base64) else { return nil }
    self.init(rawValue: bytes)
  }

  /// Reads a PEM file with a public key.
  public init(pemFile path: String) throws(SigningError) {
    guard let key = KeyHandle(publicPEM: try SecretFile.read(path, secret: false)) else {
      ERR_clear_error()
      throw .notAKey(path)
    }
    try self.init(key, what: path)
  }

  /// Reads a PEM text with a public key.
  public init(pem: String) throws(SigningError) {
    guard let key = KeyHandle(publicPEM: Array(pem.utf8)) else {
      ERR_clear_error()
      throw .notAKey("the text")
    }
    try self.init(key, what: "the text")
  }

  fileprivate init(_ key: borrowing KeyHandle, what: String) throws(SigningError) {
    var bytes = [UInt8](repeating: 0, count: 32)
    var count = 32
    guard unsafe EVP_PKEY_get_base_id(key.pointer) == EVP_PKEY_ED25519,
      unsafe EVP_PKEY_get_raw_public_key(key.pointer, &bytes, &count) == 1, count == 32,
      let value = PublicKey(rawValue: bytes)
    else { throw .notAKey(what) }
    self = value
  }

  /// The base64 text of the 32 bytes.
  public var base64: String { Base64.encode(rawValue) }

  /// The key in PEM form.
  public func pem() throws(SigningError) -> String {
    guard let key = handle() else { throw .openSSL() }
    return try key.publicPEM()
  }

  /// Writes the PEM form to a new file that everybody may read.
  public func save(to path: String) throws(SigningError) {
    try SecretFile.create(path, contents: try pem().utf8, mode: 0o644)
  }

  /// Whether a signature over some bytes was made with this key's other half.
  public func verify(_ signature: [UInt8], over bytes: [UInt8]) -> Bool {
    guard signature.count == Limits.signatureBytes, let key = handle(),
      let context = unsafe EVP_MD_CTX_new()
    else { return false }
    defer {
      unsafe EVP_MD_CTX_free(context)
      // A bad signature leaves entries behind that would be read as the next caller's.
      ERR_clear_error()
    }
    guard unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key.pointer) == 1 else {
      return false
    }
    return unsafe EVP_DigestVerify(context, signature, signature.count, bytes, bytes.count) == 1
  }

  private func handle() -> KeyHandle? {
    ERR_clear_error()
    return unsafe KeyHandle(owning: copenssl_EVP_PKEY_new_ED25519_public(rawValue, 32))
  }
}
