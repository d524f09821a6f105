// Certificate requests (PKCS #10): made where the private key shall live, and checked where they
// are answered. Of a request only the key and the proof of its possession count; its names and
// wishes are not even read.

import BGBModel
import COpenSSL

/// Makes and checks certificate requests.
public enum CertificateRequest {
  /// Bytes of a request at most: one with a P-256 key has some 500.
  static let bytesMax = 16_384

  /// A new P-256 key (PKCS #8) and a request for it, both in PEM.
  ///
  /// The name stands in the request for whoever looks at it; the certificate will not repeat it.
  public static func make(
    name: String
  ) throws(SigningError) -> (keyPEM: String, requestPEM: String) {
    ERR_clear_error()
    guard let key = unsafe KeyHandle(owning: copenssl_EVP_EC_gen("P-256")),
      let request = unsafe RequestHandle(owning: X509_REQ_new())
    else { throw .openSSL() }
    let subject = Array(name.utf8)
    guard !subject.isEmpty, subject.count <= 64, name.isPrintable else { throw .badName(name) }
    let done = unsafe X509_REQ_set_version(request.pointer, 0) == 1
    let named = unsafe copenssl_X509_NAME_add_CN(
      X509_REQ_get_subject_name(request.pointer), subject, Int32(subject.count))
    let keyed = unsafe X509_REQ_set_pubkey(request.pointer, key.pointer)
    let signed = unsafe X509_REQ_sign(request.pointer, key.pointer, EVP_sha256())
    guard done, named == 1, keyed == 1, signed > 0 else { throw .openSSL() }
    return (try key.privatePEM(), try request.pem())
  }

  /// Whether a text is a request that an authority may answer; throws the fault otherwise.
  public static func check(_ pem: String) throws(SigningError) { _ = try checked(pem) }

  /// The request, with an allowed key and proof of possession.
  static func checked(_ pem: String) throws(SigningError) -> RequestHandle {
    defer { ERR_clear_error() }
    guard pem.utf8.count <= bytesMax else { throw .request(.tooLong) }
    guard let request = RequestHandle(pem: Array(pem.utf8)),
      let key = unsafe X509_REQ_get0_pubkey(request.pointer)
    else { throw .request(.unreadable) }
    // Before the signature: verifying with a key of 16,384 bits or a curve of someone's own making
    // is work that a stranger must not be able to order.
    guard unsafe isAllowed(key) else { throw .request(.forbiddenKey) }
    guard unsafe X509_REQ_verify(request.pointer, key) == 1 else {
      throw .request(.badSelfSignature)
    }
    return request
  }

  private static func isAllowed(_ key: OpaquePointer) -> Bool {
    switch unsafe EVP_PKEY_get_base_id(key) {
    case EVP_PKEY_ED25519: return true
    case EVP_PKEY_EC:
      var name = [CChar](repeating: 0, count: 64)
      var count = 0
      guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1 else {
        return false
      }
      let bytes = name.prefix(count).map { UInt8(bitPattern: $0) }
      guard String(decoding: bytes, as: UTF8.self) == SN_X9_62_prime256v1 else { return false }
      // Written-out parameters that equal the curve's are refused too: verifiers refuse them later.
      var explicit: Int32 = 0
      let known = unsafe EVP_PKEY_get_int_param(
        key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit)
      return known == 1 && explicit == 0
    default: return false
    }
  }
}
