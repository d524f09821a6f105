// A stream of bytes that travels in pieces: request bodies one way, answers the other. Each piece
// says where in its stream it begins, and each side says how much of the other's stream it has, so
// that a piece that is lost is sent again and a piece that comes twice is taken once; which socket
// carried it does not matter. What TCP does with segments, done for long polls.
//
// The pieces are moved by the owner, who knows the sockets: this is arithmetic and memory only.

import Reactor

/// One end of a stream that is carried by long polls.
///
/// Belongs to one thread. Costs no memory beyond itself while nothing is on its way.
public struct PolledTransport: ~Copyable {
  /// What one end remembers; in an object of its own, so that a connection of another kind does not
  /// pay for its size in every ``Transport``.
  private final class Memory {
    let window: Int
    var received: UInt64 = 0
    var confirmed: UInt64 = 0
    /// What the peer is not known to have.
    var outbox: [UInt8] = []
    /// What came and was not read yet.
    var inbox: [UInt8] = []
    var inboxRead = 0
    var isFinished = false

    init(window: Int) { self.window = window }
  }

  private let memory: Memory

  /// Bytes written that the peer is not known to have, at most.
  public var window: Int { memory.window }
  /// Bytes of the peer's stream taken so far.
  public private(set) var received: UInt64 {
    get { memory.received }
    set { memory.received = newValue }
  }
  /// Where in our stream the first byte that is not confirmed stands.
  public private(set) var confirmed: UInt64 {
    get { memory.confirmed }
    set { memory.confirmed = newValue }
  }

  private var outbox: [UInt8] {
    get { memory.outbox }
    _modify { yield &memory.outbox }
  }
  private var inbox: [UInt8] {
    get { memory.inbox }
    _modify { yield &memory.inbox }
  }
  private var inboxRead: Int {
    get { memory.inboxRead }
    set { memory.inboxRead = newValue }
  }
  private var isFinished: Bool {
    get { memory.isFinished }
    set { memory.isFinished = newValue }
  }

  /// Makes an end whose unconfirmed output is bounded by `window` bytes.
  public init(window: Int) {
    precondition(window > 0, "a stream without a window never moves")
    memory = Memory(window: window)
  }

  /// Where our stream ends: bytes written so far.
  public var written: UInt64 { confirmed &+ UInt64(outbox.count) }

  // MARK: The channel's side

  /// Gives what came, up to the free room of `buffer`.
  public mutating func read(into buffer: inout ReceiveBuffer) -> IOStep {
    let waiting = inbox.count - inboxRead
    guard waiting > 0 else { return .wouldBlock(.readable) }
    let count = min(waiting, buffer.free)
    let first = inboxRead
    var room = buffer.freeBytes
    for offset in 0..<count { room[offset] = inbox[first + offset] }
    buffer.advance(count)
    inboxRead += count
    if inboxRead == inbox.count {
      inbox = []
      inboxRead = 0
    }
    return .progressed(count)
  }

  /// Takes bytes for the peer, up to the window; they stay here until it confirms them.
  public mutating func write(_ bytes: Span<UInt8>) -> IOStep {
    guard !isFinished else { return .failed(TransportError(.closed)) }
    guard bytes.count > 0 else { return .progressed(0) }
    let count = min(bytes.count, window - outbox.count)
    guard count > 0 else { return .wouldBlock(.writable) }
    outbox.reserveCapacity(outbox.count + count)
    for index in 0..<count { outbox.append(bytes[index]) }
    return .progressed(count)
  }

  /// No byte will be written after this.
  public mutating func finishWriting() -> IOStep {
    isFinished = true
    return .progressed(0)
  }

  /// Whether bytes that came wait to be read, for which no event will come.
  public var hasLeftovers: Bool { inboxRead < inbox.count }

  // MARK: The carrier's side

  /// Takes a piece of the peer's stream that begins at `offset`.
  ///
  /// - Returns: false for a piece that leaves a gap, or that would pass what a stream can count:
  ///   nothing is taken then. What was taken before is skipped.
  public mutating func deliver(_ bytes: [UInt8], at offset: UInt64) -> Bool {
    guard offset <= received else { return false }
    let (end, overflow) = offset.addingReportingOverflow(UInt64(bytes.count))
    guard !overflow else { return false }
    guard end > received else { return true }
    let known = Int(received - offset)
    if inbox.isEmpty && known == 0 {
      inbox = bytes
    } else {
      inbox += bytes[known...]
    }
    received = end
    return true
  }

  /// Takes the peer's word that it has our stream up to `offset`; what it has is let go.
  ///
  /// - Returns: false for an offset that cannot be: behind what it confirmed before (an old piece
  ///   that came late) or beyond what was written.
  public mutating func confirm(upTo offset: UInt64) -> Bool {
    guard offset >= confirmed, offset <= written else { return false }
    let count = Int(offset - confirmed)
    guard count > 0 else { return true }
    if count == outbox.count { outbox = [] } else { outbox.removeFirst(count) }
    confirmed = offset
    return true
  }

  /// What the peer is not known to have, from its first byte on, which stands at ``confirmed``.
  public var unconfirmed: [UInt8] { outbox }
}

@available(*, unavailable)
extension PolledTransport: Sendable {}

extension Transport {
  /// What `body` does to a polled transport; nil for any other, which is left as it is.
  mutating func withPolled<Result>(_ body: (inout PolledTransport) -> Result) -> Result? {
    switch consume self {
    case .polled(var polled):
      let result = body(&polled)
      self = .polled(polled)
      return result
    case .plain(let plain):
      self = .plain(plain)
      return nil
    case .tls(let tls):
      self = .tls(tls)
      return nil
    case .returning(let returning):
      self = .returning(returning)
      return nil
    case .detached(let detached):
      self = .detached(detached)
      return nil
    case .closed:
      self = .closed
      return nil
    }
  }
}
