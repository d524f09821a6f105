// The cryptography of reconnect identities: HKDF with SHA-256 (RFC 5869) from the master key to one
// key for sealing and one for each handshake, AES-256-GCM for the seal. One-block HKDF outputs are
// one HMAC each, which is all that a reconnect costs here.
import COpenSSL

/// What is derived from one master key.
struct ReconnectSecrets: Equatable {
  private static let salt = Array("reconnect identities 1".utf8)
  private static let sealLabel = Array("seal".utf8)
  private static let keyLabel = Array("key ".utf8)

  /// HKDF-Extract of the master key.
  private let root: [UInt8]
  private let sealKey: [UInt8]

  /// Derives; nil only if OpenSSL has no memory left.
  init?(master: [UInt8]) {
    guard let root = hmac(key: Self.salt, master),
      let sealKey = hmac(key: root, Self.sealLabel + [1])
    else { return nil }
    self.root = root
    self.sealKey = sealKey
  }

  /// The key of the handshakes with this identity: HKDF-Expand of 32 bytes.
  func handshakeKey(for identity: [UInt8]) -> [UInt8]? {
    hmac(key: root, Self.keyLabel + identity + [1])
  }

  /// Seals; answers a fresh nonce, and the sealed bytes with the tag behind them.
  func seal(
    _ bytes: [UInt8], beside associated: [UInt8], using cipher: IdentityCipher
  ) -> (nonce: [UInt8], sealed: [UInt8])? {
    cipher.seal(bytes, beside: associated, key: sealKey)
  }

  /// Opens what ``seal(_:beside:using:)`` made; nil for anything else.
  func open(
    _ sealed: [UInt8], nonce: [UInt8], beside associated: [UInt8], using cipher: IdentityCipher
  ) -> [UInt8]? {
    cipher.open(sealed, nonce: nonce, beside: associated, key: sealKey)
  }
}

/// AES-256-GCM with one context that is keyed anew for each identity: to look the algorithm up and
/// to make a context takes longer than to seal.
///
/// `@safe`: the context is made and freed here alone, and every length is checked before a call.
@safe
final class IdentityCipher {
  private let context: OpaquePointer

  /// Fetches the algorithm; nil if OpenSSL does not have it.
  init?() {
    guard let cipher = unsafe EVP_CIPHER_fetch(nil, "AES-256-GCM", nil) else { return nil }
    defer { unsafe EVP_CIPHER_free(cipher) }
    guard let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
    unsafe self.context = context
    guard unsafe EVP_CipherInit_ex2(context, cipher, nil, nil, 1, nil) == 1 else { return nil }
  }

  deinit { unsafe EVP_CIPHER_CTX_free(context) }

  fileprivate func seal(
    _ bytes: [UInt8], beside associated: [UInt8], key: [UInt8]
  ) -> (nonce: [UInt8], sealed: [UInt8])? {
    var nonce = [UInt8](repeating: 0, count: ReconnectIdentity.nonceBytes)
    var sealed = [UInt8](repeating: 0, count: bytes.count)
    var tag = [UInt8](repeating: 0, count: ReconnectIdentity.tagBytes)
    var count: Int32 = 0
    guard key.count == 32, unsafe RAND_bytes(&nonce, Int32(nonce.count)) == 1,
      unsafe EVP_CipherInit_ex2(context, nil, key, nonce, 1, nil) == 1,
      unsafe EVP_EncryptUpdate(context, nil, &count, associated, Int32(associated.count)) == 1,
      unsafe EVP_EncryptUpdate(context, &sealed, &count, bytes, Int32(bytes.count)) == 1,
      unsafe EVP_EncryptFinal_ex(context, nil, &count) == 1,
      unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tag.count), &tag) == 1
    else { return nil }
    return (nonce, sealed + tag)
  }

  fileprivate func open(
    _ sealed: [UInt8], nonce: [UInt8], beside associated: [UInt8], key: [UInt8]
  ) -> [UInt8]? {
    let tagBytes = ReconnectIdentity.tagBytes
    guard key.count == 32, sealed.count >= tagBytes,
      nonce.count == ReconnectIdentity.nonceBytes
    else { return nil }
    var tag = Array(sealed.suffix(tagBytes))
    let body = Array(sealed.dropLast(tagBytes))
    var bytes = [UInt8](repeating: 0, count: body.count)
    var count: Int32 = 0
    guard unsafe EVP_CipherInit_ex2(context, nil, key, nonce, 0, nil) == 1,
      unsafe EVP_DecryptUpdate(context, nil, &count, associated, Int32(associated.count)) == 1,
      unsafe EVP_DecryptUpdate(context, &bytes, &count, body, Int32(body.count)) == 1,
      unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagBytes), &tag) == 1,
      unsafe EVP_DecryptFinal_ex(context, nil, &count) == 1
    else { return nil }
    return bytes
  }
}

@available(*, unavailable)
extension IdentityCipher: Sendable {}

/// Makes a key from OpenSSL's random generator.
func freshReconnectKey(now: Int64) throws(TLSSetupError) -> ReconnectKey {
  var bytes = [UInt8](repeating: 0, count: 8 + ReconnectKey.secretBytes)
  guard unsafe RAND_priv_bytes(&bytes, Int32(bytes.count)) == 1,
    let key = ReconnectKey(
      number: bigEndianNumber(bytes[..<8]), secret: Array(bytes[8...]), madeAt: now)
  else { throw TLSSetupError("OpenSSL's random generator gave nothing for a reconnect key") }
  return key
}

private func hmac(key: [UInt8], _ bytes: [UInt8]) -> [UInt8]? {
  var digest = [UInt8](repeating: 0, count: 32)
  return unsafe copenssl_hmac(0, key, key.count, bytes, bytes.count, &digest) == 1 ? digest : nil
}
