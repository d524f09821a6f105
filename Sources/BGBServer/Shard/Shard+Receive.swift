// Bytes of a peer into frames or requests, one bounded read an event.

import BGBModel
import BGBWire
import Logging
import Reactor
import Transports

extension Shard {
  /// Reads once and works on what came.
  func receive(_ connection: Connection) {
    guard connection.condemned == nil else { return }
    switch connection.channel.receive(into: &scratch) {
    case .progressed(let count):
      // A polled session's bytes were counted when its carrier received them.
      if connection.polls == nil { counters.bytesIn &+= UInt64(count) }
      connection.lastHeard = loop.now
      take(connection)
      if connection.wantsDetach, connection.condemned == nil { letGoOfTLS(connection) }
    case .wouldBlock: break
    case .ended:
      return condemn(connection, connection.phase == .closing ? .goodbye : .connectionLost)
    case .failed(let error): return lose(connection, error)
    }
    if connection.condemned == nil, connection.channel.hasLeftovers {
      leftovers.append(connection.channel.token)
    }
  }

  /// Ends a connection that its transport lost.
  func lose(_ connection: Connection, _ error: TransportError) {
    let isHalfOpen = error.errno == Errno.timedOut.rawValue
    condemn(connection, isHalfOpen ? .halfOpen : .connectionLost)
  }

  /// Serves connections with bytes inside the transport; each once a turn, so that a peer who sends
  /// without end starves nobody.
  func serveLeftovers() {
    guard !leftovers.isEmpty else { return }
    let tokens = leftovers
    leftovers.removeAll(keepingCapacity: true)
    for token in tokens {
      guard let connection = connections[token], connection.condemned == nil else { continue }
      receive(connection)
      settle(connection)
    }
  }

  private func take(_ connection: Connection) {
    // Whoever was told the end may go on talking: nothing of it is kept.
    guard connection.phase != .closing else { return }
    if connection.requests != nil { return takeRequests(connection) }
    var input = scratch.slice
    do throws(WireError) {
      while connection.condemned == nil, connection.phase != .closing {
        guard let message = try connection.frames.next(from: &input) else { return }
        counters.framesIn &+= 1
        handle(message, connection, isLast: input.isEmpty)
      }
    } catch {
      refuse(connection, error.closeCode)
    }
  }

  private func handle(_ message: Message, _ connection: Connection, isLast: Bool) {
    let step = connection.session.receive(message)
    if case .answerKeepAlive = step {} else { lull.stir(at: loop.now) }
    switch step {
    case .admit(let signIn): admit(signIn, connection)
    case .answerKeepAlive:
      counters.keepAlives &+= 1
      answerKeepAlive(connection, atOnce: isLast)
      renewReconnect(connection)
    case .acknowledged(let ack): acknowledged(ack, connection)
    case .outcome(let report): outcome(report, connection)
    case .facts(let data): noteFacts(data, connection)
    case .goodbye: condemn(connection, .goodbye)
    case .refuse(let code): refuse(connection, code)
    }
  }

  /// Answers at once if nothing else has come that could be answered in the same write: a peer that
  /// sends many in one piece costs one write and not many.
  private func answerKeepAlive(_ connection: Connection, atOnce: Bool) {
    frame.clear()
    writeConfirmation(connection, into: &frame)
    MessageCodec.encode(.keepAlive(KeepAlive(clock: wallNow)), into: &frame)
    if atOnce {
      _ = dispatch(frame.bytes, connection)
    } else {
      enqueue(frame.bytes, connection)
    }
  }

  /// Queues a message; a full queue makes its peer a slow reader.
  func send(_ message: Message, _ connection: Connection) {
    guard connection.condemned == nil else { return }
    // A confirmation that waited for company goes first, in the same write.
    if connection.storedUpTo > connection.confirmedUpTo { confirm(connection) }
    enqueue(MessageCodec.encode(message), connection)
  }

  /// Sends the bytes of a frame at once where nothing waits before them; false when the peer had to
  /// be cut for it.
  ///
  /// For what goes to very many in one turn: it needs no block, and nobody looks at the connection
  /// a second time.
  func dispatch(_ frame: [UInt8], _ connection: Connection) -> Bool {
    guard connection.condemned == nil else { return false }
    guard connection.polls == nil else { return enqueue(frame, connection) }
    switch connection.channel.send(frame.span, now: loop.now) {
    case .sent:
      counters.bytesOut &+= UInt64(frame.count)
      return true
    case .queued:
      markDirty(connection)
      return true
    case .refused:
      counters.slowReaders &+= 1
      condemn(connection, .slowReader)
    case .lost(.failed(let error)): lose(connection, error)
    case .lost: condemn(connection, .connectionLost)
    }
    return false
  }

  /// Tells an agent which of its outcomes are durable.
  func confirm(_ connection: Connection) {
    smallFrame.clear()
    writeConfirmation(connection, into: &smallFrame)
    enqueue(smallFrame.bytes, connection)
  }

  /// Appends the frame that tells which of its outcomes are durable, if it was not told yet.
  func writeConfirmation(_ connection: Connection, into writer: inout ByteWriter) {
    let upTo = connection.storedUpTo
    guard upTo > connection.confirmedUpTo else { return }
    connection.confirmedUpTo = upTo
    MessageCodec.encode(.outcomeStored(OutcomeStored(upTo: upTo)), into: &writer)
  }

  @discardableResult
  private func enqueue(_ frame: [UInt8], _ connection: Connection) -> Bool {
    guard connection.condemned == nil else { return false }
    guard connection.channel.enqueue(frame.span, now: loop.now) == .stored else {
      counters.slowReaders &+= 1
      condemn(connection, .slowReader)
      return false
    }
    markDirty(connection)
    return true
  }

  /// Tells a peer why, and ends its session once that is sent.
  func refuse(_ connection: Connection, _ code: CloseCode, retryAfterMilliseconds: UInt32 = 0) {
    guard connection.condemned == nil, connection.phase != .closing else { return }
    counters.refused &+= 1
    log.notice(
      "session refused",
      metadata: [
        "client": "\(connection.clientID.map { "\($0)" } ?? "-")",
        "address": "\(connection.address)", "code": "\(code)",
      ])
    connection.session.end()
    send(
      .refused(
        Refused(
          code: code.rawValue, retryAfterMilliseconds: retryAfterMilliseconds, reason: "\(code)")),
      connection)
    close(connection, code.presenceReason)
  }

  /// Nothing more is read; what is queued goes out, then the connection ends.
  func close(_ connection: Connection, _ reason: PresenceReason) {
    guard connection.condemned == nil else { return }
    signOut(connection, reason)
    connection.phase = .closing
    connection.lastHeard = loop.now
    markDirty(connection)
    rearmTimer(connection)
  }
}

extension CloseCode {
  /// The presence reason that a close for this code leaves behind.
  var presenceReason: PresenceReason {
    switch self {
    case .blocked: .blocked
    case .keepAliveExpired: .keepAliveExpired
    case .slowReader: .slowReader
    case .certificateExpired: .certificateExpired
    case .shuttingDown, .overloaded, .internalError: .serverStopped
    case .replaced: .signedIn
    case .unknownKind, .tooLong, .wrongState, .malformed, .handshakeTimeout, .version,
      .foreignIdentity, .unknownClient, .foreignTask:
      .protocolError
    }
  }
}
