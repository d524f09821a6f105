// What the loop does for one link: connect, shake hands, receive, send, lose.

import BGBModel
import BGBWire
import Reactor
import Transports

extension AgentLoop {
  /// News wait here instead of in the outbound queue once so much waits there.
  static let newsThresholdBytes = Limits.outboundBytesMax / 2

  // MARK: Steps of the session machine

  func apply(_ steps: [SessionStep], to link: AgentLink) {
    guard !steps.isEmpty else { return }
    if let its = link.desk { desk.expect(its) }
    for step in steps {
      switch step {
      case .connect(let address, let transport): connect(link, to: address, over: transport)
      case .send(let message): send(message, link)
      case .climb: beginClimb(link)
      case .sendClimbing(let message): sendClimbing(message, link)
      case .takeOver: takeOver(link)
      case .dropClimb(let reason): dropClimb(link, reason)
      case .welcomed(let welcome): welcomed(link, welcome)
      case .clock(let time): desk.tookClock(link.identity.clientID, time, at: moment)
      case .keepReconnect(let identity): keepReconnect(identity, of: link)
      case .push where ignoresPushes: pushesIgnored &+= 1
      case .push(let push):
        link.polls?.exchange.rest(at: loop.now)
        let now = moment
        desk.tookClock(link.identity.clientID, push.serverTime, at: now)
        desk.push(link.identity.clientID, push, at: now)
      case .cancel(let task): desk.cancel(link.identity.clientID, task, at: moment)
      case .stored(let upTo): desk.stored(link.identity.clientID, upTo: upTo)
      case .close(let orderly, let reason):
        if orderly { leave(link, reason) } else { close(link, reason) }
      }
    }
  }

  private func welcomed(_ link: AgentLink, _ welcome: Welcome) {
    let client = link.identity.clientID
    endAttempt(link)
    link.shallDetach = detached != nil && link.polls == nil
    policyLocations.set(welcome.policyURL, for: client)
    tell(link, .welcomed(welcome.serverID, session: welcome.session))
    desk.welcomed(client, serverTime: welcome.serverTime, at: moment)
    armPolicyTimer(of: link, isFirst: true)
  }

  // MARK: Connecting

  private func connect(
    _ link: AgentLink, to advised: String?, over transport: ChannelKind
  ) {
    link.attempt &+= 1
    beginAttempt(link, over: transport)
    tell(link, .trying(transport, link.session.ladder.reason))
    if transport == .https { return beginPolling(link) }
    if let advised {
      link.endpoint = advised
    } else {
      guard !link.endpoints.isEmpty else { return lost(link, .unresolved) }
      link.endpoint = link.endpoints[link.nextEndpoint % link.endpoints.count]
      link.nextEndpoint = (link.nextEndpoint + 1) % link.endpoints.count
    }
    resolve(link.endpoint, link, for: link.token)
  }

  /// Finds the addresses of a `host:port`: at once for numbers, else on a thread of its own,
  /// because the resolver may block for seconds.
  func resolve(_ endpoint: String, _ link: AgentLink, for token: Token) {
    if let address = SocketAddress(endpoint) { return resolved(link, token, [address]) }
    guard let (host, port) = AgentLoop.parts(of: endpoint) else {
      return resolved(link, token, [])
    }
    guard let attempt = link.attempt(of: token) else { return }
    let mailbox = mailbox
    do throws(Errno) {
      _ = try KernelThread.start(name: "resolve") {
        let found = (try? SocketAddress.resolve(host: host, port: port)) ?? []
        mailbox.post(.resolved(token, attempt: attempt, found))
      }
    } catch {
      resolved(link, token, [])
    }
  }

