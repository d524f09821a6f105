// A link over HTTPS: its channel is polled, and here are the sockets that carry the polls. A socket
// may come and go within a session; only when another one cannot be had is the session lost.

import BGBModel
import BGBWire
import HTTPClient
import Reactor
import Transports

extension AgentLoop {
  /// The next socket is opened within this time, at random, when the last one was cut: a server
  /// that restarts must not meet everybody in one second.
  static let carrierPauseMilliseconds: UInt64 = 3_000
  /// How long a proxy may take to let us through.
  static let tunnelMilliseconds = 8_000

  // MARK: Opening

  /// Begins an attempt over HTTPS.
  func beginPolling(_ link: AgentLink) {
    guard !link.httpsEndpoints.isEmpty else { return lost(link, .unresolved) }
    link.endpoint = link.httpsEndpoints[link.nextHTTPS % link.httpsEndpoints.count]
    link.nextHTTPS = (link.nextHTTPS + 1) % link.httpsEndpoints.count
    link.channel = ByteChannel(
      .polled(PolledTransport(window: Limits.pollWindowBytes)), token: link.token, pool: pool,
      outboundBytesMax: Limits.outboundBytesMax, now: loop.now)
    link.isOpen = false
    link.isLeaving = false
    link.reader = FrameReader()
    link.polls = PollLine(endpoint: link.endpoint, pollSeconds: link.pollSeconds)
    openCarrier(link)
  }

  /// Opens a socket for polls, through a proxy if the settings or the environment say so.
  private func openCarrier(_ link: AgentLink) {
    guard let line = link.polls else { return }
    link.attempt &+= 1
    line.opensAt = .never
    line.openingUntil = loop.now + Limits.handshakeMilliseconds
    guard let (host, port) = AgentLoop.parts(of: line.endpoint) else {
      return lost(link, .unresolved)
    }
    guard let proxy = (link.identity.proxy ?? configuration.proxy)?.proxy(for: host).server else {
      return resolve(line.endpoint, link, for: link.carrierToken)
    }
    let (token, attempt, mailbox, stop) = (link.carrierToken, link.attempt, mailbox, stopFlag)
    do throws(Errno) {
      _ = try KernelThread.start(name: "proxy") {
        let result: Result<TunnelEnd, TunnelError>
        do throws(TunnelError) {
          let number = try ProxyTunnel.open(
            to: host, port: port, through: proxy,
            timeoutMilliseconds: AgentLoop.tunnelMilliseconds, shouldStop: { stop.isRaised })
          result = .success(TunnelEnd(owning: number))
        } catch {
          result = .failure(error)
        }
        mailbox.post(.tunnelled(token, attempt: attempt, result))
      }
    } catch {
      lost(link, .unreachable(error))
    }
  }

  /// The proxy let us through, or not.
  func tunnelled(_ link: AgentLink, _ result: Result<TunnelEnd, TunnelError>) {
    guard let line = link.polls, line.carrier == nil else { return }
    switch result {
    case .success(let end):
      guard let socket = end.take() else { return }
      do throws(Errno) {
        try tune(socket.raw)
      } catch {
        socket.close()
        return lost(link, .unreachable(error))
      }
      openCarrier(link, over: socket)
    case .failure(let error): lost(link, .proxy(error))
    }
  }

  func openCarrier(_ link: AgentLink, at addresses: [SocketAddress]) {
    guard let line = link.polls, line.carrier == nil else { return }
    do throws(ConnectFault) {
      openCarrier(link, over: try openSocket(link, at: addresses))
    } catch {
      lost(link, error.reason)
    }
  }

  private func openCarrier(_ link: AgentLink, over socket: consuming Descriptor) {
    guard let line = link.polls else { return }
    do throws(TransportError) {
      let tls = try TLSTransport(
        socket, context: link.httpsContext, session: link.savedSession(of: line.endpoint),
        credentials: try credentials(of: link, isOffering: false))
      let channel = ByteChannel(
        .tls(tls), token: link.carrierToken, pool: pool,
        outboundBytesMax: 4 * Limits.outboundBytesMax, now: loop.now)
      line.carrier = PollCarrier(channel)
    } catch {
      return lost(link, .lost(error))
    }
    shakeCarrier(link)
  }

  private func shakeCarrier(_ link: AgentLink) {
    guard let line = link.polls, let carrier = line.carrier else { return }
    switch carrier.channel.handshake() {
    case .wouldBlock: settleCarrier(link, carrier)
    case .failed(let error): lost(link, .lost(error))
    case .done:
      if let refusal = refusal(of: carrier.channel.peer) {
        return lost(link, .notOurServer(refusal))
      }
      carrier.isOpen = true
      line.openingUntil = .never
      if link.isOpen {
        poll(link)
      } else {
        link.isOpen = true
        tell(link, .connected(resumed: carrier.channel.resumed, over: .https))
        signIn(link)
      }
      receiveAnswers(link)
    }
  }

  // MARK: Requests and answers

  /// Sends the requests that are due, and what waits on the socket.
  func poll(_ link: AgentLink) {
    guard let line = link.polls, let channel = link.channel else { return }
    guard let carrier = line.carrier, carrier.isOpen else {
      // Nobody to say goodbye to.
      if link.isLeaving { close(link, .stopped) }
      return
    }
    if link.isLeaving {
      if let last = line.exchange.goodbye(
        unconfirmed: channel.unconfirmed, received: channel.receivedCount)
      {
        enqueue(last, carrier, line)
      }
    } else {
      while let request = line.exchange.next(
        unconfirmed: channel.unconfirmed, received: channel.receivedCount, at: loop.now)
      {
        enqueue(request, carrier, line)
      }
    }
    flushCarrier(link)
  }

