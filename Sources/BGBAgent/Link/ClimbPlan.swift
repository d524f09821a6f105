// When an agent on HTTPS tries TCP again, and how far such a try has come. The try goes on beside
// the session that works: only a Welcome over TCP ends that, so a try that fails costs nothing but
// a few packets. Pure.

import BGBModel
import Reactor

/// The tries to get back to TCP.
struct ClimbPlan {
  /// Where a try stands.
  enum State: Equatable {
    /// No session over HTTPS, or TCP is not allowed.
    case off
    /// The next try begins then.
    case resting(until: Ticks)
    /// TCP and TLS are under way.
    case connecting(until: Ticks)
    /// SignIn was sent over TCP.
    case signingIn(until: Ticks)
  }

  private(set) var state = State.off

  /// When `State` changes by itself.
  var deadline: Ticks {
    switch state {
    case .off: .never
    case .resting(let until), .connecting(let until), .signingIn(let until): until
    }
  }

  /// Whether a try is under way.
  var isTrying: Bool {
    switch state {
    case .off, .resting: false
    case .connecting, .signingIn: true
    }
  }

  /// A session over HTTPS began.
  mutating func begin(at now: Ticks, rules: ClimbRules, using random: inout JitterRandom) {
    state = .resting(until: now + ClimbPlan.jittered(rules.firstMilliseconds, &random))
  }

  /// A try failed; the next one comes an interval later.
  mutating func rest(at now: Ticks, rules: ClimbRules, using random: inout JitterRandom) {
    state = .resting(until: now + ClimbPlan.jittered(rules.everyMilliseconds, &random))
  }

  /// A try begins.
  mutating func connect(until: Ticks) { state = .connecting(until: until) }

  /// The try's SignIn was sent; its deadline stays.
  mutating func signIn() {
    if case .connecting(let until) = state { state = .signingIn(until: until) }
  }

  /// No tries any more.
  mutating func stop() { state = .off }

  /// A fifth more or less: a port that opens again must not meet a whole fleet in one second.
  private static func jittered(_ milliseconds: UInt64, _ random: inout JitterRandom) -> UInt64 {
    let fifth = milliseconds / 5
    return milliseconds - fifth + UInt64.random(in: 0...(2 * fifth), using: &random)
  }
}

/// How often TCP is tried again.
public struct ClimbRules: Equatable, Sendable {
  /// After the first minutes on HTTPS, in milliseconds.
  public var firstMilliseconds: UInt64
  /// After a try that failed, in milliseconds.
  public var everyMilliseconds: UInt64

  /// Two minutes, then every quarter of an hour.
  public init(firstMilliseconds: UInt64 = 120_000, everyMilliseconds: UInt64 = 900_000) {
    self.firstMilliseconds = firstMilliseconds
    self.everyMilliseconds = everyMilliseconds
  }
}
