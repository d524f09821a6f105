// HTTP peers: requests off their connections, routes, answers. Health and metrics for the host;
// for agents, over TLS with their certificate, policy downloads here and long polls in Shard+Polls.

import BGBModel
import BGBWire
import Logging
import Reactor
import Transports

extension Shard {
  /// Collects bytes of an HTTP peer and works on the requests that are complete.
  func takeRequests(_ connection: Connection) {
    lull.stir(at: loop.now)
    let wasEmpty = connection.requests?.isEmpty ?? true
    connection.requests?.append(scratch.bytes)
    // A request that begins while a poll is held has a deadline of its own from here.
    if connection.phase == .polling, wasEmpty { connection.requestSince = loop.now }
    nextRequests(connection)
  }

  /// Works on complete requests until one has to wait for its answer.
  func nextRequests(_ connection: Connection) {
    while connection.condemned == nil,
      connection.phase == .awaitingFirst || connection.phase == .polling
    {
      // Whoever asks and does not read is asked to wait: its answers are not piled up for it.
      guard connection.channel.outboundCount <= Limits.outboundBytesMax else {
        connection.channel.receives = false
        break
      }
      do throws(HTTPRefusal) {
        guard let request = try connection.requests?.next() else { break }
        // One request at a time: the next one of the same peer ends the poll that is held.
        if connection.phase == .polling { endPoll(on: connection) }
        guard connection.condemned == nil, connection.phase == .awaitingFirst else { return }
        handle(request, connection)
      } catch {
        counters.httpRefused &+= 1
        noteHTTP(connection, "request refused", ["status": "\(error.rawValue)"])
        if connection.phase == .polling { endPoll(on: connection) }
        respond(.text(error.rawValue, "\(error)"), connection, keepAlive: false)
      }
    }
    if connection.phase == .polling {
      let isIdle = connection.requests?.isEmpty ?? true
      if isIdle {
        connection.requestSince = .never
      } else if connection.requestSince == .never {
        // Half of a request came behind the one that is held.
        connection.requestSince = loop.now
      }
    }
    rearmTimer(connection)
  }

  /// All that was queued for an HTTP peer has gone: its next request is due from here, and what it
  /// sent meanwhile is read.
  func answersAreSent(_ connection: Connection) {
    guard connection.requests != nil, connection.condemned == nil else { return }
    if connection.phase == .awaitingFirst { connection.requestSince = loop.now }
    guard !connection.channel.receives else { return }
    connection.channel.receives = true
    if connection.channel.hasLeftovers { leftovers.append(connection.channel.token) }
    nextRequests(connection)
  }

  private func handle(_ request: HTTPRequest, _ connection: Connection) {
    connection.endsAfterAnswer = request.endsConnection
    if connection.role == .watch {
      return respond(watchAnswer(to: request), connection, keepAlive: false)
    }
    guard let route = PollRoute(rawValue: request.path) else {
      return refuseHTTP(connection, 404, "no such route")
    }
    guard request.method == route.method else {
      return refuseHTTP(connection, 405, "only \(route.method)")
    }
    switch route {
    case .policy: askPolicy(request, connection)
    case .view: askView(request, connection)
    case .login: login(request, connection)
    case .goOn: goOn(request, connection)
    case .goodbye: sayGoodbye(request, connection)
    }
  }

  private func askPolicy(_ request: HTTPRequest, _ connection: Connection) {
    guard let clientID = connection.clientID, !denied.contains(clientID) else {
      return refuseHTTP(connection, 403, "blocked")
    }
    counters.policyRequests &+= 1
    connection.phase = .answering
    connection.requestSince = loop.now
    site.post(
      .policy(connection.channel.token, clientID, entityTag: request["if-none-match"]))
  }

  /// Says no in one line of text; the connection ends behind it.
  func refuseHTTP(_ connection: Connection, _ status: UInt16, _ words: String) {
    counters.httpRefused &+= 1
    noteHTTP(connection, "request refused", ["status": "\(status)", "reason": "\(words)"])
    respond(.text(status, words), connection, keepAlive: false)
  }

  /// Queues an answer; the connection then waits for the next request, or ends behind the answer.
  func respond(_ response: HTTPResponse, _ connection: Connection, keepAlive: Bool = true) {
    guard connection.condemned == nil, connection.requests != nil else { return }
    let goesOn =
      keepAlive && !connection.endsAfterAnswer && life == .serving && moving == nil
    let bytes = response.encoded(keepAlive: goesOn)
    guard connection.channel.enqueue(bytes.span, now: loop.now) == .stored else {
      return condemn(connection, .slowReader)
    }
    guard goesOn else { return close(connection, .goodbye) }
    connection.phase = .awaitingFirst
    connection.requestSince = loop.now
    markDirty(connection)
    rearmTimer(connection)
  }

  /// The answer that another thread found; further requests may have come meanwhile.
  func answer(_ response: HTTPResponse, _ connection: Connection) {
    guard connection.phase == .answering else { return }
    respond(response, connection)
    nextRequests(connection)
  }

  /// Ends the oldest of a client's HTTP connections when it has too many: an agent needs few, and
  /// one that opens thousands must not have them.
  func countHTTP(_ connection: Connection) {
    guard connection.role == .https, let clientID = connection.clientID else { return }
    var tokens = httpConnections[clientID] ?? []
    if tokens.count >= Limits.httpConnectionsPerClientMax {
      counters.httpCrowded &+= 1
      if let oldest = connections[tokens.removeFirst()] { condemn(oldest, .protocolError) }
    }
    tokens.append(connection.channel.token)
    httpConnections[clientID] = tokens
  }

  /// Forgets an HTTP connection that ended.
  func uncountHTTP(_ connection: Connection) {
    guard connection.role == .https, let clientID = connection.clientID,
      var tokens = httpConnections[clientID]
    else { return }
    tokens.removeAll { $0 == connection.channel.token }
    httpConnections[clientID] = tokens.isEmpty ? nil : tokens
  }

  /// A line in the log of HTTP clients.
  func noteHTTP(
    _ connection: Connection, _ event: Logger.Message, _ more: Logger.Metadata
  ) {
    var metadata = more
    metadata["client"] = "\(connection.clientID.map { "\($0)" } ?? "-")"
    metadata["address"] = "\(connection.address)"
    httpLog.info(event, metadata: metadata)
  }

  private func watchAnswer(to request: HTTPRequest) -> HTTPResponse {
    guard request.method == "GET" else { return .text(405, "only GET") }
    return switch request.path {
    case "/healthz": .text(200, "ok")
    case "/readyz": readiness
    case "/metrics": .text(200, metricsText())
    default: .text(404, "no such route; try /healthz, /readyz or /metrics")
    }
  }

  private var readiness: HTTPResponse {
    if life != .serving || moving != nil { return .text(503, "draining") }
    if !isJournalReady { return .text(503, "the journal is not open yet") }
    if !isSiteReachable { return .text(503, "degraded: the site does not answer") }
    return .text(200, "ready")
  }
}
