// The way out: at most one record of data per call, sealed in the table's room and sent at once.
// What the socket does not take is kept, sealed as it is, and goes before anything else: its
// sequence number is used up.
import Reactor

extension DetachedTable {
  /// Writes from the start of `bytes`, at most one record.
  func write(_ name: SlotName, _ fd: Int32, _ bytes: Span<UInt8>) -> IOStep {
    var head = slots.head(name)
    if let error = failure(head) { return .failed(error) }
    guard !head.flags.contains(.finished) else { return .failed(TransportError(.closed)) }
    guard bytes.count > 0 else { return .progressed(0) }
    defer { slots.setHead(name, head) }
    if let kernel, head.nature.contains(.kernelWrites) {
      return writeToKernel(kernel, name, fd, &head, bytes)
    }
    if head.flags.contains(.holdsOutput) {
      let step = sendHeld(name, fd, &head)
      // What was kept were these very bytes, or an alert or key update before them.
      guard step == .progressed(0) else { return step }
    }
    var filled = 0
    if head.flags.contains(.owesUpdate)
      || slots.sequence(name, .write) >= RecordLimits.ownRecordsMax
    {
      guard let size = sealKeyUpdate(name, &head) else { return lose(&head) }
      filled = size
    }
    let count = min(bytes.count, RecordLimits.contentBytesMax)
    guard
      let size = ciphers.seal(
        slots, name, type: ContentType.applicationData, bytes.extracting(first: count),
        into: &outbound.bytes, at: filled)
    else { return lose(&head) }
    return send(name, fd, &head, filled + size, covering: count)
  }

  /// Tells the peer that no byte will follow.
  func finishWriting(_ name: SlotName, _ fd: Int32) -> IOStep {
    var head = slots.head(name)
    if let error = failure(head) { return .failed(error) }
    defer { slots.setHead(name, head) }
    if head.flags.contains(.holdsOutput) {
      let step = sendHeld(name, fd, &head)
      guard case .progressed = step else { return step }
    }
    guard !head.flags.contains(.finished) else { return .progressed(0) }
    if let kernel, head.nature.contains(.kernelWrites) {
      return finishWritingToKernel(kernel, fd, &head)
    }
    let content: [UInt8] = [Alert.warning, Alert.closeNotify]
    guard
      let size = ciphers.seal(
        slots, name, type: ContentType.alert, content.span, into: &outbound.bytes, at: 0)
    else { return lose(&head) }
    head.flags.insert(.finished)
    return send(name, fd, &head, size, covering: 0)
  }

  /// Sends what was kept; `progressed` with the owner's bytes that it stood for once all is gone.
  func sendHeld(_ name: SlotName, _ fd: Int32, _ head: inout SlotHead) -> IOStep {
    guard var output = held.takeOutput(of: name) else {
      head.flags.remove(.holdsOutput)
      return .progressed(0)
    }
    switch StreamSocket.write(fd, output.bytes.span.extracting(droppingFirst: output.sent)) {
    case .moved(let count): output.sent += count
    case .wouldBlock: break
    case .ended: return lose(&head, TransportError(.closed))
    case .failed(let error): return lose(&head, TransportError(errno: error.rawValue))
    }
    if output.sent == output.bytes.count {
      head.flags.remove(.holdsOutput)
      return .progressed(output.covers)
    }
    // It was counted before, and has not grown.
    guard held.keep(output, of: name) else { return lose(&head) }
    return .wouldBlock(.writable)
  }

  /// Sends the first `size` bytes of the room, and keeps what the socket does not take.
  private func send(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ size: Int, covering covers: Int
  ) -> IOStep {
    let sent: Int
    switch outbound.send(fd, first: size) {
    case .moved(let count): sent = count
    case .wouldBlock: sent = 0
    case .ended: return lose(&head, TransportError(.closed))
    case .failed(let error): return lose(&head, TransportError(errno: error.rawValue))
    }
    if sent == size { return .progressed(covers) }
    let output = HeldOutput(bytes: Array(outbound.bytes[sent..<size]), covers: covers)
    guard held.keep(output, of: name) else {
      return lose(&head, TransportError(.limitExceeded))
    }
    head.flags.insert(.holdsOutput)
    return .wouldBlock(.writable)
  }

  /// Seals a KeyUpdate at the start of the room and goes on to the next key.
  private func sealKeyUpdate(_ name: SlotName, _ head: inout SlotHead) -> Int? {
    let asks: UInt8 = head.flags.contains(.asksForUpdate) ? 1 : 0
    let message: [UInt8] = [HandshakeMessage.keyUpdate, 0, 0, 1, asks]
    guard
      let size = ciphers.seal(
        slots, name, type: ContentType.handshake, message.span, into: &outbound.bytes, at: 0)
    else { return nil }
    ciphers.forget(name)
    guard slots.advanceKeys(name, .write) else { return nil }
    head.flags.subtract([.owesUpdate, .asksForUpdate])
    keyUpdatesSent &+= 1
    return size
  }

  func lose(
    _ head: inout SlotHead, _ error: TransportError = TransportError(.setup)
  ) -> IOStep {
    fail(&head, error)
    return .failed(error)
  }
}
