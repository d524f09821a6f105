// What a TLS context may be told. Every default is the strict choice; a listener that must also
// serve browsers loosens what it needs by name.

/// Which end of a handshake a context is for.
public enum TLSRole: Sendable {
  /// Waits for the peer's first flight.
  case server
  /// Speaks first.
  case client
}

/// The oldest protocol version that is accepted.
public enum TLSVersion: Sendable {
  /// TLS 1.2, for an HTTPS listener that must serve old proxies.
  case tls12
  /// TLS 1.3, the rule.
  case tls13
}

/// What is demanded of the peer's certificate.
public enum PeerCertificateRule: Sendable {
  /// No certificate, no connection. The rule for agents, and for every client.
  case required
  /// Verified if there is one (a listener whose callers may also prove themselves otherwise).
  case optional
  /// Not asked for.
  case ignored
}

/// Which of OpenSSL's algorithms a context may use.
public enum TLSAlgorithms: String, Decodable, Sendable {
  /// Those of TLS between our own programs: reading a certificate's key and deriving secrets cost
  /// a quarter of what they do otherwise.
  ///
  /// Where the machine is set up for another provider than OpenSSL's default one, as ``all``.
  case narrow
  /// All that OpenSSL is set up for.
  case all
}

/// The settings of a TLS context.
public struct TLSOptions: Sendable {
  /// The oldest version that is accepted.
  public var oldestVersion = TLSVersion.tls13
  /// What is demanded of the peer.
  public var peerCertificate = PeerCertificateRule.required
  /// Keys that seal session tickets; without them a server gives out none, and nobody resumes.
  public var ticketKeys: TicketKeys?
  /// How long a ticket is good for, in seconds.
  ///
  /// A resumed peer skips verification, so not for long.
  public var ticketLifetimeSeconds = 3600
  /// Tickets given out by themselves after a handshake; one is enough for a peer with one
  /// connection.
  ///
  /// With 0 a server gives out none by itself, but can send one by ``ByteChannel/sendTicket()``,
  /// and the keys open those that were given out.
  public var ticketsPerHandshake = 1
  /// Names the listener, 1 to 32 bytes: a ticket given out under another name is not taken.
  public var sessionContext = "session"
  /// Certificates between the peer's and ours that may lie in a chain.
  public var intermediatesMax = 2
  /// The largest certificate message that is read, in bytes (OpenSSL's default is 100 KiB).
  public var certificateBytesMax = 16 * 1024
  /// Key-exchange groups in order of preference.
  public var groups = "X25519:P-256"
  /// TLS 1.3 cipher suites in order of preference; the shortest keys first, they are cheapest to
  /// keep.
  public var cipherSuites =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
  /// TLS 1.2 cipher suites, for a context that takes it: forward secret and authenticated only.
  public var oldCipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"
  /// Key updates that one connection may ask for in its life.
  ///
  /// Each costs us a derivation and an answer for a few bytes of the peer's. An honest peer asks
  /// once in some sixteen million records.
  public var keyUpdatesMax = 32
  /// Which of OpenSSL's algorithms can be used at all.
  public var algorithms = TLSAlgorithms.narrow
  /// Whether connections can be detached from OpenSSL after the handshake.
  ///
  /// OpenSSL then tells us the traffic secrets, and reads no further than one record.
  public var detaches = false
  /// Whether a refused peer learns only that it was refused; the reason is for our audit.
  public var hidesRefusalReason = true

  /// Makes the strict defaults.
  public init() {}
}

/// Why a context could not be made: a sentence for the operator, who must change a file or a
/// setting.
public struct TLSSetupError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  /// Makes an error of its sentence.
  public init(_ sentence: String) { description = sentence }
}
