// OpenSSL's side of reconnect identities: a TLS 1.3 external PSK, always with (EC)DHE. A server's
// callback judges what a client offers and notes whom it took it for; whatever it does not take, it
// answers with "no session", and the same handshake goes on with certificates. A client's callback
// offers what it was given.
//
// The peer has proved nothing yet when the server's note is made: OpenSSL checks afterwards that
// the client has the key (its binder). So the note counts only once the handshake is done and was
// a resumed one without a certificate, for a ticket's session has one.
import COpenSSL

/// How a peer proved who it is.
public enum PeerProof: Equatable, Sendable {
  /// By its certificate, in this very handshake; or not at all, where nothing is demanded.
  case certificate
  /// By a session ticket; its certificate was shown then, in seconds since 1970, if that is known.
  case ticket(shownAt: Int64?)
  /// By the key of a reconnect identity: at a server, who that was made for; nil at a client.
  case reconnect(ProvenClient?)
}

/// What hangs on contexts and connections for reconnect identities.
enum ExternalPSK {
  /// Where an SSL_CTX keeps its desk; OpenSSL calls the closure when the SSL_CTX is freed.
  private static let deskIndex = unsafe copenssl_SSL_CTX_get_ex_new_index(0, nil, nil, nil) {
    _, desk, _, _, _, _ in
    guard let desk = unsafe desk else { return }
    unsafe Unmanaged<ReconnectDesk>.fromOpaque(desk).release()
  }

  /// Where an SSL of a server keeps whom it took an identity for.
  private static let noteIndex = unsafe copenssl_SSL_get_ex_new_index(0, nil, nil, nil) {
    _, note, _, _, _, _ in
    guard let note = unsafe note else { return }
    unsafe Unmanaged<ProvenNote>.fromOpaque(note).release()
  }

  /// Where an SSL of a client keeps what it offers.
  private static let grantIndex = unsafe copenssl_SSL_get_ex_new_index(0, nil, nil, nil) {
    _, grant, _, _, _, _ in
    guard let grant = unsafe grant else { return }
    unsafe Unmanaged<OfferedGrant>.fromOpaque(grant).release()
  }

  // MARK: Server

  /// Makes a server's context take the identities of a desk, which it keeps alive from now on.
  static func attach(_ desk: ReconnectDesk, to context: OpaquePointer) -> Bool {
    let held = unsafe Unmanaged.passRetained(desk)
    guard unsafe SSL_CTX_set_ex_data(context, deskIndex, held.toOpaque()) == 1 else {
      unsafe held.release()
      return false
    }
    // Without (EC)DHE whoever learns the key would read what was recorded before; openssl.cnf could
    // allow that.
    unsafe SSL_CTX_clear_options(context, COPENSSL_SSL_OP_ALLOW_NO_DHE_KEX)
    unsafe SSL_CTX_set_max_early_data(context, 0)
    unsafe SSL_CTX_set_psk_find_session_callback(context, findSession)
    return true
  }

  static func desk(of ssl: OpaquePointer?) -> ReconnectDesk? {
    guard let desk = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), deskIndex) else { return nil }
    return unsafe Unmanaged<ReconnectDesk>.fromOpaque(desk).takeUnretainedValue()
  }

  /// Notes whom an identity was taken for, or with nil that none was.
  fileprivate static func note(_ client: ProvenClient?, on ssl: OpaquePointer) -> Bool {
    if let old = unsafe SSL_get_ex_data(ssl, noteIndex) {
      unsafe SSL_set_ex_data(ssl, noteIndex, nil)
      unsafe Unmanaged<ProvenNote>.fromOpaque(old).release()
    }
    guard let client else { return true }
    let held = unsafe Unmanaged.passRetained(ProvenNote(client))
    guard unsafe SSL_set_ex_data(ssl, noteIndex, held.toOpaque()) == 1 else {
      unsafe held.release()
      return false
    }
    return true
  }

  // MARK: Client

  /// Offers an identity in the handshake to come.
  static func offer(_ grant: ReconnectGrant, on ssl: OpaquePointer) -> Bool {
    let held = unsafe Unmanaged.passRetained(OfferedGrant(grant))
    guard unsafe SSL_set_ex_data(ssl, grantIndex, held.toOpaque()) == 1 else {
      unsafe held.release()
      return false
    }
    unsafe SSL_set_psk_use_session_callback(ssl, useSession)
    return true
  }

  fileprivate static func grant(of ssl: OpaquePointer?) -> OfferedGrant? {
    guard let grant = unsafe SSL_get_ex_data(ssl, grantIndex) else { return nil }
    return unsafe Unmanaged<OfferedGrant>.fromOpaque(grant).takeUnretainedValue()
  }

  // MARK: After the handshake

  /// How the peer of a finished handshake proved itself.
  static func proof(of ssl: OpaquePointer) -> PeerProof {
    guard unsafe SSL_session_reused(ssl) == 1 else { return .certificate }
    let session = unsafe SSL_get_session(ssl)
    if unsafe SSL_SESSION_get0_peer(session) != nil {
      return .ticket(shownAt: unsafe TicketProof.read(from: session))
    }
    if let note = unsafe SSL_get_ex_data(ssl, noteIndex) {
      let note = unsafe Unmanaged<ProvenNote>.fromOpaque(note).takeUnretainedValue()
      return .reconnect(note.client)
    }
    return unsafe grant(of: ssl) == nil ? .ticket(shownAt: nil) : .reconnect(nil)
  }
}

