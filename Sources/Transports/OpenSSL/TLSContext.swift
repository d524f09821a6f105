// One SSL_CTX: the certificate, the trust and the rules that many connections share. To reload is
// to make a new context for the connections to come; those that live keep the old one.
import COpenSSL
import Reactor

/// The credentials and rules under which connections are made.
///
/// Confined to one thread, with all connections made from it. Making one makes the process ignore
/// SIGPIPE, which programs that it starts inherit unless they are started with the default again.
@safe
public final class TLSContext {
  /// Which end of the handshake this context is for.
  public let role: TLSRole
  /// The rules it was made with.
  public let options: TLSOptions
  /// Our own certificate; nil for a client without one.
  ///
  /// Its `notAfter` is worth a warning in time.
  public let ownCertificate: PeerIdentity?
  /// Stale entries found in OpenSSL's error queue before our calls; each one is a bug of ours.
  public private(set) var staleErrors: UInt64 = 0
  /// Full handshakes completed.
  public private(set) var fullHandshakes: UInt64 = 0
  /// Resumed handshakes completed.
  public private(set) var resumedHandshakes: UInt64 = 0

  /// Unsafe to the compiler as any pointer; safe because only this object frees it, in `deinit`.
  let pointer: OpaquePointer
  private let ring: TicketKeyRing?
  let notes: NoteKeeping
  /// How clients come back without OpenSSL; nil where OpenSSL has all handshakes.
  let returns: ReturnRules?
  private let keyUpdates: KeyUpdateCounter

  /// Makes a context from PEM files.
  /// - Parameters:
  ///   - certificateChainFile: our certificate and the intermediates above it; nil for a client
  ///     that has none.
  ///   - privateKeyFile: the certificate's key, not encrypted.
  ///   - caFile: the authorities that we trust for the peer; several while one replaces another.
  ///   - reconnects: for a server, the desk whose reconnect identities it takes.
  /// - Throws: a sentence that names the file.
  public init(
    role: TLSRole, certificateChainFile: String?, privateKeyFile: String?, caFile: String?,
    options: TLSOptions = TLSOptions(), reconnects: ReconnectDesk? = nil
  ) throws(TLSSetupError) {
    // OpenSSL writes with write(2): without this a peer that vanished would kill the process.
    Signals.ignoreBrokenPipe()
    _ = ErrorQueue.clear()
    if role == .server && (certificateChainFile == nil || privateKeyFile == nil) {
      throw TLSSetupError("a TLS server needs a certificate and its private key")
    }
    if caFile == nil && options.peerCertificate != .ignored {
      throw TLSSetupError("no authorities are given to verify the peer's certificate with")
    }
    let method = unsafe role == .server ? TLS_server_method() : TLS_client_method()
    let library = unsafe options.algorithms == .narrow ? copenssl_narrow_library() : nil
    guard let pointer = unsafe SSL_CTX_new_ex(library, nil, method) else {
      throw setupError("no TLS context")
    }
    let ring = options.ticketKeys.map(TicketKeyRing.init)
    do throws(TLSSetupError) {
      unsafe try applyRules(options, role: role, to: pointer)
      unsafe try loadCredentials(
        chainFile: certificateChainFile, keyFile: privateKeyFile, caFile: caFile, into: pointer,
        isNarrow: library != nil)
      unsafe try applySessionRules(options, role: role, ring: ring, to: pointer)
      if let reconnects, unsafe !ExternalPSK.attach(reconnects, to: pointer) {
        throw setupError("reconnect identities cannot be set up")
      }
    } catch {
      unsafe SSL_CTX_free(pointer)
      throw error
    }
    self.role = role
    self.options = options
    self.ring = ring
    unsafe self.pointer = pointer
    notes = unsafe options.detaches ? (library == nil ? .printed : .heard) : .none
    let mayReturn = role == .server && notes == .heard
    returns = mayReturn ? reconnects.flatMap { ReturnRules($0, options) } : nil
    keyUpdates = KeyUpdateCounter(notes)
    if notes == .printed { unsafe TrafficNote.keep(in: pointer) }
    unsafe countKeyUpdates(in: pointer, on: keyUpdates)
    self.ownCertificate = unsafe SSL_CTX_get0_certificate(pointer).flatMap {
      unsafe PeerIdentity(certificate: $0)
    }
  }

