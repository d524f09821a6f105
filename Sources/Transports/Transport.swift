// The seam between a session and the way its bytes travel. An enum and not a protocol: the kinds
// are few and known, a switch costs a few nanoseconds where an existential costs fifty, and a new
// kind does not compile until every operation has thought about it.
import Reactor

/// A connection by whichever means.
///
/// Belongs to one thread.
public enum Transport: ~Copyable {
  /// Without TLS.
  case plain(PlainTransport)
  /// With TLS on OpenSSL.
  case tls(TLSTransport)
  /// At a server, with TLS whose client may come back with a reconnect identity: what it is turns
  /// out in the handshake, after which it is one of its two neighbours here.
  case returning(ReturningTransport)
  /// With TLS whose keys were taken from OpenSSL after the handshake.
  case detached(DetachedTransport)
  /// In pieces, by long polls whose sockets belong to others.
  case polled(PolledTransport)
  /// Closed: the descriptor is gone and its number may be another connection's.
  case closed

  /// What it was; it is closed from now on.
  mutating func take() -> Transport {
    let was = consume self
    self = .closed
    return was
  }

  /// Steps the handshake; a transport without one is done at once.
  public mutating func handshake() -> HandshakeStep {
    switch consume self {
    case .plain(let plain):
      self = .plain(plain)
      return .done
    case .tls(var tls):
      let step = tls.handshake()
      self = .tls(tls)
      return step
    case .returning(let returning):
      self = .closed
      return goOn(returning)
    case .detached(let detached):
      self = .detached(detached)
      return .done
    case .polled(let polled):
      self = .polled(polled)
      return .done
    case .closed:
      self = .closed
      return .failed(TransportError(.closed))
    }
  }

  /// Reads what there is, up to the free room of `buffer`.
  public mutating func read(into buffer: inout ReceiveBuffer) -> IOStep {
    switch consume self {
    case .plain(var plain):
      let step = plain.read(into: &buffer)
      self = .plain(plain)
      return step
    case .tls(var tls):
      let step = tls.read(into: &buffer)
      self = .tls(tls)
      return step
    case .returning(let returning):
      self = .returning(returning)
      return .failed(TransportError(.closed))
    case .detached(var detached):
      let step = detached.read(into: &buffer)
      self = .detached(detached)
      return step
    case .polled(var polled):
      let step = polled.read(into: &buffer)
      self = .polled(polled)
      return step
    case .closed:
      self = .closed
      return .failed(TransportError(.closed))
    }
  }

  /// Writes from the start of `bytes` as much as goes at once.
  ///
  /// After ``IOStep/wouldBlock(_:)`` the next call must begin with the same bytes, at least as
  /// many.
  public mutating func write(_ bytes: Span<UInt8>) -> IOStep {
    switch consume self {
    case .plain(var plain):
      let step = plain.write(bytes)
      self = .plain(plain)
      return step
    case .tls(var tls):
      let step = tls.write(bytes)
      self = .tls(tls)
      return step
    case .returning(let returning):
      self = .returning(returning)
      return .failed(TransportError(.closed))
    case .detached(var detached):
      let step = detached.write(bytes)
      self = .detached(detached)
      return step
    case .polled(var polled):
      let step = polled.write(bytes)
      self = .polled(polled)
      return step
    case .closed:
      self = .closed
      return .failed(TransportError(.closed))
    }
  }

  /// Tells the peer that no byte will follow; reading may go on.
  public mutating func finishWriting() -> IOStep {
    switch consume self {
    case .plain(var plain):
      let step = plain.finishWriting()
      self = .plain(plain)
      return step
    case .tls(var tls):
      let step = tls.finishWriting()
      self = .tls(tls)
      return step
    case .returning(let returning):
      self = .returning(returning)
      return .failed(TransportError(.closed))
    case .detached(var detached):
      let step = detached.finishWriting()
      self = .detached(detached)
      return step
    case .polled(var polled):
      let step = polled.finishWriting()
      self = .polled(polled)
      return step
    case .closed:
      self = .closed
      return .failed(TransportError(.closed))
    }
  }

  /// Whether a handshake is not done yet, so that neither reading nor writing is possible.
  public var isShakingHands: Bool {
    switch self {
    case .plain: false
    case .tls(let tls): tls.isShakingHands
    case .returning: true
    case .detached: false
    case .polled: false
    case .closed: false
    }
  }

