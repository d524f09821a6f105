// What a session ticket says beside the session: when the client's certificate was last shown in a
// full handshake. A resumed connection gives out a new ticket, so without this a chain of tickets
// would put the next full handshake off for ever.
import COpenSSL
import Glibc

/// The moment that travels inside a ticket, as application data of eight bytes.
enum TicketProof {
  /// Called by OpenSSL for each ticket that is made.
  static let write: SSL_CTX_generate_session_ticket_fn = { ssl, _ in
    let session = unsafe SSL_get_session(ssl)
    // A resumed session brings the moment with it; only a full handshake begins anew.
    if unsafe read(from: session) != nil { return 1 }
    let now = unsafe ExternalPSK.desk(of: ssl)?.now ?? Int64(time(nil))
    let bytes = bigEndianBytes(UInt64(bitPattern: now))
    return unsafe SSL_SESSION_set1_ticket_appdata(session, bytes, bytes.count)
  }

  /// The moment, in seconds since 1970; nil if the session says none.
  static func read(from session: OpaquePointer?) -> Int64? {
    var data: UnsafeMutableRawPointer?
    var count = 0
    guard let session = unsafe session,
      unsafe SSL_SESSION_get0_ticket_appdata(session, &data, &count) == 1,
      count == 8, let data = unsafe data
    else { return nil }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: count)
    return Int64(bitPattern: unsafe bigEndianNumber(Array(bytes)[...]))
  }
}
