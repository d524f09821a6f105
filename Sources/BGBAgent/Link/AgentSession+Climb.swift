// The way back from HTTPS to TCP, seen by the session machine: a second connection beside the one
// that works, and one moment at which it takes over. Until then everything goes on over HTTPS; from
// then on nothing does. The server replaces the old session in the same step, so there are never
// two.

import BGBModel
import BGBWire
import Reactor
import Transports

extension AgentSession {
  /// The time for a try has come, or the time of a try is over.
  mutating func tickClimb(at now: Ticks) -> [SessionStep] {
    guard now >= climb.deadline else { return [] }
    switch climb.state {
    case .off: return []
    case .resting:
      climb.connect(until: now + Limits.handshakeMilliseconds)
      return [.climb]
    case .connecting, .signingIn:
      climb.rest(at: now, rules: climbRules, using: &random)
      return [.dropClimb(.attemptTimedOut)]
    }
  }

  /// TCP and TLS of a try stand: sign in there too.
  mutating func climbConnected(_ facts: SignInFacts, at now: Ticks) -> [SessionStep] {
    guard case .connecting = climb.state else { return [.dropClimb(.stopped)] }
    climb.signIn()
    climbSignedIn = true
    return [.sendClimbing(.signIn(signIn(facts, fallback: .none)))]
  }

  /// What a server says on the connection of a try: a Welcome, or the end of the try.
  mutating func climbReceived(_ message: Message, at now: Ticks) -> [SessionStep] {
    guard case .signingIn = climb.state, isSignedIn else { return [.dropClimb(.stopped)] }
    guard case .welcome(let welcome) = message,
      (ProtocolVersion.minimum...ProtocolVersion.current).contains(welcome.version)
    else {
      if case .refused(let refused) = message { return climbLost(.refused(refused.code), at: now) }
      return climbLost(.protocolError(.wrongState), at: now)
    }
    climb.stop()
    ladder.climbed()
    // Else a port that closes and opens would look like a server that crashes again and again.
    reconnect.proven()
    sent(at: now)
    return [.takeOver] + welcomed(welcome, at: now)
  }

  /// A try failed.
  mutating func climbLost(_ why: DisconnectReason, at now: Ticks) -> [SessionStep] {
    guard climb.isTrying else { return [] }
    climb.rest(at: now, rules: climbRules, using: &random)
    return [.dropClimb(why)]
  }
}
