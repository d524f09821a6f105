// What a client that has the key of its identity may try in place of an honest second flight, with
// our handshake (Returning/ReturnHandshake.swift): each attempt ends with the alert that RFC 8446
// asks for, and nothing of the connection stays. All of it is played whole and byte by byte.
import COpenSSL
import Reactor
import Testing

@testable import Transports

/// One attempt, and how it ends.
struct RefusalCase: CustomTestStringConvertible, Sendable {
  let testDescription: String
  /// The alert that the client gets; nil for none.
  let alert: UInt8?
  let error: TransportError
  let hasSessionID: Bool
  let make: @Sendable (ReturnPeer) -> [UInt8]

  init(
    _ name: String, alert: UInt8?, _ reason: Int32,
    _ kind: TransportError.Kind = .protocolViolation, hasSessionID: Bool = false,
    make: @escaping @Sendable (ReturnPeer) -> [UInt8]
  ) {
    testDescription = name
    self.alert = alert
    error = TransportError(kind, reason: reason)
    self.hasSessionID = hasSessionID
    self.make = make
  }
}

@Suite("Handshakes of clients that come back: hostile second flights")
struct ReturnRefusalTests {
  private static let change = ReturnPeer.changeOfCiphers

  /// An honest Finished with another byte somewhere.
  private static func changed(_ finished: [UInt8], at place: Int) -> [UInt8] {
    var finished = finished
    finished[place] ^= 1
    return finished
  }

  static let finished: [RefusalCase] = [
    RefusalCase("The first bit of the Finished", alert: 51, SSL_R_DIGEST_CHECK_FAILED) {
      $0.seal(changed($0.finished, at: 4))
    },
    RefusalCase("The last bit of the Finished", alert: 51, SSL_R_DIGEST_CHECK_FAILED) {
      $0.seal(changed($0.finished, at: 35))
    },
    RefusalCase("Zeros", alert: 51, SSL_R_DIGEST_CHECK_FAILED) {
      $0.seal([20, 0, 0, 32] + [UInt8](repeating: 0, count: 32))
    },
    RefusalCase("The server's own Finished", alert: 51, SSL_R_DIGEST_CHECK_FAILED) {
      $0.seal($0.serverFinished)
    },
    RefusalCase("A wrong Finished in pieces", alert: 51, SSL_R_DIGEST_CHECK_FAILED) {
      let wrong = changed($0.finished, at: 20)
      return $0.seal(Array(wrong[..<10])) + $0.seal(Array(wrong[10...]))
    },
    RefusalCase("A Finished too short", alert: 50, SSL_R_BAD_DIGEST_LENGTH) {
      $0.seal([20, 0, 0, 31] + $0.finished[4..<35])
    },
    RefusalCase("A Finished too long", alert: 50, SSL_R_BAD_DIGEST_LENGTH) {
      $0.seal([20, 0, 0, 33] + $0.finished[4...] + [0])
    },
    RefusalCase("A Finished too long by far", alert: 50, SSL_R_BAD_DIGEST_LENGTH) {
      $0.seal([20, 1, 0, 32] + $0.finished[4...])
    },
    RefusalCase("A byte behind the Finished", alert: 10, SSL_R_NOT_ON_RECORD_BOUNDARY) {
      $0.seal($0.finished + [0])
    },
    RefusalCase("A key update behind the Finished", alert: 10, SSL_R_NOT_ON_RECORD_BOUNDARY) {
      $0.seal($0.finished + [24, 0, 0, 1, 0])
    },
    RefusalCase("The Finished twice in a record", alert: 10, SSL_R_NOT_ON_RECORD_BOUNDARY) {
      $0.seal($0.finished + $0.finished)
    },
    RefusalCase("A byte behind the Finished's end", alert: 10, SSL_R_NOT_ON_RECORD_BOUNDARY) {
      $0.seal(Array($0.finished[..<30])) + $0.seal($0.finished[30...] + [0])
    },
  ]

