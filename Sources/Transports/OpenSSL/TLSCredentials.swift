// A certificate and its private key for one connection, from bytes or files. A context of its own
// for each of thousands of clients costs some 80 KB each; one shared context and these, read while
// a connection is made and freed with the connection's own OpenSSL object, cost nothing while it
// is idle.
import COpenSSL
import Reactor

/// The certificate, the intermediates above it, and the key of one client.
///
/// Belongs to the thread that made it.
@safe
public final class TLSCredentials {
  // Unsafe to the compiler as any pointer; safe because only this object frees them, in `deinit`,
  // and an SSL object that uses them holds references of its own.
  private let certificate: OpaquePointer
  private let intermediates: [OpaquePointer]
  private let key: OpaquePointer

  /// Takes the certificate and its key as they lie in memory, each in DER or in PEM; a PEM text may
  /// hold the intermediates behind the certificate.
  /// - Throws: a sentence.
  public convenience init(certificate: [UInt8], privateKey: [UInt8]) throws(TLSSetupError) {
    _ = ErrorQueue.clear()
    if let (certificate, key) = unsafe narrowPair(certificate, privateKey) {
      try unsafe self.init(certificate, [], key, "the client")
      return
    }
    guard let chain = CredentialSource(certificate), let key = CredentialSource(privateKey) else {
      throw refusal("no memory for the credentials")
    }
    try self.init(chain: chain, isDER: certificate.first == 0x30, key: key, "the client")
  }

  /// Reads PEM files: the certificate with its intermediates, and the key, not encrypted.
  /// - Throws: a sentence that names the file.
  public convenience init(
    certificateChainFile: String, privateKeyFile: String
  ) throws(TLSSetupError) {
    _ = ErrorQueue.clear()
    guard let chain = CredentialSource(path: certificateChainFile) else {
      throw refusal("cannot read \(certificateChainFile)")
    }
    guard let key = CredentialSource(path: privateKeyFile) else {
      throw refusal("cannot read \(privateKeyFile)")
    }
    try self.init(chain: chain, isDER: false, key: key, certificateChainFile)
  }

  private convenience init(
    chain: borrowing CredentialSource, isDER: Bool, key source: borrowing CredentialSource,
    _ owner: String
  ) throws(TLSSetupError) {
    guard let certificate = unsafe isDER ? chain.certificateDER() : chain.certificatePEM() else {
      throw refusal("cannot use the certificate of \(owner)")
    }
    guard let key = unsafe source.key() else {
      unsafe X509_free(certificate)
      throw refusal("cannot use the private key of \(owner)")
    }
    var intermediates: [OpaquePointer] = unsafe []
    while !isDER, let next = unsafe chain.certificatePEM() { unsafe intermediates.append(next) }
    // The end of a PEM text leaves "no start line" behind.
    _ = ErrorQueue.clear()
    try unsafe self.init(certificate, intermediates, key, owner)
  }

  /// Owns what it is given from here on.
  private init(
    _ certificate: OpaquePointer, _ intermediates: [OpaquePointer], _ key: OpaquePointer,
    _ owner: String
  ) throws(TLSSetupError) {
    unsafe self.certificate = certificate
    unsafe self.key = key
    unsafe self.intermediates = intermediates
    guard unsafe X509_check_private_key(certificate, key) == 1 else {
      throw refusal("the private key of \(owner) does not belong to the certificate")
    }
  }

  deinit {
    unsafe X509_free(certificate)
    unsafe EVP_PKEY_free(key)
    for index in unsafe intermediates.indices { unsafe X509_free(intermediates[index]) }
  }

  /// Makes a connection prove itself with these; it holds references of its own from here on.
  func apply(to ssl: OpaquePointer) -> Bool {
    guard unsafe SSL_use_certificate(ssl, certificate) == 1,
      unsafe SSL_use_PrivateKey(ssl, key) == 1
    else { return false }
    for index in unsafe intermediates.indices {
      guard unsafe copenssl_SSL_add1_chain_cert(ssl, intermediates[index]) == 1 else {
        return false
      }
    }
    return true
  }
}

