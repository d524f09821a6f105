// Connections whose records the kernel seals and opens. It is given the keys when a connection is
// taken from OpenSSL, each way for itself; a way that it does not take stays ours. What is not data
// comes to us with its type and goes the same way through DetachedTable+Messages as any other, so
// alerts, key updates and their bounds are one code.
//
// The secrets stay in the slot, for key updates: the kernel is told each new key, which kernels
// before 6.14 refuse.
import COpenSSL
import Glibc
import Reactor

extension DetachedTable {
  /// Gives the kernel the keys of a connection that was just taken, as far as it takes them.
  ///
  /// OpenSSL has left nothing behind: what is not read yet lies in the kernel and begins with a
  /// record, the one that the slot counts next.
  func handOver(_ name: SlotName, _ fd: Int32) {
    guard let kernel else { return }
    var head = slots.head(name)
    // The answer to a key update is owed under the old key, which old kernels could not leave
    // afterwards: such a connection stays with us.
    guard !head.flags.contains(.owesUpdate) else { return }
    do throws(Errno) {
      try kernel.attach(fd)
    } catch {
      kernelRefusals &+= 1
      return
    }
    if setKernelKey(kernel, name, fd, .write) == nil { head.nature.insert(.kernelWrites) }
    if setKernelKey(kernel, name, fd, .read) == nil { head.nature.insert(.kernelReads) }
    slots.setHead(name, head)
    if head.isInKernel { inKernel += 1 }
    if !head.nature.isSuperset(of: [.kernelReads, .kernelWrites]) { kernelRefusals &+= 1 }
  }

  private func setKernelKey(
    _ kernel: KernelTLS, _ name: SlotName, _ fd: Int32, _ way: RecordWay
  ) -> Errno? {
    slots.withKernelKey(name, way) { info in
      do throws(Errno) {
        try kernel.setKey(fd, way, info)
        return nil
      } catch {
        return error
      }
    }
  }

  /// Tells the kernel the key that stands in the slot now; false if it does not follow.
  func rekeyKernel(_ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ way: RecordWay) -> Bool
  {
    guard let kernel, let error = setKernelKey(kernel, name, fd, way) else { return true }
    let failure = TransportError(.keyChange, errno: error.rawValue)
    // Of our own new key the peer knows already, and could not open an alert under the old one.
    if way == .read {
      fail(name, fd, &head, failure, alert: Alert.internalError)
    } else {
      fail(&head, failure)
    }
    return false
  }

  // MARK: In

  /// Receives until there is data, nothing, or an end.
  ///
  /// What brings no data is bounded as everywhere, and so is this loop.
  func readFromKernel(
    _ kernel: KernelTLS, _ name: SlotName, _ fd: Int32, _ head: inout SlotHead,
    into buffer: inout ReceiveBuffer
  ) -> IOStep {
    while true {
      // A record that is no data must come whole, or its end would look like another record.
      let fits = buffer.free >= RecordLimits.contentBytesMax
      let receipt: TLSReceipt
      if fits {
        var room = buffer.freeBytes
        receipt = kernel.receive(fd, into: &room)
      } else {
        var room = scratch.mutableSpan
        receipt = kernel.receive(fd, into: &room)
      }
      switch receipt {
      case .wouldBlock: return .wouldBlock(.readable)
      case .ended: fail(&head, TransportError(.truncated))
      case .failed(let error): refuse(kernel, name, fd, &head, error)
      case .record(ContentType.applicationData, let count):
        let freeBefore = buffer.free
        let isOver = take(name, fd, &head, count, fits: fits, into: &buffer) == .over
        if buffer.free < freeBefore {
          if isOver { head.flags.insert(.hasNews) }
          return .progressed(freeBefore - buffer.free)
        }
      case .record(let type, let count):
        _ = control(name, fd, &head, type ?? 0, content(count, fits: fits, &buffer))
      }
      if let step = standing(&head) { return step }
    }
  }

