// The life of one agent's connection as a pure state machine: inputs are what happened, outputs are
// what to do next. It knows no socket and no clock; the link around it (AgentLink) carries out the
// steps and calls `tick` when `deadline` has come. The deadline only moves earlier by an input, so
// one lazy timer a link is enough.

public import BGBModel
public import BGBWire
public import HTTPClient
public import Reactor
public import Transports

/// What the link shall do next, in this order.
public enum SessionStep: Equatable, Sendable {
  /// Begin to connect: to the given `host:port`, or to the next server of the transport's list.
  case connect(to: String?, over: ChannelKind)
  /// Send a message.
  case send(Message)
  /// Begin to connect over TCP beside the session that works over HTTPS.
  case climb
  /// Send a message on the connection of the climb.
  case sendClimbing(Message)
  /// The climb is at its end: its connection is the session's from here, the old one is no more.
  case takeOver
  /// Give the connection of the climb up, for this reason.
  case dropClimb(DisconnectReason)
  /// The session is signed in: resend what is not stored, take tasks.
  case welcomed(Welcome)
  /// The server's time, told within a session.
  case clock(WallTime)
  /// Keep what to come back with.
  case keepReconnect(ReconnectIdentity)
  /// Take the server's time that came with a pushed task, and judge the task.
  case push(PushTask)
  /// Withdraw a task that was not begun.
  case cancel(TaskID)
  /// Outcomes up to this sequence are durable at the server.
  case stored(UInt64)
  /// Close the connection; sent messages may still leave first if `orderly`.
  case close(orderly: Bool, reason: DisconnectReason)
}

/// Why a connection or an attempt ended, as observers and logs see it.
public enum DisconnectReason: Equatable, Sendable {
  /// The connection attempt, the handshake or the sign-in took too long.
  case attemptTimedOut
  /// The network or TLS failed.
  case lost(TransportError)
  /// The connection could not be begun.
  case unreachable(Errno)
  /// The host name has no address.
  case unresolved
  /// The peer's certificate is good, but not one of a notification server of our site.
  case notOurServer(CertificateRefusal)
  /// The server ended the connection without a word.
  case ended
  /// The server does not read what we send.
  case stuck
  /// The server's answer to a keep-alive did not come.
  case silent
  /// The server's bytes broke the protocol.
  case protocolError(WireError)
  /// The proxy on the way did not let us through.
  case proxy(TunnelError)
  /// What answered over HTTPS is not our server, or an answer was cut: nothing of it was believed.
  case notOurAnswer(String)
  /// The connection ended in the middle of an answer.
  case cutAnswer
  /// The server does not know the session over long polls any more.
  case sessionGone
  /// The same, and its connection had been lost before: it has probably been started anew.
  case restarted
  /// The server refused or ended the session with a code.
  case refused(UInt16)
  /// The server asked to come again.
  case asked
  /// The server said goodbye.
  case goodbye
  /// We were told to stop.
  case stopped
}

/// What an agent tells when it signs in.
public struct SignInFacts: Sendable {
  /// Who it is.
  public var clientID: ClientID
  /// The journal's incarnation.
  public var incarnation: UInt64
  /// Highest outcome sequence known to be stored.
  public var outcomesStored: UInt64
  /// The agent's wall clock.
  public var clock: WallTime
  /// What it tells of itself.
  public var facts: ClientFacts
  /// Whether it takes reconnect identities.
  public var takesReconnect: Bool
  /// The latest tasks that are over here.
  public var endedTasks: [TaskID]

  /// Joins the parts.
  public init(
    clientID: ClientID, incarnation: UInt64, outcomesStored: UInt64, clock: WallTime,
    facts: ClientFacts, takesReconnect: Bool = true, endedTasks: [TaskID] = []
  ) {
    self.clientID = clientID
    self.incarnation = incarnation
    self.outcomesStored = outcomesStored
    self.clock = clock
    self.facts = facts
    self.takesReconnect = takesReconnect
    self.endedTasks = endedTasks
  }
}

/// The state machine of one link.
public struct AgentSession: Sendable {
  /// Where a link stands.
  public enum State: Equatable, Sendable {
    /// Waits until it may connect again.
    case waiting(until: Ticks)
    /// TCP and TLS are under way.
    case connecting(deadline: Ticks)
    /// SignIn was sent.
    case signingIn(deadline: Ticks)
    /// The server took us in at that moment.
    case signedIn(since: Ticks)
    /// Stopped for good: nothing follows.
    case stopped
  }

  /// Where the link stands now.
  public private(set) var state: State
  /// When `tick` wants to be called at the latest.
  public private(set) var deadline: Ticks
  /// The number of the last session, for the next sign-in.
  public private(set) var session: UInt64 = 0
  /// Which transport is used, and why.
  public internal(set) var ladder: TransportLadder
  var climb = ClimbPlan()
  /// Whether a climb from this session signed in: the server may have replaced the session for it,
  /// however the climb ended for us.
  var climbSignedIn = false
  let climbRules: ClimbRules
  var reconnect = Reconnect()
  var random: JitterRandom
  private let endpoints: Int
  private var advisedAddress: String?
  private var keepAliveMilliseconds: UInt64 = 0
  private var lastSent = Ticks.zero
  /// When the oldest keep-alive without any answer was sent.
  private var unansweredSince: Ticks?

