// The server's side of the handshake: what is read, what is sent, and when it is over. Bytes that
// were consumed are consumed for good, so everything that could make the connection OpenSSL's is
// found out before the hello is taken from the socket.
import COpenSSL
import Reactor

/// The handshake of one connection.
final class ReturnHandshake {
  /// Bytes of a Finished message: its header and a digest.
  private static let finishedBytes = HandshakeMessage.headerBytes + ReturnSecrets.bytes
  /// A change of ciphers, which means nothing in TLS 1.3 and makes old middleboxes content.
  private static let changeOfCiphers: [UInt8] = [ContentType.changeCipherSpec, 3, 3, 0, 1, 1]
  /// Bytes of the client's last record as all clients make it: one message, no padding.
  private static let lastRecordBytes =
    RecordLimits.headerBytes + finishedBytes + 1 + CipherSuite.tagBytes

  private enum Phase {
    /// The client's hello has not been looked at.
    case listening
    /// Part of our answer waits for room in the socket.
    case answering(owed: [UInt8], sent: Int)
    /// The client's Finished is to come.
    case awaiting
    case over(ReturnStep)
  }

  let context: TLSContext
  let table: DetachedTable
  private let fd: Int32
  private let rules: ReturnRules
  private var phase = Phase.listening
  private var secrets: ReturnSecrets?
  private var client: ProvenClient?
  /// Ours until the handshake is done.
  private var slot: SlotName?
  /// Bytes of records that have not come whole.
  private var pending: [UInt8] = []
  /// Bytes of the client's Finished so far.
  private var finished: [UInt8] = []
  /// Whether the client sends a change of ciphers, and how many it has sent.
  private var changesCiphers = false
  private var changes: UInt8 = 0

  init(_ fd: Int32, _ context: TLSContext, _ rules: ReturnRules, _ table: DetachedTable) {
    self.fd = fd
    self.context = context
    self.rules = rules
    self.table = table
  }

  deinit {
    if let slot { table.giveBack(slot) }
  }

  /// Goes as far as the socket lets it.
  func step() -> ReturnStep {
    let step: ReturnStep
    switch phase {
    case .listening: step = listen()
    case .answering(let owed, let sent): step = send(owed, from: sent)
    case .awaiting: step = awaitFinished()
    case .over(let end): return end
    }
    switch step {
    case .done, .failed, .notOurs:
      phase = .over(step)
      secrets = nil
    case .wouldBlock: break
    }
    return step
  }

  // MARK: The hello

  private func listen() -> ReturnStep {
    let room = DetachedTable.inboundStart..<DetachedTable.inboundStart + ReturnHello.bytesMax
    let count: Int
    switch table.inbound.peek(fd, into: room) {
    case .moved(let seen): count = seen
    case .wouldBlock: return .wouldBlock(.readable)
    // OpenSSL says it in its own words.
    case .ended: return .notOurs
    // To look took the error from the socket.
    case .failed(let error): return .failed(TransportError(errno: error.rawValue))
    }
    let bytes = Array(table.inbound.bytes[room.lowerBound..<room.lowerBound + count])
    guard let hello = ReturnHello(bytes.span, suites: rules.suites) else { return .notOurs }
    return answer(hello, bytes)
  }

