// A client's session ticket, kept as it arrives. In TLS 1.3 a ticket comes after the handshake,
// inside some later read; and a connection that is then reset takes its session object with it
// (OpenSSL marks it not resumable), exactly when every client wants to resume. So the new session
// is put aside on the connection and handed out as bytes, which the owner keeps in memory and on
// disk.
import COpenSSL

/// The session that arrived last on a client's connection and was not fetched yet.
enum NewSession {
  private static let index = unsafe copenssl_SSL_get_ex_new_index(0, nil, nil, nil) {
    _, session, _, _, _, _ in
    unsafe SSL_SESSION_free(session.map { OpaquePointer($0) })
  }

  /// Called by OpenSSL with each new session; answering 1 keeps the reference that it hands us.
  static let keep: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32 = { ssl, session in
    let previous = unsafe SSL_get_ex_data(ssl, index)
    guard let session = unsafe session,
      unsafe SSL_set_ex_data(ssl, index, UnsafeMutableRawPointer(session)) == 1
    else { return 0 }
    unsafe SSL_SESSION_free(previous.map { OpaquePointer($0) })
    return 1
  }

  /// Takes the session off the connection, in the form that ``restore(_:)`` reads.
  static func take(from ssl: OpaquePointer) -> [UInt8]? {
    guard let kept = unsafe SSL_get_ex_data(ssl, index) else { return nil }
    unsafe SSL_set_ex_data(ssl, index, nil)
    let session = OpaquePointer(kept)
    defer { unsafe SSL_SESSION_free(session) }
    let size = unsafe i2d_SSL_SESSION(session, nil)
    guard size > 0 else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(size))
    let written = unsafe bytes.withUnsafeMutableBufferPointer { room in
      var cursor = room.baseAddress
      return unsafe i2d_SSL_SESSION(session, &cursor)
    }
    return written == size ? bytes : nil
  }

  /// Offers a kept session for resumption.
  ///
  /// A session that cannot be read, cannot be resumed, or was made with a server whose certificate
  /// is over by now or for another name is left out: then the handshake is a full one. (OpenSSL
  /// does not look at the name again when it resumes.)
  static func offer(_ bytes: [UInt8], to ssl: OpaquePointer, expecting name: ServerName?) -> Bool {
    let session = unsafe bytes.withUnsafeBufferPointer { bytes -> OpaquePointer? in
      var cursor = bytes.baseAddress
      return unsafe d2i_SSL_SESSION(nil, &cursor, bytes.count)
    }
    guard let session = unsafe session else {
      _ = ErrorQueue.clear()
      return false
    }
    defer { unsafe SSL_SESSION_free(session) }
    guard unsafe SSL_SESSION_is_resumable(session) == 1,
      let peer = unsafe SSL_SESSION_get0_peer(session),
      unsafe X509_cmp_current_time(X509_get0_notAfter(peer)) > 0,
      unsafe name?.matches(peer) ?? true
    else { return false }
    return unsafe SSL_set_session(ssl, session) == 1
  }
}

/// The name by which a client knows its server: a host name or an address.
enum ServerName {
  case host(String)
  case address(String)

  /// An address if it reads as one, a host name otherwise.
  init(_ text: String) {
    if let address = unsafe a2i_IPADDRESS(text) {
      unsafe ASN1_OCTET_STRING_free(address)
      self = .address(text)
    } else {
      _ = ErrorQueue.clear()
      self = .host(text)
    }
  }

  /// Makes OpenSSL demand the name of the server's certificate, and tell the server which it wants.
  func demand(on ssl: OpaquePointer) -> Bool {
    switch self {
    case .host(let host):
      return unsafe copenssl_SSL_set_tlsext_host_name(ssl, host) == 1
        && SSL_set1_host(ssl, host) == 1
    // An address is no server name in the sense of RFC 6066: it is checked, not sent.
    case .address(let address):
      return unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address) == 1
    }
  }

  func matches(_ certificate: OpaquePointer) -> Bool {
    switch self {
    case .host(let host):
      unsafe X509_check_host(certificate, host, host.utf8.count, 0, nil) == 1
    case .address(let address):
      unsafe X509_check_ip_asc(certificate, address, 0) == 1
    }
  }
}
