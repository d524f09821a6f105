// Records that are not data: alerts, key updates, session tickets. Everything else ends the
// connection. What a peer may send for nothing is bounded: key updates over a connection's life,
// tickets and warnings in a row.
import COpenSSL
import Reactor

/// The handshake messages that are known by name: those that may come after a handshake, and the
/// last one within it.
enum HandshakeMessage {
  static let newSessionTicket: UInt8 = 4
  static let finished: UInt8 = 20
  static let keyUpdate: UInt8 = 24
  /// Bytes before a message's body: its type and its length.
  static let headerBytes = 4
}

extension DetachedTable {
  /// Acts upon a record that is not data.
  func control(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ type: UInt8, _ content: [UInt8]
  ) -> RecordStep {
    switch type {
    case ContentType.alert: return hearAlert(name, fd, &head, content)
    case ContentType.handshake: return hearHandshake(name, fd, &head, content)
    default:
      return refuse(name, fd, &head, SSL_R_UNEXPECTED_RECORD, alert: Alert.unexpectedMessage)
    }
  }

  private func hearAlert(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ content: [UInt8]
  ) -> RecordStep {
    guard content.count == 2 else {
      return refuse(name, fd, &head, SSL_R_INVALID_ALERT, alert: Alert.unexpectedMessage)
    }
    // In TLS 1.3 the number alone says what is fatal; the level says nothing (RFC 8446, 6).
    switch content[1] {
    case Alert.closeNotify:
      head.flags.insert(.peerEnded)
      return .over
    case Alert.userCanceled: return bear(name, fd, &head)
    default:
      fail(&head, TransportError(.alertReceived, reason: Int32(content[1])))
      return .over
    }
  }

  /// Goes through the messages of one record, which may begin or end in the middle of one.
  private func hearHandshake(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ content: [UInt8]
  ) -> RecordStep {
    guard !content.isEmpty else {
      return refuse(name, fd, &head, SSL_R_BAD_LENGTH, alert: Alert.unexpectedMessage)
    }
    var fragment = HandshakeFragment()
    if head.flags.contains(.hasFragment) {
      fragment = held.takeFragment(of: name) ?? HandshakeFragment()
      head.flags.remove(.hasFragment)
    }
    var place = 0
    while place < content.count {
      if fragment.skips > 0 {
        let skipped = min(fragment.skips, content.count - place)
        fragment.skips -= skipped
        place += skipped
        continue
      }
      fragment.bytes.append(content[place])
      place += 1
      let isLast = place == content.count
      guard judge(name, fd, &head, &fragment, isLast: isLast) == .taken else { return .over }
    }
    if fragment != HandshakeFragment() {
      held.keep(fragment, of: name)
      head.flags.insert(.hasFragment)
    }
    // A key update is counted by itself, but neither it nor a ticket brings anything.
    return bear(name, fd, &head)
  }

  /// Looks at the beginning of a message each time that it has grown by a byte.
  private func judge(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, _ fragment: inout HandshakeFragment,
    isLast: Bool
  ) -> RecordStep {
    let bytes = fragment.bytes
    let isClient = head.nature.contains(.isClient)
    switch bytes[0] {
    case HandshakeMessage.keyUpdate: break
    case HandshakeMessage.newSessionTicket where isClient: break
    default:
      return refuse(name, fd, &head, SSL_R_UNEXPECTED_MESSAGE, alert: Alert.unexpectedMessage)
    }
    guard bytes.count >= HandshakeMessage.headerBytes else { return .taken }
    let length = Int(bytes[1]) << 16 | Int(bytes[2]) << 8 | Int(bytes[3])
    if bytes[0] == HandshakeMessage.newSessionTicket {
      guard length <= RecordLimits.ticketBytesMax else {
        return refuse(
          name, fd, &head, SSL_R_EXCESSIVE_MESSAGE_SIZE, alert: Alert.illegalParameter)
      }
      // Whoever wants tickets takes them before detaching.
      fragment = HandshakeFragment(bytes: [], skips: length)
      return .taken
    }
    guard length == 1 else {
      return refuse(name, fd, &head, SSL_R_BAD_KEY_UPDATE, alert: Alert.decodeError)
    }
    guard bytes.count > HandshakeMessage.headerBytes else { return .taken }
    fragment = HandshakeFragment()
    return update(name, fd, &head, request: bytes[HandshakeMessage.headerBytes], isLast: isLast)
  }

  /// Follows the peer to its next key.
  private func update(
    _ name: SlotName, _ fd: Int32, _ head: inout SlotHead, request: UInt8, isLast: Bool
  ) -> RecordStep {
    guard request <= 1 else {
      return refuse(name, fd, &head, SSL_R_BAD_KEY_UPDATE, alert: Alert.illegalParameter)
    }
    // What stands behind it in the same record was sealed with the old key, which it ended.
    guard isLast else {
      return refuse(name, fd, &head, SSL_R_NOT_ON_RECORD_BOUNDARY, alert: Alert.unexpectedMessage)
    }
    keyUpdatesReceived &+= 1
    guard head.updatesLeft > 0 else {
      fail(name, fd, &head, TransportError(.limitExceeded), alert: Alert.illegalParameter)
      return .over
    }
    head.updatesLeft -= 1
    ciphers.forget(name)
    guard slots.advanceKeys(name, .read) else {
      fail(&head, TransportError(.setup))
      return .over
    }
    if head.nature.contains(.kernelReads), !rekeyKernel(name, fd, &head, .read) { return .over }
    if request == 1 { head.flags.insert(.owesUpdate) }
    return .taken
  }
}