  /// Whether bytes wait inside the transport, for which epoll will never wake anybody.
  public var hasLeftovers: Bool {
    switch self {
    case .plain: false
    case .closed: false
    case .tls(let tls): tls.hasLeftovers
    case .returning: false
    case .detached(let detached): detached.hasLeftovers
    case .polled(let polled): polled.hasLeftovers
    }
  }

  /// Whether its keys were taken from OpenSSL.
  var isDetached: Bool {
    switch self {
    case .detached: true
    case .plain: false
    case .tls: false
    case .returning: false
    case .polled: false
    case .closed: false
    }
  }

  /// Whether it tells what it leaves in the kernel.
  var tellsWhatIsLeft: Bool {
    switch self {
    case .detached(let detached): detached.tellsWhatIsLeft
    case .plain: false
    case .tls: false
    case .returning: false
    case .polled: false
    case .closed: false
    }
  }

  /// Says that an event announced bytes: until a read took all, there are leftovers.
  ///
  /// For transports that tell what they leave in the kernel; others are told again by epoll.
  func noteReadable() {
    switch self {
    case .detached(let detached): detached.noteReadable()
    case .plain: return
    case .tls: return
    case .returning: return
    case .polled: return
    case .closed: return
    }
  }

  /// Tells the processor that the keys of a detached connection will be needed in a moment.
  func foresee() {
    switch self {
    case .detached(let detached): detached.foresee()
    case .plain: return
    case .tls: return
    case .returning: return
    case .polled: return
    case .closed: return
    }
  }

  /// The descriptor's number, for epoll; -1 once closed, and for one that has none of its own.
  public var descriptor: Int32 {
    switch self {
    case .plain(let plain): plain.descriptor
    case .tls(let tls): tls.descriptor
    case .returning(let returning): returning.descriptor
    case .detached(let detached): detached.descriptor
    case .polled: -1
    case .closed: -1
    }
  }

  /// Whether a handshake resumed an earlier session.
  public var resumed: Bool {
    switch self {
    case .plain: false
    case .closed: false
    case .tls(let tls): tls.resumed
    case .returning: false
    case .detached(let detached): detached.resumed
    case .polled: false
    }
  }

  /// How the peer proved who it is; nil without TLS, or before it stands.
  public func readProof() -> PeerProof? {
    switch self {
    case .plain: nil
    case .closed: nil
    case .tls(let tls): tls.readProof()
    case .returning: nil
    case .detached(let detached): detached.readProof()
    case .polled: nil
    }
  }

  /// The protocol version and the cipher suite; nil without TLS, or before it stands.
  public func readAgreement() -> String? {
    switch self {
    case .plain: nil
    case .closed: nil
    case .tls(let tls): tls.readAgreement()
    case .returning: nil
    case .detached(let detached): detached.readAgreement()
    case .polled: nil
    }
  }

  /// The peer's certificate; nil without TLS, if it showed none, or after detaching.
  public func readPeer() -> PeerIdentity? {
    switch self {
    case .plain: nil
    case .closed: nil
    case .tls(let tls): tls.readPeer()
    case .returning: nil
    case .detached: nil
    case .polled: nil
    }
  }

  /// The certificate for which a handshake failed, for the audit.
  public func readRefusedPeer() -> PeerIdentity? {
    switch self {
    case .plain: nil
    case .closed: nil
    case .tls(let tls): tls.readRefusedPeer()
    case .returning: nil
    case .detached: nil
    case .polled: nil
    }
  }

  /// The session that arrived since the last call, for a client to keep.
  public mutating func takeNewSession() -> [UInt8]? {
    switch consume self {
    case .plain(let plain):
      self = .plain(plain)
      return nil
    case .tls(var tls):
      let session = tls.takeNewSession()
      self = .tls(tls)
      return session
    case .returning(let returning):
      self = .returning(returning)
      return nil
    case .detached(let detached):
      self = .detached(detached)
      return nil
    case .polled(let polled):
      self = .polled(polled)
      return nil
    case .closed:
      self = .closed
      return nil
    }
  }
}

@available(*, unavailable)
extension Transport: Sendable {}
