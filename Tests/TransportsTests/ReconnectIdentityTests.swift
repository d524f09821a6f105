// Reconnect identities without a connection: what they say, how long they hold, and that no bytes
// of a stranger do more than be refused (ReconnectIdentity.swift, ReconnectDesk.swift). Each rule
// of docs/SECURITY.md, "Reconnect identities", that can be seen without a handshake is tested here.
import Testing

@testable import Transports

/// A desk whose clock the test moves.
final class DeskStage {
  private final class Hands {
    var now: Int64 = 1_000_000
    var fresh: ReconnectKeys?
    var rereads = 0
  }

  private let hands = Hands()
  let desk: ReconnectDesk

  var now: Int64 {
    get { hands.now }
    set { hands.now = newValue }
  }
  /// What reading the keys anew gives.
  var fresh: ReconnectKeys? {
    get { hands.fresh }
    set { hands.fresh = newValue }
  }
  /// How often they were read anew.
  var rereads: Int { hands.rereads }

  static let day: Int64 = 86_400

  init(
    _ keys: ReconnectKeys? = nil, audience: String = "P01", life: Int64 = day,
    proof: Int64 = 7 * day
  ) throws {
    desk = ReconnectDesk(
      keys: try keys ?? ReconnectKeys.fresh(now: 0),
      rules: ReconnectRules(lifeSeconds: life, proofSeconds: proof), audience: audience,
      wall: { [hands] in hands.now },
      reread: { [hands] in
        hands.rereads += 1
        return hands.fresh
      })
  }

  /// A client whose certificate was shown now.
  func client(
    _ subject: UInt128 = 0x0123_4567_89AB_4CDE_8F01_2345_6789_ABCD, notAfter: Int64 = .max,
    shownAt: Int64? = nil
  ) -> ProvenClient {
    ProvenClient(subject: subject, notAfter: notAfter, shownAt: shownAt ?? now)
  }

  func refusal(_ identity: [UInt8]) -> ReconnectRefusal? {
    do {
      _ = try desk.judge(identity.span)
      return nil
    } catch {
      return error
    }
  }
}

@Suite("Reconnect identities")
struct ReconnectIdentityTests {
  @Test("What was given is taken, with the same key, and says whom it was given to")
  func taken() throws {
    let stage = try DeskStage()
    let client = stage.client(notAfter: 99_000_000)
    let grant = try #require(stage.desk.issue(for: client))
    #expect(grant.identity.count == ReconnectIdentity.textBytes)
    #expect(grant.identity.count <= ReconnectGrant.identityBytesMax)
    #expect(grant.lifeSeconds == 86_400)
    let judged = try stage.desk.judge(grant.identity.span)
    #expect(judged.client == client)
    #expect(judged.key == grant.key)
    #expect(stage.desk.issued == 1)
    #expect(stage.desk.accepted == 1)
  }

  @Test("An identity tells an onlooker nothing: two of one client share the key number only")
  func opaque() throws {
    let stage = try DeskStage()
    let one = try #require(stage.desk.issue(for: stage.client()))
    let other = try #require(stage.desk.issue(for: stage.client()))
    // Version and key number are 9 bytes: 12 characters.
    #expect(one.identity.prefix(12) == other.identity.prefix(12))
    #expect(one.identity[12...] != other.identity[12...])
    #expect(one.key != other.key)
    let text = String(decoding: one.identity, as: UTF8.self)
    #expect(text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) })
  }

  @Test("expired: valid iff now is before the expiry")
  func expired() throws {
    let stage = try DeskStage()
    let grant = try #require(stage.desk.issue(for: stage.client()))
    stage.now += 86_399
    #expect(stage.refusal(grant.identity) == nil)
    stage.now += 1
    #expect(stage.refusal(grant.identity) == .expired)
    #expect(stage.desk.refused == [.expired: 1])
  }

  @Test("certificate expired before the identity: an identity does not outlive it")
  func certificateExpiry() throws {
    let stage = try DeskStage()
    let client = stage.client(notAfter: stage.now + 3_600)
    let grant = try #require(stage.desk.issue(for: client))
    #expect(grant.lifeSeconds == 3_600)
    stage.now += 3_600
    #expect(stage.refusal(grant.identity) == .expired)
    #expect(stage.desk.issue(for: client) == nil)
  }

