// How often peers ask for new keys. OpenSSL 3.0 answers each request and sets no limit, so a peer
// can make us derive keys for the price of twenty-seven bytes. It tells of each message through a
// callback; this one counts, for a whole context, and the transport that was reading knows that the
// difference was its own. For a context that detaches, the same callback feeds the traffic notes.
import COpenSSL

/// Key updates received on all connections of one context.
final class KeyUpdateCounter {
  fileprivate(set) var count: UInt64 = 0
  fileprivate let notes: NoteKeeping

  /// - Parameter notes: whether the context's connections have traffic notes.
  init(_ notes: NoteKeeping) { self.notes = notes }
}

/// How the connections of a context come to their traffic notes.
enum NoteKeeping {
  /// They have none.
  case none
  /// The narrow library tells the secrets.
  case heard
  /// OpenSSL prints the secrets for its key log.
  case printed
}

/// Makes a context count into `counter`, which must live as long as any connection of the context.
func countKeyUpdates(in context: OpaquePointer, on counter: KeyUpdateCounter) {
  unsafe SSL_CTX_set_msg_callback(context, noteMessage)
  unsafe copenssl_SSL_CTX_set_msg_callback_arg(
    context, Unmanaged.passUnretained(counter).toOpaque())
}

private let noteMessage:
  @convention(c) (
    Int32, Int32, Int32, UnsafeRawPointer?, Int, OpaquePointer?, UnsafeMutableRawPointer?
  ) -> Void = { isWritten, _, contentType, bytes, count, ssl, counter in
    guard count > 0, let bytes = unsafe bytes, let counter = unsafe counter else { return }
    let first = unsafe bytes.load(as: UInt8.self)
    let noted = unsafe Unmanaged<KeyUpdateCounter>.fromOpaque(counter).takeUnretainedValue()
    if noted.notes != .none, let ssl = unsafe ssl {
      unsafe TrafficNote.hear(
        isWritten: isWritten == 1, contentType: contentType, first: first,
        isPrinting: noted.notes == .printed, on: ssl)
    }
    guard isWritten == 0, contentType == SSL3_RT_HANDSHAKE,
      first == UInt8(SSL3_MT_KEY_UPDATE)
    else { return }
    noted.count &+= 1
  }
