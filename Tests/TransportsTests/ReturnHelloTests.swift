// What a server answers without OpenSSL and what it does not, by the bytes of hellos: those of real
// clients, those put together here part by part, and both of them spoilt.
import COpenSSL
import Reactor
import Testing

@testable import Transports

/// A ClientHello that is put together part by part (RFC 8446, 4.1.2).
struct BuiltHello {
  var recordType: UInt8 = 22
  var recordVersion: [UInt8] = [3, 1]
  var messageType: UInt8 = 1
  var version: [UInt8] = [3, 3]
  var random = pattern(32)
  var sessionID = pattern(32)
  var suites: [UInt8] = [0x13, 0x01, 0x13, 0x03]
  var compression: [UInt8] = [0]
  /// Extensions before the last one.
  var extensions: [(kind: UInt16, content: [UInt8])] = [
    (43, [2, 3, 4]), (10, [0, 4, 0, 23, 0, 29]), (45, [1, 1]),
    (51, [0, 36, 0, 29, 0, 32] + pattern(32)),
  ]
  var identities: [[UInt8]] = [Array("identity".utf8)]
  var binders: [[UInt8]] = [pattern(32)]
  /// Extensions behind the offer.
  var laterExtensions: [(kind: UInt16, content: [UInt8])] = []
  /// Behind the message in the record, and behind the record.
  var behindMessage: [UInt8] = []
  var behindRecord: [UInt8] = []

  private func vector(_ lengthBytes: Int, _ content: [UInt8]) -> [UInt8] {
    (0..<lengthBytes).reversed().map { UInt8(truncatingIfNeeded: content.count >> (8 * $0)) }
      + content
  }

  var offer: [UInt8] {
    vector(2, identities.flatMap { vector(2, $0) + [0, 0, 0, 0] })
      + vector(2, binders.flatMap { vector(1, $0) })
  }

  var bytes: [UInt8] {
    let all = (extensions + [(41, offer)] + laterExtensions).flatMap { kind, content in
      [UInt8(kind >> 8), UInt8(kind & 255)] + vector(2, content)
    }
    let body =
      version + random + vector(1, sessionID) + vector(2, suites) + vector(1, compression)
      + vector(2, all)
    let message = [messageType] + vector(3, body)
    return [recordType] + recordVersion + vector(2, message + behindMessage) + behindRecord
  }
}

@Suite("Hellos of clients that come back")
struct ReturnHelloTests {
  private let suites: [CipherSuite] = [.aes128, .chacha20, .aes256]

  private func read(_ bytes: [UInt8]) -> ReturnHello? { ReturnHello(bytes.span, suites: suites) }

  /// Whether the hello is for us after a change of it.
  private func takes(_ change: (inout BuiltHello) -> Void) -> Bool {
    var hello = BuiltHello()
    change(&hello)
    return read(hello.bytes) != nil
  }

  @Test("The parts lie where they were put")
  func parts() throws {
    let built = BuiltHello()
    let bytes = built.bytes
    let hello = try #require(read(bytes))
    #expect(hello.recordBytes == bytes.count)
    #expect(hello.suite == .aes128)
    #expect(Array(bytes[hello.sessionID]) == built.sessionID)
    #expect(Array(bytes[hello.share]) == pattern(32))
    #expect(Array(bytes[hello.identity]) == Array("identity".utf8))
    #expect(Array(bytes[hello.binder]) == pattern(32))
    // Binders are behind a length of two bytes and one of a byte.
    #expect(hello.boundEnd == bytes.count - 32 - 3)
  }

  @Test("Agents' hellos are for us, and those without an identity are not")
  func realClients() throws {
    let stage = try DeskStage()
    let site = Site()
    func hello(_ grant: ReconnectGrant?) throws -> [UInt8] {
      let (near, far) = socketPair()
      let end = Descriptor(owning: far)
      var client = Transport.tls(
        try TLSTransport(
          Descriptor(owning: near), context: try site.clientContext(), serverName: "mp.test",
          reconnect: grant))
      #expect(client.handshake() == .wouldBlock(.readable))
      var room = [UInt8](repeating: 0, count: 8_192)
      guard case .moved(let count) = StreamSocket.read(end.raw, into: &room) else { return [] }
      return Array(room[..<count])
    }
    let grant = try #require(stage.desk.issue(for: stage.client()))
    let bytes = try hello(grant)
    let found = try #require(read(bytes))
    #expect(found.recordBytes == bytes.count)
    #expect(Array(bytes[found.identity]) == grant.identity)
    #expect(try read(hello(nil)) == nil)
    // Every cut is for OpenSSL to wait for the rest of; no change does harm.
    for count in 0..<bytes.count { #expect(read(Array(bytes[..<count])) == nil, "\(count)") }
    var answers: Set<Bool> = []
    for place in bytes.indices {
      for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
        var changed = bytes
        changed[place] = value
        answers.insert(read(changed) != nil)
      }
    }
    #expect(answers == [true, false])
  }

