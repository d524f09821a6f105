// Sessions by long polls. A session is a connection of its own without a socket; requests bring
// its agent's frames and fetch the server's, whichever socket carries them. Everything that makes a
// session (sign-in, registry, pushes, limits, deadlines) is the same code as over TCP: only how
// bytes come and go is here.
//
//     login      a new session; its SignIn is in the body; answered at once
//     continue   confirms, brings, then is held until there are frames or the poll's time is over
//     goodbye    brings the last frames and ends the session
//
// A session has at most one held poll; a second one ends the first. Frames stay with the session
// until a later request confirms them, so an answer that is cut costs a repetition and no frame.

import BGBModel
import BGBWire
import Logging
import Reactor
import Transports

extension Shard {
  // MARK: Requests

  /// Begins a session.
  func login(_ request: HTTPRequest, _ carrier: Connection) {
    guard let fields = PollRequestFields({ request[$0] }), fields.session == nil else {
      return refuseHTTP(carrier, 400, "a login has no session yet")
    }
    guard life == .serving, moving == nil else {
      return refuseHTTP(carrier, 503, "the server stops")
    }
    guard let session = makeSession(carrier, fields) else {
      return refuseHTTP(carrier, 503, "too many sessions")
    }
    counters.httpLogins &+= 1
    hold(carrier, for: session)
    bring(request.body, at: 0, session)
    // Whatever the session has to say to a first message is said in the same turn; a body that
    // says nothing must not be held as a poll.
    if session.condemned == nil, session.phase == .awaitingFirst {
      refuseHeld(carrier, 400, "the body is no SignIn")
      condemn(session, .protocolError)
    }
  }

  /// Goes on with a session: what the body brings is taken, then the request waits.
  func goOn(_ request: HTTPRequest, _ carrier: Connection) {
    guard let (session, fields) = findSession(request, carrier) else { return }
    counters.polls &+= 1
    noteLength(fields, session)
    takeOver(carrier, session)
    bring(request.body, at: fields.sent, session)
    // Confirmed output made room, and what was not confirmed goes again: the flush decides.
    if session.condemned == nil { markDirty(session) }
  }

  /// Ends a session after its last frames.
  func sayGoodbye(_ request: HTTPRequest, _ carrier: Connection) {
    guard let (session, fields) = findSession(request, carrier) else { return }
    bring(request.body, at: fields.sent, session)
    // A Goodbye frame in the body has ended it already; without one the route is the word.
    condemn(session, .goodbye)
    noteHTTP(carrier, "LogOut", ["session": "\(session.sessionNumber)"])
    respond(answer(of: session, bytes: []), carrier)
  }

  /// The session that a request names, its streams in step; a refusal is sent otherwise.
  private func findSession(
    _ request: HTTPRequest, _ carrier: Connection
  ) -> (Connection, PollRequestFields)? {
    guard let fields = PollRequestFields({ request[$0] }), let number = fields.session else {
      refuseHTTP(carrier, 400, "which session? BGB-Session is missing or no number")
      return nil
    }
    // By the certificate first: a number alone opens nobody's session.
    guard let clientID = carrier.clientID, let token = registry.token(of: clientID),
      let session = connections[token], session.polls != nil, session.phase == .signedIn,
      session.condemned == nil, session.sessionNumber == number
    else {
      counters.httpRefused &+= 1
      noteHTTP(carrier, "no such session", ["session": "\(number)"])
      respond(.text(410, "no such session; log in"), carrier)
      return nil
    }
    guard fields.sent <= session.channel.receivedCount,
      session.channel.confirm(upTo: fields.received)
    else {
      counters.httpRefused &+= 1
      noteHTTP(carrier, "out of step", ["session": "\(number)"])
      respond(.text(409, "out of step with the session; log in"), carrier)
      return nil
    }
    countUnconfirmed(session)
    session.lastHeard = loop.now
    return (session, fields)
  }

  // MARK: The session

  private func makeSession(_ carrier: Connection, _ fields: PollRequestFields) -> Connection? {
    guard let token = connections.nextToken else { return nil }
    let channel = ByteChannel(
      .polled(PolledTransport(window: Limits.pollWindowBytes)), token: token, pool: pool,
      outboundBytesMax: Limits.outboundBytesMax, now: loop.now)
    let session = Connection(
      channel: channel, role: .agent, address: carrier.address, now: loop.now)
    session.clientID = carrier.clientID
    session.certificateExpiry = carrier.certificateExpiry
    session.polls = PollState(
      carrier: nil, gapSince: loop.now,
      length: PollLength(configured: settings.pollSeconds, asked: fields.pollSeconds))
    let inserted = connections.insert(session)
    precondition(inserted == token, "the table answers the token that it announced")
    polledSessions += 1
    armTimer(session)
    return session
  }

