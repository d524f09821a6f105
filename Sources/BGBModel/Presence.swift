// Who is online: what a notification server knows of a client and an online report (BOS) carries.

/// How a client is connected.
public enum ChannelKind: UInt8, Sendable, CaseIterable {
  /// The notification port. The original's channel type 0.
  case tcp = 0
  /// The HTTPS long poll. The original's channel type 1.
  case https = 1

  /// The word shown to people.
  public var name: String { self == .tcp ? "tcp" : "https" }
}

/// Why a client is offline, or that it is not.
public enum PresenceReason: UInt8, Sendable, CaseIterable {
  /// Signed in.
  case signedIn = 0
  /// The agent said goodbye: it was stopped.
  case goodbye = 1
  /// The connection was reset or closed without a word.
  case connectionLost = 2
  /// No message for one and a half keep-alive intervals.
  case keepAliveExpired = 3
  /// Bytes stayed unacknowledged: the peer or the path is gone.
  case halfOpen = 4
  /// It did not read what was sent to it.
  case slowReader = 5
  /// It broke the protocol.
  case protocolError = 6
  /// It was blocked.
  case blocked = 7
  /// Its certificate expired while connected.
  case certificateExpired = 8
  /// The server stopped or died.
  case serverStopped = 9

  /// The word shown to people.
  public var name: String { PresenceReason.names[Int(rawValue)] }

  /// Finds a reason by its word.
  public init?(named text: some StringProtocol) {
    guard let index = PresenceReason.names.firstIndex(where: { $0 == text }) else { return nil }
    self = PresenceReason.allCases[index]
  }

  /// Finds a reason by the bytes of its word.
  public init?(named text: borrowing Span<UInt8>) {
    guard let index = WordList.index(of: text, in: PresenceReason.names) else { return nil }
    self = PresenceReason.allCases[index]
  }

  /// The words, made once: asking the runtime for a case's name costs as much as a whole frame.
  private static let names = allCases.map { "\($0)" }
}

/// What a server knows of one client.
public struct PresenceRecord: Hashable, Sendable {
  /// The client.
  public var clientID: ClientID
  /// Whether it is connected.
  public var isOnline: Bool
  /// When it became so.
  public var since: WallTime
  /// When the last message proved it (equal to `since` for offline clients).
  public var lastProof: WallTime
  /// Why.
  public var reason: PresenceReason
  /// Over which channel.
  public var channel: ChannelKind
  /// Why not over TCP.
  public var fallback: FallbackReason
  /// Since when over this channel without a break, as this server knows it.
  public var channelSince: WallTime
  /// The server's number of this session, greater for a newer one.
  public var session: UInt64
  /// What the client told of itself.
  public var facts: ClientFacts

  /// Joins the parts.
  public init(
    clientID: ClientID, isOnline: Bool, since: WallTime, lastProof: WallTime,
    reason: PresenceReason, channel: ChannelKind, fallback: FallbackReason,
    channelSince: WallTime, session: UInt64, facts: ClientFacts
  ) {
    self.clientID = clientID
    self.isOnline = isOnline
    self.since = since
    self.lastProof = lastProof
    self.reason = reason
    self.channel = channel
    self.fallback = fallback
    self.channelSince = channelSince
    self.session = session
    self.facts = facts
  }
}

/// What a client tells of itself when it signs in: hostile text until it is shown encoded.
public struct ClientFacts: Hashable, Sendable {
  /// The computer's name.
  public var hostname: String
  /// Operating system and version.
  public var operatingSystem: String
  /// The agent's version.
  public var agentVersion: String
  /// Addresses in text form, the first the one it connects from.
  public var addresses: [String]

  /// Joins the parts.
  public init(
    hostname: String = "", operatingSystem: String = "", agentVersion: String = "",
    addresses: [String] = []
  ) {
    self.hostname = hostname
    self.operatingSystem = operatingSystem
    self.agentVersion = agentVersion
    self.addresses = addresses
  }
}