  @Test("What follows the record is left for later")
  func behind() throws {
    var built = BuiltHello()
    let count = built.bytes.count
    built.behindRecord = [23, 3, 3]
    #expect(try #require(read(built.bytes)).recordBytes == count)
  }

  @Test("Another record, message or version is not for us")
  func frame() {
    #expect(takes { _ in })
    #expect(takes { $0.recordVersion = [3, 3] })
    #expect(!takes { $0.recordVersion = [2, 0] })
    #expect(!takes { $0.recordType = 23 })
    #expect(!takes { $0.messageType = 2 })
    #expect(!takes { $0.version = [3, 4] })
    #expect(!takes { $0.version = [3, 2] })
    #expect(!takes { $0.behindMessage = [0] })
    #expect(!takes { $0.extensions[0].content = [2, 3, 3] })
    #expect(takes { $0.extensions[0].content = [4, 3, 3, 3, 4] })
    #expect(!takes { $0.extensions.removeFirst() })
  }

  @Test("The session id is 32 bytes at most, and compression is none")
  func old() {
    #expect(takes { $0.sessionID = [] })
    #expect(!takes { $0.sessionID = pattern(33) })
    #expect(!takes { $0.compression = [] })
    #expect(!takes { $0.compression = [1] })
    #expect(!takes { $0.compression = [0, 1] })
  }

  @Test("The suite is the server's first that the client has, if its digest is SHA-256")
  func suite() throws {
    func agreed(_ offered: [UInt8], _ ours: [CipherSuite]) -> CipherSuite? {
      var hello = BuiltHello()
      hello.suites = offered
      return ReturnHello(hello.bytes.span, suites: ours)?.suite
    }
    #expect(agreed([0x13, 0x03, 0x13, 0x01], suites) == .aes128)
    #expect(agreed([0x13, 0x03, 0x13, 0x02], suites) == .chacha20)
    #expect(agreed([0x13, 0x01, 0x13, 0x02], [.aes256, .aes128]) == nil)
    #expect(agreed([0x13, 0x02], suites) == nil)
    #expect(agreed([0x5A, 0x5A, 0xC0, 0x2B, 0x13, 0x01], suites) == .aes128)
    #expect(agreed([], suites) == nil)
    #expect(agreed([0x13, 0x01, 0x13], suites) == nil)
    #expect(agreed([0x13, 0x01], []) == nil)
  }

  @Test("X25519 is among the groups and has one share of the right size")
  func share() {
    let share: [UInt8] = [0, 29, 0, 32] + pattern(32)
    let other: [UInt8] = [0, 23, 0, 3, 4, 5, 6]
    #expect(!takes { $0.extensions[1].content = [0, 2, 0, 23] })
    #expect(!takes { $0.extensions.remove(at: 1) })
    #expect(takes { $0.extensions[3].content = [0, 43] + other + share })
    #expect(takes { $0.extensions[3].content = [0, 43] + share + other })
    #expect(!takes { $0.extensions[3].content = [0, 72] + share + share })
    #expect(!takes { $0.extensions[3].content = [0, 7] + other })
    #expect(!takes { $0.extensions[3].content = [0, 35, 0, 29, 0, 31] + pattern(31) })
    #expect(!takes { $0.extensions[3].content = [0, 0] })
    #expect(!takes { $0.extensions[3].content = [0, 36] + share + [0] })
    #expect(!takes { $0.extensions.remove(at: 3) })
  }

  @Test("The key goes with a key exchange")
  func modes() {
    #expect(!takes { $0.extensions[2].content = [1, 0] })
    #expect(takes { $0.extensions[2].content = [2, 0, 1] })
    #expect(!takes { $0.extensions[2].content = [2, 0] })
    #expect(!takes { $0.extensions.remove(at: 2) })
  }

  @Test("One identity and one binder of SHA-256, with nothing behind")
  func offer() {
    #expect(!takes { $0.identities = [] })
    #expect(!takes { $0.identities = [[]] })
    #expect(!takes { $0.identities = [[1], [2]] })
    #expect(!takes { $0.binders = [] })
    #expect(!takes { $0.binders = [pattern(48)] })
    #expect(!takes { $0.binders = [pattern(32), pattern(32)] })
    #expect(!takes { $0.extensions.append((41, $0.offer)) })
    // The binder would not cover what stands behind it.
    #expect(!takes { $0.laterExtensions = [(0, [])] })
  }

  @Test(
    "An extension of which we know nothing is OpenSSL's: early data, a cookie, a protocol, …",
    arguments: [1, 5, 16, 18, 21, 28, 42, 44, 47, 48, 57, 63, 64, 0x0A0A, 0xFF01] as [UInt16])
  func unknownExtensions(_ kind: UInt16) {
    #expect(!takes { $0.extensions.append((kind, [])) })
  }

  @Test(
    "Extensions of certificates and older versions are passed over, once",
    arguments: [0, 11, 13, 22, 23, 35, 49, 50] as [UInt16])
  func ignoredExtensions(_ kind: UInt16) {
    #expect(takes { $0.extensions.append((kind, [0, 1, 2])) })
    #expect(!takes { $0.extensions += [(kind, []), (kind, [])] })
  }
}