  /// Begins with a wait until `start`.
  public init(
    start: Ticks, endpoints: Int, random: JitterRandom,
    ladder: TransportLadder = TransportLadder(rule: .tcp, hasHTTPS: false),
    climbRules: ClimbRules = ClimbRules()
  ) {
    self.ladder = ladder
    self.climbRules = climbRules
    state = .waiting(until: start)
    deadline = start
    self.endpoints = endpoints
    self.random = random
  }

  /// Whether messages about tasks may be sent.
  public var isSignedIn: Bool { if case .signedIn = state { true } else { false } }

  // MARK: Inputs

  /// The transport stands, TLS included: sign in.
  public mutating func connected(_ facts: SignInFacts, at now: Ticks) -> [SessionStep] {
    guard case .connecting(let until) = state else { return [] }
    state = .signingIn(deadline: until)
    lastSent = now
    return [.send(.signIn(signIn(facts, fallback: ladder.reason)))]
  }

  func signIn(_ facts: SignInFacts, fallback: FallbackReason) -> SignIn {
    SignIn(
      version: ProtocolVersion.current, clientID: facts.clientID, incarnation: facts.incarnation,
      previousSession: session, outcomesStored: facts.outcomesStored, clock: facts.clock,
      facts: facts.facts, fallback: fallback, takesReconnect: facts.takesReconnect,
      endedTasks: facts.endedTasks)
  }

  /// Notes that something was sent: it counts as a sign of life.
  public mutating func sent(at now: Ticks) { lastSent = now }

  /// A message of the server; what to do goes behind what the list holds, since a list of its own
  /// for each message costs as much as all that is decided here.
  public mutating func received(
    _ message: Message, at now: Ticks, into steps: inout [SessionStep]
  ) {
    unansweredSince = nil
    switch (state, message) {
    case (.waiting, _), (.connecting, _), (.stopped, _):
      return  // Bytes of a connection that was given up a moment ago.
    case (.signingIn, .welcome(let welcome)):
      steps += welcomed(welcome, at: now)
    case (.signedIn, .keepAlive(let message)):
      steps.append(.clock(message.clock))
    case (.signedIn, .reconnectIdentity(let identity)):
      steps.append(.keepReconnect(identity))
    case (.signedIn, .pushTask(let push)):
      steps.append(.push(push))
    case (.signedIn, .cancelTask(let message)):
      steps.append(.cancel(message.taskID))
    case (.signedIn, .outcomeStored(let message)):
      steps.append(.stored(message.upTo))
    case (.signedIn, .refused(let refused))
    where refused.code == CloseCode.replaced.rawValue && climb.isTrying:
      return  // Replaced by our own climb: its Welcome is on the way.
    case (.signedIn, .refused(let refused))
    where refused.code == CloseCode.replaced.rawValue && climbSignedIn:
      // By a climb that we had given up a moment too early.
      steps += leave(.attemptFailed, .sessionGone, at: now)
    case (.signingIn, .refused(let refused)), (.signedIn, .refused(let refused)):
      let loss = LinkLoss.refused(
        CloseCode(rawValue: refused.code), retryAfterMilliseconds: refused.retryAfterMilliseconds)
      steps += leave(loss, .refused(refused.code), at: now)
    case (.signingIn, .reconnect(let advice)), (.signedIn, .reconnect(let advice)):
      advisedAddress = advice.address.isEmpty ? nil : advice.address
      steps += leave(.advised(afterMilliseconds: advice.afterMilliseconds), .asked, at: now)
    case (.signingIn, .goodbye), (.signedIn, .goodbye):
      steps += leave(.orderly, .goodbye, at: now)
    case (.signingIn, _), (.signedIn, .welcome), (.signedIn, .signIn), (.signedIn, .taskAck),
      (.signedIn, .taskOutcome), (.signedIn, .liveData):
      steps += broken(.wrongState, at: now)
    }
  }

  /// The server's bytes cannot be read.
  public mutating func broken(_ error: WireError, at now: Ticks) -> [SessionStep] {
    leave(.refused(error.closeCode, retryAfterMilliseconds: 0), .protocolError(error), at: now)
  }

  /// The transport failed or ended; the connection is closed already.
  public mutating func disconnected(_ why: DisconnectReason, at now: Ticks) {
    switch state {
    case .waiting, .stopped: return
    case .connecting, .signingIn: waitAfterAttempt(why, at: now)
    case .signedIn(let since):
      ladder.sessionLost(wasProven: now.since(since) >= Reconnect.provenMilliseconds)
      wait(after: why == .sessionGone ? .attemptFailed : .crashed, at: now)
    }
  }

