// The way in: one read from the socket into the table's room, then every whole record in it, opened
// straight into the receive buffer. The common case is one record that is whole: one system call,
// one opening, no allocation. The rest of this file is for what is torn, and for receive buffers
// that are smaller than a record.
import COpenSSL
import Reactor

extension DetachedTable {
  /// What became of one record.
  enum RecordStep: Equatable {
    /// Go on with the next.
    case taken
    /// Nothing after it counts: the end, or a failure.
    case over
  }

  /// Reads what there is, up to the free room of `buffer`.
  func read(_ name: SlotName, _ fd: Int32, into buffer: inout ReceiveBuffer) -> IOStep {
    var head = slots.head(name)
    defer { slots.setHead(name, head) }
    if let step = standing(&head) { return step }
    guard buffer.free > 0 else { return .progressed(0) }
    let freeBefore = buffer.free
    var range = Self.inboundStart..<Self.inboundStart
    if head.flags.contains(.holdsInput) {
      guard let step = resume(name, fd, &head, &buffer, &range) else {
        return .progressed(freeBefore - buffer.free)
      }
      guard step == .progressed(0) else { return step }
    } else if let kernel, head.nature.contains(.kernelReads) {
      return readFromKernel(kernel, name, fd, &head, into: &buffer)
    } else {
      switch fetch(name, fd, &head, atMost: buffer.free) {
      case .progressed(let count): range = Self.inboundStart..<Self.inboundStart + count
      case let other: return other
      }
    }
    openAll(name, fd, &head, &range, into: &buffer)
    let brought = freeBefore - buffer.free
    if brought > 0 { return .progressed(brought) }
    return standing(&head) ?? .wouldBlock(.readable)
  }

  /// Notes that the kernel has something to read.
  func noteReadable(_ name: SlotName) {
    var head = slots.head(name)
    head.mayHaveMore = true
    slots.setHead(name, head)
  }

  /// The answer of a connection that is over; telling it once is enough.
  func standing(_ head: inout SlotHead) -> IOStep? {
    if let error = failure(head) {
      head.mayHaveMore = false
      head.flags.remove(.hasNews)
      return .failed(error)
    }
    if head.flags.contains(.peerEnded) {
      head.mayHaveMore = false
      head.flags.remove(.hasNews)
      return .ended
    }
    return nil
  }

  /// Reads once from the socket, behind the room for the beginning of a record; `wanted` is what
  /// the receive buffer has room for.
  func fetch(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, atMost wanted: Int
  ) -> IOStep {
    // No more than the receive buffer takes, so that nothing is left over; a record at least.
    let count = min(
      max(wanted, RecordLimits.recordBytesMax), inbound.bytes.count - Self.inboundStart)
    head.mayHaveMore = false
    switch inbound.receive(fd, into: Self.inboundStart..<Self.inboundStart + count) {
    case .moved(let got):
      head.mayHaveMore = got == count
      return .progressed(got)
    case .wouldBlock: return .wouldBlock(.readable)
    case .ended:
      fail(&head, TransportError(.truncated))
      return .failed(TransportError(.truncated))
    case .failed(let error):
      fail(&head, TransportError(errno: error.rawValue))
      return .failed(TransportError(errno: error.rawValue))
    }
  }

  // MARK: Records

  /// Opens whole records of the range one after the other, and keeps what is left.
  private func openAll(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ range: inout Range<Int>,
    into buffer: inout ReceiveBuffer
  ) {
    let freeBefore = buffer.free
    // Once part of a record had to be held, nothing after it is even looked at: a fault there must
    // not overtake it.
    while !head.flags.contains(.holdsInput), range.count >= RecordLimits.headerBytes {
      let body: Int
      switch RecordHeader.read(inbound.bytes, at: range.lowerBound) {
      case .body(let count): body = count
      case let wrong:
        if let fault = wrong.fault {
          refuse(name, fd, &head, fault.reason, alert: fault.alert)
        }
        head.flags.insert(.hasNews)
        return
      }
      let size = RecordLimits.headerBytes + body
      guard range.count >= size else { break }
      let inner = body - CipherSuite.tagBytes
      if inner > buffer.free && buffer.free < freeBefore {
        // The owner has something; this record is for the next call.
        head.flags.insert(.hasNews)
        break
      }
      let record = range.lowerBound..<range.lowerBound + size
      guard open(name, fd, &head, record, into: &buffer) == .taken else {
        head.flags.insert(.hasNews)
        return
      }
      range = record.upperBound..<range.upperBound
    }
    keepRest(name, &head, range)
  }

