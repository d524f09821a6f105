// The judgement of a peer's chain, with a memory of why. OpenSSL tells a refused peer the reason in
// its alert, and forgets the certificate that it refused; we want it the other way round: the same
// alert for all, and the reason and the certificate for the audit. So we stand between: we run
// OpenSSL's own verification, note its verdict on the connection, and hand it on as a bare no.
import COpenSSL

/// Where an SSL keeps the refused certificate and the verdict; only refused peers cost this memory.
enum RefusalNote {
  private static let certificateIndex = unsafe copenssl_SSL_get_ex_new_index(0, nil, nil, nil) {
    _, certificate, _, _, _, _ in
    guard let certificate = unsafe certificate else { return }
    unsafe X509_free(OpaquePointer(certificate))
  }

  private static let verdictIndex = copenssl_SSL_get_ex_new_index(0, nil, nil, nil, nil)

  /// Notes the verdict and the leaf on the connection.
  static func leave(on ssl: OpaquePointer, verdict: Int32, certificate: OpaquePointer?) {
    unsafe SSL_set_ex_data(ssl, verdictIndex, UnsafeMutableRawPointer(bitPattern: Int(verdict)))
    guard let certificate = unsafe certificate, unsafe X509_up_ref(certificate) == 1 else { return }
    if unsafe SSL_set_ex_data(ssl, certificateIndex, UnsafeMutableRawPointer(certificate)) != 1 {
      unsafe X509_free(certificate)
    }
  }

  /// The verdict that was noted, or 0.
  static func verdict(on ssl: OpaquePointer) -> Int32 {
    Int32(truncatingIfNeeded: unsafe Int(bitPattern: SSL_get_ex_data(ssl, verdictIndex)))
  }

  /// The refused certificate, or nil.
  static func certificate(on ssl: OpaquePointer) -> PeerIdentity? {
    guard let certificate = unsafe SSL_get_ex_data(ssl, certificateIndex) else { return nil }
    return unsafe PeerIdentity(certificate: OpaquePointer(certificate))
  }
}

/// Runs OpenSSL's verification; the argument is non-nil if the peer must not learn the reason.
let verifyPeer: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = {
  store, hidesReason in
  let verdict = unsafe X509_verify_cert(store)
  if verdict == 1 { return 1 }
  let index = SSL_get_ex_data_X509_STORE_CTX_idx()
  if let ssl = unsafe X509_STORE_CTX_get_ex_data(store, index) {
    let code = unsafe X509_STORE_CTX_get_error(store)
    unsafe RefusalNote.leave(
      on: OpaquePointer(ssl), verdict: code, certificate: X509_STORE_CTX_get0_cert(store))
  }
  if unsafe hidesReason != nil {
    unsafe X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION)
  }
  return verdict
}
