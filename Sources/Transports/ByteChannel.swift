// A connection as its owner sees it: bytes in, bytes out, an interest in readiness, an end. Shared
// by the server's sessions and by the agent. It decides nothing: deadlines, budgets and the reason
// for closing are its owner's, who asks (pull) and is never called.
//
// First `handshake()` on each event that `mayReceive(on:)` lets through, until it is done (at once
// without TLS); to receive before that is a mistake of the owner's and answers `.failed`.
//
// A turn with it: `mayReceive(on:)` and `mayFlush(on:)` say what an event lets run;
// `receive(into:)` and `flush(now:)` run it; `enqueue(_:now:)` any time; `settle(_:)` once, at the
// end; and as long as `hasLeftovers`, the loop must not sleep.
public import Reactor

/// A transport with its outbound queue and its interest in readiness.
///
/// Belongs to one thread.
public final class ByteChannel {
  /// How much of an object is asked for ahead, in bytes: its size; only time depends on it.
  public static let bytesInUse = 120
  /// By what the owner's tables and epoll know this connection.
  public let token: Token
  /// Who the peer is: read once, when the handshake is done, full or resumed.
  public private(set) var peer: PeerIdentity? {
    get { peerNote?.identity }
    set { peerNote = newValue.map(PeerNote.init) }
  }

  /// What moves; the other files reach it too.
  var line: ChannelLine
  private var peerNote: PeerNote?

  /// Takes over a transport.
  /// - Parameters:
  ///   - pool: the loop's blocks, for what cannot be sent at once.
  ///   - outboundBytesMax: what may wait to be sent, in bytes.
  ///   - now: the turn's time.
  public init(
    _ transport: consuming Transport, token: Token, pool: BlockPool, outboundBytesMax: Int,
    now: Ticks
  ) {
    self.token = token
    line = ChannelLine(
      transport: transport,
      outbound: OutboundQueue(pool: pool, limit: outboundBytesMax, now: now))
  }

  // MARK: What an event lets run

  /// Whether an event lets the handshake or a receive run.
  public func mayReceive(on readiness: Readiness) -> Bool { line.mayReceive(on: readiness) }

  /// Whether an event lets a blocked flush run.
  public func mayFlush(on readiness: Readiness) -> Bool { line.gate.mayFlush(on: readiness) }

  /// Whether the owner wants to receive; set to false, the peer is left to fill the kernel's
  /// buffers.
  ///
  /// Leftovers inside the transport are not delivered either while this is false.
  public var receives: Bool {
    get { line.gate.receives }
    set { line.gate.receives = newValue }
  }

  /// Tells the processor that this channel's keys will be needed in a moment.
  public func foresee() { line.transport.foresee() }

  // MARK: Before TLS

  /// What a peer that has not been answered yet wants, as far as its first bytes tell; they stay
  /// in the kernel.
  ///
  /// For a channel on a plain transport. `room` is scratch memory; 1 KiB is plenty.
  public func greeting(using room: inout ReceiveBuffer) -> Greeting {
    room.clear()
    var free = room.freeBytes
    switch StreamSocket.peek(line.transport.descriptor, into: &free) {
    case .moved(let count):
      room.advance(count)
      return room.withBytes { ClientHello.offersResumption($0) ? .resumption : .handshake }
    case .wouldBlock: return .none
    case .ended, .failed: return .gone
    }
  }

  /// Puts TLS on a channel that is on a plain transport so far; the handshake is the next step.
  /// - Parameters:
  ///   - context: decides the role, the credentials and the rules.
  ///   - table: where clients that come back with an identity go at once, if the context takes any;
  ///     nil leaves all handshakes to OpenSSL.
  /// - Throws: the transport's error when OpenSSL has no room; the channel is closed then.
  public func startTLS(
    _ context: TLSContext, detachingInto table: DetachedTable? = nil
  ) throws(TransportError) {
    let plain = line.transport.take()
    guard case .plain(let socket) = consume plain else { throw TransportError(.closed) }
    if let table, let rules = context.returns {
      line.transport = .returning(
        ReturningTransport(socket.takeSocket(), context: context, rules, table))
    } else {
      line.transport = .tls(try TLSTransport(socket.takeSocket(), context: context))
    }
  }

  // MARK: In

  /// Whether a handshake is not done yet.
  public var isShakingHands: Bool { line.transport.isShakingHands }

