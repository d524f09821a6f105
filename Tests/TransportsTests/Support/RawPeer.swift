// A peer made of OpenSSL alone, with every guard off: it sends what our own transport never would,
// and sees what a stranger sees of us (the alert, the ticket).
import COpenSSL
import Glibc
import Reactor
import Testing
import Transports

/// A client or server that checks nothing.
final class RawPeer {
  private let context: OpaquePointer
  let ssl: OpaquePointer
  /// The fatal alert that ended the handshake, as the peer sees it.
  private(set) var alert: Int32?

  init(
    _ role: TLSRole, _ credentials: Credentials?, fd: Int32, version: Int32 = TLS1_3_VERSION,
    configure: (OpaquePointer) -> Void = { _ in }
  ) {
    signal(SIGPIPE, SIG_IGN)
    context = made(SSL_CTX_new(role == .server ? TLS_server_method() : TLS_client_method()))
    SSL_CTX_set_security_level(context, 0)
    copenssl_SSL_CTX_set_min_proto_version(context, version)
    copenssl_SSL_CTX_set_max_proto_version(context, version)
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)
    if let credentials, let chain = credentials.chainFile, let key = credentials.keyFile {
      precondition(SSL_CTX_use_certificate_chain_file(context, chain) == 1)
      precondition(SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1)
    }
    configure(context)
    ssl = made(SSL_new(context))
    SSL_set_fd(ssl, fd)
    role == .server ? SSL_set_accept_state(ssl) : SSL_set_connect_state(ssl)
  }

  deinit {
    SSL_free(ssl)
    SSL_CTX_free(context)
  }

  /// Steps the handshake; true once it is done.
  func handshake() -> Bool {
    ERR_clear_error()
    if SSL_do_handshake(ssl) == 1 { return true }
    noteAlert()
    return false
  }

  /// Reads what is there, up to 64 KiB.
  func read() -> [UInt8] {
    ERR_clear_error()
    var room = [UInt8](repeating: 0, count: 65536)
    var count = 0
    if SSL_read_ex(ssl, &room, room.count, &count) != 1 { noteAlert() }
    return Array(room.prefix(count))
  }

  @discardableResult
  func write(_ bytes: [UInt8]) -> Bool {
    ERR_clear_error()
    var count = 0
    return SSL_write_ex(ssl, bytes, bytes.count, &count) == 1 && count == bytes.count
  }

  /// Sends a KeyUpdate that demands one in return.
  func demandKeyUpdate() -> Bool {
    ERR_clear_error()
    return SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1
  }

  private func noteAlert() {
    let reason = copenssl_ERR_GET_REASON(ERR_peek_error())
    if alert == nil && reason > Int32(SSL_AD_REASON_OFFSET) {
      alert = reason - Int32(SSL_AD_REASON_OFFSET)
    }
    ERR_clear_error()
  }
}

extension RawPeer {
  /// Takes a raw client and our server through their handshake, flight by flight.
  func shakeHands(with server: ByteChannel, over wire: Wire) {
    for _ in 0..<10 {
      let near = handshake()
      wire.carry(.toServer)
      let far = server.handshake()
      wire.carry(.toClient)
      if near && far == .done { return }
    }
    Issue.record("the handshake does not end")
  }
}

extension ByteChannel {
  /// One receive, and what it delivered.
  func receiveBytes(by buffer: inout ReceiveBuffer) -> (step: IOStep, bytes: [UInt8]) {
    let step = receive(into: &buffer)
    return (step, Array(buffer.slice))
  }
}
