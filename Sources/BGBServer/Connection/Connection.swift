// One accepted connection and where it is in its life. What it says is judged elsewhere (Session/,
// Push/); here is only what belongs to one socket: the channel, the collector of partial input, the
// clock marks by which the one timer of a connection finds its next deadline.

import BGBModel
import BGBWire
import Reactor
import Transports

/// What a connection is for: decided by the listener it came through.
enum ConnectionRole: Equatable {
  /// Agents: TLS with a client certificate, frames.
  case agent
  /// Policy download: TLS with a client certificate, HTTP.
  case policy
  /// Health and metrics: plain HTTP on loopback.
  case watch
}

/// Where a connection is in its life.
enum ConnectionPhase: Equatable {
  /// TCP is there; TLS is being negotiated.
  case handshaking
  /// Ready for the first message or request, which must come before the handshake's deadline.
  case awaitingFirst
  /// An agent that is signed in.
  case signedIn
  /// A request is being answered by another thread.
  case answering
  /// Everything is said; what is queued is flushed, then it is closed.
  case closing
}

/// One connection, confined to its shard's thread.
final class Connection {
  /// Bytes in and out.
  let channel: ByteChannel
  /// What it is for.
  let role: ConnectionRole
  /// Where it came from.
  let address: SocketAddress
  /// When it was accepted.
  let acceptedAt: Ticks
  /// Where it is in its life.
  var phase: ConnectionPhase
  /// The rules of its session.
  var session = SessionMachine()
  /// Partial input of an agent.
  var frames = FrameReader(bodyBytesMax: Limits.bytesBeforeIdentityMax)
  /// Partial input of an HTTP peer; nil for agents.
  var requests: HTTPRequestReader?
  /// Who it is, from its certificate.
  var clientID: ClientID?
  /// The session's number.
  var sessionNumber: UInt64 = 0
  /// When it was heard last; a keep-alive only writes this field.
  var lastHeard: Ticks
  /// When its certificate expires, in this process's ticks.
  var certificateExpiry = Ticks.never
  /// Its one timer, and for when that is armed.
  var timer: TimerHandle?
  var timerDeadline = Ticks.never
  /// Pushes that were written and not acknowledged.
  var unacknowledged = 0
  /// Pushes that wait for acknowledgements.
  var waitingOrders: [PushOrder] = []
  /// Whether it is on the list of connections with output to flush.
  var isDirty = false
  /// Whether it waits for its share of this turn's handshake time.
  var isHandshakeQueued = false
  /// Whether it is on the list of connections to reap, and why.
  var condemned: PresenceReason?

  init(channel: ByteChannel, role: ConnectionRole, address: SocketAddress, now: Ticks) {
    self.channel = channel
    self.role = role
    self.address = address
    acceptedAt = now
    lastHeard = now
    phase = role == .watch ? .awaitingFirst : .handshaking
    if role != .agent { requests = HTTPRequestReader() }
  }

  /// The moment at which this connection must end if nothing happens before, and why.
  func deadline(keepAliveMilliseconds: UInt64) -> (at: Ticks, reason: PresenceReason) {
    var nearest: (at: Ticks, reason: PresenceReason)
    switch phase {
    case .handshaking, .awaitingFirst:
      let limit = role == .agent ? Limits.handshakeMilliseconds : Limits.requestMilliseconds
      nearest = (acceptedAt + limit, .protocolError)
    case .signedIn:
      let silence = keepAliveMilliseconds * Limits.keepAliveExpiryTenths / 10
      nearest = (lastHeard + silence, .keepAliveExpired)
    case .answering: nearest = (acceptedAt + Limits.requestMilliseconds * 3, .protocolError)
    case .closing: nearest = (lastHeard + Limits.writeDeadlineMilliseconds, .slowReader)
    }
    if certificateExpiry < nearest.at { nearest = (certificateExpiry, .certificateExpired) }
    if let waiting = channel.outboundWaitingSince {
      let limit = waiting + Limits.writeDeadlineMilliseconds
      if limit < nearest.at { nearest = (limit, .slowReader) }
    }
    return nearest
  }
}

@available(*, unavailable)
extension Connection: Sendable {}
