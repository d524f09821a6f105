// TLS over a non-blocking socket: a small state machine around one SSL object. It keeps what
// OpenSSL does not: that a fatal answer is final, that bytes left inside must be read before
// anybody sleeps, and that an end of stream without close_notify is a loss and no end.
public import Reactor

/// One TLS connection on a descriptor that it owns.
///
/// Belongs to the thread of its ``TLSContext``.
public struct TLSTransport: ~Copyable {
  /// Where a connection is in its life.
  private enum Phase: Equatable {
    /// Nothing but the handshake may be stepped.
    case handshaking
    /// Both directions are open, or the peer has ended its own.
    case open
    /// We sent close_notify: reading may go on, writing not.
    case finished
    /// An operation failed for good with this; every further one answers the same.
    case failed(TransportError)
  }

  // The SSL object borrows the descriptor's number and writes nothing when it is freed, so it does
  // not matter which of the two goes first.
  private let handle: TLSHandle
  private let socket: Descriptor
  private let context: TLSContext
  private var phase = Phase.handshaking
  private var mayHoldBytes = false
  private var keyUpdates = 0

  /// Puts TLS on a connected, non-blocking socket; nothing is sent before the first
  /// ``handshake()``.
  /// - Parameters:
  ///   - context: decides the role, the credentials and the rules.
  ///   - serverName: for a client, the host name or address that the server's certificate must
  ///     bear.
  ///   - session: for a client, what ``takeNewSession()`` gave on an earlier connection to this
  ///     server; it is left out silently if it is no longer any good.
  ///   - credentials: the certificate and key of this connection alone; nil for the context's.
  public init(
    _ socket: consuming Descriptor, context: TLSContext, serverName: String? = nil,
    session: [UInt8]? = nil, credentials: TLSCredentials? = nil
  ) throws(TransportError) {
    handle = try TLSHandle(
      context, fd: socket.raw, serverName: serverName, session: session, credentials: credentials)
    self.socket = socket
    self.context = context
  }

  /// The descriptor's number, for epoll.
  public var descriptor: Int32 { socket.raw }

  /// Whether bytes wait inside OpenSSL, for which epoll will never wake anybody.
  public var hasLeftovers: Bool { mayHoldBytes && handle.holdsBytes }

  /// Whether the handshake resumed an earlier session; meaningful once it is done.
  public var resumed: Bool { handle.resumed }

  /// The protocol version and the cipher suite, such as `TLSv1.3, TLS_AES_128_GCM_SHA256`; nil
  /// before the handshake is done.
  public func readAgreement() -> String? { isShakingHands ? nil : handle.agreement() }

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
    switch handle.handshake() {
    case .done:
      phase = .open
      // The peer's first bytes may have come in one segment with the end of its handshake.
      mayHoldBytes = true
      context.noteHandshake(resumed: handle.resumed)
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
      switch handle.read(into: &room) {
      case .done(let count):
        buffer.advance(count)
        total += count
        mayHoldBytes = true
        // What is still in the kernel may wait for the next event; what is inside may not.
        if !handle.holdsBytes { return .progressed(total) }
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
    switch handle.write(bytes) {
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
    switch handle.shutdown() {
    case .done, .closeNotify:
      phase = .finished
      return .progressed(0)
    case .wants(let readiness): return .wouldBlock(readiness)
    case .failed(let error): return .failed(fail(error))
    }
  }

  /// The peer's certificate, after a full handshake or a resumed one; nil if it showed none.
  public func readPeer() -> PeerIdentity? { handle.peer() }

  /// The certificate for which the handshake failed, for the audit.
  public func readRefusedPeer() -> PeerIdentity? { handle.refusedPeer() }

  /// The session that arrived since the last call, for a client to keep; it is as secret as a key.
  public mutating func takeNewSession() -> [UInt8]? { handle.takeNewSession() }

  @discardableResult
  private mutating func fail(_ error: TransportError) -> TransportError {
    phase = .failed(error)
    return error
  }
}

@available(*, unavailable)
extension TLSTransport: Sendable {}