  static let messages: [RefusalCase] = [
    RefusalCase("An empty message", alert: 10, SSL_R_UNEXPECTED_MESSAGE) { $0.seal([]) },
    RefusalCase("An empty record between pieces", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal(Array($0.finished[..<3])) + $0.seal([]) + $0.seal(Array($0.finished[3...]))
    },
    RefusalCase("A key update", alert: 10, SSL_R_UNEXPECTED_MESSAGE) { $0.seal([24, 0, 0, 1, 0]) },
    RefusalCase("A ClientHello", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal(Array($0.hello.bytes.dropFirst(5)))
    },
    RefusalCase("A ClientHello in the clear", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.hello.bytes
    },
    RefusalCase("A Finished in the clear", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      [22, 3, 3, 0, 36] + $0.finished
    },
    RefusalCase("An end of early data", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal([5, 0, 0, 0]) + $0.seal($0.finished)
    },
    RefusalCase("A certificate", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal([11, 0, 0, 4, 0, 0, 0, 0]) + $0.seal($0.finished)
    },
    RefusalCase("Data before the Finished", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal([1, 2, 3], as: 23) + $0.seal($0.finished)
    },
    RefusalCase("Empty data before the Finished", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal([], as: 23) + $0.seal($0.finished)
    },
    RefusalCase("Data between the pieces", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal(Array($0.finished[..<9])) + $0.seal([1], as: 23)
        + $0.seal(Array($0.finished[9...]))
    },
    RefusalCase("A sealed change of ciphers", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal([1], as: 20)
    },
    RefusalCase("A heartbeat", alert: 10, SSL_R_UNEXPECTED_MESSAGE) { $0.seal([1], as: 24) },
    RefusalCase("Nothing but padding", alert: 10, SSL_R_BAD_RECORD_TYPE) {
      $0.seal(inner: [UInt8](repeating: 0, count: 50))
    },
    RefusalCase("Nothing at all", alert: 10, SSL_R_BAD_RECORD_TYPE) { $0.seal(inner: []) },
  ]

  static let changes: [RefusalCase] = [
    RefusalCase(
      "One change of ciphers too many", alert: 10, SSL_R_UNEXPECTED_CCS_MESSAGE,
      hasSessionID: true
    ) {
      (0...RecordLimits.barrenRecordsMax).flatMap { _ in change } + $0.seal($0.finished)
    },
    RefusalCase("As many that nobody promised", alert: 10, SSL_R_UNEXPECTED_CCS_MESSAGE) {
      (0...RecordLimits.barrenRecordsMax).flatMap { _ in change } + $0.seal($0.finished)
    },
    RefusalCase(
      "A change to another value", alert: 10, SSL_R_UNEXPECTED_CCS_MESSAGE, hasSessionID: true
    ) {
      [20, 3, 3, 0, 1, 2] + $0.seal($0.finished)
    },
    RefusalCase("An empty change", alert: 10, SSL_R_UNEXPECTED_CCS_MESSAGE, hasSessionID: true) {
      [20, 3, 3, 0, 0] + $0.seal($0.finished)
    },
    RefusalCase("A long change", alert: 10, SSL_R_UNEXPECTED_CCS_MESSAGE, hasSessionID: true) {
      [20, 3, 3, 0, 2, 1, 1] + $0.seal($0.finished)
    },
    RefusalCase("A change of TLS 1.0", alert: 10, SSL_R_UNEXPECTED_CCS_MESSAGE, hasSessionID: true)
    {
      [20, 3, 1, 0, 1, 1] + $0.seal($0.finished)
    },
  ]

  static let alerts: [RefusalCase] = [
    RefusalCase("An alert in the clear", alert: nil, 47, .alertReceived) { _ in
      [21, 3, 3, 0, 2, 2, 47]
    },
    RefusalCase(
      "An alert behind the change", alert: nil, 51, .alertReceived, hasSessionID: true
    ) { _ in
      change + [21, 3, 3, 0, 2, 2, 51]
    },
    RefusalCase("A goodbye in the clear", alert: nil, 0, .truncated) { _ in
      [21, 3, 1, 0, 2, 1, 0]
    },
    RefusalCase("Half an alert in the clear", alert: 10, SSL_R_INVALID_ALERT) { _ in
      [21, 3, 3, 0, 1, 2]
    },
    RefusalCase("Two alerts in the clear", alert: 10, SSL_R_INVALID_ALERT) { _ in
      [21, 3, 3, 0, 4, 2, 47, 2, 47]
    },
    RefusalCase("A sealed alert", alert: nil, 42, .alertReceived) { $0.seal([2, 42], as: 21) },
    RefusalCase("A sealed goodbye", alert: nil, 0, .truncated) { $0.seal([1, 0], as: 21) },
    RefusalCase("An alert between pieces", alert: nil, 80, .alertReceived) {
      $0.seal(Array($0.finished[..<9])) + $0.seal([2, 80], as: 21)
    },
    RefusalCase("Half a sealed alert", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal([2], as: 21)
    },
    RefusalCase("Two sealed alerts in a record", alert: 10, SSL_R_UNEXPECTED_MESSAGE) {
      $0.seal([2, 42, 2, 42], as: 21)
    },
  ]

