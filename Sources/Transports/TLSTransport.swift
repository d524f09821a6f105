// TLS over a non-blocking socket: a small state machine around one SSL object. It keeps what
// OpenSSL does not: that a fatal answer is final, that bytes left inside must be read before
// anybody sleeps, and that an end of stream without close_notify is a loss and no end.
public import Reactor

/// One TLS connection on a descriptor that it owns.
///
/// Belongs to the thread of its ``TLSContext``.
public struct TLSTransport: ~Copyable {
  /// Where a connection is in its life.
  fileprivate enum Phase: Equatable {
    /// Nothing but the handshake may be stepped.
    case handshaking
    /// Both directions are open, or the peer has ended its own.
    case open
    /// We sent close_notify: reading may go on, writing not.
    case finished
    /// An operation failed for good with this; every further one answers the same.
    case failed(TransportError)
  }

  /// All but the descriptor; in an object of its own beside OpenSSL's, which is a hundred times as
  /// large, so that a connection of another kind does not pay for it in every ``Transport``.
  private final class Memory {
    let handle: TLSHandle
    let context: TLSContext
    var phase = Phase.handshaking
    var mayHoldBytes = false
    var keyUpdates = 0
    /// Whether OpenSSL has sealed something that it could not send whole.
    var owesBytes = false

    init(_ handle: consuming TLSHandle, _ context: TLSContext) {
      self.handle = handle
      self.context = context
    }
  }

  // The SSL object borrows the descriptor's number and writes nothing when it is freed, so it does
  // not matter which of the two goes first.
  private let socket: Descriptor
  private let memory: Memory

  private var context: TLSContext { memory.context }
  private var phase: Phase {
    get { memory.phase }
    nonmutating set { memory.phase = newValue }
  }
  private var mayHoldBytes: Bool {
    get { memory.mayHoldBytes }
    nonmutating set { memory.mayHoldBytes = newValue }
  }
  private var keyUpdates: Int {
    get { memory.keyUpdates }
    nonmutating set { memory.keyUpdates = newValue }
  }

  /// Puts TLS on a connected, non-blocking socket; nothing is sent before the first
  /// ``handshake()``.
  /// - Parameters:
  ///   - context: decides the role, the credentials and the rules.
  ///   - serverName: for a client, the host name or address that the server's certificate must
  ///     bear.
  ///   - session: for a client, what ``takeNewSession()`` gave on an earlier connection to this
  ///     server; it is left out silently if it is no longer any good.
  ///   - reconnect: for a client, what this server's site gave it to come back with; a server that
  ///     does not take it goes on with certificates.
  ///   - credentials: the certificate and key of this connection alone; nil for the context's.
  public init(
    _ socket: consuming Descriptor, context: TLSContext, serverName: String? = nil,
    session: [UInt8]? = nil, reconnect: ReconnectGrant? = nil, credentials: TLSCredentials? = nil
  ) throws(TransportError) {
    memory = Memory(
      try TLSHandle(
        context, fd: socket.raw, serverName: serverName, session: session, reconnect: reconnect,
        credentials: credentials), context)
    self.socket = socket
  }

  /// The descriptor's number, for epoll.
  public var descriptor: Int32 { socket.raw }

  /// Whether bytes wait inside OpenSSL, for which epoll will never wake anybody.
  public var hasLeftovers: Bool { mayHoldBytes && memory.handle.holdsBytes }

  /// Whether the handshake resumed an earlier session; meaningful once it is done.
  public var resumed: Bool { memory.handle.resumed }

  /// How the peer proved who it is; nil before the handshake is done.
  public func readProof() -> PeerProof? { isShakingHands ? nil : memory.handle.proof() }

  /// The protocol version and the cipher suite, such as `TLSv1.3, TLS_AES_128_GCM_SHA256`; nil
  /// before the handshake is done.
  public func readAgreement() -> String? { isShakingHands ? nil : memory.handle.agreement() }

  /// Whether the handshake is not done yet, so that neither reading nor writing is possible.
  public var isShakingHands: Bool { phase == .handshaking }

  /// Takes the handshake as far as the socket lets it.
  public mutating func handshake() -> HandshakeStep {
    switch phase {
    case .handshaking: break
    case .open, .finished: return .done
    case .failed(let error): return .failed(error)
    }
    context.noteStaleErrors(ErrorQueue.clear())
    switch note(memory.handle.handshake()) {
    case .done:
      phase = .open
      // The peer's first bytes may have come in one segment with the end of its handshake.
      mayHoldBytes = true
      context.noteHandshake(resumed: memory.handle.resumed)
      return .done
    case .wants(let readiness): return .wouldBlock(readiness)
    case .closeNotify: return .failed(fail(TransportError(.truncated)))
    case .failed(let error): return .failed(fail(error))
    }
  }

