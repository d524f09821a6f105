// Who one link is and what an observer hears of it.

public import BGBModel
public import HTTPClient
public import Reactor

/// One client: its name at the site and the files that prove it.
public struct AgentIdentity: Sendable {
  /// The client; must be the one in the certificate.
  public var clientID: ClientID
  /// The certificate and its chain, PEM.
  public var certificateFile: String
  /// Its private key, PEM.
  public var keyFile: String
  /// The site's authority, PEM.
  public var authorityFile: String
  /// Its number in the fleet of the loop's configuration, where its credentials are read while it
  /// connects; nil for files of its own.
  public var fleetNumber: UInt32?
  /// What it tells of itself.
  public var facts: ClientFacts
  /// Where TLS sessions are kept, one file a server; nil keeps them in memory only.
  public var sessionFolder: String?
  /// The local address to connect from; nil leaves it to the kernel.
  public var localAddress: SocketAddress?
  /// The transports it may use; nil for those of the loop's configuration.
  public var transport: TransportRule?
  /// Its way through proxies; nil for that of the loop's configuration.
  public var proxy: ProxyChoice?

  /// Joins the parts.
  public init(
    clientID: ClientID, certificateFile: String, keyFile: String, authorityFile: String,
    facts: ClientFacts, sessionFolder: String? = nil, localAddress: SocketAddress? = nil
  ) {
    self.clientID = clientID
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.authorityFile = authorityFile
    self.facts = facts
    self.sessionFolder = sessionFolder
    self.localAddress = localAddress
  }
}

/// Thousands of clients whose credentials are read one by one, each while it connects.
///
/// They share one TLS context, so that a client that is idle holds no OpenSSL object for it.
public struct AgentFleet: Sendable {
  /// The site's authority, PEM.
  public var authorityFile: String
  /// The certificate and the key of a client by its number, in DER or PEM; nil when they cannot be
  /// read.
  public var credentials: @Sendable (UInt32) -> (certificate: [UInt8], key: [UInt8])?

  /// Joins the parts.
  public init(
    authorityFile: String,
    credentials: @escaping @Sendable (UInt32) -> (certificate: [UInt8], key: [UInt8])?
  ) {
    self.authorityFile = authorityFile
    self.credentials = credentials
  }
}

/// Something that happened to a client, for logs and for load generators; no text is made.
public enum AgentEvent: Equatable, Sendable {
  /// An attempt begins over this transport; for HTTPS with the reason why it is not TCP.
  case trying(ChannelKind, FallbackReason)
  /// TCP and TLS stand.
  case connected(resumed: Bool, over: ChannelKind)
  /// The socket that carried polls is gone; the session goes on over another one.
  case carrierLost(DisconnectReason)
  /// A session over HTTPS was taken over by one over TCP.
  case climbed
  /// TCP was tried beside the session over HTTPS, in vain.
  case climbFailed(DisconnectReason)
  /// Signed in: by which server, as which session.
  case welcomed(ServerID, session: UInt64)
  /// The desk decided something.
  case task(DeskEvent)
  /// The connection or the attempt ended; the next attempt comes after so many milliseconds.
  case disconnected(DisconnectReason, retryAfterMilliseconds: UInt64)
}
