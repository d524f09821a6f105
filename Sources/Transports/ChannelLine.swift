// The moving parts of a channel and what its operations do with them. One value of an object, for
// the runtime asks at each access to a property of an object whether anybody else is at it: an
// operation on one value asks once, and one on three properties four or five times.
import Reactor

/// A transport, what waits to be sent through it, and what epoll shall say of it.
struct ChannelLine: ~Copyable {
  /// How the bytes travel.
  var transport: Transport
  /// What waits to be sent.
  var outbound: OutboundQueue
  /// What epoll shall say.
  var gate = ReadinessGate()

  /// As the channel's.
  mutating func mayReceive(on readiness: Readiness) -> Bool {
    if gate.tellsWhatIsLeft {
      gate.noteEvent(readiness)
      transport.noteReadable()
    }
    return gate.mayReceive(on: readiness)
  }

  /// As the channel's.
  mutating func receive(into buffer: inout ReceiveBuffer) -> IOStep {
    buffer.clear()
    let step = transport.read(into: &buffer)
    gate.noteReceive(step, leaves: transport.hasLeftovers)
    return step
  }

  /// As the channel's.
  var hasLeftovers: Bool { gate.receives && (gate.endNears || transport.hasLeftovers) }

  /// As the channel's.
  mutating func flush(now: Ticks, bytesMax: Int) -> IOStep {
    if transport.isShakingHands { return .progressed(0) }
    var sent = 0
    var step = IOStep.progressed(0)
    while !outbound.isEmpty && sent < bytesMax {
      step = outbound.withFront { transport.write($0) }
      guard case .progressed(let count) = step else { break }
      outbound.consume(count, now: now)
      sent += count
    }
    gate.noteFlush(step, isEmpty: outbound.isEmpty)
    switch step {
    case .progressed, .wouldBlock: return sent > 0 ? .progressed(sent) : step
    case .ended, .failed: return step
    }
  }

  /// As the channel's.
  mutating func send(_ bytes: Span<UInt8>, now: Ticks) -> SendOutcome {
    guard outbound.isEmpty, transport.isDetached else {
      return outbound.store(bytes, now: now) == .stored ? .queued : .refused
    }
    var sent = 0
    while sent < bytes.count {
      let step = transport.write(bytes.extracting(droppingFirst: sent))
      gate.noteFlush(step, isEmpty: true)
      switch step {
      case .progressed(let count): sent += count
      case .wouldBlock:
        let rest = bytes.extracting(droppingFirst: sent)
        return outbound.store(rest, now: now) == .stored ? .queued : .refused
      case .ended, .failed: return .lost(step)
      }
    }
    return .sent
  }

  /// As the channel's.
  mutating func settle(_ poller: Poller, _ token: Token) throws(Errno) {
    guard transport.descriptor >= 0 else { return }
    try gate.settle(poller, transport.descriptor, token)
  }

  /// As the channel's.
  mutating func close(sendCloseNotify: Bool) {
    if sendCloseNotify { _ = transport.finishWriting() }
    transport = .closed
    outbound.removeAll()
  }
}

@available(*, unavailable)
extension ChannelLine: Sendable {}