  /// Host and port of a `host:port`.
  static func parts(of endpoint: String) -> (host: String, port: UInt16)? {
    guard let colon = endpoint.lastIndex(of: ":"),
      let port = UInt16(endpoint[endpoint.index(after: colon)...])
    else { return nil }
    var host = String(endpoint[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    return (host, port)
  }

  /// The addresses are there, for whatever they were wanted.
  func resolved(_ link: AgentLink, _ token: Token, _ addresses: [SocketAddress]) {
    switch token {
    case link.carrierToken: openCarrier(link, at: addresses)
    case link.climbToken: climb(link, at: addresses)
    default: begin(link, at: addresses)
    }
  }

  /// Opens the connection to the first address that the kernel does not refuse at once.
  func begin(_ link: AgentLink, at addresses: [SocketAddress]) {
    guard link.channel == nil, case .connecting = link.session.state else { return }
    do throws(ConnectFault) {
      open(link, try openSocket(link, at: addresses))
    } catch {
      lost(link, error.reason)
    }
  }

  /// A socket that connects to the first address that the kernel does not refuse at once.
  func openSocket(
    _ link: AgentLink, at addresses: [SocketAddress]
  ) throws(ConnectFault) -> Descriptor {
    var reason = DisconnectReason.unresolved
    for address in addresses {
      do throws(Errno) {
        let socket = try StreamSocket.connect(to: address, from: link.identity.localAddress)
        try tune(socket.raw)
        return socket
      } catch {
        reason = .unreachable(error)
      }
    }
    throw ConnectFault(reason: reason)
  }

  /// The options that each socket gets.
  func tune(_ descriptor: Int32) throws(Errno) {
    try StreamSocket.setNoDelay(descriptor)
    // Only cheaper: where it may not be chosen, the system's own will do.
    try? StreamSocket.setCongestionControl(descriptor, "reno")
    try StreamSocket.setUserTimeout(
      descriptor, milliseconds: Int32(Limits.userTimeoutMilliseconds))
  }

  private func open(_ link: AgentLink, _ socket: consuming Descriptor) {
    do throws(TransportError) {
      let grant = reconnectGrant(of: link)
      let tls = try TLSTransport(
        socket, context: link.context, session: link.savedSession(of: link.endpoint),
        reconnect: grant, credentials: try credentials(of: link, isOffering: grant != nil))
      link.channel = ByteChannel(
        .tls(tls), token: link.token, pool: pool, outboundBytesMax: Limits.outboundBytesMax,
        now: loop.now)
    } catch {
      return lost(link, .lost(error))
    }
    link.isOpen = false
    link.isLeaving = false
    link.reader = FrameReader()
    shakeHands(link)
  }

  func shakeHands(_ link: AgentLink) {
    guard let channel = link.channel else { return }
    switch channel.handshake() {
    case .wouldBlock: settle(link)
    case .failed(let error):
      reconnectFailed(link, error)
      lost(link, .lost(error))
    case .done:
      if let refusal = refusal(of: channel, link) { return lost(link, .notOurServer(refusal)) }
      channel.forgetPeer()  // Nobody asks again; idle connections add up.
      link.isOpen = true
      tell(link, .connected(resumed: channel.resumed, over: .tcp))
      link.pollSeconds = nil
      signIn(link)
      receive(link)  // The server may have spoken in the same flight: its ticket, for one.
    }
  }

  /// Whether the peer is a notification server of our site.
  func refusal(of peer: PeerIdentity?) -> CertificateRefusal? {
    ServerRule.refusal(of: peer, site: configuration.site, now: loop.time.wall() / 1_000)
  }

  func signIn(_ link: AgentLink) {
    apply(link.session.connected(signInFacts(link), at: loop.now), to: link)
  }

  func signInFacts(_ link: AgentLink) -> SignInFacts {
    let client = link.identity.clientID
    return SignInFacts(
      clientID: client, incarnation: desk.book.incarnation,
      outcomesStored: desk.storedUpTo(of: client), clock: moment.wall, facts: link.identity.facts,
      takesReconnect: configuration.takesReconnect, endedTasks: desk.book.endedTasks(of: client))
  }

  // MARK: Bytes

  func receive(_ link: AgentLink) {
    guard let channel = link.channel else { return }
    let step = channel.receive(into: &buffer)
    if let session = channel.takeNewSession() { keep(session, of: link, at: link.endpoint) }
    switch step {
    case .progressed:
      var input = buffer.slice
      readMessages(link, from: &input)
    case .wouldBlock: break
    case .ended: return lost(link, .ended)
    case .failed(let error): return lost(link, .lost(error))
    }
    guard let channel = link.channel else { return }
    if channel.hasLeftovers { leftovers.append(link.token) }
    // Most of what comes is answered later, when the journal has it: nothing to flush now.
    if channel.outboundCount > 0 || link.shallDetach || link.isLeaving || link.polls != nil {
      markDirty(link)
    } else {
      settle(link)
    }
  }

  /// Reads what its reader holds already.
  func readMessages(_ link: AgentLink) {
    var nothing: ArraySlice<UInt8> = []
    readMessages(link, from: &nothing)
  }

  private func readMessages(_ link: AgentLink, from input: inout ArraySlice<UInt8>) {
    // Lent: what is applied may bring further messages, which find no room and make their own.
    var steps: [SessionStep] = []
    swap(&steps, &stepRoom)
    do throws(WireError) {
      while link.channel != nil, let message = try link.reader.next(from: &input) {
        if case .keepAlive = message { keepAlivesHeard &+= 1 }
        steps.removeAll(keepingCapacity: true)
        link.session.received(message, at: loop.now, into: &steps)
        apply(steps, to: link)
      }
    } catch {
      apply(link.session.broken(error, at: loop.now), to: link)
    }
    steps.removeAll(keepingCapacity: true)
    swap(&steps, &stepRoom)
    armTimer(of: link)
  }

  func keep(_ session: [UInt8], of link: AgentLink, at endpoint: String) {
    guard configuration.keepsSessions else { return }
    link.tlsSessions[endpoint] = session
    if let path = link.sessionFile(of: endpoint) { journal.post(file: path, session) }
  }

  func send(_ message: Message, _ link: AgentLink) {
    guard let channel = link.channel, link.isOpen else { return }
    write(message)
    guard channel.enqueue(frame.bytes.span, now: loop.now) == .stored else {
      return lost(link, .stuck)
    }
    link.session.sent(at: loop.now)
    markDirty(link)
  }

  private func write(_ message: Message) {
    frame.clear()
    MessageCodec.encode(message, into: &frame)
  }

  /// Sends a message that nothing of this turn will follow at once, unless others wait before it.
  private func sendAtOnce(_ message: Message, _ link: AgentLink) {
    guard let channel = link.channel, link.isOpen else { return }
    write(message)
    switch channel.send(frame.bytes.span, now: loop.now) {
    case .sent: link.session.sent(at: loop.now)
    case .queued:
      link.session.sent(at: loop.now)
      markDirty(link)
    case .refused: lost(link, .stuck)
    case .lost(.failed(let error)): lost(link, .lost(error))
    case .lost: lost(link, .ended)
    }
  }

  /// Sends news as far as there is room; the rest goes when the queue has shrunk.
  func sendNews(_ link: AgentLink) {
    guard link.session.isSignedIn, let its = link.desk else { return }
    desk.expect(its)
    link.hasMoreNews = false
    while let channel = link.channel {
      link.hasMoreNews = channel.outboundCount >= AgentLoop.newsThresholdBytes
      guard !link.hasMoreNews, let report = desk.nextNews(of: its) else { return }
      if its.hasNews {
        send(.taskOutcome(report), link)
      } else {
        sendAtOnce(.taskOutcome(report), link)
      }
    }
  }

  func flush(_ link: AgentLink) {
    guard let channel = link.channel, link.isOpen else { return }
    switch channel.flush(now: loop.now) {
    case .progressed(let count):
      if link.hasMoreNews, count > 0, channel.outboundCount == 0 { sendNews(link) }
    case .wouldBlock: break
    case .ended: return lost(link, .ended)
    case .failed(let error): return lost(link, .lost(error))
    }
    if link.polls != nil { return poll(link) }
    if link.shallDetach { detach(link, channel) }
    if link.isLeaving && channel.outboundCount == 0 { return close(link, .stopped) }
    settle(link)
  }

  func markDirty(_ link: AgentLink) {
    guard !link.isDirty else { return }
    link.isDirty = true
    dirty.append(link)
  }

  private func settle(_ link: AgentLink) {
    do throws(Errno) {
      try link.channel?.settle(loop.poller)
    } catch {
      lost(link, .unreachable(error))
    }
  }

  // MARK: Ends

  /// The connection, or the attempt, is gone without the session's doing.
  func lost(_ link: AgentLink, _ reason: DisconnectReason) {
    link.session.disconnected(reason, at: loop.now)
    close(link, reason)
  }

  /// Lets what is queued leave first.
  private func leave(_ link: AgentLink, _ reason: DisconnectReason) {
    guard link.channel != nil, link.isOpen else { return close(link, reason) }
    link.isLeaving = true
    markDirty(link)
  }

  /// Closes and tells; the session machine knows already what comes next.
  func close(_ link: AgentLink, _ reason: DisconnectReason) {
    if let channel = link.channel {
      // What came with the last flight may be a fresh ticket.
      if let session = channel.takeNewSession() { keep(session, of: link, at: link.endpoint) }
      channel.close(sendCloseNotify: link.isOpen)
    }
    closePolls(link)
    closeClimb(link)
    link.channel = nil
    link.isOpen = false
    link.shallDetach = false
    endAttempt(link)
    desk.disconnected(link.identity.clientID)
    armTimer(of: link)
    let wait: UInt64 =
      if case .waiting(let until) = link.session.state { until.since(loop.now) } else { 0 }
    tell(link, .disconnected(reason, retryAfterMilliseconds: wait))
  }

  /// Lazy: a deadline that moved later costs nothing; the timer finds out when it goes off.
  func armTimer(of link: AgentLink) {
    let wanted = min(link.session.deadline, link.polls?.deadline ?? .never)
    guard wanted < link.timerAt else { return }
    if let timer = link.timer { _ = loop.wheel.disarm(timer) }
    link.timer = nil
    link.timerAt = .never
    guard wanted != .never else { return }
    link.timerAt = wanted
    link.timer = loop.wheel.arm(deadline: wanted, payload: link.token.rawValue)
  }

  /// Reads certificates and keys anew, for the connections to come; those that stand keep theirs.
  func renewCredentials() {
    fleetContext = nil
    for link in allLinks() {
      guard let fresh = try? contexts(of: link.identity) else { return }
      link.context = fresh.tcp
      link.httpsContext = fresh.https
      // The server shall see the new certificate, and not be reminded of the old one.
      forgetReconnect(of: link)
      for endpoint in link.endpoints + link.httpsEndpoints { link.tlsSessions[endpoint] = [] }
    }
  }
}

/// Why no socket could be opened.
struct ConnectFault: Error {
  let reason: DisconnectReason
}
