// Going on with input that could not be finished by an earlier call: opened bytes that had no room,
// whole records that had no room, or the beginning of a record. A beginning only grows at its end
// until the record is whole, so that a peer that sends single bytes costs no copying of the rest.
import Reactor

extension DetachedTable {
  /// Takes up what is held, and reads from the socket if that is only a beginning.
  ///
  /// - Returns: nil if there is nothing to open now, `progressed(0)` if `range` of the room is to
  ///   be opened, or the answer for the owner.
  func resume(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ buffer: inout ReceiveBuffer,
    _ range: inout Range<Int>
  ) -> IOStep? {
    let isWhole = head.flags.contains(.hasNews)
    head.flags.subtract([.holdsInput, .hasNews])
    guard var input = held.takeInput(of: name) else { return .progressed(0) }
    if input.delivered < input.opened.count {
      hand(&input, to: &buffer)
      let isOver = input.delivered == input.opened.count
      if isOver {
        input.opened = []
        input.delivered = 0
      }
      if !isOver || !input.sealed.isEmpty {
        guard hold(input, name, &head) else { return nil }
        if !isOver || startsWithRecord(input.sealed) { head.flags.insert(.hasNews) }
      }
      return nil
    }
    let before = input.sealed.count
    if isWhole {
      for index in 0..<before { inbound.bytes[index] = input.sealed[index] }
      range = 0..<before
      return .progressed(0)
    }
    let got: Int
    switch fetch(name, fd, &head, atMost: buffer.free - before) {
    case .progressed(let count): got = count
    case .wouldBlock(let readiness):
      guard hold(input, name, &head) else { return standing(&head) }
      return .wouldBlock(readiness)
    case let other: return other
    }
    if before + got < wholeBytes(input.sealed, got) {
      input.sealed.append(contentsOf: inbound.bytes[Self.inboundStart..<Self.inboundStart + got])
      guard hold(input, name, &head) else { return standing(&head) }
      return .wouldBlock(.readable)
    }
    let start = Self.inboundStart - before
    for index in 0..<before { inbound.bytes[start + index] = input.sealed[index] }
    range = start..<Self.inboundStart + got
    return .progressed(0)
  }

  /// Keeps what is left of the range, if anything is.
  func keepRest(_ name: SlotName, _ head: inout SlotHead, _ range: Range<Int>) {
    guard !range.isEmpty else { return }
    var input = held.takeInput(of: name) ?? HeldInput()
    input.sealed = Array(inbound.bytes[range])
    _ = hold(input, name, &head)
  }

  private func hold(_ input: HeldInput, _ name: SlotName, _ head: inout SlotHead) -> Bool {
    guard held.keep(input, of: name) else {
      head.flags.insert(.hasNews)
      fail(&head, TransportError(.limitExceeded))
      return false
    }
    head.flags.insert(.holdsInput)
    return true
  }

  /// Moves opened bytes into the receive buffer.
  private func hand(_ input: inout HeldInput, to buffer: inout ReceiveBuffer) {
    let count = min(input.opened.count - input.delivered, buffer.free)
    let first = input.delivered
    var room = buffer.freeBytes
    for index in 0..<count { room[index] = input.opened[first + index] }
    buffer.advance(count)
    input.delivered += count
  }

  /// Whether there is a whole record, or a header that none has, at the start.
  private func startsWithRecord(_ bytes: [UInt8]) -> Bool {
    guard bytes.count >= RecordLimits.headerBytes else { return false }
    guard case .body(let count) = RecordHeader.read(bytes, at: 0) else { return true }
    return bytes.count >= RecordLimits.headerBytes + count
  }

  /// Bytes that the record will have whose beginning is held and followed by `got` bytes more; its
  /// header's while that is not there; none for a header that no record has, which is judged at
  /// once.
  private func wholeBytes(_ beginning: [UInt8], _ got: Int) -> Int {
    guard beginning.count + got >= RecordLimits.headerBytes else { return .max }
    var header: [UInt8] = Array(beginning.prefix(RecordLimits.headerBytes))
    var next = Self.inboundStart
    while header.count < RecordLimits.headerBytes {
      header.append(inbound.bytes[next])
      next += 1
    }
    guard case .body(let count) = RecordHeader.read(header, at: 0) else { return 0 }
    return RecordLimits.headerBytes + count
  }
}