  private static let forgery = SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC

  static let records: [RefusalCase] = [
    RefusalCase("A bit of the tag is turned", alert: 20, forgery) {
      changed($0.seal($0.finished), at: 57)
    },
    RefusalCase("A bit of the body is turned", alert: 20, forgery) {
      changed($0.seal($0.finished), at: 5)
    },
    RefusalCase("A bit of the second piece is turned", alert: 20, forgery) {
      $0.seal(Array($0.finished[..<9])) + changed($0.seal(Array($0.finished[9...])), at: 20)
    },
    RefusalCase("Another header is sealed", alert: 20, forgery) {
      [23] + $0.seal(inner: $0.finished + [22], type: 22).dropFirst()
    },
    RefusalCase("The number of the next record", alert: 20, forgery) {
      _ = $0.seal([1])
      return $0.seal($0.finished)
    },
    RefusalCase("The server's key", alert: 20, forgery) {
      var keys = $0.handshake?.server
      keys?.sequence = 0
      return keys?.seal($0.finished + [22]) ?? []
    },
    RefusalCase("The key of data", alert: 20, forgery) { $0.sealData($0.finished, as: 22) },
    RefusalCase("The tag alone", alert: 20, forgery) { _ in [23, 3, 3, 0, 16] + pattern(16) },
    RefusalCase("A long record of nothing", alert: 20, forgery) { _ in
      [23, 3, 3, 0x41, 0] + pattern(0x4100)
    },
    RefusalCase("No room for a tag", alert: 20, SSL_R_LENGTH_TOO_SHORT) { _ in
      [23, 3, 3, 0, 15] + pattern(15)
    },
    RefusalCase("A length over the limit", alert: 22, SSL_R_ENCRYPTED_LENGTH_TOO_LONG) { _ in
      [23, 3, 3, 0x41, 1]
    },
    RefusalCase("The longest length", alert: 22, SSL_R_ENCRYPTED_LENGTH_TOO_LONG) { _ in
      [23, 3, 3, 0xFF, 0xFF]
    },
    RefusalCase("Another version", alert: 50, SSL_R_WRONG_VERSION_NUMBER) {
      $0.seal(inner: $0.finished + [22], version: 1)
    },
    RefusalCase("HTTP", alert: 10, SSL_R_UNEXPECTED_MESSAGE) { _ in
      Array("GET / HTTP/1.1\r\n\r\n".utf8)
    },
    RefusalCase(
      "A forged record behind the change", alert: 20, forgery, hasSessionID: true
    ) {
      change + changed($0.seal($0.finished), at: 30)
    },
    RefusalCase("A forged record in place of the change", alert: 20, forgery, hasSessionID: true) {
      changed($0.seal($0.finished), at: 30)
    },
  ]

  @Test(
    "Each ends with its alert",
    arguments: finished + messages + changes + alerts + records, PeerSuite.allCases)
  func refused(_ attempt: RefusalCase, _ suite: PeerSuite) throws {
    let stage = try ReturnStage()
    for pieces in [Int.max, 1, 7] {
      let peer = try ReturnPeer(stage.grant(), suite, hasSessionID: attempt.hasSessionID)
      let visit = try ReturnVisit(stage, peer)
      try visit.begin()
      // What follows an attempt may be cut off by its end, and is no part of the question.
      #expect(visit.play(attempt.make(peer), pieces: pieces) == .failed(attempt.error))
      #expect(visit.hearAlert() == attempt.alert)
      #expect(visit.table.alertsSent == (attempt.alert == nil ? 0 : 1))
      // It stays so, and nothing is said twice.
      #expect(visit.server.handshake() == .failed(attempt.error))
      #expect(visit.hear().isEmpty)
      #expect(visit.server.isShakingHands)
      #expect(visit.server.readProof() == nil)
      #expect(visit.table.count == 1)
      visit.close()
    }
    #expect(stage.context.resumedHandshakes == 0)
    #expect(stage.context.fullHandshakes == 0)
    #expect(stage.desk.desk.accepted == 3)
    #expect(stage.desk.desk.refused.isEmpty)
  }
}
