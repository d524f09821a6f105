// Where reconnect identities are given out and judged: pure rules over a clock, the master keys and
// the audience. The callbacks of OpenSSL (OpenSSL/ExternalPSK.swift) ask it during a handshake, the
// owner asks it for a grant afterwards.

/// How long identities are good for.
public struct ReconnectRules: Equatable, Sendable {
  /// The life of an identity, in seconds.
  public var lifeSeconds: Int64
  /// How long after its certificate was last shown a client may come back without it, in seconds.
  public var proofSeconds: Int64

  /// Joins the two; negative ones count as none.
  public init(lifeSeconds: Int64, proofSeconds: Int64) {
    self.lifeSeconds = max(0, lifeSeconds)
    self.proofSeconds = max(0, proofSeconds)
  }
}

/// Gives out identities and judges them.
///
/// Belongs to one thread, with the contexts that use it.
public final class ReconnectDesk {
  /// What the clocks of two servers may differ, in seconds.
  static let skewSeconds: Int64 = 300
  /// An identity for less than this is not worth its frame, in seconds.
  static let worthSeconds: Int64 = 60

  /// The master keys; replaced when they are rotated.
  public var keys: ReconnectKeys
  /// How long identities are good for.
  public var rules: ReconnectRules
  /// Reads the keys anew, because another process may have rotated them.
  ///
  /// Asked at most once a second, when an identity names a key that is not known.
  public var reread: () -> ReconnectKeys?
  /// Identities given out.
  public private(set) var issued: UInt64 = 0
  /// Identities taken; the handshake may still have failed for want of the key.
  public private(set) var accepted: UInt64 = 0
  /// Identities not taken, by reason.
  public private(set) var refused: [ReconnectRefusal: UInt64] = [:]

  /// Identities not taken, without those that were no identities at all: tickets come here too.
  public var refusedCount: UInt64 {
    refused.reduce(0) { $1.key == .unreadable ? $0 : $0 &+ $1.value }
  }

  /// Nil only if OpenSSL lacks AES-256-GCM; then no identity is given or taken.
  private let cipher = IdentityCipher()
  private let audience: [UInt8]
  private let wall: () -> Int64
  private var rereadAt: Int64 = .min

  /// Opens a desk.
  /// - Parameters:
  ///   - audience: for whom identities are; one made for another audience is not taken, even if it
  ///     should share a key by mistake.
  ///   - wall: the time in seconds since 1970.
  ///   - reread: see ``reread``.
  public init(
    keys: ReconnectKeys, rules: ReconnectRules, audience: String, wall: @escaping () -> Int64,
    reread: @escaping () -> ReconnectKeys? = { nil }
  ) {
    self.keys = keys
    self.rules = rules
    self.audience = Array(audience.utf8)
    self.wall = wall
    self.reread = reread
  }

  /// The time by which this desk judges, in seconds since 1970.
  public var now: Int64 { wall() }

  /// Gives a client what it can come back with; nil if that would not be worth it, because the
  /// certificate must be shown again soon in any case.
  public func issue(for client: ProvenClient) -> ReconnectGrant? {
    let now = wall()
    let (proofEnd, overflow) = client.shownAt.addingReportingOverflow(rules.proofSeconds)
    let expiry = min(now &+ rules.lifeSeconds, overflow ? .max : proofEnd, client.notAfter)
    guard expiry > now, expiry &- now >= Self.worthSeconds, let key = keys.keys.first else {
      return nil
    }
    let claims = ReconnectClaims(client: client, expiry: expiry)
    let associated = ReconnectIdentity.associatedData(keyNumber: key.number, audience: audience)
    guard let cipher,
      let (nonce, sealed) = key.derived.seal(claims.bytes, beside: associated, using: cipher)
    else { return nil }
    let text = ReconnectIdentity(keyNumber: key.number, nonce: nonce, sealed: sealed).text
    guard let secret = key.derived.handshakeKey(for: text) else { return nil }
    issued &+= 1
    return ReconnectGrant(
      identity: text, key: secret, lifeSeconds: UInt32(clamping: expiry &- now))
  }

  /// Judges an identity; answers who comes back, and the key that the peer must prove to have.
  func judge(
    _ text: Span<UInt8>
  ) throws(ReconnectRefusal) -> (client: ProvenClient, key: [UInt8]) {
    do throws(ReconnectRefusal) {
      let judged = try recognize(text)
      noteAccepted()
      return judged
    } catch {
      refused[error, default: 0] &+= 1
      throw error
    }
  }

  /// Counts an identity that ``recognize(_:)`` took.
  func noteAccepted() { accepted &+= 1 }

  /// Judges an identity without counting it, for whoever asks a second time.
  func recognize(
    _ text: Span<UInt8>
  ) throws(ReconnectRefusal) -> (client: ProvenClient, key: [UInt8]) {
    let now = wall()
    let identity = try ReconnectIdentity(text: text)
    guard let key = key(numbered: identity.keyNumber, now: now) else { throw .unknownKey }
    let associated = ReconnectIdentity.associatedData(
      keyNumber: identity.keyNumber, audience: audience)
    guard let cipher,
      let bytes = key.derived.open(
        identity.sealed, nonce: identity.nonce, beside: associated, using: cipher),
      let claims = ReconnectClaims(bytes: bytes)
    else { throw .forged }
    if now >= claims.expiry { throw .expired }
    if now >= claims.client.notAfter { throw .certificateExpired }
    // Rules that became stricter hold for the identities that are out already, too.
    if claims.expiry > now &+ rules.lifeSeconds &+ Self.skewSeconds { throw .tooLong }
    guard isFresh(shownAt: claims.client.shownAt) else { throw .proofTooOld }
    var copy: [UInt8] = []
    copy.reserveCapacity(text.count)
    for index in 0..<text.count { copy.append(text[index]) }
    guard let secret = key.derived.handshakeKey(for: copy) else { throw .forged }
    return (claims.client, secret)
  }

  /// Whether a certificate that was shown then needs not be shown again yet.
  func isFresh(shownAt: Int64) -> Bool {
    let (end, overflow) = shownAt.addingReportingOverflow(rules.proofSeconds)
    return overflow ? shownAt > 0 : wall() < end
  }

  private func key(numbered number: UInt64, now: Int64) -> ReconnectKey? {
    if let key = keys.key(numbered: number) { return key }
    guard rereadAt != now else { return nil }
    rereadAt = now
    if let fresh = reread() { keys = fresh }
    return keys.key(numbered: number)
  }
}

@available(*, unavailable)
extension ReconnectDesk: Sendable {}