  @Test("proof too old: it is never renewed beyond the proof of the certificate")
  func proofTooOld() throws {
    let stage = try DeskStage()
    let shownAt = stage.now
    var lives: [UInt32] = []
    while let grant = stage.desk.issue(for: stage.client(shownAt: shownAt)) {
      lives.append(grant.lifeSeconds)
      stage.now += 86_400 - 1_800
    }
    // Seven days, given out anew half an hour before each end: the last one is cut.
    #expect(lives.dropLast().allSatisfy { $0 == 86_400 })
    #expect(stage.now - shownAt <= 8 * 86_400)
    #expect(stage.now >= shownAt + 7 * 86_400 - 60)
    // Rules that were made stricter hold for those that are out.
    let early = try #require(stage.desk.issue(for: stage.client()))
    stage.now += 7_200
    stage.desk.rules.proofSeconds = 3_600
    #expect(stage.refusal(early.identity) == .proofTooOld)
  }

  @Test("a shorter life holds for the identities that are out, but for the skew of clocks")
  func shorterLife() throws {
    let stage = try DeskStage()
    let grant = try #require(stage.desk.issue(for: stage.client()))
    stage.desk.rules.lifeSeconds = 3_600
    #expect(stage.refusal(grant.identity) == .tooLong)
    stage.now += 86_400 - 3_600
    #expect(stage.refusal(grant.identity) == nil)
    // A server whose clock is five minutes behind still takes what another one gave.
    let young = try #require(stage.desk.issue(for: stage.client()))
    stage.now -= 300
    #expect(stage.refusal(young.identity) == nil)
  }

  @Test("a certificate that was shown long ago, or never, gives no identity")
  func nothingToGive() throws {
    let stage = try DeskStage()
    for shownAt in [Int64.min, 0, stage.now - 7 * 86_400, stage.now - 7 * 86_400 + 59] {
      #expect(stage.desk.issue(for: stage.client(shownAt: shownAt)) == nil)
    }
    let none = try DeskStage(life: 0)
    #expect(none.desk.issue(for: none.client()) == nil)
    let future = try #require(stage.desk.issue(for: stage.client(shownAt: .max)))
    #expect(stage.refusal(future.identity) == nil)
  }

  @Test("foreign site: an identity of another site is not taken, even under a shared key")
  func foreignSite() throws {
    let keys = try ReconnectKeys.fresh(now: 0)
    let ours = try DeskStage(keys)
    let theirs = try DeskStage(keys, audience: "P02")
    let strangers = try DeskStage(audience: "P01")
    let grant = try #require(theirs.desk.issue(for: theirs.client()))
    #expect(ours.refusal(grant.identity) == .forged)
    #expect(strangers.refusal(grant.identity) == .unknownKey)
    #expect(theirs.refusal(grant.identity) == nil)
  }

  @Test("rotated away: the key is gone, so is the identity")
  func rotatedAway() throws {
    let stage = try DeskStage()
    let grant = try #require(stage.desk.issue(for: stage.client()))
    try stage.desk.keys.rotate(now: stage.now, keptSeconds: 86_400)
    #expect(stage.refusal(grant.identity) == nil)
    let old = stage.desk.keys
    try stage.desk.keys.rotate(now: stage.now + 86_400, keptSeconds: 86_400)
    #expect(stage.desk.keys.keys.count == 2)
    #expect(stage.refusal(grant.identity) == .unknownKey)
    stage.desk.keys = old
    #expect(stage.refusal(grant.identity) == nil)
  }

  @Test("rotated by another process: the keys are read anew, at most once a second")
  func rereads() throws {
    let keys = try ReconnectKeys.fresh(now: 0)
    let ours = try DeskStage(keys)
    let theirs = try DeskStage(keys)
    try theirs.desk.keys.rotate(now: 5, keptSeconds: 86_400)
    let grant = try #require(theirs.desk.issue(for: theirs.client()))
    #expect(ours.refusal(grant.identity) == .unknownKey)
    ours.fresh = theirs.desk.keys
    #expect(ours.refusal(grant.identity) == .unknownKey, "not twice within one second")
    #expect(ours.rereads == 1)
    ours.now += 1
    #expect(ours.refusal(grant.identity) == nil)
    #expect(ours.rereads == 2)
    #expect(ours.desk.keys == theirs.desk.keys)
  }

