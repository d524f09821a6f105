// MQTT 3.1.1 (OASIS, 2014) as one subscriber and one publisher need it: QoS 0, a clean session, no
// will, no user. The reader takes what a broker may send to such a client and nothing else.

enum MQTT {
  /// The longest packet that is read.
  static let packetBytesMax = 65_536
  static let pingRequest: [UInt8] = [0xC0, 0]

  private enum Kind {
    static let connectAck: UInt8 = 0x20
    static let publish: UInt8 = 0x30
    static let subscribeAck: UInt8 = 0x90
    static let pingAnswer: UInt8 = 0xD0
  }

  private static let pushTopic = Array("bgb/push".utf8)
  private static let ackTopic = Array("bgb/acks".utf8)

  private static func topic(_ subject: PeerSubject) -> [UInt8] {
    subject == .push ? pushTopic : ackTopic
  }

  // MARK: Written

  static func connect(clientID: String, keepAliveSeconds: UInt16) -> [UInt8] {
    // Protocol name and level 4; the one flag says: clean session.
    let body =
      text(Array("MQTT".utf8)) + [4, 0x02] + number(keepAliveSeconds)
      + text(Array(clientID.utf8))
    return packet(0x10, body)
  }

  static func subscribe(to subject: PeerSubject, identifier: UInt16) -> [UInt8] {
    packet(0x82, number(identifier) + text(topic(subject)) + [0])
  }

  static func publish(_ payload: [UInt8], to subject: PeerSubject) -> [UInt8] {
    packet(Kind.publish, text(topic(subject)) + payload)
  }

  private static func packet(_ first: UInt8, _ body: [UInt8]) -> [UInt8] {
    var head = [first]
    var left = body.count
    repeat {
      let digit = UInt8(left & 0x7F)
      left >>= 7
      head.append(left > 0 ? digit | 0x80 : digit)
    } while left > 0
    return head + body
  }

  private static func number(_ value: UInt16) -> [UInt8] {
    [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)]
  }

  private static func text(_ bytes: [UInt8]) -> [UInt8] {
    number(UInt16(truncatingIfNeeded: bytes.count)) + bytes
  }

  // MARK: Read

  static func next(in bytes: Span<UInt8>) -> PeerStep {
    guard bytes.count > 0 else { return .needsMore }
    switch bytes[0] {
    case Kind.connectAck, Kind.publish, Kind.subscribeAck, Kind.pingAnswer: break
    default: return .malformed
    }
    var length = 0
    var headBytes = 0
    // At most four bytes of seven bits; the topmost bit says that another one follows.
    for index in 1...4 {
      guard index < bytes.count else { return .needsMore }
      length |= Int(bytes[index] & 0x7F) << (7 * (index - 1))
      if bytes[index] < 0x80 {
        headBytes = index + 1
        break
      }
    }
    guard headBytes > 0, length <= packetBytesMax else { return .malformed }
    guard bytes.count - headBytes >= length else { return .needsMore }
    let body = bytes.extracting(headBytes..<headBytes + length)
    guard let event = event(bytes[0], body) else { return .malformed }
    return .event(event, bytes: headBytes + length)
  }

  private static func event(_ kind: UInt8, _ body: Span<UInt8>) -> PeerEvent? {
    switch kind {
    case Kind.connectAck:
      guard body.count == 2, body[0] <= 1, body[1] <= 5 else { return nil }
      return body[1] == 0 ? .ignored : .refused("CONNACK \(body[1])")
    case Kind.subscribeAck:
      guard body.count == 3 else { return nil }
      if body[2] == 0x80 { return .refused("SUBACK 128") }
      return body[2] == 0 ? .subscribed : nil
    case Kind.pingAnswer:
      return body.count == 0 ? .keepAliveAnswered : nil
    default:
      return delivered(body)
    }
  }

  private static func delivered(_ body: Span<UInt8>) -> PeerEvent? {
    guard body.count >= 2 else { return nil }
    let end = 2 + Int(body[0]) << 8 + Int(body[1])
    guard end <= body.count else { return nil }
    let subject: PeerSubject
    if matches(body, 2..<end, pushTopic) {
      subject = .push
    } else if matches(body, 2..<end, ackTopic) {
      subject = .ack
    } else {
      return nil
    }
    return PeerPayload.number(of: body.extracting(end..<body.count)).map {
      .delivered(subject, number: $0)
    }
  }
}
