// TCP or a Unix socket without TLS: for loopback listeners, for tests, and as the simplest thing
// that the contract of a transport can be checked against.
public import Reactor

/// One connection without TLS on a descriptor that it owns.
public struct PlainTransport: ~Copyable {
  private let socket: Descriptor
  private var finished = false

  /// Takes over a connected, non-blocking socket.
  public init(_ socket: consuming Descriptor) {
    self.socket = socket
  }

  /// The descriptor's number, for epoll.
  public var descriptor: Int32 { socket.raw }

  /// Gives the socket away, for whoever goes on with it in another way.
  consuming func takeSocket() -> Descriptor { socket }

  /// Reads what there is, up to the free room of `buffer`.
  public mutating func read(into buffer: inout ReceiveBuffer) -> IOStep {
    guard buffer.free > 0 else { return .progressed(0) }
    var room = buffer.freeBytes
    switch StreamSocket.read(socket.raw, into: &room) {
    case .moved(let count):
      buffer.advance(count)
      return .progressed(count)
    case .wouldBlock: return .wouldBlock(.readable)
    case .ended: return .ended
    case .failed(let error): return .failed(TransportError(errno: error.rawValue))
    }
  }

  /// Writes from the start of `bytes` as many as the kernel takes.
  public mutating func write(_ bytes: Span<UInt8>) -> IOStep {
    guard !finished else { return .failed(TransportError(.closed)) }
    guard bytes.count > 0 else { return .progressed(0) }
    switch StreamSocket.write(socket.raw, bytes) {
    case .moved(let count): return .progressed(count)
    case .wouldBlock: return .wouldBlock(.writable)
    case .ended: return .failed(TransportError(.closed))
    case .failed(let error): return .failed(TransportError(errno: error.rawValue))
    }
  }

  /// Tells the peer that no byte will follow; reading may go on.
  public mutating func finishWriting() -> IOStep {
    guard !finished else { return .progressed(0) }
    finished = true
    do throws(Errno) {
      try StreamSocket.shutdownWrites(socket.raw)
      return .progressed(0)
    } catch {
      return .failed(TransportError(errno: error.rawValue))
    }
  }
}

@available(*, unavailable)
extension PlainTransport: Sendable {}
