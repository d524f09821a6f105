// What must be known of a connection to take it from OpenSSL later: both first traffic secrets, how
// often each was updated, and how many records each present key has sealed. OpenSSL tells all of it
// while it works: the secrets at the moment when it starts to use them, and each record and message
// to the message callback. In the narrow library the secrets come from where they are derived; from
// OpenSSL as it is they come through the key-log callback, printed in hexadecimal, which takes
// longer. The note hangs on the SSL object and is wiped when that is freed.
//
// Only contexts that detach are listened to: the secrets of others are told to nobody.
import COpenSSL

/// Traffic secrets and counters of one connection, as long as OpenSSL has it.
final class TrafficNote {
  /// One way's part.
  struct Half {
    /// The first secret; empty until its key is in use.
    var secret: [UInt8] = []
    /// Key updates since then.
    var updates = 0
    /// Records under the present key.
    var records: UInt64 = 0
  }

  /// What the client seals.
  var client = Half()
  /// What the server seals.
  var server = Half()

  deinit {
    wipe(&client.secret)
    wipe(&server.secret)
  }

  private func wipe(_ secret: inout [UInt8]) {
    unsafe secret.withUnsafeMutableBytes { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) }
  }

  private static let index = unsafe copenssl_SSL_get_ex_new_index(0, nil, nil, nil) {
    _, note, _, _, _, _ in
    guard let note = unsafe note else { return }
    unsafe Unmanaged<TrafficNote>.fromOpaque(note).release()
  }

  /// The note of a connection; nil before its first traffic secret.
  static func of(_ ssl: OpaquePointer) -> TrafficNote? {
    guard let note = unsafe SSL_get_ex_data(ssl, index) else { return nil }
    return unsafe Unmanaged<TrafficNote>.fromOpaque(note).takeUnretainedValue()
  }

  private static func make(for ssl: OpaquePointer) -> TrafficNote? {
    if let note = unsafe of(ssl) { return note }
    let held = unsafe Unmanaged.passRetained(TrafficNote())
    guard unsafe SSL_set_ex_data(ssl, index, held.toOpaque()) == 1 else {
      unsafe held.release()
      return nil
    }
    return unsafe held.takeUnretainedValue()
  }

  // MARK: What OpenSSL tells

  /// Runs a step of a connection of the narrow library and notes the secrets that it derives.
  static func hearing<Result>(_ ssl: OpaquePointer, _ step: () -> Result) -> Result {
    unsafe copenssl_hear_secrets(
      { ssl, isClient, secret, count in
        guard let ssl = unsafe ssl, let secret = unsafe secret,
          let note = unsafe TrafficNote.make(for: OpaquePointer(ssl))
        else { return }
        let bytes = unsafe Array(UnsafeBufferPointer(start: secret, count: count))
        note.begin(bytes, isClient: isClient == 1)
      }, UnsafeMutableRawPointer(ssl))
    defer { copenssl_hear_secrets(nil, nil) }
    return step()
  }

  /// At this moment OpenSSL changes the key of one way, and counts its records from 0.
  private func begin(_ secret: [UInt8], isClient: Bool) {
    let half = Half(secret: secret)
    if isClient { client = half } else { server = half }
  }

  /// Makes a context that is not of the narrow library keep notes on its connections.
  static func keep(in context: OpaquePointer) {
    unsafe SSL_CTX_set_keylog_callback(context) { ssl, line in
      guard let ssl = unsafe ssl, let line = unsafe line else { return }
      unsafe TrafficNote.hear(line, on: ssl)
    }
  }

  /// Makes the context of a connection deaf to the secrets of its handshake, which nobody needs and
  /// which OpenSSL would print byte by byte; ``keep(in:)`` ends that.
  ///
  /// - Returns: whether it was not deaf before. The end of the flight ends that too, so what comes
  ///   behind is heard in the same step.
  static func pause(for ssl: OpaquePointer) -> Bool {
    let state = unsafe SSL_get_state(ssl)
    guard state == TLS_ST_BEFORE || state == TLS_ST_CW_CLNT_HELLO,
      let context = unsafe SSL_get_SSL_CTX(ssl),
      unsafe SSL_CTX_get_keylog_callback(context) != nil
    else { return false }
    unsafe SSL_CTX_set_keylog_callback(context, nil)
    return true
  }

  /// Takes the secret from a line of the key log: label, client random, secret, in hexadecimal.
  private static func hear(_ line: UnsafePointer<CChar>, on ssl: OpaquePointer) {
    let isClient = unsafe starts(line, with: "CLIENT_TRAFFIC_SECRET_0 ")
    guard unsafe isClient || starts(line, with: "SERVER_TRAFFIC_SECRET_0 ") else { return }
    guard let last = unsafe strrchr(line, 32), let note = unsafe make(for: ssl) else { return }
    note.begin(unsafe bytes(ofHexadecimal: UnsafePointer(last) + 1), isClient: isClient)
  }

  private static func starts(_ line: UnsafePointer<CChar>, with label: StaticString) -> Bool {
    for offset in 0..<label.utf8CodeUnitCount {
      // A line that ends early differs in its zero byte, and nothing behind that is read.
      if unsafe UInt8(bitPattern: line[offset]) != label.utf8Start[offset] { return false }
    }
    return true
  }

  private static func bytes(ofHexadecimal text: UnsafePointer<CChar>) -> [UInt8] {
    func digit(_ character: CChar) -> UInt8? {
      switch UInt8(bitPattern: character) {
      case let code where (0x30...0x39).contains(code): code - 0x30
      case let code where (0x61...0x66).contains(code): code - 0x61 + 10
      case let code where (0x41...0x46).contains(code): code - 0x41 + 10
      default: nil
      }
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(48)
    var place = 0
    while bytes.count < 48, let high = unsafe digit(text[place]),
      let low = unsafe digit(text[place + 1])
    {
      bytes.append(high << 4 | low)
      place += 2
    }
    return bytes
  }

  /// Notes a record or message that OpenSSL read or wrote; `isPrinting` is whether its context
  /// tells secrets through the key log.
  static func hear(
    isWritten: Bool, contentType: Int32, first: UInt8, isPrinting: Bool, on ssl: OpaquePointer
  ) {
    // A Finished of either side: the next secrets are those of application data.
    if contentType == SSL3_RT_HANDSHAKE, first == UInt8(SSL3_MT_FINISHED) {
      if isPrinting, let context = unsafe SSL_get_SSL_CTX(ssl) { unsafe keep(in: context) }
      return
    }
    let isRecord = contentType == SSL3_RT_INNER_CONTENT_TYPE
    let isUpdate = contentType == SSL3_RT_HANDSHAKE && first == UInt8(SSL3_MT_KEY_UPDATE)
    guard isRecord || isUpdate, let note = unsafe of(ssl) else { return }
    // Our own way is written, the other read: as a server, the client's records are read.
    let ofClient = unsafe isWritten != (SSL_is_server(ssl) == 1)
    func count(_ half: inout Half) {
      if isRecord {
        half.records += 1
      } else {
        half.updates += 1
        half.records = 0
      }
    }
    if ofClient { count(&note.client) } else { count(&note.server) }
  }
}
