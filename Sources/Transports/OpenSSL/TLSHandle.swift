// One SSL object and the one owner that frees it. OpenSSL's many answers become the few that a
// transport acts upon; nothing outside this file sees the pointer at work.
//
// Manners that hold for each call here: the thread's error queue is empty before it; errno is read
// only after a failed call, and at once; after a fatal answer no further call is made on the object
// (the caller keeps that promise, OpenSSL would answer nonsense).
import COpenSSL
import Glibc
import Reactor

/// What OpenSSL answered.
enum TLSAnswer: Equatable {
  case done(Int)
  case wants(Readiness)
  case closeNotify
  case failed(TransportError)
}

/// An owned `SSL *`.
@safe
struct TLSHandle: ~Copyable {
  /// Safe because nothing frees it before this value's end, and none but this file and the notes
  /// that hang on the object (tickets, refusals) use it.
  private let ssl: OpaquePointer
  private let notes: NoteKeeping

  /// Makes an SSL object on a socket that it does not own.
  /// - Parameters:
  ///   - serverName: for a client, the name that the server must bear.
  ///   - session: for a client, a session to resume if it is any good.
  ///   - reconnect: for a client, an identity to offer; the session is left out then.
  ///   - credentials: what it proves itself with instead of the context's certificate.
  init(
    _ context: TLSContext, fd: Int32, serverName: String?, session: [UInt8]?,
    reconnect: ReconnectGrant? = nil, credentials: TLSCredentials? = nil
  ) throws(TransportError) {
    context.noteStaleErrors(ErrorQueue.clear())
    guard let ssl = unsafe SSL_new(context.pointer) else { throw setupFailure() }
    var isPrepared = unsafe SSL_set_fd(ssl, fd) == 1
    if let credentials { isPrepared = unsafe credentials.apply(to: ssl) && isPrepared }
    switch context.role {
    case .server: unsafe SSL_set_accept_state(ssl)
    case .client:
      unsafe SSL_set_connect_state(ssl)
      let name = serverName.map(ServerName.init)
      if let name { isPrepared = unsafe name.demand(on: ssl) && isPrepared }
      // A server would look at the ticket first, which costs it more.
      if let reconnect {
        isPrepared = unsafe ExternalPSK.offer(reconnect, on: ssl) && isPrepared
      } else if let session {
        _ = unsafe NewSession.offer(session, to: ssl, expecting: name)
      }
    }
    guard isPrepared else {
      unsafe SSL_free(ssl)
      throw setupFailure()
    }
    unsafe self.ssl = ssl
    notes = context.notes
  }

  deinit {
    unsafe SSL_free(ssl)
  }

  borrowing func handshake() -> TLSAnswer {
    let isPaused = unsafe notes == .printed && TrafficNote.pause(for: ssl)
    let (result, systemError) =
      notes == .heard
      ? unsafe TrafficNote.hearing(ssl) { unsafe (SSL_do_handshake(ssl), errno) }
      : unsafe (SSL_do_handshake(ssl), errno)
    if isPaused { unsafe TrafficNote.keep(in: SSL_get_SSL_CTX(ssl)) }
    return result == 1 ? .done(0) : answer(to: result, systemError: systemError)
  }

  borrowing func read(into room: inout MutableSpan<UInt8>) -> TLSAnswer {
    unsafe room.withUnsafeMutableBytes { room in
      var count = 0
      let result = unsafe SSL_read_ex(ssl, room.baseAddress, room.count, &count)
      return result == 1 ? .done(count) : answer(to: result, systemError: errno)
    }
  }

  borrowing func write(_ bytes: Span<UInt8>) -> TLSAnswer {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      var count = 0
      let result = unsafe SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &count)
      return result == 1 ? .done(count) : answer(to: result, systemError: errno)
    }
  }

  /// Sends close_notify; done(1) if the peer's has been seen too.
  borrowing func shutdown() -> TLSAnswer {
    let result = unsafe SSL_shutdown(ssl)
    return result >= 0 ? .done(Int(result)) : answer(to: result, systemError: errno)
  }

  /// Whether bytes lie inside OpenSSL, decrypted or not.
  var holdsBytes: Bool { unsafe SSL_has_pending(ssl) == 1 }

  /// Whether the handshake resumed an earlier session.
  var resumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

  /// How the peer proved itself in the handshake.
  borrowing func proof() -> PeerProof { unsafe ExternalPSK.proof(of: ssl) }

  /// The protocol version and the cipher suite that were agreed, in OpenSSL's words.
  borrowing func agreement() -> String? {
    guard let version = unsafe SSL_get_version(ssl),
      let cipher = unsafe SSL_get_current_cipher(ssl),
      let suite = unsafe SSL_CIPHER_get_name(cipher)
    else { return nil }
    return unsafe "\(String(cString: version)), \(String(cString: suite))"
  }

  /// The peer's certificate, of this handshake or of the one that was resumed.
  borrowing func peer() -> PeerIdentity? {
    guard let certificate = unsafe SSL_get1_peer_certificate(ssl) else { return nil }
    defer { unsafe X509_free(certificate) }
    return unsafe PeerIdentity(certificate: certificate)
  }

  /// The certificate that was refused, if one was.
  borrowing func refusedPeer() -> PeerIdentity? {
    unsafe RefusalNote.certificate(on: ssl)
  }

  /// Lends the pointer to what lies in a file of its own.
  borrowing func withPointer<Result>(_ body: (OpaquePointer) -> Result) -> Result {
    unsafe body(ssl)
  }

  /// The session that arrived since the last call, as bytes.
  borrowing func takeNewSession() -> [UInt8]? {
    unsafe NewSession.take(from: ssl)
  }

  /// Sorts out a failed call.
  ///
  /// `systemError` was read right after it.
  private borrowing func answer(to result: Int32, systemError: Int32) -> TLSAnswer {
    switch unsafe SSL_get_error(ssl, result) {
    case SSL_ERROR_WANT_READ: return .wants(.readable)
    case SSL_ERROR_WANT_WRITE: return .wants(.writable)
    case SSL_ERROR_ZERO_RETURN: return .closeNotify
    case SSL_ERROR_SYSCALL:
      _ = ErrorQueue.clear()
      if systemError == 0 { return .failed(TransportError(.truncated)) }
      return .failed(TransportError(errno: systemError))
    default:
      return .failed(preconditionFailure())
    }
  }

  private borrowing func preconditionFailure() -> TransportError {
    let verdict = unsafe RefusalNote.verdict(on: ssl)
    guard let error = ErrorQueue.takeFirstOfTLS() else {
      return TransportError(.protocolViolation)
    }
    if verdict != 0 {
      return TransportError(.certificateRefused, reason: error.reason, verifyCode: verdict)
    }
    if error.library == ERR_LIB_SYS { return TransportError(errno: error.reason) }
    // Reason codes are numbered by each library for itself; only those of TLS mean anything here.
    guard error.library == ERR_LIB_SSL else { return TransportError(.protocolViolation) }
    if error.reason == SSL_R_UNEXPECTED_EOF_WHILE_READING { return TransportError(.truncated) }
    if let alert = alertNumber(ofReason: error.reason) {
      return TransportError(.alertReceived, reason: alert)
    }
    return TransportError(.protocolViolation, reason: error.reason)
  }
}

private func setupFailure() -> TransportError {
  TransportError(.setup, reason: ErrorQueue.takeFirst()?.reason ?? 0)
}
