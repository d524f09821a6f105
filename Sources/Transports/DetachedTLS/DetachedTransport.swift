// A TLS connection without OpenSSL's object: a descriptor and a slot in its loop's table. What it
// promises is what TLSTransport promises; the contract suite runs over both.
import Reactor

/// What an attempt to detach a connection came to.
public enum DetachOutcome: Equatable, Sendable {
  /// OpenSSL's object is gone, the connection goes on.
  case detached
  /// Something of the connection is still inside OpenSSL, or the table is full: ask again later.
  case notYet
  /// This connection stays as it is: no TLS 1.3, a context that does not detach, or it is over.
  case never
}

/// One detached TLS connection on a descriptor that it owns.
///
/// Belongs to the thread of its ``DetachedTable``.
public struct DetachedTransport: ~Copyable {
  private let socket: Descriptor
  private let slot: SlotName
  private let table: DetachedTable

  init(_ socket: consuming Descriptor, _ table: DetachedTable, _ slot: SlotName) {
    self.socket = socket
    self.table = table
    self.slot = slot
    table.noteDetached()
  }

  deinit { table.giveBack(slot) }

  /// The descriptor's number, for epoll.
  public var descriptor: Int32 { socket.raw }

  /// Whether bytes, an end or a failure wait in the table, or may wait in the kernel since no read
  /// found less than it had room for: epoll may never wake anybody for them.
  public var hasLeftovers: Bool {
    let head = table.slots.head(slot)
    return head.flags.contains(.hasNews) || head.mayHaveMore
  }

  /// Whether the handshake resumed an earlier session.
  public var resumed: Bool { table.slots.head(slot).nature.contains(.resumed) }

  /// How the peer proved itself, for a connection that came back by itself and only until the next
  /// one does; of others their owner asked before they were detached.
  public func readProof() -> PeerProof? { table.client(of: slot).map { .reconnect($0) } }

  /// Whether it tells what it leaves in the kernel, so that epoll need not look again; the kernel's
  /// own reads bring one record each, however many there are.
  var tellsWhatIsLeft: Bool { table.kernel == nil }

  /// The protocol version and the cipher suite, in OpenSSL's words.
  public func readAgreement() -> String? { "TLSv1.3, \(slot.suite.name)" }

  /// Says that an event announced bytes, which the next read may leave in the kernel: it hands over
  /// first what the table holds.
  func noteReadable() { table.noteReadable(slot) }

  /// Tells the processor that the slot will be needed in a moment.
  func foresee() { table.slots.foresee(slot) }

  /// Reads what there is, up to the free room of `buffer`.
  public mutating func read(into buffer: inout ReceiveBuffer) -> IOStep {
    table.read(slot, socket.raw, into: &buffer)
  }

  /// Writes from the start of `bytes`, at most one record.
  ///
  /// After ``IOStep/wouldBlock(_:)`` the next call must begin with the same bytes, at least as
  /// many: they are sealed already.
  public mutating func write(_ bytes: Span<UInt8>) -> IOStep {
    table.write(slot, socket.raw, bytes)
  }

  /// Tells the peer that no byte will follow; reading may go on.
  public mutating func finishWriting() -> IOStep { table.finishWriting(slot, socket.raw) }

  /// The slot, for tests that look at it.
  var place: SlotName { slot }
}

@available(*, unavailable)
extension DetachedTransport: Sendable {}

extension Transport {
  /// Takes a TLS connection from OpenSSL into the table, if that can be now.
  mutating func detach(into table: DetachedTable) -> DetachOutcome {
    switch consume self {
    case .tls(var tls):
      let (outcome, slot) = tls.fill(table)
      if let slot {
        table.handOver(slot, tls.descriptor)
        self = .detached(DetachedTransport(tls.releaseSocket(), table, slot))
      } else {
        self = .tls(tls)
      }
      return outcome
    case .returning(let returning):
      self = .returning(returning)
      return .notYet
    case .detached(let detached):
      self = .detached(detached)
      return .detached
    case .plain(let plain):
      self = .plain(plain)
      return .never
    case .polled(let polled):
      self = .polled(polled)
      return .never
    case .closed:
      self = .closed
      return .never
    }
  }

  /// Sends one session ticket, on a server's TLS connection that OpenSSL still has.
  mutating func sendTicket() -> IOStep {
    switch consume self {
    case .tls(var tls):
      let step = tls.sendTicket()
      self = .tls(tls)
      return step
    case .returning(let returning):
      self = .returning(returning)
      return .failed(TransportError(.closed))
    case .detached(let detached):
      self = .detached(detached)
      return .failed(TransportError(.closed))
    case .plain(let plain):
      self = .plain(plain)
      return .failed(TransportError(.closed))
    case .polled(let polled):
      self = .polled(polled)
      return .failed(TransportError(.closed))
    case .closed:
      self = .closed
      return .failed(TransportError(.closed))
    }
  }
}