  private func open(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ record: Range<Int>,
    into buffer: inout ReceiveBuffer
  ) -> RecordStep {
    let sequence = slots.sequence(name, .read)
    guard sequence < name.suite.peerRecordsMax else {
      fail(name, fd, &head, TransportError(.limitExceeded), alert: Alert.unexpectedMessage)
      return .over
    }
    // An honest peer changes its key by itself, or else when it is asked.
    if sequence == RecordLimits.askAfterRecords {
      head.flags.formUnion([.owesUpdate, .asksForUpdate])
    }
    let inner = record.count - RecordLimits.headerBytes - CipherSuite.tagBytes
    let fits = inner <= buffer.free
    let opened: OpenedRecord
    if fits {
      var room = buffer.freeBytes
      opened = ciphers.open(slots, name, inbound.bytes, record, into: &room)
    } else {
      var room = scratch.mutableSpan
      opened = ciphers.open(slots, name, inbound.bytes, record, into: &room)
    }
    switch opened {
    case .forged:
      return refuse(
        name, fd, &head, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, alert: Alert.badRecordMAC)
    case .untyped:
      return refuse(name, fd, &head, SSL_R_BAD_RECORD_TYPE, alert: Alert.unexpectedMessage)
    case .content(_, let count) where count > RecordLimits.contentBytesMax:
      return refuse(name, fd, &head, SSL_R_DATA_LENGTH_TOO_LONG, alert: Alert.recordOverflow)
    case .content(ContentType.applicationData, let count):
      return take(name, fd, &head, count, fits: fits, into: &buffer)
    case .content(let type, let count):
      return control(name, fd, &head, type, content(count, fits: fits, &buffer))
    }
  }

  /// Takes data that was opened into the receive buffer if it fits there, or beside it.
  func take(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ count: Int, fits: Bool,
    into buffer: inout ReceiveBuffer
  ) -> RecordStep {
    guard count > 0 else { return bear(name, fd, &head) }
    guard !head.flags.contains(.hasFragment) else {
      return refuse(
        name, fd, &head, SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA,
        alert: Alert.unexpectedMessage)
    }
    head.barrenRecords = 0
    guard fits else { return deliver(name, &head, count, into: &buffer) }
    buffer.advance(count)
    return .taken
  }

  /// What was opened and is no data, from where data would lie.
  func content(_ count: Int, fits: Bool, _ buffer: inout ReceiveBuffer) -> [UInt8] {
    guard fits else { return Array(scratch[..<count]) }
    var content: [UInt8] = []
    let room = buffer.freeBytes
    for index in 0..<count { content.append(room[index]) }
    return content
  }

  /// Delivers what the receive buffer has room for, of a record that was opened beside it.
  func deliver(
    _ name: SlotName, _ head: inout SlotHead, _ count: Int, into buffer: inout ReceiveBuffer
  ) -> RecordStep {
    let now = min(count, buffer.free)
    var room = buffer.freeBytes
    for index in 0..<now { room[index] = scratch[index] }
    buffer.advance(now)
    guard now < count else { return .taken }
    var input = held.takeInput(of: name) ?? HeldInput()
    input.opened = Array(scratch[now..<count])
    guard held.keep(input, of: name) else {
      fail(&head, TransportError(.limitExceeded))
      return .over
    }
    head.flags.formUnion([.holdsInput, .hasNews])
    return .taken
  }

  /// Bears a record that brought nothing, if it is not one of too many.
  func bear(_ name: SlotName, _ fd: Int32, _ head: inout SlotHead) -> RecordStep {
    head.barrenRecords += 1
    guard head.barrenRecords > RecordLimits.barrenRecordsMax else { return .taken }
    return refuse(name, fd, &head, SSL_R_RECORD_TOO_SMALL, alert: Alert.unexpectedMessage)
  }

  /// Ends the connection with OpenSSL's code for us and an alert for the peer.
  @discardableResult
  func refuse(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ reason: Int32, alert: UInt8
  ) -> RecordStep {
    fail(name, fd, &head, TransportError(.protocolViolation, reason: reason), alert: alert)
    return .over
  }
}
