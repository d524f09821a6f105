// What a peer that knows its keys may try: each attempt ends with the alert that RFC 8446 asks for,
// told before the failure, and nothing that came after it is delivered.
import COpenSSL
import Reactor
import Testing

@testable import Transports

/// One attempt.
struct HostileCase: CustomTestStringConvertible, Sendable {
  let testDescription: String
  /// The ends against which it is tried.
  let victims: [TLSRole]
  /// The alert that the attacker gets; nil for none.
  let alert: UInt8?
  let ending: IOStep
  let attempt: @Sendable (HostilePeer) throws -> Void

  init(
    _ name: String, victims: [TLSRole] = [.server, .client], alert: UInt8?,
    _ kind: TransportError.Kind = .protocolViolation, reason: Int32 = 0,
    attempt: @escaping @Sendable (HostilePeer) throws -> Void
  ) {
    testDescription = name
    self.victims = victims
    self.alert = alert
    ending = .failed(TransportError(kind, reason: reason))
    self.attempt = attempt
  }
}

@Suite("Detached TLS: hostile peers")
struct HostilePeerTests {
  /// A ticket message whose body has so many bytes.
  private static func ticket(_ count: Int) -> [UInt8] {
    [4, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255)]
      + [UInt8](repeating: 7, count: count)
  }

  static let records: [HostileCase] = [
    HostileCase(
      "A bit of the tag is turned", alert: 20, reason: SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    ) {
      var record = $0.seal(inner: [1, 23])
      record[record.count - 1] ^= 1
      $0.send(record)
    },
    HostileCase(
      "A record comes twice", alert: 20, reason: SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    ) {
      let record = $0.seal(inner: [1, 23], counts: false)
      $0.send(record + record)
    },
    HostileCase(
      "A record is left out", alert: 20, reason: SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    ) {
      _ = $0.seal(inner: [1, 23])
      $0.data([2])
    },
    HostileCase("No room for a tag", alert: 20, reason: SSL_R_LENGTH_TOO_SHORT) {
      $0.send([23, 3, 3, 0, 15] + [UInt8](repeating: 1, count: 15))
    },
    HostileCase("A length over the limit", alert: 22, reason: SSL_R_ENCRYPTED_LENGTH_TOO_LONG) {
      $0.send([23, 3, 3, 0x41, 0x01])
    },
    HostileCase("Content over the limit", alert: 22, reason: SSL_R_DATA_LENGTH_TOO_LONG) {
      $0.data([UInt8](repeating: 5, count: 16385))
    },
    HostileCase("A change of ciphers", alert: 10, reason: SSL_R_BAD_RECORD_TYPE) {
      $0.send([20, 3, 3, 0, 1, 1])
    },
    HostileCase("An alert in the clear", alert: 10, reason: SSL_R_BAD_RECORD_TYPE) {
      $0.send([21, 3, 3, 0, 2, 1, 0])
    },
    HostileCase("A handshake in the clear", alert: 10, reason: SSL_R_BAD_RECORD_TYPE) {
      $0.send([22, 3, 3, 0, 5, 24, 0, 0, 1, 0])
    },
    HostileCase("Another version", alert: 50, reason: SSL_R_WRONG_VERSION_NUMBER) {
      $0.send($0.seal(inner: [1, 23], version: 1))
    },
    HostileCase("HTTP", alert: 10, reason: SSL_R_BAD_RECORD_TYPE) {
      $0.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    },
    HostileCase("A sealed change of ciphers", alert: 10, reason: SSL_R_UNEXPECTED_RECORD) {
      $0.send([1], as: 20)
    },
    HostileCase("A heartbeat", alert: 10, reason: SSL_R_UNEXPECTED_RECORD) {
      $0.send([1, 0, 0], as: 24)
    },
    HostileCase("Nothing but padding", alert: 10, reason: SSL_R_BAD_RECORD_TYPE) {
      $0.send($0.seal(inner: [UInt8](repeating: 0, count: 100)))
    },
    HostileCase("Nothing at all", alert: 10, reason: SSL_R_BAD_RECORD_TYPE) {
      $0.send($0.seal(inner: []))
    },
    HostileCase("Empty data without end", alert: 10, reason: SSL_R_RECORD_TOO_SMALL) {
      for _ in 0...32 { $0.data([]) }
    },
  ]

  static let messages: [HostileCase] = [
    HostileCase("An empty alert", alert: 10, reason: SSL_R_INVALID_ALERT) { $0.alert([]) },
    HostileCase("Half an alert", alert: 10, reason: SSL_R_INVALID_ALERT) { $0.alert([1]) },
    HostileCase("Two alerts in a record", alert: 10, reason: SSL_R_INVALID_ALERT) {
      $0.alert([1, 90, 1, 90])
    },
    HostileCase("Warnings without end", alert: 10, reason: SSL_R_RECORD_TOO_SMALL) {
      for _ in 0...32 { $0.alert([1, 90]) }
    },
    HostileCase("A fatal alert", alert: nil, .alertReceived, reason: 40) { $0.alert([2, 40]) },
    HostileCase("A fatal alert that calls itself a warning", alert: nil, .alertReceived, reason: 80)
    { $0.alert([1, 80]) },
    HostileCase("An empty handshake record", alert: 10, reason: SSL_R_BAD_LENGTH) {
      $0.handshake([])
    },
    HostileCase("A key update of a third kind", alert: 47, reason: SSL_R_BAD_KEY_UPDATE) {
      $0.handshake([24, 0, 0, 1, 2])
    },
    HostileCase("A key update without a body", alert: 50, reason: SSL_R_BAD_KEY_UPDATE) {
      $0.handshake([24, 0, 0, 0])
    },
    HostileCase("A key update with a long body", alert: 50, reason: SSL_R_BAD_KEY_UPDATE) {
      $0.handshake([24, 0, 0, 2, 0, 0])
    },
    HostileCase("Something behind a key update", alert: 10, reason: SSL_R_NOT_ON_RECORD_BOUNDARY) {
      $0.handshake([24, 0, 0, 1, 0, 24])
    },
    HostileCase(
      "The old key after a key update", alert: 20,
      reason: SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC
    ) {
      $0.handshake([24, 0, 0, 1, 0])
      $0.data([1])
    },
    HostileCase("Key updates without end", alert: 47, .limitExceeded) {
      var secret = try $0.sealingSecret()
      for _ in 0...32 { $0.updateKey(secret: &secret, request: 1) }
    },
    HostileCase("A new client hello", alert: 10, reason: SSL_R_UNEXPECTED_MESSAGE) {
      $0.handshake([1, 0, 0, 2, 3, 3])
    },
    HostileCase("A hello request", alert: 10, reason: SSL_R_UNEXPECTED_MESSAGE) {
      $0.handshake([0, 0, 0, 0])
    },
    HostileCase("A certificate request", alert: 10, reason: SSL_R_UNEXPECTED_MESSAGE) {
      $0.handshake([13, 0, 0, 3, 0, 0, 0])
    },
    HostileCase("Another end of the handshake", alert: 10, reason: SSL_R_UNEXPECTED_MESSAGE) {
      $0.handshake([20, 0, 0, 32] + [UInt8](repeating: 1, count: 32))
    },
    HostileCase(
      "Data within a message", alert: 10,
      reason: SSL_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA
    ) {
      $0.handshake([24, 0])
      $0.data([1])
    },
    HostileCase(
      "A ticket for a server", victims: [.server], alert: 10, reason: SSL_R_UNEXPECTED_MESSAGE
    ) { $0.handshake(ticket(50)) },
    HostileCase(
      "A ticket over the limit", victims: [.client], alert: 47,
      reason: SSL_R_EXCESSIVE_MESSAGE_SIZE
    ) { $0.handshake([4, 0, 0x40, 0x01]) },
    HostileCase(
      "Tickets without end", victims: [.client], alert: 10, reason: SSL_R_RECORD_TOO_SMALL
    ) { for _ in 0...32 { $0.handshake(ticket(50)) } },
    HostileCase(
      "A message in pieces without end", victims: [.client], alert: 10,
      reason: SSL_R_RECORD_TOO_SMALL
    ) {
      $0.handshake([4, 0, 1, 0])
      for _ in 0..<32 { $0.handshake([1]) }
    },
  ]

  @Test("Each attempt gets its alert", arguments: records + messages)
  func attempts(_ attempt: HostileCase) throws {
    // The size of the receive buffer decides where a record is opened.
    for (victim, room) in attempt.victims.flatMap({ [($0, 65536), ($0, 3)] }) {
      let peer = try HostilePeer(against: victim, receiveBytes: room)
      peer.data([9, 8, 7, 6])
      try attempt.attempt(peer)
      peer.data([1])
      let (step, bytes) = peer.settle()
      #expect(step == attempt.ending)
      let isBelated = attempt.testDescription == "A record comes twice"
      #expect(bytes == (isBelated ? [9, 8, 7, 6, 1] : [9, 8, 7, 6]))
      let heard = peer.heard()
      #expect(heard.map(\.type) == (attempt.alert == nil ? [] : [21]))
      #expect(heard.first?.content == attempt.alert.map { [2, $0] })
      #expect(!peer.victim.hasLeftovers)
      // It is final, for both directions.
      #expect(peer.settle().step == step)
      #expect(peer.victim.enqueue([1].span, now: .zero) == .stored)
      #expect(peer.victim.flush(now: .zero) == step)
      #expect(peer.heard().isEmpty)
    }
  }

  @Test("What is allowed is borne", arguments: [TLSRole.server, .client], [65536, 5])
  func allowed(_ victim: TLSRole, room: Int) throws {
    let peer = try HostilePeer(against: victim, receiveBytes: room)
    var secret = try peer.sealingSecret()
    // Padding, as much as fits; a record as long as can be; empty ones between.
    peer.send(peer.seal(inner: [1, 23] + [UInt8](repeating: 0, count: 16383)))
    #expect(peer.settle().bytes == [1])
    peer.data(pattern(16384))
    #expect(peer.settle().bytes == pattern(16384))
    for round in UInt8(0)..<40 {
      for _ in 0..<31 { peer.data([]) }
      peer.data([round])
      #expect(peer.settle().bytes == [round])
    }
    // A key update in five records, and one more that is not asked to be answered.
    for byte in [24, 0, 0, 1] as [UInt8] { peer.handshake([byte]) }
    peer.updateKeyByItsEnd(secret: &secret, request: 1)
    peer.data([2, 3])
    peer.updateKey(secret: &secret, request: 0)
    peer.data([4])
    if victim == .client {
      peer.handshake(Self.ticket(300) + Self.ticket(0) + Array(Self.ticket(700).prefix(100)))
      peer.handshake(Array(Self.ticket(700).dropFirst(100)))
      peer.data([5])
    }
    peer.alert([1, 90])
    peer.data([6])
    #expect(peer.settle().bytes == (victim == .client ? [2, 3, 4, 5, 6] : [2, 3, 4, 6]))
    peer.alert([1, 0])
    peer.data([7])
    let (step, bytes) = peer.settle()
    #expect(step == .ended)
    #expect(bytes.isEmpty)
    // The answer that is owed goes before the next data, which the peer's old key cannot open.
    #expect(peer.victim.enqueue([1].span, now: .zero) == .stored)
    #expect(peer.victim.flush(now: .zero) == .progressed(1))
    #expect(peer.victim.finishSending() == .progressed(0))
  }

  @Test("A peer that leaves half a record behind is bounded with all others")
  func heldBytes() throws {
    let peer = try HostilePeer(against: .server, heldBytesMax: 4000)
    let record = peer.seal(inner: pattern(9000) + [23])
    peer.send(Array(record[..<3000]))
    #expect(peer.settle().step == .wouldBlock(.readable))
    #expect(peer.duet.tables.server.heldBytes >= 3000)
    peer.send(Array(record[3000..<8000]))
    #expect(peer.settle().step == .failed(TransportError(.limitExceeded)))
    #expect(peer.duet.tables.server.heldBytes == 0)
    // A table with room goes on with the same pieces.
    let other = try HostilePeer(against: .server)
    other.send(Array(other.seal(inner: pattern(9000) + [23])[..<3000]))
    #expect(other.settle().step == .wouldBlock(.readable))
    other.victim.close(sendCloseNotify: false)
    #expect(other.duet.tables.server.heldBytes == 0)
    #expect(other.duet.tables.server.count == 0)
  }

  @Test("A peer that does not read gets no second record, and no alert into the middle of one")
  func alertBehindRecord() throws {
    let peer = try HostilePeer(against: .server)
    let fd = peer.victim.descriptor
    let junk = [UInt8](repeating: 0, count: 4096)
    while case .moved = StreamSocket.write(fd, junk.span) {}
    #expect(peer.victim.enqueue([1, 2, 3].span, now: .zero) == .stored)
    #expect(peer.victim.flush(now: .zero) == .wouldBlock(.writable))
    #expect(peer.duet.tables.server.heldBytes > 0)
    peer.handshake([0, 0, 0, 0])
    guard case .failed = peer.settle().step else {
      Issue.record("a hello request was taken")
      return
    }
    peer.duet.wire.drop(.toClient)
    #expect(peer.heard().isEmpty)
    peer.victim.close(sendCloseNotify: true)
    #expect(peer.duet.tables.server.heldBytes == 0)
  }
}
