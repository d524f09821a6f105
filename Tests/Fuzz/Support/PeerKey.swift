// The keys of a peer of TLS 1.3 (RFC 8446, 5 and 7), for the fuzz targets that play one. All of it
// is OpenSSL's public functions, so that nothing of the code under test is also its reference.

import COpenSSL

@testable import Transports

/// HMAC with the suite's hash.
func hmac(_ suite: CipherSuite, _ key: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
  let digest = suite == .aes256 ? EVP_sha384() : EVP_sha256()
  var output = [UInt8](repeating: 0, count: suite.secretBytes)
  HMAC(digest, key, Int32(key.count), bytes, bytes.count, &output, nil)
  return output
}

/// HKDF-Expand-Label (RFC 8446, 7.1) of at most one hash.
func expand(
  _ suite: CipherSuite, _ secret: [UInt8], _ label: String, _ context: [UInt8] = [],
  count: Int? = nil
) -> [UInt8] {
  let count = count ?? suite.secretBytes
  let full = Array("tls13 \(label)".utf8)
  let info = [0, UInt8(count), UInt8(full.count)] + full + [UInt8(context.count)] + context + [1]
  return Array(hmac(suite, secret, info)[..<count])
}

/// One way's key and the number of its next record.
struct PeerKey {
  private let suite: CipherSuite
  private var secret: [UInt8]
  private var key: [UInt8] = []
  private var vector: [UInt8] = []
  private var count: UInt64 = 0

  init(_ suite: CipherSuite, _ secret: [UInt8]) {
    self.suite = suite
    self.secret = secret
    derive()
  }

  private mutating func derive() {
    key = expand(suite, secret, "key", count: suite.keyBytes)
    vector = expand(suite, secret, "iv", count: 12)
    count = 0
  }

  /// Moves on to the key behind a KeyUpdate.
  mutating func update() {
    secret = expand(suite, secret, "traffic upd")
    derive()
  }

  private var cipher: OpaquePointer? {
    switch suite {
    case .aes128: EVP_aes_128_gcm()
    case .aes256: EVP_aes_256_gcm()
    case .chacha20: EVP_chacha20_poly1305()
    }
  }

  private mutating func nonce() -> [UInt8] {
    var nonce = vector
    for place in 0..<8 { nonce[11 - place] ^= UInt8(truncatingIfNeeded: count >> (8 * place)) }
    count += 1
    return nonce
  }

  /// A record around content, type and padding.
  mutating func seal(_ inner: [UInt8], type: UInt8 = 23, version: UInt8 = 3) -> [UInt8] {
    let size = inner.count + 16
    let header: [UInt8] = [type, 3, version, UInt8(size >> 8 & 255), UInt8(size & 255)]
    var body = [UInt8](repeating: 0, count: inner.count + 1)
    var tag = [UInt8](repeating: 0, count: 16)
    var moved: Int32 = 0
    let context = EVP_CIPHER_CTX_new()
    defer { EVP_CIPHER_CTX_free(context) }
    EVP_EncryptInit_ex(context, cipher, nil, key, nonce())
    EVP_EncryptUpdate(context, nil, &moved, header, 5)
    if !inner.isEmpty { EVP_EncryptUpdate(context, &body, &moved, inner, Int32(inner.count)) }
    EVP_EncryptFinal_ex(context, &tag, &moved)
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tag)
    return header + body.dropLast() + tag
  }

  /// The inside of the record at the start, and the bytes behind it; nil if the record is not whole
  /// or does not open.
  mutating func open(_ bytes: ArraySlice<UInt8>) -> (inner: [UInt8], rest: ArraySlice<UInt8>)? {
    let head = Array(bytes.prefix(5))
    guard head.count == 5 else { return nil }
    let length = Int(head[3]) << 8 | Int(head[4])
    let record = Array(bytes.prefix(5 + length))
    guard length >= 16, record.count == 5 + length else { return nil }
    let sealed = Array(record[5..<(record.count - 16)])
    var tag = Array(record.suffix(16))
    var inner = [UInt8](repeating: 0, count: sealed.count + 1)
    var moved: Int32 = 0
    var last: UInt8 = 0
    let context = EVP_CIPHER_CTX_new()
    defer { EVP_CIPHER_CTX_free(context) }
    EVP_DecryptInit_ex(context, cipher, nil, key, nonce())
    EVP_DecryptUpdate(context, nil, &moved, record, 5)
    if !sealed.isEmpty { EVP_DecryptUpdate(context, &inner, &moved, sealed, Int32(sealed.count)) }
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag)
    guard EVP_DecryptFinal_ex(context, &last, &moved) == 1 else { return nil }
    return (inner.dropLast(), bytes.dropFirst(5 + length))
  }
}
