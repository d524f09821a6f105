// All detached connections of one loop: their slots, the cipher contexts that they share, and one
// room each for what is read and what is sealed. A connection that is idle costs its slot and not a
// byte more; one that is at work borrows the rooms for the length of a call.
//
// The record layer itself is in the other files of this folder: DetachedTable+Reading,
// DetachedTable+Messages, DetachedTable+Writing.
import Reactor

/// The detached TLS connections of one loop.
///
/// Belongs to one thread, with all transports that were detached into it.
public final class DetachedTable {
  /// Connections that may be in it at once.
  public let limit: Int
  /// Connections that are in it.
  public var count: Int { slots.inUse }
  /// Bytes of unfinished records held beside the slots, of all connections together.
  public var heldBytes: Int { held.bytes }
  /// Connections that were detached so far.
  public private(set) var detached: UInt64 = 0
  /// Connections that could not be detached because the table was full.
  public private(set) var refusals: UInt64 = 0
  /// Key updates that peers made.
  public internal(set) var keyUpdatesReceived: UInt64 = 0
  /// Key updates that we made, most of them in answer.
  public internal(set) var keyUpdatesSent: UInt64 = 0
  /// Connections whose records the kernel seals or opens.
  public internal(set) var inKernel = 0
  /// Connections of which the kernel did not take all that it was to take.
  public internal(set) var kernelRefusals: UInt64 = 0
  /// Connections that we ended with a fatal alert.
  public internal(set) var alertsSent: UInt64 = 0

  let slots = DetachedSlots()
  let ciphers: RecordCiphers
  /// The kernel, if it is to seal and open records.
  let kernel: KernelTLS?
  var held: HeldRecords
  /// Who came back last, and the slot of that connection; told as long as nobody else has.
  private var lastReturn: (slot: SlotName, client: ProvenClient)?
  /// Where bytes from a socket land: behind room for the part of a record that came before.
  var inbound = RecordRoom(DetachedTable.inboundStart + 64 * 1024)
  /// Where records are sealed: a key update and a record of data.
  var outbound = RecordRoom(2 * RecordLimits.recordBytesMax)
  /// Where a record is opened whose content the receive buffer may have no room for.
  var scratch = [UInt8](repeating: 0, count: RecordLimits.bodyBytesMax)

  /// Bytes of ``inbound`` before those that a socket delivers.
  static let inboundStart = RecordLimits.recordBytesMax

  /// Makes an empty table for at most `limit` connections; nil if OpenSSL lacks a cipher.
  /// - Parameters:
  ///   - heldBytesMax: what unfinished records of all connections may take; a connection
  ///   that would exceed it is ended.
  ///   - kernel: whom each connection's keys are given to; nil seals and opens all records here.
  public init?(limit: Int, heldBytesMax: Int = 64 << 20, kernel: KernelTLS? = nil) {
    precondition(limit > 0, "a table holds at least one connection")
    guard let ciphers = RecordCiphers() else { return nil }
    self.limit = min(limit, SlotName.placesMax)
    self.ciphers = ciphers
    self.kernel = kernel
    held = HeldRecords(bytesMax: heldBytesMax)
  }

  /// Takes a slot; nil when the table is full.
  func take(_ suite: CipherSuite) -> SlotName? {
    guard slots.inUse < limit, let name = slots.take(suite) else {
      refusals &+= 1
      return nil
    }
    return name
  }

  /// Counts a connection whose slot is filled.
  func noteDetached() { detached &+= 1 }

  /// Remembers for whom the connection of a slot came back, until the next one does.
  func noteReturn(_ client: ProvenClient, _ name: SlotName) { lastReturn = (name, client) }

  /// For whom the connection of a slot came back; nil if it did not, or another one has since.
  func client(of name: SlotName) -> ProvenClient? {
    lastReturn?.slot == name ? lastReturn?.client : nil
  }

  /// Wipes a slot and all that is held for it.
  func giveBack(_ name: SlotName) {
    if lastReturn?.slot == name { lastReturn = nil }
    if slots.head(name).isInKernel { inKernel -= 1 }
    ciphers.forget(name)
    held.removeAll(of: name)
    slots.giveBack(name)
  }

  // MARK: Failing

  /// The failure that ended a connection, if one did.
  func failure(_ head: SlotHead) -> TransportError? {
    guard head.failure > 0, let kind = TransportError.Kind(rawValue: head.failure - 1) else {
      return nil
    }
    return TransportError(kind, reason: head.failureReason, errno: head.failureErrno)
  }

  /// Ends a connection for good.
  func fail(_ head: inout SlotHead, _ error: TransportError) {
    head.failure = error.kind.rawValue + 1
    head.failureReason = error.reason
    head.failureErrno = error.errno
  }

  /// Ends a connection for good and tells the peer why, as far as that goes at once.
  func fail(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ error: TransportError, alert: UInt8
  ) {
    fail(&head, error)
    guard !head.flags.contains(.finished) else { return }
    if head.flags.contains(.holdsOutput), sendHeld(name, fd, &head) != .progressed(0) { return }
    let content: [UInt8] = [Alert.fatal, alert]
    if let kernel, head.nature.contains(.kernelWrites) {
      alertsSent &+= 1
      _ = kernel.send(fd, type: ContentType.alert, content.span)
      return
    }
    guard
      let size = ciphers.seal(
        slots, name, type: ContentType.alert, content.span, into: &outbound.bytes, at: 0)
    else { return }
    alertsSent &+= 1
    _ = outbound.send(fd, first: size)
  }
}

@available(*, unavailable)
extension DetachedTable: Sendable {}