  /// Judges the hello, makes the answer and sends it.
  private func answer(_ hello: ReturnHello, _ bytes: [UInt8]) -> ReturnStep {
    // A seal that does not open must not be read as the fate of another connection.
    ERR_set_mark()
    defer { ERR_pop_to_mark() }
    guard let judged = try? rules.desk.recognize(bytes.span.extracting(hello.identity)),
      let secrets = ReturnSecrets(key: judged.key),
      secrets.isProved(
        by: Array(bytes[hello.binder]),
        over: Array(bytes[RecordLimits.headerBytes..<hello.boundEnd])),
      let share = secrets.answer(share: Array(bytes[hello.share])),
      let random = randomBytes(32), let slot = table.take(hello.suite)
    else { return .notOurs }
    self.slot = slot
    var transcript: [UInt8] = []
    transcript.reserveCapacity(hello.recordBytes + 256)
    transcript += bytes[RecordLimits.headerBytes..<hello.recordBytes]
    let serverHello = makeServerHello(
      hello.suite, sessionID: bytes[hello.sessionID], random: random, share: share)
    transcript += serverHello
    guard let sealed = seal(slot, secrets, &transcript) else {
      self.slot = nil
      table.giveBack(slot)
      return .notOurs
    }
    // What was looked at is there; if not, nobody could go on with what is left.
    guard take(hello.recordBytes) else { return .failed(TransportError(.truncated)) }
    var flight: [UInt8] = [
      ContentType.handshake, 3, 3, 0, UInt8(truncatingIfNeeded: serverHello.count),
    ]
    flight.reserveCapacity(256)
    flight += serverHello
    changesCiphers = !hello.sessionID.isEmpty
    if changesCiphers { flight += Self.changeOfCiphers }
    flight += sealed
    rules.desk.noteAccepted()
    self.secrets = secrets
    client = judged.client
    return send(flight, from: 0)
  }

