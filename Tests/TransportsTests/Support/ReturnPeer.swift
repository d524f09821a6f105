// The client's side of a handshake with a reconnect identity, by the letter of RFC 8446 and without
// anything of ours: the schedule is PlainSchedule's, the exchange PlainPair's, the ciphers are
// OpenSSL's own. It knows its keys, so that it can also send what no honest client would, at each
// point; and it answers OpenSSL's handshake as well as ours.
import COpenSSL
import Testing

@testable import Transports

/// The suites that such a client may agree upon, by the second byte of their numbers.
enum PeerSuite: UInt8, CaseIterable {
  case aes128 = 1
  case chacha20 = 3
}

/// One way's keys under one secret.
struct PeerKeys {
  static let tagBytes = 16

  private let suite: PeerSuite
  private let secret: [UInt8]
  private let key: [UInt8]
  private let vector: [UInt8]
  /// The number of the next record.
  var sequence: UInt64 = 0

  init(_ suite: PeerSuite, _ secret: [UInt8]) {
    self.suite = suite
    self.secret = secret
    key = PlainSchedule.expand(secret, "key", [], suite == .aes128 ? 16 : 32)
    vector = PlainSchedule.expand(secret, "iv", [], 12)
  }

  /// The keys after a key update.
  var next: PeerKeys { PeerKeys(suite, PlainSchedule.expand(secret, "traffic upd", [])) }

  private var cipher: OpaquePointer? {
    suite == .aes128 ? EVP_aes_128_gcm() : EVP_chacha20_poly1305()
  }

  private mutating func nonce() -> [UInt8] {
    var nonce = vector
    for place in 0..<8 { nonce[11 - place] ^= UInt8(truncatingIfNeeded: sequence >> (8 * place)) }
    sequence += 1
    return nonce
  }

  /// A whole record around these bytes, which end with a content type or padding.
  mutating func seal(_ inner: [UInt8], type: UInt8 = 23, version: UInt8 = 3) -> [UInt8] {
    let length = inner.count + Self.tagBytes
    let header: [UInt8] = [type, 3, version, UInt8(length >> 8 & 255), UInt8(length & 255)]
    var body = [UInt8](repeating: 0, count: inner.count + 1)
    var tag = [UInt8](repeating: 0, count: Self.tagBytes)
    var count: Int32 = 0
    let context = made(EVP_CIPHER_CTX_new())
    defer { EVP_CIPHER_CTX_free(context) }
    EVP_EncryptInit_ex(context, cipher, nil, key, nonce())
    EVP_EncryptUpdate(context, nil, &count, header, 5)
    if !inner.isEmpty { EVP_EncryptUpdate(context, &body, &count, inner, Int32(inner.count)) }
    EVP_EncryptFinal_ex(context, &tag, &count)
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tag.count), &tag)
    return header + body.dropLast() + tag
  }

  /// The inside of a record; nil if it does not open.
  mutating func open(_ record: [UInt8]) -> [UInt8]? {
    guard record.count >= 5 + Self.tagBytes else { return nil }
    let sealed = Array(record.dropFirst(5).dropLast(Self.tagBytes))
    var tag = Array(record.suffix(Self.tagBytes))
    var inner = [UInt8](repeating: 0, count: sealed.count + 1)
    var (count, last): (Int32, UInt8) = (0, 0)
    let context = made(EVP_CIPHER_CTX_new())
    defer { EVP_CIPHER_CTX_free(context) }
    EVP_DecryptInit_ex(context, cipher, nil, key, nonce())
    EVP_DecryptUpdate(context, nil, &count, record, 5)
    EVP_DecryptUpdate(context, &inner, &count, sealed, Int32(sealed.count))
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tag.count), &tag)
    guard EVP_DecryptFinal_ex(context, &last, &count) == 1 else { return nil }
    return inner.dropLast()
  }
}

/// What the server's first flight lacks or says wrong.
struct WrongFlight: Error {
  let what: String

  init(_ what: String) { self.what = what }
}

/// A client that comes back.
final class ReturnPeer {
  static let changeOfCiphers: [UInt8] = [20, 3, 3, 0, 1, 1]

  let suite: PeerSuite
  /// The hello but for its binder.
  var hello = BuiltHello()
  /// What is added to the binder, for a wrong one.
  var binderFault: UInt8 = 0
  /// Keys of the handshake, of both sides.
  private(set) var handshake: (client: PeerKeys, server: PeerKeys)?
  /// Keys of data, of both sides.
  private(set) var data: (client: PeerKeys, server: PeerKeys)?
  /// The client's Finished message.
  private(set) var finished: [UInt8] = []
  /// The server's Finished message.
  private(set) var serverFinished: [UInt8] = []
  /// Whether the server sent a change of ciphers.
  private(set) var sawChange = false

  private let key: [UInt8]
  private let pair: PlainPair
  private var transcript: [UInt8] = []
  private var stage: [UInt8] = []
  private var clientSecret: [UInt8] = []
  private var serverSecret: [UInt8] = []

  init(_ grant: ReconnectGrant, _ suite: PeerSuite = .aes128, hasSessionID: Bool = true) throws {
    self.suite = suite
    key = grant.key
    pair = try PlainPair()
    hello.suites = [0x13, suite.rawValue]
    if !hasSessionID { hello.sessionID = [] }
    hello.extensions[3].content = [0, 36, 0, 29, 0, 32] + pair.share
    hello.identities = [grant.identity]
  }

  /// The record of the hello, with its binder; the transcript begins with it.
  func makeHello() -> [UInt8] {
    // The lengths of the binders are left out of what they cover.
    let bound = Array(hello.bytes.dropFirst(5).dropLast(32 + 3))
    hello.binders = [PlainSchedule.binder(key, bound)]
    hello.binders[0][0] &+= binderFault
    transcript = Array(hello.bytes.dropFirst(5))
    return hello.bytes
  }