  @Test("tampered: no single changed bit is taken")
  func tampered() throws {
    let stage = try DeskStage()
    let grant = try #require(stage.desk.issue(for: stage.client()))
    for index in grant.identity.indices {
      for bit in 0..<8 {
        var bent = grant.identity
        bent[index] ^= 1 << bit
        #expect(stage.refusal(bent) != nil, "bit \(bit) of byte \(index)")
      }
    }
    for character in Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    where character != grant.identity.last {
      var bent = grant.identity
      bent[bent.count - 1] = character
      #expect(stage.refusal(bent) != nil, "one value has one spelling")
    }
  }

  @Test("Whatever bytes come, they are refused and nothing traps")
  func nonsense() throws {
    let stage = try DeskStage()
    let grant = try #require(stage.desk.issue(for: stage.client()))
    var random = SplitMix(7)
    var reasons: Set<ReconnectRefusal> = []
    for round in 0..<20_000 {
      var bytes = grant.identity
      switch round % 5 {
      case 0: bytes = random.bytes(Int(random.next() % 300))
      case 1: bytes.removeLast(Int(random.next() % UInt64(bytes.count + 1)))
      case 2: bytes += (0..<Int(random.next() % 200)).map { _ in 0x41 }
      case 3:
        bytes = base64URL(
          [UInt8(random.next() % 3)] + random.bytes(ReconnectIdentity.wholeBytes - 1))
      default:
        for _ in 0...Int(random.next() % 4) {
          bytes[Int(random.next() % UInt64(bytes.count))] = random.bytes(1)[0]
        }
      }
      if let reason = stage.refusal(bytes) {
        reasons.insert(reason)
      } else {
        #expect(bytes == grant.identity)
      }
    }
    #expect(reasons.isSuperset(of: [.unreadable, .unknownVersion, .unknownKey, .forged]))
  }

  @Test("Claims with the strangest numbers are judged, not trapped upon")
  func extremes() throws {
    let stage = try DeskStage()
    let key = try #require(stage.desk.keys.keys.first)
    let cipher = try #require(IdentityCipher())
    let edges: [Int64] = [.min, .min + 1, -1, 0, 1, stage.now, .max - 1, .max]
    for notAfter in edges {
      for expiry in edges {
        for shownAt in edges {
          let claims = ReconnectClaims(
            client: ProvenClient(subject: .max, notAfter: notAfter, shownAt: shownAt),
            expiry: expiry)
          let sealed = try #require(
            key.derived.seal(
              claims.bytes,
              beside: ReconnectIdentity.associatedData(
                keyNumber: key.number, audience: Array("P01".utf8)), using: cipher))
          let text = ReconnectIdentity(
            keyNumber: key.number, nonce: sealed.nonce, sealed: sealed.sealed
          ).text
          #expect(stage.refusal(text) != nil, "no clock of ours gave this one out")
        }
      }
    }
  }

  @Test("A grant has sizes that fit the handshake")
  func sizes() {
    let key = [UInt8](repeating: 1, count: 32)
    #expect(ReconnectGrant(identity: [], key: key, lifeSeconds: 1) == nil)
    #expect(ReconnectGrant(identity: pattern(256), key: key, lifeSeconds: 1) == nil)
    #expect(ReconnectGrant(identity: pattern(255), key: key + [1], lifeSeconds: 1) == nil)
    #expect(ReconnectGrant(identity: pattern(255), key: key, lifeSeconds: 0) != nil)
  }

  @Test("base64url is what RFC 4648 says")
  func base64() {
    for (bytes, text) in [
      ([], ""), ([0x66], "Zg"), ([0x66, 0x6F], "Zm8"), ([0xFB, 0xFF, 0xFE], "-__-"),
      (Array("foobar".utf8), "Zm9vYmFy"),
    ] as [([UInt8], String)] {
      #expect(base64URL(bytes) == Array(text.utf8))
      #expect(Transports.bytes(base64URL: Array(text.utf8).span) == bytes)
    }
    for text in ["Z", "Zh", "Zm9", "Zg==", "Zm8=", "+/+/", "Zm 8"] {
      #expect(Transports.bytes(base64URL: Array(text.utf8).span) == nil)
    }
  }
}

/// Numbers that are the same in each run (SplitMix64).
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