  /// Takes what a body brings as if a socket had brought it.
  private func bring(_ body: [UInt8], at offset: UInt64, _ session: Connection) {
    guard !body.isEmpty else { return }
    guard session.channel.deliver(body, at: offset) else {
      return refuse(session, .malformed)
    }
    if session.channel.hasLeftovers { receive(session) }
  }

  private func noteLength(_ fields: PollRequestFields, _ session: Connection) {
    guard let cut = fields.cutSeconds else { return }
    counters.pollsCut &+= 1
    guard session.polls?.length.wasCut(after: cut) == true else { return }
    noteHTTP(
      session, "polls are cut on this path",
      [
        "session": "\(session.sessionNumber)", "cut-after-seconds": "\(cut)",
        "poll-seconds": "\(session.polls?.length.seconds ?? 0)",
      ])
  }

  // MARK: Polls

  /// Makes a connection the session's only poll.
  private func takeOver(_ carrier: Connection, _ session: Connection) {
    if let old = session.polls?.carrier.flatMap({ connections[$0] }), old !== carrier {
      counters.pollsSuperseded &+= 1
      endPoll(on: old)
    }
    hold(carrier, for: session)
  }

  private func hold(_ carrier: Connection, for session: Connection) {
    carrier.phase = .polling
    carrier.heldFor = session.channel.token
    carrier.requestSince = .never
    let seconds = session.polls?.length.seconds ?? Limits.pollSeconds
    carrier.pollUntil = loop.now + UInt64(seconds) * 1_000
    session.polls?.carrier = carrier.channel.token
    rearmTimer(carrier)
  }

  /// Answers the held poll of a session if there is something to bring.
  ///
  /// Called by the flush, after what was queued went into the polled stream.
  func answerPoll(of session: Connection) {
    guard let token = session.polls?.carrier, let carrier = connections[token] else { return }
    guard session.channel.unconfirmedCount > 0 else { return }
    finishPoll(on: carrier, of: session)
    nextRequests(carrier)
  }

  /// Answers a held poll with whatever there is, which may be nothing.
  func endPoll(on carrier: Connection) {
    guard carrier.phase == .polling else { return }
    guard let token = carrier.heldFor else { return answerView(carrier) }
    guard let session = connections[token] else {
      return refuseHeld(carrier, 410, "the session is over; log in")
    }
    finishPoll(on: carrier, of: session)
  }

  /// The poll's time is over.
  func pollIsOver(_ carrier: Connection) {
    if let session = carrier.heldFor.flatMap({ connections[$0] }) {
      session.polls?.length.wasHeld()
    }
    endPoll(on: carrier)
    nextRequests(carrier)
  }

  private func finishPoll(on carrier: Connection, of session: Connection) {
    release(carrier, of: session)
    carrier.phase = .answering
    // Whoever is told the end of its session has no further use for this connection.
    let keepAlive = session.phase == .signedIn
    respond(
      answer(of: session, bytes: session.channel.unconfirmed.bytes), carrier, keepAlive: keepAlive)
  }

  private func release(_ carrier: Connection, of session: Connection) {
    carrier.heldFor = nil
    carrier.pollUntil = .never
    guard session.polls?.carrier == carrier.channel.token else { return }
    session.polls?.carrier = nil
    session.polls?.gapSince = loop.now
    rearmTimer(session)
  }

  private func refuseHeld(_ carrier: Connection, _ status: UInt16, _ words: String) {
    carrier.heldFor = nil
    carrier.pollUntil = .never
    carrier.phase = .answering
    respond(.text(status, words), carrier, keepAlive: status == 410)
  }

  /// Keeps the sum of what polled sessions hold; their streams are outside the pool of blocks.
  func countUnconfirmed(_ session: Connection) {
    guard let counted = session.polls?.countedBytes else { return }
    let count = session.condemned == nil ? session.channel.unconfirmedCount : 0
    polledBytes += count - counted
    session.polls?.countedBytes = count
  }

  /// A carrier that died, or a session: the other one learns of it.
  func detachPoll(_ connection: Connection) {
    if let token = connection.heldFor {
      connection.heldFor = nil
      if let session = connections[token] { release(connection, of: session) }
    } else if let token = connection.polls?.carrier, let carrier = connections[token] {
      connection.polls?.carrier = nil
      if carrier.condemned == nil, carrier.phase == .polling {
        refuseHeld(carrier, 410, "the session is over; log in")
      }
    }
  }

  private func answer(of session: Connection, bytes: [UInt8]) -> HTTPResponse {
    let fields = PollAnswerFields(
      session: session.sessionNumber, sent: session.channel.unconfirmed.offset,
      received: session.channel.receivedCount,
      pollSeconds: session.polls?.length.seconds ?? Limits.pollSeconds)
    return HTTPResponse(
      status: 200,
      headers: ["Content-Type: \(PollRoute.contentType)", "Cache-Control: no-store"] + fields.lines,
      body: bytes)
  }
}
