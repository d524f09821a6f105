// Who the peer is, as its certificate says. Read after every handshake, full or resumed, because
// OpenSSL lets a revoked client resume without asking anybody: the owner holds this against its
// deny list each time. It is copied out of OpenSSL as plain values, so that it may travel to an
// audit line or another thread, and outlive the connection.

/// The SHA-256 digest of a certificate in DER.
public struct CertificateFingerprint: Hashable, Sendable, CustomStringConvertible {
  private let words: (UInt64, UInt64, UInt64, UInt64)

  /// Makes a fingerprint of exactly 32 bytes; nil for any other number.
  public init?(_ bytes: Span<UInt8>) {
    guard bytes.count == 32 else { return nil }
    func word(_ from: Int) -> UInt64 {
      var value: UInt64 = 0
      for index in from..<from + 8 { value = value << 8 | UInt64(bytes[index]) }
      return value
    }
    words = (word(0), word(8), word(16), word(24))
  }

  /// Whether both digests are equal.
  public static func == (left: Self, right: Self) -> Bool { left.words == right.words }

  /// Feeds the digest's first word, which is as good as random already.
  public func hash(into hasher: inout Hasher) { hasher.combine(words.0) }

  /// The digest in lower-case hexadecimal, 64 characters.
  public var description: String {
    [words.0, words.1, words.2, words.3].map { word in
      let digits = String(word, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

/// What a certificate says it may be used for (extended key usage).
public struct CertificatePurposes: OptionSet, Hashable, Sendable {
  /// The raw bits.
  public let rawValue: UInt8

  /// Makes a set of its raw bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// The holder may prove itself to a server.
  public static let clientAuthentication = CertificatePurposes(rawValue: 1)
  /// The holder may prove itself to a client.
  public static let serverAuthentication = CertificatePurposes(rawValue: 2)
}

/// The facts of a peer's certificate that an owner decides upon.
public struct PeerIdentity: Equatable, Sendable {
  /// At most this many URIs are copied; one is the rule, and `uriCount` still tells the true
  /// number.
  public static let urisMax = 4

  /// The URIs among the subject's alternative names, as far as they are printable ASCII.
  public let uris: [String]
  /// How many URIs there are, the ones that are not printable ASCII too.
  public let uriCount: Int
  /// The subject's common name, for people to read; nothing may be decided by it.
  public let commonName: String
  /// The serial number in lower-case hexadecimal.
  public let serial: String
  /// The certificate's SHA-256 digest.
  public let fingerprint: CertificateFingerprint
  /// First second of validity, counted from 1970.
  public let notBefore: Int64
  /// The second at which validity is over, counted from 1970.
  public let notAfter: Int64
  /// The purposes that the certificate names; empty when it names none of ours.
  public let purposes: CertificatePurposes
  /// Whether the certificate is an authority's (basic constraints CA:TRUE).
  public let isAuthority: Bool

  /// Makes an identity of its facts.
  public init(
    uris: [String], uriCount: Int, commonName: String, serial: String,
    fingerprint: CertificateFingerprint, notBefore: Int64, notAfter: Int64,
    purposes: CertificatePurposes, isAuthority: Bool
  ) {
    self.uris = uris
    self.uriCount = uriCount
    self.commonName = commonName
    self.serial = serial
    self.fingerprint = fingerprint
    self.notBefore = notBefore
    self.notAfter = notAfter
    self.purposes = purposes
    self.isAuthority = isAuthority
  }
}
