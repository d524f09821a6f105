// Connections inside OpenSSL: pairs of SSL objects, joined by memory BIOs, with the modes that our
// contexts set.
import COpenSSL

/// Pairs of SSL objects that take turns: the server writes, the client reads.
@safe
final class SSLPairs {
  @safe private struct Pair {
    let client: OpaquePointer
    let server: OpaquePointer
    let toClient: OpaquePointer
  }

  private var pairs: [Pair] = []
  private let plain: [UInt8]
  private var room: [UInt8]

  init?(_ suite: CipherSuite, count: Int, bytes: Int) {
    plain = content(bytes)
    room = [UInt8](repeating: 0, count: bytes)
    guard let forServer = unsafe Self.context(TLS_server_method(), suite),
      let forClient = unsafe Self.context(TLS_client_method(), suite),
      unsafe Self.certify(forServer)
    else { return nil }
    defer {
      unsafe SSL_CTX_free(forServer)
      unsafe SSL_CTX_free(forClient)
    }
    for _ in 0..<count {
      guard let pair = unsafe Self.connect(forClient, forServer) else { return nil }
      pairs.append(pair)
    }
  }

  deinit {
    for pair in pairs {
      unsafe SSL_free(pair.client)
      unsafe SSL_free(pair.server)
    }
  }

  private static func context(
    _ method: OpaquePointer?, _ suite: CipherSuite
  ) -> OpaquePointer? {
    guard let context = unsafe SSL_CTX_new(method) else { return nil }
    _ = unsafe copenssl_SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION)
    unsafe SSL_CTX_set_ciphersuites(context, suite.name)
    unsafe SSL_CTX_set_num_tickets(context, 0)
    _ = unsafe copenssl_SSL_CTX_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS))
    _ = unsafe copenssl_SSL_CTX_set_read_ahead(context, 1)
    return unsafe context
  }

  /// A certificate that signs itself: nobody looks at it.
  private static func certify(_ context: OpaquePointer) -> Bool {
    guard let key = unsafe copenssl_EVP_EC_gen("P-256"), let certificate = unsafe X509_new()
    else { return false }
    defer {
      unsafe EVP_PKEY_free(key)
      unsafe X509_free(certificate)
    }
    _ = unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), 0)
    _ = unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), 86_400)
    return unsafe X509_set_pubkey(certificate, key) == 1
      && X509_sign(certificate, key, EVP_sha256()) > 0
      && SSL_CTX_use_certificate(context, certificate) == 1
      && SSL_CTX_use_PrivateKey(context, key) == 1
  }

  private static func connect(_ forClient: OpaquePointer, _ forServer: OpaquePointer) -> Pair? {
    guard let client = unsafe SSL_new(forClient), let server = unsafe SSL_new(forServer),
      let toServer = unsafe BIO_new(BIO_s_mem()), let toClient = unsafe BIO_new(BIO_s_mem())
    else { return nil }
    // Each end owns both.
    unsafe BIO_up_ref(toServer)
    unsafe BIO_up_ref(toClient)
    unsafe SSL_set_bio(client, toClient, toServer)
    unsafe SSL_set_bio(server, toServer, toClient)
    unsafe SSL_set_connect_state(client)
    unsafe SSL_set_accept_state(server)
    for _ in 0..<4 {
      unsafe SSL_do_handshake(client)
      unsafe SSL_do_handshake(server)
    }
    ERR_clear_error()
    guard unsafe SSL_is_init_finished(client) == 1, unsafe SSL_is_init_finished(server) == 1
    else { return nil }
    return unsafe Pair(client: client, server: server, toClient: toClient)
  }

  /// Reads away what was written and not read.
  func drain() {
    for pair in pairs {
      var moved = 0
      while unsafe SSL_read_ex(pair.client, &room, room.count, &moved) == 1 {}
      _ = unsafe BIO_ctrl(pair.toClient, BIO_CTRL_RESET, 0, nil)
    }
  }

  func write() {
    for number in 0..<batch {
      var moved = 0
      let done = unsafe SSL_write_ex(
        pairs[number % pairs.count].server, plain, plain.count, &moved)
      precondition(done == 1, "a record is written")
    }
  }

  func read() {
    for number in 0..<batch {
      var moved = 0
      let done = unsafe SSL_read_ex(
        pairs[number % pairs.count].client, &room, room.count, &moved)
      precondition(done == 1 && moved == plain.count, "a record is read")
    }
  }
}