  deinit {
    unsafe SSL_CTX_free(pointer)
  }

  /// Seals and opens tickets with these keys from now on; for a context that was made with keys.
  public func adopt(_ keys: TicketKeys) {
    assert(ring != nil, "a context made without ticket keys gives out no tickets")
    ring?.keys = keys
  }

  func noteStaleErrors(_ count: Int) { staleErrors &+= UInt64(count) }

  /// Key updates that arrived on any connection of this context; a transport looks before and after
  /// its own reads.
  var keyUpdatesReceived: UInt64 { keyUpdates.count }

  func noteHandshake(resumed: Bool) {
    if resumed { resumedHandshakes &+= 1 } else { fullHandshakes &+= 1 }
  }
}

@available(*, unavailable)
extension TLSContext: Sendable {}

/// A sentence and OpenSSL's reason for it.
private func setupError(_ sentence: String) -> TLSSetupError {
  TLSSetupError("\(sentence) (\(ErrorQueue.takeFirst()?.text ?? "no reason given"))")
}

/// Versions, suites, buffers: what holds for each connection and either role.
private func applyRules(
  _ options: TLSOptions, role: TLSRole, to context: OpaquePointer
) throws(TLSSetupError) {
  let oldest = options.oldestVersion == .tls13 ? TLS1_3_VERSION : TLS1_2_VERSION
  guard unsafe copenssl_SSL_CTX_set_min_proto_version(context, oldest) == 1 else {
    throw setupError("the TLS version is not to be had")
  }
  unsafe SSL_CTX_set_options(
    context,
    COPENSSL_SSL_OP_NO_COMPRESSION | COPENSSL_SSL_OP_NO_RENEGOTIATION
      | COPENSSL_SSL_OP_CIPHER_SERVER_PREFERENCE)
  // Partial writes and moving buffers: our queue hands out its front, which may have grown or moved
  // by the time of the retry. Released buffers: an idle connection holds no record buffers. No
  // automatic chain: OpenSSL would add our authority's own certificate, which the peer has, and
  // which costs it a third of a millisecond to read; intermediates are in the chain's file.
  unsafe copenssl_SSL_CTX_set_mode(
    context,
    Int(
      SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
        | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY | SSL_MODE_NO_AUTO_CHAIN))
  // One system call then fetches header and body of a record, and the next record if it is there.
  // A connection that is to be detached must leave the next record in the kernel.
  unsafe copenssl_SSL_CTX_set_read_ahead(context, options.detaches ? 0 : 1)
  // Level 2: 112 bits of security; no RSA below 2048, no SHA-1, whatever openssl.cnf says.
  unsafe SSL_CTX_set_security_level(context, 2)
  unsafe copenssl_SSL_CTX_set_max_cert_list(context, options.certificateBytesMax)
  guard unsafe SSL_CTX_set_ciphersuites(context, options.cipherSuites) == 1 else {
    throw setupError("the cipher suites \(options.cipherSuites) are not to be had")
  }
  guard unsafe SSL_CTX_set_cipher_list(context, options.oldCipherSuites) == 1 else {
    throw setupError("the cipher suites \(options.oldCipherSuites) are not to be had")
  }
  guard unsafe copenssl_SSL_CTX_set1_groups_list(context, options.groups) == 1 else {
    throw setupError("the groups \(options.groups) are not to be had")
  }
  let mode =
    switch options.peerCertificate {
    case .required: SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    case .optional: SSL_VERIFY_PEER
    case .ignored: SSL_VERIFY_NONE
    }
  unsafe SSL_CTX_set_verify(context, mode, nil)
  unsafe SSL_CTX_set_verify_depth(context, Int32(clamping: options.intermediatesMax))
  let hides = options.hidesRefusalReason && role == .server
  // Any address serves as yes: the callback only asks whether there is one.
  unsafe SSL_CTX_set_cert_verify_callback(
    context, verifyPeer, hides ? UnsafeMutableRawPointer(context) : nil)
}