  /// Takes the handshake as far as it goes now; when it is done, ``peer`` is set.
  public func handshake() -> HandshakeStep {
    let step = line.transport.handshake()
    line.gate.noteHandshake(step)
    guard step == .done else { return step }
    if peer == nil { peer = line.transport.readPeer() }
    line.gate.tellsWhatIsLeft = line.transport.tellsWhatIsLeft
    return step
  }

  /// Reads into the loop's buffer, which then holds what arrived and nothing else.
  ///
  /// One call per event is enough: what remains in the kernel makes the next event or shows in
  /// ``hasLeftovers``, as does what remains inside.
  public func receive(into buffer: inout ReceiveBuffer) -> IOStep { line.receive(into: &buffer) }

  /// Whether there may be more to receive, bytes or the end, for which epoll will never wake
  /// anybody.
  public var hasLeftovers: Bool { line.hasLeftovers }

  // MARK: Out

  /// Puts all of the bytes at the end of the queue, or none of them and says why.
  ///
  /// Nothing is sent before ``flush(now:bytesMax:)``.
  public func enqueue(_ bytes: Span<UInt8>, now: Ticks) -> StoreOutcome {
    line.outbound.store(bytes, now: now)
  }

  /// Sends from the queue until it is empty, the socket is full, or `bytesMax` have gone.
  ///
  /// Before the handshake is done nothing goes, and all that is queued waits for it.
  /// - Returns: the bytes that went, which may be none of an empty queue; or what it waits for, if
  ///   nothing went.
  public func flush(now: Ticks, bytesMax: Int = .max) -> IOStep {
    line.flush(now: now, bytesMax: bytesMax)
  }

  /// Sends the bytes at once where nothing waits before them; what does not go is queued.
  ///
  /// Where the queue has no room for it, the connection is of no more use.
  /// What goes at once costs no block and no second look at the connection. Only a connection that
  /// left OpenSSL sends at once: OpenSSL wants to be shown the same bytes again, in one piece.
  public func send(_ bytes: Span<UInt8>, now: Ticks) -> SendOutcome {
    line.send(bytes, now: now)
  }

  /// Bytes that wait to be sent.
  public var outboundCount: Int { line.outbound.count }

  /// Since when the queue, as it was then, has not been sent completely; nil when nothing waits.
  ///
  /// The measure for cutting slow readers: a peer that takes a byte now and then does not reset it.
  public var outboundWaitingSince: Ticks? { line.outbound.waitingSince }

  // MARK: Interest and identity

  /// Tells epoll what this connection waits for now, if that changed; the first call adds it.
  public func settle(_ poller: Poller) throws(Errno) {
    try line.settle(poller, token)
  }

  /// The descriptor's number; -1 once closed.
  public var descriptor: Int32 { line.transport.descriptor }

  /// Whether the handshake resumed an earlier session.
  public var resumed: Bool { line.transport.resumed }

  /// How the peer proved who it is; ask as soon as the handshake is done.
  public func readProof() -> PeerProof? { line.transport.readProof() }

  /// The protocol version and the cipher suite that the handshake agreed upon, for people.
  public func readAgreement() -> String? { line.transport.readAgreement() }

  /// The certificate for which the handshake failed, for the audit.
  public func readRefusedPeer() -> PeerIdentity? { line.transport.readRefusedPeer() }

  /// The session that arrived since the last call, for a client to keep; ask after each receive.
  public func takeNewSession() -> [UInt8]? { line.transport.takeNewSession() }

  /// Drops ``peer`` once the owner has taken from it what it needs; idle connections add up.
  public func forgetPeer() { peer = nil }

  // MARK: End

  /// Tells the peer that no byte will follow, once the queue is empty; receiving may go on.
  ///
  /// - Precondition: nothing waits to be sent.
  public func finishSending() -> IOStep {
    precondition(line.outbound.isEmpty, "flush before the end is announced, or the queue is lost")
    return line.transport.finishWriting()
  }

  /// Closes the descriptor and gives back all memory; what was queued is lost.
  ///
  /// Idempotent.
  /// - Parameter sendCloseNotify: whether the peer is told first, as far as that goes without
  ///   waiting.
  public func close(sendCloseNotify: Bool) {
    line.close(sendCloseNotify: sendCloseNotify)
  }
}

@available(*, unavailable)
extension ByteChannel: Sendable {}

/// A peer's identity in an object of its own: most channels forget it soon, and none should keep
/// room for it.
private final class PeerNote {
  let identity: PeerIdentity

  init(_ identity: PeerIdentity) { self.identity = identity }
}