  /// The deadline has come, or time has passed in general.
  ///
  /// `wall` is the agent's wall clock, which a keep-alive tells.
  public mutating func tick(at now: Ticks, wall: WallTime) -> [SessionStep] {
    guard now >= deadline else { return [] }
    switch state {
    case .waiting:
      let until = now + Limits.handshakeMilliseconds
      state = .connecting(deadline: until)
      deadline = until
      let address = advisedAddress
      advisedAddress = nil
      // Advice names a server's TCP port.
      return [.connect(to: ladder.current == .tcp ? address : nil, over: ladder.current)]
    case .connecting, .signingIn:
      waitAfterAttempt(.attemptTimedOut, at: now)
      return [.close(orderly: false, reason: .attemptTimedOut)]
    case .signedIn:
      var steps = tickSignedIn(at: now, wall: wall)
      steps += tickClimb(at: now)
      if case .signedIn = state { deadline = min(deadline, climb.deadline) }
      return steps
    case .stopped:
      deadline = .never
      return []
    }
  }

  /// Leaves politely and comes back at that moment: for load generators.
  public mutating func rest(until: Ticks, reason: String) -> [SessionStep] {
    guard case .signedIn = state else { return [] }
    unansweredSince = nil
    climb.stop()
    state = .waiting(until: until)
    deadline = until
    return [.send(.goodbye(Goodbye(reason: reason))), .close(orderly: true, reason: .stopped)]
  }

  /// Ends a wait early: for load generators that bring everybody back at once.
  public mutating func hurry(at now: Ticks) {
    guard case .waiting = state else { return }
    state = .waiting(until: now)
    deadline = now
  }

  /// Ends the link for good, politely if somebody listens.
  public mutating func stop(reason: String) -> [SessionStep] {
    let before = state
    climb.stop()
    state = .stopped
    deadline = .never
    switch before {
    case .waiting, .stopped: return []
    case .connecting, .signingIn: return [.close(orderly: false, reason: .stopped)]
    case .signedIn:
      return [.send(.goodbye(Goodbye(reason: reason))), .close(orderly: true, reason: .stopped)]
    }
  }

  // MARK: Inside

  mutating func welcomed(_ welcome: Welcome, at now: Ticks) -> [SessionStep] {
    guard
      (ProtocolVersion.minimum...ProtocolVersion.current).contains(welcome.version)
    else { return broken(.wrongState, at: now) }
    if ladder.mayClimb { climb.begin(at: now, rules: climbRules, using: &random) }
    state = .signedIn(since: now)
    // What an earlier connection did not answer is nothing that this one owes.
    unansweredSince = nil
    climbSignedIn = false
    session = welcome.session
    let seconds = max(welcome.keepAliveSeconds, Limits.keepAliveSecondsMinimum)
    keepAliveMilliseconds = UInt64(seconds) * 1_000
    reconnect.welcomed(
      crashWindowSeconds: welcome.crashWindowSeconds, keepAliveSeconds: seconds)
    deadline = min(lastSent + keepAliveMilliseconds, climb.deadline)
    return [.welcomed(welcome)]
  }

  /// Sends a keep-alive when nothing else was sent for an interval, and gives up a server that did
  /// not answer one for half an interval more: the same 1.5 intervals after which it gives us up.
  private mutating func tickSignedIn(at now: Ticks, wall: WallTime) -> [SessionStep] {
    let patience = keepAliveMilliseconds * (Limits.keepAliveExpiryTenths - 10) / 10
    if let unansweredSince, now >= unansweredSince + patience {
      return leave(.crashed, .silent, at: now)
    }
    let due = lastSent + keepAliveMilliseconds
    var steps: [SessionStep] = []
    if now >= due {
      lastSent = now
      if unansweredSince == nil { unansweredSince = now }
      steps = [.send(.keepAlive(KeepAlive(clock: wall)))]
    }
    let next = lastSent + keepAliveMilliseconds
    deadline = unansweredSince.map { min(next, $0 + patience) } ?? next
    return steps
  }

  private mutating func leave(
    _ loss: LinkLoss, _ reason: DisconnectReason, at now: Ticks
  ) -> [SessionStep] {
    switch state {
    case .waiting, .stopped: return []
    case .connecting, .signingIn: break
    case .signedIn(let since):
      if loss == .crashed {
        ladder.sessionLost(wasProven: now.since(since) >= Reconnect.provenMilliseconds)
      }
    }
    wait(after: loss, at: now)
    return [.close(orderly: false, reason: reason)]
  }

  /// Waits after a failed attempt: hardly at all when another transport is to be tried in the same
  /// round, else by the back-off.
  private mutating func waitAfterAttempt(_ why: DisconnectReason, at now: Ticks) {
    guard ladder.attemptFailed(FallbackReason(why)) else {
      return wait(after: .attemptFailed, at: now)
    }
    let pause = UInt64.random(in: 0...Reconnect.baseMilliseconds, using: &random)
    state = .waiting(until: now + pause)
    deadline = now + pause
  }

  private mutating func wait(after loss: LinkLoss, at now: Ticks) {
    let lasted: UInt64 = if case .signedIn(let since) = state { now.since(since) } else { 0 }
    let milliseconds = reconnect.wait(
      after: loss, lasted: lasted, endpoints: endpoints, using: &random)
    unansweredSince = nil
    climb.stop()
    state = .waiting(until: now + milliseconds)
    deadline = now + milliseconds
  }
}
