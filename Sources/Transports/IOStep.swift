// What one step of input, output or handshake came to. A step that would have to wait is the
// ordinary case of a non-blocking socket and no error; and since TLS may need to write in order to
// read, the step says which readiness it waits for.
public import Reactor

/// The outcome of one attempt to read or write.
public enum IOStep: Equatable, Sendable {
  /// So many bytes were moved.
  case progressed(Int)
  /// Nothing could be moved; try the same again when the descriptor is ready for this.
  case wouldBlock(Readiness)
  /// The peer ended its stream in good order: no byte will follow.
  case ended
  /// The connection is lost.
  case failed(TransportError)
}

/// The outcome of bytes that were to be sent at once.
public enum SendOutcome: Equatable, Sendable {
  /// They are all with the kernel.
  case sent
  /// Some of them, or all, wait in the queue.
  case queued
  /// The queue, or its pool, has no room for what the kernel did not take.
  case refused
  /// The connection ended or is lost, as a flush would say it.
  case lost(IOStep)
}

/// The outcome of one step of a handshake.
public enum HandshakeStep: Equatable, Sendable {
  /// The handshake is complete, and the peer's certificate verified if one was demanded.
  case done
  /// Step again when the descriptor is ready for this.
  case wouldBlock(Readiness)
  /// There will be no connection.
  case failed(TransportError)
}