/// Our certificate and key, and the authorities we trust.
private func loadCredentials(
  chainFile: String?, keyFile: String?, caFile: String?, into context: OpaquePointer,
  isNarrow: Bool
) throws(TLSSetupError) {
  if let chainFile {
    guard unsafe SSL_CTX_use_certificate_chain_file(context, chainFile) == 1 else {
      throw setupError("cannot use the certificate in \(chainFile)")
    }
  }
  if let keyFile {
    guard let key = unsafe privateKey(inFile: keyFile, isNarrow: isNarrow) else {
      throw setupError("cannot use the private key in \(keyFile)")
    }
    defer { unsafe EVP_PKEY_free(key) }
    guard unsafe SSL_CTX_use_PrivateKey(context, key) == 1 else {
      throw setupError("cannot use the private key in \(keyFile)")
    }
    guard unsafe SSL_CTX_check_private_key(context) == 1 else {
      throw setupError("the private key in \(keyFile) does not belong to the certificate")
    }
  }
  if let caFile {
    guard unsafe SSL_CTX_load_verify_file(context, caFile) == 1 else {
      throw setupError("cannot use the authorities in \(caFile)")
    }
  }
}

/// Reads a key that is not encrypted; the narrow library has no decoders for private keys, and gets
/// it as numbers.
private func privateKey(inFile path: String, isNarrow: Bool) -> OpaquePointer? {
  guard let file = unsafe BIO_new_file(path, "r") else { return nil }
  defer { unsafe BIO_free(file) }
  // Without the closure OpenSSL would ask for the pass phrase on the terminal, in a service.
  let whole = unsafe PEM_read_bio_PrivateKey(file, nil, { _, _, _, _ in -1 }, nil)
  guard let whole = unsafe whole else { return nil }
  guard isNarrow else { return unsafe whole }
  defer { unsafe EVP_PKEY_free(whole) }
  return unsafe copenssl_narrow_key(whole)
}

/// Tickets on the server's side, new sessions on the client's.
private func applySessionRules(
  _ options: TLSOptions, role: TLSRole, ring: TicketKeyRing?, to context: OpaquePointer
) throws(TLSSetupError) {
  if role == .client {
    unsafe copenssl_SSL_CTX_set_session_cache_mode(
      context, Int(SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL))
    unsafe SSL_CTX_sess_set_new_cb(context, NewSession.keep)
    return
  }
  unsafe copenssl_SSL_CTX_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
  let name = Array(options.sessionContext.utf8)
  guard (1...Int(SSL_MAX_SID_CTX_LENGTH)).contains(name.count),
    unsafe SSL_CTX_set_session_id_context(context, name, UInt32(name.count)) == 1
  else {
    throw TLSSetupError("the session context \(options.sessionContext) must have 1 to 32 bytes")
  }
  unsafe SSL_CTX_set_timeout(context, options.ticketLifetimeSeconds)
  guard let ring else {
    unsafe SSL_CTX_set_options(context, COPENSSL_SSL_OP_NO_TICKET)
    unsafe SSL_CTX_set_num_tickets(context, 0)
    return
  }
  guard unsafe SSL_CTX_set_num_tickets(context, max(0, options.ticketsPerHandshake)) == 1,
    unsafe TicketKeyRing.attach(ring, to: context)
  else { throw setupError("session tickets cannot be set up") }
}
