// The door through which pieces of a polled stream enter and leave a channel. A channel on any
// other transport has no such door: it answers as an ended stream would.

extension ByteChannel {
  /// Takes a piece of the peer's stream; false for one that leaves a gap.
  ///
  /// What it brought is received as from a socket: call ``receive(into:)``.
  public func deliver(_ bytes: [UInt8], at offset: UInt64) -> Bool {
    line.transport.withPolled { $0.deliver(bytes, at: offset) } ?? false
  }

  /// Takes the peer's word that it has our stream up to `offset`; false for one that cannot be.
  ///
  /// What waited for room goes with the next ``flush(now:bytesMax:)``.
  public func confirm(upTo offset: UInt64) -> Bool {
    line.transport.withPolled { $0.confirm(upTo: offset) } ?? false
  }

  /// The piece to send now, with the place in our stream where it begins: everything that was
  /// flushed and that the peer is not known to have.
  public var unconfirmed: (offset: UInt64, bytes: [UInt8]) {
    switch line.transport {
    case .polled(let polled): (polled.confirmed, polled.unconfirmed)
    case .plain: (0, [])
    case .tls: (0, [])
    case .returning: (0, [])
    case .detached: (0, [])
    case .closed: (0, [])
    }
  }

  /// How many bytes of ``unconfirmed`` there are, without copying them.
  public var unconfirmedCount: Int {
    switch line.transport {
    case .polled(let polled): Int(clamping: polled.written &- polled.confirmed)
    case .plain: 0
    case .tls: 0
    case .returning: 0
    case .detached: 0
    case .closed: 0
    }
  }

  /// Bytes of the peer's stream that were taken so far.
  public var receivedCount: UInt64 {
    switch line.transport {
    case .polled(let polled): polled.received
    case .plain: 0
    case .tls: 0
    case .returning: 0
    case .detached: 0
    case .closed: 0
    }
  }
}
