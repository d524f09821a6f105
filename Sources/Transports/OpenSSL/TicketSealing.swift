// OpenSSL's side of ticket keys: the callbacks that OpenSSL calls to seal and open a ticket. They
// are thin thunks; the keys hang on the SSL_CTX, which may outlive our context object while old
// connections last, so the SSL_CTX itself holds a reference to them.
import COpenSSL

/// The keys as one context uses them; replaced in place when they are rotated.
final class TicketKeyRing {
  var keys: TicketKeys

  init(_ keys: TicketKeys) { self.keys = keys }

  /// Where an SSL_CTX keeps its ring; OpenSSL calls the closure when the SSL_CTX is freed.
  private static let index = unsafe copenssl_SSL_CTX_get_ex_new_index(0, nil, nil, nil) {
    _, ring, _, _, _, _ in
    guard let ring = unsafe ring else { return }
    unsafe Unmanaged<TicketKeyRing>.fromOpaque(ring).release()
  }

  /// Hangs the ring on a context, which keeps it alive from now on.
  static func attach(_ ring: TicketKeyRing, to context: OpaquePointer) -> Bool {
    let held = unsafe Unmanaged.passRetained(ring)
    guard unsafe SSL_CTX_set_ex_data(context, index, held.toOpaque()) == 1 else {
      unsafe held.release()
      return false
    }
    return unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(context, sealOrOpenTicket) == 1
      && SSL_CTX_set_session_ticket_cb(context, TicketProof.write, judgeTicket, nil) == 1
  }

  static func of(_ ssl: OpaquePointer?) -> TicketKeyRing? {
    guard let ring = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), index) else { return nil }
    return unsafe Unmanaged<TicketKeyRing>.fromOpaque(ring).takeUnretainedValue()
  }
}

/// Makes a key from OpenSSL's random generator.
func freshTicketKey(now: Int64) throws(TLSSetupError) -> TicketKey {
  let sizes = [TicketKey.nameBytes, TicketKey.cipherBytes, TicketKey.macBytes]
  var parts: [[UInt8]] = []
  for size in sizes {
    var bytes = [UInt8](repeating: 0, count: size)
    guard unsafe RAND_priv_bytes(&bytes, Int32(size)) == 1 else {
      throw TLSSetupError("OpenSSL's random generator gave nothing for a ticket key")
    }
    parts.append(bytes)
  }
  guard
    let key = TicketKey(name: parts[0], cipherKey: parts[1], macKey: parts[2], madeAt: now)
  else { throw TLSSetupError("a fresh ticket key has the wrong size") }
  return key
}

/// What OpenSSL wants to hear from the callback below.
private enum TicketAnswer {
  static let failed: Int32 = -1
  static let unknownKey: Int32 = 0
  static let ready: Int32 = 1
  /// Opened, and a fresh ticket is to be given out.
  ///
  /// Always, in TLS 1.3: a ticket shown twice would let an onlooker link two connections of one
  /// client, and each renewal moves the client to the current key.
  static let readyAndRenew: Int32 = 2
}

private let sealOrOpenTicket:
  @convention(c) (
    OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?,
    OpaquePointer?, Int32
  ) -> Int32 = { ssl, name, vector, cipher, mac, sealing in
    guard let ring = unsafe TicketKeyRing.of(ssl), let name = unsafe name,
      let vector = unsafe vector
    else { return TicketAnswer.failed }
    if sealing == 1 {
      guard let key = ring.keys.keys.first else { return TicketAnswer.failed }
      for index in 0..<TicketKey.nameBytes { unsafe name[index] = key.name[index] }
      let vectorBytes = EVP_MAX_IV_LENGTH
      guard unsafe RAND_bytes(vector, vectorBytes) == 1,
        unsafe EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.cipherKey, vector) == 1,
        unsafe setMACKey(mac, key.macKey)
      else { return TicketAnswer.failed }
      return TicketAnswer.ready
    }
    let wanted = unsafe Array(UnsafeBufferPointer(start: name, count: TicketKey.nameBytes))
    guard let key = ring.keys.key(named: wanted) else { return TicketAnswer.unknownKey }
    guard unsafe EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nil, key.cipherKey, vector) == 1,
      unsafe setMACKey(mac, key.macKey)
    else { return TicketAnswer.failed }
    return TicketAnswer.readyAndRenew
  }

private func setMACKey(_ mac: OpaquePointer?, _ key: [UInt8]) -> Bool {
  var key = key
  return unsafe key.withUnsafeMutableBytes { key in
    let parameters = unsafe [
      copenssl_OSSL_PARAM_mac_key(key.baseAddress, key.count),
      copenssl_OSSL_PARAM_mac_digest_sha256(),
      OSSL_PARAM_construct_end(),
    ]
    return unsafe EVP_MAC_CTX_set_params(mac, parameters) == 1
  }
}

/// Judges a ticket that was opened: resumption must not outlive the certificate that it stands for,
/// nor put off for ever that it is shown again; and it must stand for one, where one is demanded.
private let judgeTicket: SSL_CTX_decrypt_session_ticket_fn = { ssl, session, _, _, status, _ in
  guard status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW else {
    return SSL_TICKET_RETURN_IGNORE_RENEW
  }
  if let peer = unsafe SSL_SESSION_get0_peer(session) {
    guard unsafe X509_cmp_current_time(X509_get0_notAfter(peer)) > 0 else {
      return SSL_TICKET_RETURN_IGNORE_RENEW
    }
  } else if unsafe SSL_get_verify_mode(ssl) & SSL_VERIFY_FAIL_IF_NO_PEER_CERT != 0 {
    return SSL_TICKET_RETURN_IGNORE_RENEW
  }
  if let desk = unsafe ExternalPSK.desk(of: ssl),
    let shownAt = unsafe TicketProof.read(from: session), !desk.isFresh(shownAt: shownAt)
  {
    return SSL_TICKET_RETURN_IGNORE_RENEW
  }
  return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE
}
