// One connection and where it is in its life. What it says is judged elsewhere (Session/, Push/);
// here is what belongs to one: the channel, the collector of partial input, the clock marks by
// which the one timer of a connection finds its next deadline.
//
// A session over TCP is one connection. A session over HTTPS is two kinds of them: the session's
// own, with a polled channel and no socket, and the carrier, a socket that holds its poll at the
// moment and may be another one the next minute.

import BGBModel
import BGBWire
import Reactor
import Transports

/// What a connection is for: decided by the listener it came through.
enum ConnectionRole: Equatable {
  /// A session of an agent: frames, over TLS with a client certificate or over long polls.
  case agent
  /// HTTP over TLS with a client certificate: long polls and policy downloads.
  case https
  /// Health and metrics: plain HTTP on loopback.
  case watch

  /// What the log says behind the port, in the original's words.
  var words: String {
    switch self {
    case .agent: ""
    case .https: " for HTTP connection"
    case .watch: " for health and metrics"
    }
  }
}

/// Where a connection is in its life.
enum ConnectionPhase: Equatable {
  /// TCP is there; nothing was answered yet, and no TLS object exists.
  case parked
  /// TLS is being negotiated.
  case handshaking
  /// Ready for the first message or request, which must come before the handshake's deadline.
  case awaitingFirst
  /// An agent that is signed in.
  case signedIn
  /// A request is being answered by another thread.
  case answering
  /// A poll is held: its answer waits for frames or for its end.
  case polling
  /// Everything is said; what is queued is flushed, then it is closed.
  case closing
}

/// What a session over long polls knows of its polls.
struct PollState {
  /// The connection that holds the poll; nil between polls.
  var carrier: Token?
  /// Since when no poll is held.
  var gapSince: Ticks
  /// How long the next one is held.
  var length: PollLength
  /// Bytes of its unconfirmed output that the shard's sum holds.
  var countedBytes = 0
}

/// What belongs to HTTP peers and to sessions over long polls alone: an object of its own, because
/// a hundred thousand sessions over TCP have none of it.
private final class HTTPState {
  var requests: HTTPRequestReader?
  var polls: PollState?
  var heldFor: Token?
  var pollUntil = Ticks.never
  var endsAfterAnswer = false
  var requestSince: Ticks

  init(now: Ticks) { requestSince = now }
}

@available(*, unavailable)
extension HTTPState: Sendable {}

/// One connection, confined to its shard's thread.
final class Connection {
  /// How much of an object is asked for ahead, in bytes: its size; only time depends on it.
  static let bytesInUse = 232
  /// Bytes in and out.
  let channel: ByteChannel
  /// What it is for.
  let role: ConnectionRole
  /// Where it came from.
  let address: SocketAddress
  /// When it was accepted; from the begin of its handshake on, when that was.
  var startedAt: Ticks
  /// Where it is in its life.
  var phase: ConnectionPhase
  /// The rules of its session.
  var session = SessionMachine()
  /// Partial input of an agent.
  var frames = FrameReader(bodyBytesMax: Limits.bytesBeforeIdentityMax)
  /// Who it is, from its certificate.
  var clientID: ClientID?
  /// The session's number.
  var sessionNumber: UInt64 = 0
  /// When it was heard last; a keep-alive only writes this field.
  var lastHeard: Ticks
  /// When its certificate expires, in this process's ticks.
  var certificateExpiry = Ticks.never
  /// What its reconnect identity needs to be renewed.
  var reconnect = ReconnectState()
  /// Its one timer, and for when that is armed.
  var timer: TimerHandle?
  var timerDeadline = Ticks.never
  /// Pushes that were written and not acknowledged.
  var unacknowledged: UInt16 = 0
  /// Its leaf in the task pushed last: the answer is most likely to that one.
  var lastLeaf: UInt32 = 0
  /// Its outcomes up to this sequence are durable, and those up to that one it has been told of.
  var storedUpTo: UInt64 = 0
  var confirmedUpTo: UInt64 = 0
  /// Pushes that wait for acknowledgements.
  var waitingOrders: [PushOrder] = []
  /// What only HTTP peers and sessions over long polls have; nil for a session over TCP.
  private var http: HTTPState?
  /// Whether its timer has the deadline of a handshake that is over.
  var hasOldTimer = false
  /// Whether it is on the list of connections with output to flush.
  var isDirty = false
  /// Whether OpenSSL still holds something of it, so that it is detached later.
  var wantsDetach = false
  /// Whether it waits for its share of this turn's handshake time.
  var isHandshakeQueued = false
  /// Whether it is on the list of connections to reap, and why.
  var condemned: PresenceReason?

