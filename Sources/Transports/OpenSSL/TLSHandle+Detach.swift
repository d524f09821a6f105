// Taking a connection from OpenSSL: whether nothing of it is left inside, and what goes over into a
// slot. A record half read, a byte not fetched, an answer not sent would be lost with the SSL
// object, so all of that must be gone first.
import COpenSSL

extension TLSHandle {
  /// What OpenSSL's side says to detaching now.
  enum DetachAnswer {
    case ready(CipherSuite)
    case notYet
    case never
  }

  /// Whether the connection can be taken now.
  borrowing func detachAnswer() -> DetachAnswer {
    unsafe withPointer { ssl in
      guard unsafe SSL_is_init_finished(ssl) == 1 else { return .notYet }
      guard unsafe SSL_version(ssl) == TLS1_3_VERSION,
        let note = unsafe TrafficNote.of(ssl),
        let cipher = unsafe SSL_get_current_cipher(ssl),
        let suite = unsafe CipherSuite(registryNumber: SSL_CIPHER_get_protocol_id(cipher)),
        note.client.secret.count == suite.secretBytes,
        note.server.secret.count == suite.secretBytes,
        unsafe SSL_get_shutdown(ssl) == 0
      else { return .never }
      // Bytes fetched and not delivered, or a record whose header was read and whose body was not.
      guard unsafe SSL_has_pending(ssl) == 0, unsafe SSL_want(ssl) != SSL_WRITING,
        let state = unsafe SSL_rstate_string(ssl), unsafe String(cString: state) == "RH"
      else { return .notYet }
      return .ready(suite)
    }
  }

  /// Puts keys, counters and what is owed into a slot of the suite that ``detachAnswer()`` named.
  borrowing func fill(
    _ slots: DetachedSlots, _ name: SlotName, isClient: Bool, updatesLeft: Int
  ) -> Bool {
    unsafe withPointer { ssl in
      guard let note = unsafe TrafficNote.of(ssl) else { return false }
      let read = isClient ? note.server : note.client
      let write = isClient ? note.client : note.server
      guard put(read, into: slots, name, .read),
        put(write, into: slots, name, .write)
      else { return false }
      var head = SlotHead()
      if isClient { head.nature.insert(.isClient) }
      if resumed { head.nature.insert(.resumed) }
      head.updatesLeft = UInt8(clamping: updatesLeft)
      // The peer asked for new keys and OpenSSL put its answer off to the next write.
      if unsafe SSL_get_key_update_type(ssl) != SSL_KEY_UPDATE_NONE {
        head.flags.insert(.owesUpdate)
      }
      slots.setHead(name, head)
      return true
    }
  }

  private borrowing func put(
    _ half: TrafficNote.Half, into slots: DetachedSlots, _ name: SlotName, _ way: RecordWay
  ) -> Bool {
    guard let records = UInt32(exactly: half.records) else { return false }
    let room = unsafe slots.secret(name, way)
    guard room.count == half.secret.count else { return false }
    unsafe half.secret.withUnsafeBytes { unsafe room.copyMemory(from: $0) }
    guard slots.deriveKeys(name, way) else { return false }
    for _ in 0..<half.updates {
      guard slots.advanceKeys(name, way) else { return false }
    }
    slots.setSequence(name, way, records)
    return true
  }

  /// Begins one session ticket; the next handshake step sends it.
  borrowing func beginTicket() -> Bool {
    unsafe withPointer { ssl in unsafe SSL_new_session_ticket(ssl) == 1 }
  }
}
