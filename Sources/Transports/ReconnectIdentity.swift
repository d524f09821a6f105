// A reconnect identity: what a client shows instead of its certificate when it comes back. It is
// the identity of a TLS 1.3 external PSK, made and read by servers only; to the client it is text
// without meaning. Inside lies, sealed, who the client is and how long that holds, so that a server
// stores nothing; the key that goes with it follows from the text and the master key.
//
// Version 1: u8 version = 1, u64 key number, 12 bytes nonce, then sealed with AES-256-GCM: subject
// 16, certificate's notAfter i64, expiry i64, certificate shown at i64 (seconds since 1970); then
// the tag of 16. The version, the key number and the audience are authenticated beside it. On the
// wire all of it is base64url (RFC 4648, section 5) without padding, so that tools which take an
// identity as text, such as `openssl s_client -psk_identity`, can use one.

/// A client that proved itself, by whatever means, and what the proof is worth.
public struct ProvenClient: Equatable, Sendable {
  /// Who it is, as a number that means something to the owner.
  public let subject: UInt128
  /// When its certificate ends, in seconds since 1970.
  public let notAfter: Int64
  /// When it last showed the certificate itself, in seconds since 1970.
  public let shownAt: Int64

  /// Joins the parts.
  public init(subject: UInt128, notAfter: Int64, shownAt: Int64) {
    self.subject = subject
    self.notAfter = notAfter
    self.shownAt = shownAt
  }
}

/// What a client gets to come back with.
public struct ReconnectGrant: Equatable, Sendable {
  /// Bytes of the key of an external PSK with SHA-256.
  public static let keyBytes = 32
  /// The longest identity that is taken, in bytes.
  public static let identityBytesMax = 255

  /// The identity, as it travels in clear.
  public let identity: [UInt8]
  /// The key; as secret as a private key, as long as the identity lives.
  public let key: [UInt8]
  /// How long it is good for, in seconds from when it was given.
  public let lifeSeconds: UInt32

  /// Joins the parts; nil if one has a size that no grant has.
  public init?(identity: [UInt8], key: [UInt8], lifeSeconds: UInt32) {
    guard (1...Self.identityBytesMax).contains(identity.count), key.count == Self.keyBytes else {
      return nil
    }
    self.identity = identity
    self.key = key
    self.lifeSeconds = lifeSeconds
  }
}

/// Why an identity was not taken; the client then proves itself with its certificate.
public enum ReconnectRefusal: String, Error, Hashable, Sendable, CaseIterable {
  /// It is not the text of an identity at all: a session ticket, say.
  case unreadable
  /// Made by a version that we do not know.
  case unknownVersion
  /// Made under a master key that is not ours, or not any more.
  case unknownKey
  /// Changed on the way, or made for another audience.
  case forged
  /// Its time is over.
  case expired
  /// It would live longer than such an identity may.
  case tooLong
  /// The certificate behind it was not shown for too long.
  case proofTooOld
  /// The certificate behind it has ended.
  case certificateExpired
}

/// The parts of an identity, read but not yet believed.
struct ReconnectIdentity: Equatable {
  static let version: UInt8 = 1
  static let nonceBytes = 12
  static let sealedBytes = 16 + 3 * 8
  static let tagBytes = 16
  /// Bytes of the whole, and of the text that stands for them.
  static let wholeBytes = 1 + 8 + nonceBytes + sealedBytes + tagBytes
  static let textBytes = (wholeBytes * 4 + 2) / 3

  var keyNumber: UInt64
  var nonce: [UInt8]
  var sealed: [UInt8]

  /// Joins the parts; the tag is at the end of `sealed`.
  init(keyNumber: UInt64, nonce: [UInt8], sealed: [UInt8]) {
    self.keyNumber = keyNumber
    self.nonce = nonce
    self.sealed = sealed
  }