  /// Reads what there is, up to the free room of `buffer`.
  public mutating func read(into buffer: inout ReceiveBuffer) -> IOStep {
    switch phase {
    case .open, .finished: break
    case .handshaking: return .failed(TransportError(.closed))
    case .failed(let error): return .failed(error)
    }
    var total = 0
    let updatesBefore = context.keyUpdatesReceived
    defer { keyUpdates += Int(context.keyUpdatesReceived &- updatesBefore) }
    guard keyUpdates <= context.options.keyUpdatesMax else {
      return .failed(fail(TransportError(.limitExceeded)))
    }
    while buffer.free > 0 {
      context.noteStaleErrors(ErrorQueue.clear())
      var room = buffer.freeBytes
      switch note(memory.handle.read(into: &room)) {
      case .done(let count):
        buffer.advance(count)
        total += count
        mayHoldBytes = true
        // What is still in the kernel may wait for the next event; what is inside may not.
        if !memory.handle.holdsBytes { return .progressed(total) }
      case .wants(let readiness):
        mayHoldBytes = false
        return total > 0 ? .progressed(total) : .wouldBlock(readiness)
      case .closeNotify:
        // Asked again, OpenSSL gives the same answer: nothing is lost by telling the bytes first.
        return total > 0 ? .progressed(total) : .ended
      case .failed(let error):
        fail(error)
        return total > 0 ? .progressed(total) : .failed(error)
      }
    }
    return .progressed(total)
  }

  /// Writes from the start of `bytes`, at most one record.
  ///
  /// After ``IOStep/wouldBlock(_:)`` the next call must begin with the same bytes, at least as
  /// many: OpenSSL has sealed them into a record already.
  public mutating func write(_ bytes: Span<UInt8>) -> IOStep {
    switch phase {
    case .open: break
    case .handshaking, .finished: return .failed(TransportError(.closed))
    case .failed(let error): return .failed(error)
    }
    guard bytes.count > 0 else { return .progressed(0) }
    context.noteStaleErrors(ErrorQueue.clear())
    switch note(memory.handle.write(bytes)) {
    case .done(let count): return .progressed(count)
    case .wants(let readiness): return .wouldBlock(readiness)
    case .closeNotify: return .failed(fail(TransportError(.closed)))
    case .failed(let error): return .failed(fail(error))
    }
  }

  /// Tells the peer that no byte will follow; reading may go on.
  public mutating func finishWriting() -> IOStep {
    switch phase {
    case .open, .finished: break
    case .handshaking: return .failed(TransportError(.closed))
    case .failed(let error): return .failed(error)
    }
    context.noteStaleErrors(ErrorQueue.clear())
    switch note(memory.handle.shutdown()) {
    case .done, .closeNotify:
      phase = .finished
      return .progressed(0)
    case .wants(let readiness): return .wouldBlock(readiness)
    case .failed(let error): return .failed(fail(error))
    }
  }

  /// The peer's certificate, after a full handshake or a resumed one; nil if it showed none.
  public func readPeer() -> PeerIdentity? { memory.handle.peer() }

  /// The certificate for which the handshake failed, for the audit.
  public func readRefusedPeer() -> PeerIdentity? { memory.handle.refusedPeer() }

  /// The session that arrived since the last call, for a client to keep; it is as secret as a key.
  public mutating func takeNewSession() -> [UInt8]? { memory.handle.takeNewSession() }

  /// Sends one session ticket more; ask again when the descriptor is ready for what it waits for.
  ///
  /// - Precondition: this is a server's connection, its handshake is done.
  public mutating func sendTicket() -> IOStep {
    switch phase {
    case .open: break
    case .handshaking, .finished: return .failed(TransportError(.closed))
    case .failed(let error): return .failed(error)
    }
    context.noteStaleErrors(ErrorQueue.clear())
    // Asked again after a full socket, the ticket that was begun is finished, not a second made.
    if !memory.owesBytes && !memory.handle.beginTicket() {
      _ = ErrorQueue.clear()
      return .failed(TransportError(.setup))
    }
    switch note(memory.handle.handshake()) {
    case .done: return .progressed(0)
    case .wants(let readiness): return .wouldBlock(readiness)
    case .closeNotify: return .failed(fail(TransportError(.truncated)))
    case .failed(let error): return .failed(fail(error))
    }
  }

  // MARK: Detaching

  /// Copies what the connection needs to go on into the table, if OpenSSL holds nothing else of it.
  mutating func fill(_ table: DetachedTable) -> (outcome: DetachOutcome, slot: SlotName?) {
    switch phase {
    case .open: break
    case .handshaking: return (.notYet, nil)
    case .finished, .failed: return (.never, nil)
    }
    guard context.options.detaches, keyUpdates <= context.options.keyUpdatesMax else {
      return (.never, nil)
    }
    guard !memory.owesBytes else { return (.notYet, nil) }
    switch memory.handle.detachAnswer() {
    case .never: return (.never, nil)
    case .notYet: return (.notYet, nil)
    case .ready(let suite):
      guard let slot = table.take(suite) else { return (.notYet, nil) }
      let isFilled = memory.handle.fill(
        table.slots, slot, isClient: context.role == .client,
        updatesLeft: context.options.keyUpdatesMax - keyUpdates)
      guard isFilled else {
        table.giveBack(slot)
        return (.never, nil)
      }
      return (.detached, slot)
    }
  }

  /// Gives up OpenSSL's part and keeps the descriptor.
  consuming func releaseSocket() -> Descriptor { socket }

  /// Remembers whether something sealed waits for room in the socket.
  private func note(_ answer: TLSAnswer) -> TLSAnswer {
    switch answer {
    case .wants(.writable): memory.owesBytes = true
    case .wants: break
    case .done: memory.owesBytes = false
    case .closeNotify, .failed: break
    }
    return answer
  }

  @discardableResult
  private mutating func fail(_ error: TransportError) -> TransportError {
    phase = .failed(error)
    return error
  }
}

@available(*, unavailable)
extension TLSTransport: Sendable {}