private final class ProvenNote {
  let client: ProvenClient
  init(_ client: ProvenClient) { self.client = client }
}

/// What a client offers; OpenSSL copies the identity as soon as it has its address.
@safe
private final class OfferedGrant {
  let key: [UInt8]
  let identity: UnsafeMutableBufferPointer<UInt8>

  init(_ grant: ReconnectGrant) {
    key = grant.key
    unsafe identity = .allocate(capacity: grant.identity.count)
    _ = unsafe identity.initialize(from: grant.identity)
  }

  deinit { unsafe identity.deallocate() }
}

/// The session that stands for an external PSK of 32 bytes: bound to SHA-256 by its suite.
private func makeSession(_ key: [UInt8], for ssl: OpaquePointer) -> OpaquePointer? {
  // TLS_AES_128_GCM_SHA256; only its digest matters, any suite with SHA-256 can be agreed upon.
  let suite: [UInt8] = [0x13, 0x01]
  guard let session = unsafe SSL_SESSION_new() else { return nil }
  guard let cipher = unsafe SSL_CIPHER_find(ssl, suite),
    unsafe SSL_SESSION_set1_master_key(session, key, key.count) == 1,
    unsafe SSL_SESSION_set_cipher(session, cipher) == 1,
    unsafe SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1
  else {
    unsafe SSL_SESSION_free(session)
    return nil
  }
  return unsafe session
}

/// Called by OpenSSL for each identity of a ClientHello until one is taken; tickets come here too.
private let findSession:
  @convention(c) (
    OpaquePointer?, UnsafePointer<UInt8>?, Int, UnsafeMutablePointer<OpaquePointer?>?
  ) -> Int32 = { ssl, identity, count, found in
    unsafe found?.pointee = nil
    guard let ssl = unsafe ssl, let found = unsafe found, let identity = unsafe identity else {
      return 1
    }
    // What was noted for an earlier identity, or before a HelloRetryRequest, does not hold.
    _ = unsafe ExternalPSK.note(nil, on: ssl)
    guard let desk = unsafe ExternalPSK.desk(of: ssl) else { return 1 }
    let text = unsafe UnsafeBufferPointer(start: identity, count: count)
    // A seal that does not open must not be read as the fate of this connection.
    ERR_set_mark()
    defer { ERR_pop_to_mark() }
    guard let judged = try? desk.judge(unsafe text.span),
      unsafe ExternalPSK.note(judged.client, on: ssl),
      let session = unsafe makeSession(judged.key, for: ssl)
    else { return 1 }
    // A ticket made of this session would hold no certificate, and a reconnect shall be cheap.
    unsafe SSL_set_num_tickets(ssl, 0)
    unsafe found.pointee = session
    return 1
  }

/// Called by OpenSSL for each ClientHello; `digest` is set once the server has chosen one.
private let useSession:
  @convention(c) (
    OpaquePointer?, OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
    UnsafeMutablePointer<Int>?, UnsafeMutablePointer<OpaquePointer?>?
  ) -> Int32 = { ssl, digest, identity, count, session in
    unsafe identity?.pointee = nil
    unsafe count?.pointee = 0
    unsafe session?.pointee = nil
    guard let ssl = unsafe ssl, let grant = unsafe ExternalPSK.grant(of: ssl),
      // After a HelloRetryRequest for a suite with another digest the key is of no use.
      unsafe digest == nil || EVP_MD_get_size(digest) == 32,
      let made = unsafe makeSession(grant.key, for: ssl)
    else { return 1 }
    unsafe identity?.pointee = UnsafePointer(grant.identity.baseAddress)
    unsafe count?.pointee = grant.identity.count
    unsafe session?.pointee = made
    return 1
  }