  /// Reads the text; whatever bytes there are, it ends in a value or in a refusal.
  init(text: Span<UInt8>) throws(ReconnectRefusal) {
    // Nearly everything else that arrives here is a ticket: its length alone tells.
    guard text.count == Self.textBytes, let bytes = bytes(base64URL: text) else {
      throw .unreadable
    }
    guard bytes[0] == Self.version else { throw .unknownVersion }
    keyNumber = bigEndianNumber(bytes[1..<9])
    nonce = Array(bytes[9..<9 + Self.nonceBytes])
    sealed = Array(bytes[(9 + Self.nonceBytes)...])
  }

  /// The text.
  var text: [UInt8] {
    base64URL([Self.version] + bigEndianBytes(keyNumber) + nonce + sealed)
  }

  /// What is authenticated beside the sealed part.
  static func associatedData(keyNumber: UInt64, audience: [UInt8]) -> [UInt8] {
    [version] + bigEndianBytes(keyNumber) + audience
  }
}

/// What is sealed inside an identity.
struct ReconnectClaims: Equatable {
  var client: ProvenClient
  /// When the identity ends, in seconds since 1970.
  var expiry: Int64

  init(client: ProvenClient, expiry: Int64) {
    self.client = client
    self.expiry = expiry
  }

  /// Reads the bytes that a seal protected; nil if there are not exactly as many.
  init?(bytes: [UInt8]) {
    guard bytes.count == ReconnectIdentity.sealedBytes else { return nil }
    func word(_ at: Int) -> UInt64 { bigEndianNumber(bytes[at..<at + 8]) }
    client = ProvenClient(
      subject: UInt128(word(0)) << 64 | UInt128(word(8)),
      notAfter: Int64(bitPattern: word(16)), shownAt: Int64(bitPattern: word(32)))
    expiry = Int64(bitPattern: word(24))
  }

  var bytes: [UInt8] {
    [
      UInt64(truncatingIfNeeded: client.subject >> 64),
      UInt64(truncatingIfNeeded: client.subject), UInt64(bitPattern: client.notAfter),
      UInt64(bitPattern: expiry), UInt64(bitPattern: client.shownAt),
    ].flatMap(bigEndianBytes)
  }
}

private let alphabet = Array(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

/// The bytes as base64url without padding.
func base64URL(_ bytes: [UInt8]) -> [UInt8] {
  var text: [UInt8] = []
  text.reserveCapacity((bytes.count * 4 + 2) / 3)
  var group: UInt32 = 0
  var bits: UInt32 = 0
  for byte in bytes {
    group = group << 8 | UInt32(byte)
    bits += 8
    while bits >= 6 {
      bits -= 6
      text.append(alphabet[Int(group >> bits & 63)])
    }
    group &= 63
  }
  if bits > 0 { text.append(alphabet[Int(group << (6 - bits) & 63)]) }
  return text
}

/// The bytes of base64url; nil unless the text is exactly what ``base64URL(_:)`` writes.
func bytes(base64URL text: Span<UInt8>) -> [UInt8]? {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(text.count * 3 / 4)
  var group: UInt32 = 0
  var bits: UInt32 = 0
  for index in 0..<text.count {
    guard let value = base64URLValue(text[index]) else { return nil }
    group = (group & 0xFF) << 6 | value
    bits += 6
    if bits >= 8 {
      bits -= 8
      bytes.append(UInt8(truncatingIfNeeded: group >> bits))
    }
  }
  // One spelling for each value: no character too many, no stray low bits.
  guard bits < 6, group & (1 << bits - 1) == 0 else { return nil }
  return bytes
}

private func base64URLValue(_ character: UInt8) -> UInt32? {
  switch character {
  case 0x41...0x5A: UInt32(character - 0x41)
  case 0x61...0x7A: UInt32(character - 0x61) + 26
  case 0x30...0x39: UInt32(character - 0x30) + 52
  case 0x2D: 62
  case 0x5F: 63
  default: nil
  }
}
