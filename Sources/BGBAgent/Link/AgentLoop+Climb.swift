// A TCP connection that is tried beside a session over HTTPS, and the one moment at which it takes
// over. It has a slot of its own in the loop; taking over exchanges the slots.

import BGBModel
import BGBWire
import Reactor
import Transports

extension AgentLoop {
  /// Begins a try.
  func beginClimb(_ link: AgentLink) {
    // A step before this one in the same list may have ended the session, and the climb with it.
    guard link.session.climb.isTrying, link.climbTry == nil, !link.endpoints.isEmpty else { return }
    let endpoint = link.endpoints[link.nextEndpoint % link.endpoints.count]
    link.nextEndpoint = (link.nextEndpoint + 1) % link.endpoints.count
    link.climbs &+= 1
    link.climbTry = ClimbTry(endpoint: endpoint, number: link.climbs)
    resolve(endpoint, link, for: link.climbToken)
  }

  func climb(_ link: AgentLink, at addresses: [SocketAddress]) {
    guard let climbTry = link.climbTry, climbTry.channel == nil else { return }
    do throws(ConnectFault) {
      let socket = try openSocket(link, at: addresses)
      do throws(TransportError) {
        let tls = try TLSTransport(
          socket, context: link.context, session: link.savedSession(of: climbTry.endpoint),
          reconnect: reconnectGrant(of: link),
          credentials: try credentials(of: link, isOffering: false))
        climbTry.channel = ByteChannel(
          .tls(tls), token: link.climbToken, pool: pool,
          outboundBytesMax: Limits.outboundBytesMax, now: loop.now)
      } catch {
        throw ConnectFault(reason: .lost(error))
      }
    } catch {
      return climbLost(link, error.reason)
    }
    shakeClimb(link)
  }

  func serveClimb(_ link: AgentLink, _ readiness: Readiness) {
    guard let climbTry = link.climbTry, let channel = climbTry.channel else { return }
    if channel.mayReceive(on: readiness) {
      if climbTry.isOpen { receiveClimb(link) } else { shakeClimb(link) }
    }
    if link.climbTry === climbTry, climbTry.isOpen, channel.mayFlush(on: readiness) {
      flushClimb(link)
    }
  }

  private func shakeClimb(_ link: AgentLink) {
    guard let climbTry = link.climbTry, let channel = climbTry.channel else { return }
    switch channel.handshake() {
    case .wouldBlock: settleClimb(link, channel)
    case .failed(let error):
      reconnectFailed(link, error)
      climbLost(link, .lost(error))
    case .done:
      if let refusal = refusal(of: channel, link) { return climbLost(link, .notOurServer(refusal)) }
      climbTry.isOpen = true
      apply(link.session.climbConnected(signInFacts(link), at: loop.now), to: link)
      receiveClimb(link)
    }
  }

  func sendClimbing(_ message: Message, _ link: AgentLink) {
    let frame = MessageCodec.encode(message)
    guard let channel = link.climbTry?.channel,
      channel.enqueue(frame.span, now: loop.now) == .stored
    else { return climbLost(link, .stuck) }
    flushClimb(link)
  }

  private func flushClimb(_ link: AgentLink) {
    guard let channel = link.climbTry?.channel else { return }
    switch channel.flush(now: loop.now) {
    case .progressed, .wouldBlock: settleClimb(link, channel)
    case .ended: climbLost(link, .ended)
    case .failed(let error): climbLost(link, .lost(error))
    }
  }

  private func receiveClimb(_ link: AgentLink) {
    guard let climbTry = link.climbTry, let channel = climbTry.channel else { return }
    let step = channel.receive(into: &buffer)
    if let session = channel.takeNewSession() { keep(session, of: link, at: climbTry.endpoint) }
    switch step {
    case .progressed:
      buffer.withBytes { climbTry.reader.append($0) }
      readClimb(link, climbTry)
    case .wouldBlock: break
    case .ended: return climbLost(link, .ended)
    case .failed(let error): return climbLost(link, .lost(error))
    }
    guard link.climbTry === climbTry else { return }
    settleClimb(link, channel)
  }

  private func readClimb(_ link: AgentLink, _ climbTry: ClimbTry) {
    do throws(WireError) {
      while link.climbTry === climbTry, let message = try climbTry.reader.next() {
        apply(link.session.climbReceived(message, at: loop.now), to: link)
      }
    } catch {
      return climbLost(link, .protocolError(error))
    }
    armTimer(of: link)
    // What came behind the Welcome belongs to the session already.
    if link.climbTry == nil, link.channel != nil, link.polls == nil { readMessages(link) }
  }

  /// The connection of the climb is the session's from here; what it had before is no more.
  func takeOver(_ link: AgentLink) {
    guard let climbTry = link.climbTry, let channel = climbTry.channel else { return }
    link.channel?.close(sendCloseNotify: true)
    closePolls(link)
    desk.disconnected(link.identity.clientID)
    link.channel = channel
    link.isOpen = true
    link.reader = climbTry.reader
    link.endpoint = climbTry.endpoint
    link.pollSeconds = nil
    (link.token, link.climbToken) = (link.climbToken, link.token)
    link.climbTry = nil
    if channel.hasLeftovers { leftovers.append(link.token) }
    markDirty(link)
    tell(link, .climbed)
  }

  /// A try failed: the session over HTTPS goes on, if it still can.
  private func climbLost(_ link: AgentLink, _ reason: DisconnectReason) {
    let steps = link.session.climbLost(reason, at: loop.now)
    if steps.isEmpty { closeClimb(link) }
    apply(steps, to: link)
    armTimer(of: link)
  }

  func dropClimb(_ link: AgentLink, _ reason: DisconnectReason) {
    closeClimb(link)
    tell(link, .climbFailed(reason))
    // The old session was replaced before the new one stood: neither is left.
    if link.session.isSignedIn, link.polls == nil { lost(link, .sessionGone) }
  }

  /// Closes a try's connection.
  func closeClimb(_ link: AgentLink) {
    guard let climbTry = link.climbTry else { return }
    climbTry.channel?.close(sendCloseNotify: climbTry.isOpen)
    link.climbTry = nil
  }

  private func settleClimb(_ link: AgentLink, _ channel: ByteChannel) {
    do throws(Errno) {
      try channel.settle(loop.poller)
    } catch {
      climbLost(link, .unreachable(error))
    }
  }
}