  /// Ends a connection for what the kernel found in the peer's records, in OpenSSL's words.
  private func refuse(
    _ kernel: KernelTLS, _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ error: Errno
  ) {
    switch error.rawValue {
    case EBADMSG:
      kernel.clearError(fd)
      refuse(
        name, fd, &head, SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, alert: Alert.badRecordMAC)
    case EMSGSIZE:
      kernel.clearError(fd)
      refuse(name, fd, &head, SSL_R_ENCRYPTED_LENGTH_TOO_LONG, alert: Alert.recordOverflow)
    case EINVAL:
      kernel.clearError(fd)
      refuse(name, fd, &head, SSL_R_WRONG_VERSION_NUMBER, alert: Alert.decodeError)
    case EKEYEXPIRED:
      fail(
        name, fd, &head, TransportError(.keyChange, errno: error.rawValue),
        alert: Alert.internalError)
    default: fail(&head, TransportError(errno: error.rawValue))
    }
  }

  // MARK: Out

  /// Writes content of at most one record.
  ///
  /// Nothing that the kernel did not take is sealed, so nothing need be kept.
  func writeToKernel(
    _ kernel: KernelTLS, _ name: SlotName, _ fd: Int32, _ head: inout SlotHead,
    _ bytes: Span<UInt8>
  ) -> IOStep {
    // The kernel may make two records of one call when it is short of memory; the bound has room.
    let sequence = slots.sequence(name, .write)
    if head.flags.contains(.owesUpdate) || sequence >= RecordLimits.ownRecordsMax {
      let step = sendKernelKeyUpdate(kernel, name, fd, &head)
      guard step == .progressed(0) else { return step }
    }
    let count = min(bytes.count, RecordLimits.contentBytesMax)
    let content = bytes.extracting(first: count)
    switch kernel.send(fd, type: ContentType.applicationData, content) {
    case .moved(let count):
      slots.setSequence(name, .write, slots.sequence(name, .write) + 1)
      return .progressed(count)
    case let other: return step(other, &head)
    }
  }

  /// Sends close_notify, once.
  func finishWritingToKernel(
    _ kernel: KernelTLS, _ fd: Int32, _ head: inout SlotHead
  ) -> IOStep {
    let content: [UInt8] = [Alert.warning, Alert.closeNotify]
    switch kernel.send(fd, type: ContentType.alert, content.span) {
    case .moved:
      head.flags.insert(.finished)
      return .progressed(0)
    case let other: return step(other, &head)
    }
  }

  /// Sends a KeyUpdate and goes on to the next key.
  private func sendKernelKeyUpdate(
    _ kernel: KernelTLS, _ name: SlotName, _ fd: Int32, _ head: inout SlotHead
  ) -> IOStep {
    let asks: UInt8 = head.flags.contains(.asksForUpdate) ? 1 : 0
    let message: [UInt8] = [HandshakeMessage.keyUpdate, 0, 0, 1, asks]
    switch kernel.send(fd, type: ContentType.handshake, message.span) {
    case .moved(message.count): break
    // The rest would be in another record, which nobody bears for a KeyUpdate.
    case .moved: return lose(&head, TransportError(.keyChange))
    case let other: return step(other, &head)
    }
    guard slots.advanceKeys(name, .write) else { return lose(&head) }
    if !rekeyKernel(name, fd, &head, .write) { return standing(&head) ?? .progressed(0) }
    head.flags.subtract([.owesUpdate, .asksForUpdate])
    keyUpdatesSent &+= 1
    return .progressed(0)
  }

  private func step(_ step: SocketStep, _ head: inout SlotHead) -> IOStep {
    switch step {
    case .moved: return .progressed(0)
    case .wouldBlock: return .wouldBlock(.writable)
    case .ended: return lose(&head, TransportError(.closed))
    case .failed(let error): return lose(&head, TransportError(errno: error.rawValue))
    }
  }
}