  init(
    channel: ByteChannel, role: ConnectionRole, address: SocketAddress, now: Ticks,
    isParked: Bool = false
  ) {
    self.channel = channel
    self.role = role
    self.address = address
    startedAt = now
    lastHeard = now
    phase = isParked ? .parked : .awaitingFirst
    if role != .agent {
      http = HTTPState(now: now)
      requests = HTTPRequestReader()
    }
  }

  // MARK: HTTP

  /// Partial input of an HTTP peer; nil for agents.
  var requests: HTTPRequestReader? {
    get { http?.requests }
    _modify {
      // Changed in place: a reader that is taken out and put back would be copied with its bytes.
      var nothing: HTTPRequestReader?
      if let http { yield &http.requests } else { yield &nothing }
    }
  }

  /// Of a session over long polls: its polls; nil over TCP, and for carriers.
  var polls: PollState? {
    get { http?.polls }
    set { part.polls = newValue }
  }

  /// Of a carrier: the session whose poll it holds; nil while polling for a view of oneself.
  var heldFor: Token? {
    get { http?.heldFor }
    set { part.heldFor = newValue }
  }

  /// Of a carrier: when the held poll is answered in any case.
  var pollUntil: Ticks {
    get { http?.pollUntil ?? .never }
    set { part.pollUntil = newValue }
  }

  /// Of an HTTP peer: whether its connection ends behind the next answer, as it asked.
  var endsAfterAnswer: Bool {
    get { http?.endsAfterAnswer ?? false }
    set { part.endsAfterAnswer = newValue }
  }

  /// Since when the first message may come, or an HTTP peer's next request; never while none is
  /// due.
  var requestSince: Ticks {
    get { http?.requestSince ?? startedAt }
    set { part.requestSince = newValue }
  }

  private var part: HTTPState {
    if let http { return http }
    let made = HTTPState(now: startedAt)
    http = made
    return made
  }

  /// Whether the peer can be told anything: not before its handshake is done.
  var isTalking: Bool { phase != .parked && phase != .handshaking }

  /// By which channel its session comes.
  var channelKind: ChannelKind { polls == nil ? .tcp : .https }

  /// The moment at which this connection must end if nothing happens before, and why; for a held
  /// poll the moment of its answer.
  func deadline(keepAliveMilliseconds: UInt64) -> (at: Ticks, reason: PresenceReason) {
    var nearest: (at: Ticks, reason: PresenceReason)
    switch phase {
    case .parked: nearest = (startedAt + Limits.parkedMilliseconds, .protocolError)
    // From its start, not from its accept: waiting in line is not the peer's fault.
    case .handshaking: nearest = (startedAt + Limits.handshakeMilliseconds, .protocolError)
    case .awaitingFirst:
      let limit = role == .agent ? Limits.handshakeMilliseconds : Limits.requestMilliseconds
      nearest = (requestSince + limit, .protocolError)
      // An answer that is still going out has the write deadline below; the next request is due
      // only after it.
      if role == .https, channel.outboundCount > 0 { nearest.at = .never }
    case .signedIn:
      let silence = keepAliveMilliseconds * Limits.keepAliveExpiryTenths / 10
      nearest = (lastHeard + silence, .keepAliveExpired)
      if let polls, polls.carrier == nil {
        let gapEnd = polls.gapSince + Limits.pollGapMilliseconds
        if gapEnd < nearest.at { nearest = (gapEnd, .connectionLost) }
      }
    case .answering: nearest = (requestSince + Limits.requestMilliseconds * 3, .protocolError)
    case .polling: nearest = (min(pollUntil, requestSince + Limits.requestMilliseconds), .goodbye)
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
