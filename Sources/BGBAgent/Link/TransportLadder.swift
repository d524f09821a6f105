// Which way an agent goes to its server: TCP first, HTTPS when that fails, back to TCP later. A
// round of attempts is TCP, and directly behind its failure HTTPS, and only then a wait: so a
// server that is down for a minute is found again over TCP, and a port that is closed costs one
// attempt. HTTPS that worked is tried first after a loss; the way back to TCP is tried beside it.
// Pure: what happened goes in, what to try comes out.

public import BGBModel

/// Which transports an agent's settings allow.
public enum TransportRule: String, Sendable, CaseIterable {
  /// TCP first, HTTPS when that fails.
  case automatic = "auto"
  /// TCP only.
  case tcp
  /// HTTPS only.
  case https
}

/// The choice of transport of one link.
public struct TransportLadder: Sendable {
  /// Sessions over TCP that break this often in a row, each before it was proven, make HTTPS worth
  /// a try: some paths let a connection begin and then cut it.
  static let shortSessionsMax = 3

  /// The transport of the attempt or the session.
  public private(set) var current: ChannelKind
  /// Why it is not TCP.
  public private(set) var reason: FallbackReason
  private let rule: TransportRule
  private let hasHTTPS: Bool
  private var shortSessions = 0

  /// Begins at the first rung that the settings allow.
  public init(rule: TransportRule, hasHTTPS: Bool) {
    self.rule = rule
    self.hasHTTPS = hasHTTPS
    current = rule == .https ? .https : .tcp
    reason = rule == .https ? .configured : .none
  }

  /// Whether there is a better transport than the one in use.
  public var mayClimb: Bool { rule == .automatic && current == .https }

  /// An attempt failed.
  ///
  /// - Returns: whether another transport shall be tried in the same round.
  public mutating func attemptFailed(_ why: FallbackReason) -> Bool {
    guard rule == .automatic, hasHTTPS else { return false }
    if current == .tcp {
      current = .https
      reason = why
      return true
    }
    // The round is over; the next one begins with TCP.
    current = .tcp
    reason = .none
    return false
  }

  /// A session ended without the server's wish.
  public mutating func sessionLost(wasProven: Bool) {
    guard rule == .automatic, hasHTTPS, current == .tcp else { return }
    shortSessions = wasProven ? 0 : shortSessions + 1
    guard shortSessions >= TransportLadder.shortSessionsMax else { return }
    shortSessions = 0
    current = .https
    reason = .unstable
  }

  /// A session over HTTPS was replaced by one over TCP.
  public mutating func climbed() {
    current = .tcp
    reason = .none
    shortSessions = 0
  }
}