  private func enqueue(_ request: PollRequest, _ carrier: PollCarrier, _ line: PollLine) {
    // Two requests at most are under way, and each fits: a full queue cannot be.
    let outcome = carrier.channel.enqueue(
      request.encoded(host: line.endpoint).span, now: loop.now)
    assert(outcome == .stored, "two requests fit the carrier's queue")
  }

  private func flushCarrier(_ link: AgentLink) {
    guard let carrier = link.polls?.carrier, carrier.isOpen else { return }
    switch carrier.channel.flush(now: loop.now) {
    case .progressed, .wouldBlock: break
    case .ended: return carrierLost(link, .ended)
    case .failed(let error): return carrierLost(link, .lost(error))
    }
    if link.isLeaving, carrier.channel.outboundCount == 0 { return close(link, .stopped) }
    settleCarrier(link, carrier)
    armTimer(of: link)
  }

  func serveCarrier(_ link: AgentLink, _ readiness: Readiness) {
    guard let carrier = link.polls?.carrier else { return }
    if carrier.channel.mayReceive(on: readiness) {
      if carrier.isOpen { receiveAnswers(link) } else { shakeCarrier(link) }
    }
    guard let now = link.polls?.carrier, now === carrier, carrier.isOpen,
      carrier.channel.mayFlush(on: readiness)
    else { return }
    flushCarrier(link)
  }

  func receiveAnswers(_ link: AgentLink) {
    guard let line = link.polls, let carrier = line.carrier else { return }
    let step = carrier.channel.receive(into: &buffer)
    if let session = carrier.channel.takeNewSession() { keep(session, of: link, at: line.endpoint) }
    switch step {
    case .progressed:
      buffer.withBytes { carrier.answers.append($0) }
      readAnswers(link, line, carrier)
    case .wouldBlock: break
    case .ended: return carrierLost(link, carrier.answers.isEmpty ? .ended : .cutAnswer)
    case .failed(let error):
      return carrierLost(link, carrier.answers.isEmpty ? .lost(error) : .cutAnswer)
    }
    guard link.polls?.carrier === carrier else { return }
    if carrier.channel.hasLeftovers { leftovers.append(link.carrierToken) }
    settleCarrier(link, carrier)
  }

  private func readAnswers(_ link: AgentLink, _ line: PollLine, _ carrier: PollCarrier) {
    while link.polls?.carrier === carrier {
      do throws(HTTPAnswerFault) {
        guard let answer = try carrier.answers.next() else { return }
        take(answer, link, line)
      } catch {
        return lost(link, .notOurAnswer("\(error)"))
      }
    }
  }

  private func take(_ answer: HTTPAnswer, _ link: AgentLink, _ line: PollLine) {
    guard let channel = link.channel else { return }
    switch line.exchange.take(answer, at: loop.now) {
    case .goesOn(let bytes, let offset, let received):
      link.pollSeconds = line.exchange.learnedSeconds
      guard channel.confirm(upTo: received), channel.deliver(bytes, at: offset) else {
        return lost(link, .notOurAnswer("out of step with the session"))
      }
      receive(link)
      // The next poll goes out with this turn's flush, behind what the turn has to say.
      markDirty(link)
    case .sessionGone:
      // Our own climb replaced it, and its Welcome is on the way: nothing is lost yet.
      if link.session.climb.isTrying { return closePolls(link) }
      lost(link, line.hasLostCarrier ? .restarted : .sessionGone)
    case .refused(let status, let words):
      lost(link, .notOurAnswer("the server answers \(status): \(words)"))
    case .notOurs(let words): lost(link, .notOurAnswer(words))
    }
  }

  private func settleCarrier(_ link: AgentLink, _ carrier: PollCarrier) {
    do throws(Errno) {
      try carrier.channel.settle(loop.poller)
    } catch {
      carrierLost(link, .unreachable(error))
    }
  }

  // MARK: Time and ends

  /// Does what is due by the polls' own clock.
  func tickPolls(_ link: AgentLink) {
    guard let line = link.polls else { return }
    if loop.now >= line.openingUntil { return lost(link, .attemptTimedOut) }
    if loop.now >= line.opensAt { return openCarrier(link) }
    if line.exchange.isOverdue(at: loop.now) { return carrierLost(link, .silent) }
    poll(link)
  }

  /// A socket that worked is gone: the session goes on over another one.
  ///
  /// One that cannot be had is no such case: it ends the session, or the attempt.
  private func carrierLost(_ link: AgentLink, _ reason: DisconnectReason) {
    guard let line = link.polls, let channel = link.channel, link.session.isSignedIn,
      !link.isLeaving
    else { return lost(link, reason) }
    closeCarrier(line)
    line.hasLostCarrier = true
    line.exchange.carrierLost(
      confirmed: channel.unconfirmed.offset, isCut: reason != .cutAnswer, at: loop.now)
    line.opensAt =
      loop.now + UInt64.random(in: 0...AgentLoop.carrierPauseMilliseconds, using: &random)
    tell(link, .carrierLost(reason))
    armTimer(of: link)
  }

  private func closeCarrier(_ line: PollLine) {
    line.carrier?.channel.close(sendCloseNotify: line.carrier?.isOpen == true)
    line.carrier = nil
    line.opensAt = .never
    line.openingUntil = .never
  }

  /// Ends the polls of a link.
  func closePolls(_ link: AgentLink) {
    guard let line = link.polls else { return }
    closeCarrier(line)
    link.polls = nil
  }
}