@available(*, unavailable)
extension TLSCredentials: Sendable {}

/// A sentence and OpenSSL's reason for it.
private func refusal(_ sentence: String) -> TLSSetupError {
  TLSSetupError("\(sentence) (\(ErrorQueue.takeFirst()?.text ?? "no reason given"))")
}

/// A certificate in DER and its key of P-256, read by the narrow library; nil for others, and where
/// there is no narrow library.
///
/// OpenSSL 3.0 takes a millisecond to find out which of all its decoders can read the two: more
/// than the handshake.
private func narrowPair(
  _ certificate: [UInt8], _ privateKey: [UInt8]
) -> (certificate: OpaquePointer, key: OpaquePointer)? {
  guard certificate.first == 0x30, let numbers = P256PrivateKey(pkcs8: privateKey) else {
    return nil
  }
  let key = unsafe copenssl_narrow_p256_key(numbers.scalar, numbers.point)
  let read = unsafe copenssl_narrow_certificate(certificate, certificate.count)
  if let key = unsafe key, let read = unsafe read { return unsafe (read, key) }
  unsafe EVP_PKEY_free(key)
  unsafe X509_free(read)
  _ = ErrorQueue.clear()
  return nil
}

/// The numbers of a P-256 key as our own programs and OpenSSL write it (RFC 5208 around RFC 5915,
/// with the point): always the same bytes around them.
struct P256PrivateKey {
  private static let head: [UInt8] = [
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02,
    0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x04, 0x6D, 0x30, 0x6B, 0x02,
    0x01, 0x01, 0x04, 0x20,
  ]
  private static let middle: [UInt8] = [0xA1, 0x44, 0x03, 0x42, 0x00]
  private static let (scalarBytes, pointBytes) = (32, 65)

  /// The secret, 32 bytes, the highest first.
  let scalar: [UInt8]
  /// The public point, uncompressed, 65 bytes.
  let point: [UInt8]

  /// Reads PKCS #8 in DER; nil for any other key and any other way to write it.
  init?(pkcs8 bytes: [UInt8]) {
    let scalarEnd = P256PrivateKey.head.count + P256PrivateKey.scalarBytes
    let pointStart = scalarEnd + P256PrivateKey.middle.count
    guard bytes.count == pointStart + P256PrivateKey.pointBytes,
      bytes.starts(with: P256PrivateKey.head),
      bytes[scalarEnd..<pointStart].elementsEqual(P256PrivateKey.middle),
      bytes[pointStart] == 0x04
    else { return nil }
    scalar = Array(bytes[P256PrivateKey.head.count..<scalarEnd])
    point = Array(bytes[pointStart...])
  }
}

/// A BIO to read credentials from.
@safe
private struct CredentialSource: ~Copyable {
  /// Safe because nothing frees it before this value's end.
  private let bio: OpaquePointer
  private let isDER: Bool

  /// A copy of the bytes, for the bytes of an array move when it likes.
  init?(_ bytes: [UInt8]) {
    guard let bio = unsafe BIO_new(BIO_s_mem()) else { return nil }
    guard let count = Int32(exactly: bytes.count), unsafe BIO_write(bio, bytes, count) == count
    else {
      unsafe BIO_free_all(bio)
      return nil
    }
    unsafe self.bio = bio
    isDER = bytes.first == 0x30
  }

  init?(path: String) {
    guard let bio = unsafe BIO_new_file(path, "r") else { return nil }
    unsafe self.bio = bio
    isDER = false
  }

  deinit { unsafe BIO_free_all(bio) }

  borrowing func certificateDER() -> OpaquePointer? { unsafe d2i_X509_bio(bio, nil) }

  borrowing func certificatePEM() -> OpaquePointer? {
    unsafe PEM_read_bio_X509(bio, nil, { _, _, _, _ in -1 }, nil)
  }

  /// An encrypted key is refused, never asked for on the terminal.
  borrowing func key() -> OpaquePointer? {
    isDER
      ? unsafe d2i_PrivateKey_bio(bio, nil)
      : unsafe PEM_read_bio_PrivateKey(bio, nil, { _, _, _, _ in -1 }, nil)
  }
}