  /// Sets the keys of data anew, as after a key update.
  func updateKeys() {
    guard let keys = data else { return }
    data = (keys.client.next, keys.server)
  }

  // MARK: The server's flight

  /// Reads all of the server's flight: ServerHello, EncryptedExtensions, Finished.
  func hear(_ flight: [UInt8]) throws {
    var rest = flight[...]
    var messages: [UInt8] = []
    while let record = Self.takeRecord(&rest) {
      switch record[0] {
      case 22:
        guard handshake == nil else { throw WrongFlight("a message in the clear") }
        try hearHello(Array(record.dropFirst(5)))
      case 20:
        guard record == Self.changeOfCiphers, !sawChange else { throw WrongFlight("a change") }
        sawChange = true
      case 23:
        guard let inner = handshake?.server.open(record), inner.last == 22 else {
          throw WrongFlight("a record that is not of the handshake")
        }
        messages += inner.dropLast()
      default: throw WrongFlight("a record of type \(record[0])")
      }
    }
    guard rest.isEmpty else { throw WrongFlight("part of a record") }
    try hearSealed(messages)
  }

  private func hearSealed(_ messages: [UInt8]) throws {
    var types: [UInt8] = []
    var rest = messages[...]
    while rest.count >= 4 {
      let bytes = Array(rest)
      let message = Array(bytes.prefix(4 + (Int(bytes[2]) << 8 | Int(bytes[3]))))
      rest = rest.dropFirst(message.count)
      types.append(message[0])
      if message[0] == 20 {
        serverFinished = message
        guard message.dropFirst(4) == PlainSchedule.finished(serverSecret, transcript)[...]
        else { throw WrongFlight("another Finished") }
      }
      transcript += message
    }
    guard types == [8, 20], rest.isEmpty else { throw WrongFlight("messages \(types)") }
    let master = PlainSchedule.next(stage, [UInt8](repeating: 0, count: 32))
    data = (
      PeerKeys(suite, PlainSchedule.derive(master, "c ap traffic", transcript)),
      PeerKeys(suite, PlainSchedule.derive(master, "s ap traffic", transcript))
    )
    finished = [20, 0, 0, 32] + PlainSchedule.finished(clientSecret, transcript)
  }

  private func hearHello(_ message: [UInt8]) throws {
    let session = hello.sessionID
    let start: [UInt8] = [2, 0, 0, UInt8(message.count - 4), 3, 3]
    guard message.starts(with: start) else { throw WrongFlight("no ServerHello") }
    let agreed: [UInt8] = [UInt8(session.count)] + session + [0x13, suite.rawValue, 0]
    guard message.dropFirst(38).starts(with: agreed) else { throw WrongFlight("what is agreed") }
    var extensions = message.dropFirst(38 + agreed.count + 2)
    var found: [UInt16: [UInt8]] = [:]
    while extensions.count >= 4 {
      let bytes = Array(extensions)
      let content = bytes[4..<4 + (Int(bytes[2]) << 8 | Int(bytes[3]))]
      found[UInt16(bytes[0]) << 8 | UInt16(bytes[1])] = Array(content)
      extensions = extensions.dropFirst(4 + content.count)
    }
    guard Set(found.keys) == [41, 43, 51], found[41] == [0, 0], found[43] == [3, 4],
      let share = found[51], share.starts(with: [0, 29, 0, 32]), share.count == 36
    else { throw WrongFlight("extensions \(found)") }
    transcript += message
    let agreement = try pair.agree(with: Array(share.dropFirst(4)))
    stage = PlainSchedule.next(PlainSchedule.early(key), agreement)
    clientSecret = PlainSchedule.derive(stage, "c hs traffic", transcript)
    serverSecret = PlainSchedule.derive(stage, "s hs traffic", transcript)
    handshake = (PeerKeys(suite, clientSecret), PeerKeys(suite, serverSecret))
  }

  /// The first record of the bytes; nil if there is none whole.
  static func takeRecord(_ bytes: inout ArraySlice<UInt8>) -> [UInt8]? {
    guard bytes.count >= 5 else { return nil }
    let header = Array(bytes.prefix(5))
    let size = 5 + (Int(header[3]) << 8 | Int(header[4]))
    guard bytes.count >= size else { return nil }
    defer { bytes = bytes.dropFirst(size) }
    return Array(bytes.prefix(size))
  }

  // MARK: What it sends

  /// A record under the keys of the handshake.
  func seal(_ content: [UInt8], as type: UInt8 = 22, padding: Int = 0) -> [UInt8] {
    seal(inner: content + [type] + [UInt8](repeating: 0, count: padding))
  }

  func seal(inner: [UInt8], type: UInt8 = 23, version: UInt8 = 3) -> [UInt8] {
    handshake?.client.seal(inner, type: type, version: version) ?? []
  }

  /// A record under the keys of data.
  func sealData(_ content: [UInt8], as type: UInt8 = 23) -> [UInt8] {
    data?.client.seal(content + [type]) ?? []
  }

  /// The second flight of an honest client.
  func makeFlight() -> [UInt8] {
    (hello.sessionID.isEmpty ? [] : Self.changeOfCiphers) + seal(finished)
  }

  /// The records that the server sent under the keys of data, opened, their types last; a record
  /// that does not open is left as it is.
  func open(_ bytes: [UInt8]) -> [[UInt8]] {
    var rest = bytes[...]
    var records: [[UInt8]] = []
    while let record = Self.takeRecord(&rest) {
      records.append(data?.server.open(record) ?? record)
    }
    return rest.isEmpty ? records : records + [Array(rest)]
  }
}