  /// RFC 8446, 4.1.3: the version that really counts is an extension, as is the identity's place.
  private func makeServerHello(
    _ suite: CipherSuite, sessionID: ArraySlice<UInt8>, random: [UInt8], share: [UInt8]
  ) -> [UInt8] {
    var body: [UInt8] = [3, 3]
    body.reserveCapacity(160)
    body += random
    body.append(UInt8(truncatingIfNeeded: sessionID.count))
    body += sessionID
    let number = suite.registryNumber
    body += [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number), 0]
    // supported_versions: 1.3; key_share: X25519; pre_shared_key: the first, and only, identity.
    body += [0, 52, 0, 43, 0, 2, 3, 4, 0, 51, 0, 36, 0, 29, 0, 32]
    body += share
    body += [0, 41, 0, 2, 0, 0]
    return [2, 0, 0, UInt8(truncatingIfNeeded: body.count)] + body
  }

  /// Derives all keys, and makes the record of EncryptedExtensions and Finished; nil if OpenSSL
  /// fails.
  ///
  /// Afterwards the slot opens records of the handshake and seals records of data.
  private func seal(
    _ slot: SlotName, _ secrets: ReturnSecrets, _ transcript: inout [UInt8]
  ) -> [UInt8]? {
    let extensions: [UInt8] = [8, 0, 0, 2, 0, 0]
    guard secrets.beginHandshake(transcript) else { return nil }
    transcript += extensions
    guard let code = secrets.serverFinished(transcript) else { return nil }
    let finished: [UInt8] =
      [HandshakeMessage.finished, 0, 0, UInt8(truncatingIfNeeded: code.count)] + code
    transcript += finished
    let content = extensions + finished
    guard secrets.put(.handshake, into: table.slots, slot, .write),
      let size = table.ciphers.seal(
        table.slots, slot, type: ContentType.handshake, content.span,
        into: &table.outbound.bytes, at: 0)
    else { return nil }
    table.ciphers.forget(slot)
    guard secrets.beginData(transcript), secrets.put(.data, into: table.slots, slot, .write),
      secrets.put(.handshake, into: table.slots, slot, .read)
    else { return nil }
    return Array(table.outbound.bytes[..<size])
  }

  /// Takes the hello, which was only looked at, from the socket.
  private func take(_ count: Int) -> Bool {
    let start = DetachedTable.inboundStart
    return table.inbound.receive(fd, into: start..<start + count) == .moved(count)
  }

  private func send(_ bytes: [UInt8], from sent: Int) -> ReturnStep {
    switch StreamSocket.write(fd, bytes.span.extracting(droppingFirst: sent)) {
    case .moved(let count) where sent + count == bytes.count:
      phase = .awaiting
      return .wouldBlock(.readable)
    case .moved(let count):
      phase = .answering(owed: bytes, sent: sent + count)
      return .wouldBlock(.writable)
    case .wouldBlock:
      phase = .answering(owed: bytes, sent: sent)
      return .wouldBlock(.writable)
    case .ended: return .failed(TransportError(.closed))
    case .failed(let error): return .failed(TransportError(errno: error.rawValue))
    }
  }

  // MARK: The client's Finished

  /// Reads until it is there; each turn of the loop takes bytes from the socket, and what they may
  /// be is bounded.
  private func awaitFinished() -> ReturnStep {
    guard let slot else { return .failed(TransportError(.closed)) }
    while true {
      let start = DetachedTable.inboundStart
      let missing = wantedBytes - pending.count
      switch table.inbound.receive(fd, into: start..<start + missing) {
      case .moved(let count): pending += table.inbound.bytes[start..<start + count]
      case .wouldBlock: return .wouldBlock(.readable)
      case .ended: return .failed(TransportError(.truncated))
      case .failed(let error): return .failed(TransportError(errno: error.rawValue))
      }
      if let step = takeRecords(slot) { return step }
    }
  }

  /// Bytes up to which to read: those that all clients send, unless the record's header says more.
  ///
  /// More than there are already: a whole record does not stay in `pending`.
  private var wantedBytes: Int {
    let expected =
      Self.lastRecordBytes
      + (changesCiphers && changes == 0 ? Self.changeOfCiphers.count : 0)
    guard pending.count >= RecordLimits.headerBytes else { return expected }
    return max(expected, RecordLimits.headerBytes + pendingBody)
  }

  private var pendingBody: Int { Int(pending[3]) << 8 | Int(pending[4]) }

  /// Goes through the whole records; nil if more must come.
  private func takeRecords(_ slot: SlotName) -> ReturnStep? {
    while pending.count >= RecordLimits.headerBytes {
      switch pending[0] {
      case ContentType.changeCipherSpec:
        if pending.count < Self.changeOfCiphers.count,
          Self.changeOfCiphers.starts(with: pending)
        {
          return nil
        }
        if let step = takeChange(slot) { return step }
      case ContentType.alert: return takePlainAlert(slot)
      case ContentType.applicationData:
        let header = RecordHeader.read(pending, at: 0)
        if let fault = header.fault { return refuse(slot, fault.reason, alert: fault.alert) }
        let size = RecordLimits.headerBytes + pendingBody
        guard pending.count >= size else { return nil }
        if let step = open(slot, size) { return step }
      default: return refuse(slot, SSL_R_UNEXPECTED_MESSAGE, alert: Alert.unexpectedMessage)
      }
    }
    return nil
  }

  /// Passes over a change of ciphers, of which there is to be one; nil when it is gone.
  private func takeChange(_ slot: SlotName) -> ReturnStep? {
    guard changes < RecordLimits.barrenRecordsMax, pending.starts(with: Self.changeOfCiphers) else {
      return refuse(slot, SSL_R_UNEXPECTED_CCS_MESSAGE, alert: Alert.unexpectedMessage)
    }
    changes += 1
    pending.removeFirst(Self.changeOfCiphers.count)
    return nil
  }

  /// What a client says in the clear that could not make anything of our answer.
  private func takePlainAlert(_ slot: SlotName) -> ReturnStep? {
    let size = RecordLimits.headerBytes + 2
    guard pendingBody == 2 else {
      return refuse(slot, SSL_R_INVALID_ALERT, alert: Alert.unexpectedMessage)
    }
    guard pending.count >= size else { return nil }
    return hear(pending[size - 1])
  }

  /// Ends the handshake as the client's alert says; a goodbye in it leaves it unfinished.
  private func hear(_ alert: UInt8) -> ReturnStep {
    if alert == Alert.closeNotify { return .failed(TransportError(.truncated)) }
    return .failed(TransportError(.alertReceived, reason: Int32(alert)))
  }

  /// Opens the first record, which is whole; nil if the handshake goes on behind it.
  private func open(_ slot: SlotName, _ size: Int) -> ReturnStep? {
    let opened = table.ciphers.open(table.slots, slot, pending, 0..<size, into: &table.scratch)
    pending.removeFirst(size)
    switch opened {
    case .forged:
      return refuse(
        slot, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, alert: Alert.badRecordMAC)
    case .untyped: return refuse(slot, SSL_R_BAD_RECORD_TYPE, alert: Alert.unexpectedMessage)
    case .content(_, let count) where count > RecordLimits.contentBytesMax:
      return refuse(slot, SSL_R_DATA_LENGTH_TOO_LONG, alert: Alert.recordOverflow)
    case .content(ContentType.alert, 2): return hear(table.scratch[1])
    case .content(ContentType.handshake, let count) where count > 0:
      return takeFinished(slot, table.scratch[..<count])
    case .content:
      return refuse(slot, SSL_R_UNEXPECTED_MESSAGE, alert: Alert.unexpectedMessage)
    }
  }

  /// Takes a part of the Finished message, nearly always all of it.
  private func takeFinished(_ slot: SlotName, _ part: ArraySlice<UInt8>) -> ReturnStep? {
    let header: [UInt8] = [HandshakeMessage.finished, 0, 0, UInt8(ReturnSecrets.bytes)]
    finished += part.prefix(Self.finishedBytes + 1)
    guard finished[0] == HandshakeMessage.finished else {
      return refuse(slot, SSL_R_UNEXPECTED_MESSAGE, alert: Alert.unexpectedMessage)
    }
    guard header.starts(with: finished.prefix(header.count)) else {
      return refuse(slot, SSL_R_BAD_DIGEST_LENGTH, alert: Alert.decodeError)
    }
    if finished.count < Self.finishedBytes { return nil }
    // What stands behind it in the same record was sealed with a key that it ended.
    guard finished.count == Self.finishedBytes else {
      return refuse(slot, SSL_R_NOT_ON_RECORD_BOUNDARY, alert: Alert.unexpectedMessage)
    }
    guard let secrets, let client,
      secrets.isFinished(by: finished[header.count...])
    else { return refuse(slot, SSL_R_DIGEST_CHECK_FAILED, alert: Alert.decryptError) }
    table.ciphers.forget(slot)
    guard secrets.put(.data, into: table.slots, slot, .read) else {
      return .failed(TransportError(.setup))
    }
    return finish(slot, client)
  }

  /// Makes a connection of the slot.
  private func finish(_ slot: SlotName, _ client: ProvenClient) -> ReturnStep {
    var head = SlotHead()
    head.nature.insert(.resumed)
    head.updatesLeft = UInt8(clamping: rules.keyUpdatesMax)
    if !pending.isEmpty {
      // The client left the change of ciphers out, or cut its Finished in pieces, and what follows
      // came in their place; a record of it may be whole.
      guard table.held.keep(HeldInput(sealed: pending), of: slot) else {
        return .failed(TransportError(.limitExceeded))
      }
      head.flags.formUnion([.holdsInput, .hasNews])
    }
    table.slots.setHead(slot, head)
    if pending.isEmpty { table.handOver(slot, fd) }
    table.noteReturn(client, slot)
    context.noteHandshake(resumed: true)
    self.slot = nil
    return .done(client, slot)
  }

  /// Ends the handshake with OpenSSL's code for us and an alert for the peer.
  private func refuse(_ slot: SlotName, _ reason: Int32, alert: UInt8) -> ReturnStep {
    let error = TransportError(.protocolViolation, reason: reason)
    var head = table.slots.head(slot)
    table.fail(slot, fd, &head, error, alert: alert)
    return .failed(error)
  }
}

@available(*, unavailable)
extension ReturnHandshake: Sendable {}
