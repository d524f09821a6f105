// The four protocols that the laboratory speaks to peers, reduced to what is measured: to log in
// and listen, to be alive, to publish one message to all, to acknowledge it. An enum and not a
// protocol, for the same reason as the transports: few, known, and on the packet path.

/// What a message is about.
enum PeerSubject: Equatable {
  /// From the publisher to all.
  case push
  /// From each of them to the publisher.
  case ack
}

/// What a server said, in terms of the measurement.
enum PeerEvent: Equatable {
  /// It said hello in clear: now TLS begins.
  case greeted
  /// It listens on our behalf from now on.
  case subscribed
  case keepAliveAnswered
  case keepAliveAsked
  /// A message, with the number that its payload begins with.
  case delivered(PeerSubject, number: UInt64)
  case refused(String)
  /// Well formed, and nothing that is measured.
  case ignored
}

/// One look at received bytes.
enum PeerStep: Equatable {
  case needsMore
  case event(PeerEvent, bytes: Int)
  case malformed
}

/// The protocol that a server speaks.
public enum PeerDialect: String, CaseIterable, Sendable {
  /// MQTT 3.1.1.
  case mqtt
  /// NATS's text protocol.
  case nats
  /// HTTP/1.1 with connections kept alive; nothing can be pushed over it.
  case http
  /// The frames of our own bare floor.
  case floor

  /// Whether a message can be published to all.
  var fansOut: Bool { self != .http }

  /// Whether the server speaks first, in clear, before TLS begins.
  var greetsInClear: Bool { self == .nats }

  /// The first bytes inside TLS: log in and listen.
  ///
  /// The login is done at the first
  /// ``PeerEvent/subscribed`` or ``PeerEvent/keepAliveAnswered``.
  func hello(number: Int, listeningTo subject: PeerSubject) -> [UInt8] {
    switch self {
    case .mqtt:
      MQTT.connect(clientID: "bgb-\(number)", keepAliveSeconds: 3_600)
        + MQTT.subscribe(to: subject, identifier: 1)
    case .nats: NATS.connect(name: "bgb-\(number)") + NATS.subscribe(to: subject) + NATS.ping
    case .http: HTTPDialect.request
    case .floor: FloorFrame.encode(.keepAlive)
    }
  }

  /// A sign of life that is answered.
  var keepAlive: [UInt8] {
    switch self {
    case .mqtt: MQTT.pingRequest
    case .nats: NATS.ping
    case .http: HTTPDialect.request
    case .floor: FloorFrame.encode(.keepAlive)
    }
  }

  /// The answer to the server's own question for a sign of life.
  var keepAliveAnswer: [UInt8] { self == .nats ? NATS.pong : [] }

  /// A message of so many bytes that begin with the number.
  func message(_ subject: PeerSubject, number: UInt64, bytes: Int) -> [UInt8] {
    let payload = PeerPayload.make(number: number, bytes: bytes)
    return switch self {
    case .mqtt: MQTT.publish(payload, to: subject)
    case .nats: NATS.publish(payload, to: subject)
    case .http: []
    case .floor: FloorFrame.encode(subject == .push ? .push : .ack, payload)
    }
  }

  /// Reads the first thing that the server said.
  func next(in bytes: Span<UInt8>) -> PeerStep {
    switch self {
    case .mqtt: MQTT.next(in: bytes)
    case .nats: NATS.next(in: bytes)
    case .http: HTTPDialect.next(in: bytes)
    case .floor: FloorFrame.next(in: bytes)
    }
  }
}

/// What a message carries: a number, and filler to its size.
enum PeerPayload {
  /// Bytes that the number takes.
  static let numberBytes = 8

  static func make(number: UInt64, bytes: Int) -> [UInt8] {
    var payload: [UInt8] = []
    payload.reserveCapacity(max(bytes, numberBytes))
    for shift in stride(from: 56, through: 0, by: -8) {
      payload.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
    }
    while payload.count < bytes { payload.append(0x78) }
    return payload
  }

  /// The number; nil for a payload that is too short to have one.
  static func number(of payload: Span<UInt8>) -> UInt64? {
    guard payload.count >= numberBytes else { return nil }
    var number: UInt64 = 0
    for index in 0..<numberBytes { number = number << 8 | UInt64(payload[index]) }
    return number
  }
}

/// Whether a part of the bytes is this text.
func matches(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: [UInt8]) -> Bool {
  guard range.count == text.count, range.upperBound <= bytes.count else { return false }
  return matchesPrefix(bytes, at: range.lowerBound, text)
}

/// Whether this text stands at a place; as far as there are bytes.
func matchesPrefix(_ bytes: Span<UInt8>, at place: Int, _ text: [UInt8]) -> Bool {
  for index in text.indices where place + index < bytes.count {
    guard bytes[place + index] == text[index] else { return false }
  }
  return true
}
