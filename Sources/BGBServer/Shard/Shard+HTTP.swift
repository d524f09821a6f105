// The two small HTTP services: policy download for agents, health and metrics for the host.

import BGBModel
import Reactor
import Transports

extension Shard {
  /// Works on bytes of an HTTP peer; one request a connection.
  func takeRequest(_ connection: Connection) {
    guard connection.phase == .awaitingFirst else { return }
    connection.requests?.append(scratch.bytes)
    do throws(HTTPRefusal) {
      guard let request = try connection.requests?.next() else { return }
      connection.phase = .answering
      if connection.role == .watch {
        respond(watchAnswer(to: request), connection)
      } else {
        askPolicy(request, connection)
      }
    } catch {
      respond(.text(error.rawValue, "\(error)"), connection)
    }
  }

  private func askPolicy(_ request: HTTPRequest, _ connection: Connection) {
    guard request.path == "/bgb/policy" else {
      return respond(.text(404, "no such route"), connection)
    }
    guard request.method == "GET" else {
      return respond(.text(405, "only GET"), connection)
    }
    guard let clientID = connection.clientID, !denied.contains(clientID) else {
      return respond(.text(403, "blocked"), connection)
    }
    counters.policyRequests &+= 1
    site.post(
      .policy(connection.channel.token, clientID, entityTag: request["if-none-match"]))
  }

  /// Sends an answer and ends the connection behind it.
  func respond(_ response: HTTPResponse, _ connection: Connection) {
    guard connection.condemned == nil, connection.requests != nil else { return }
    let bytes = response.encoded()
    // A long answer goes out in pieces as the queue has room: the policy of one client is bounded
    // by what a queue takes, see the limit in docs/PROTOCOL.md.
    guard connection.channel.enqueue(bytes.span, now: loop.now) == .stored else {
      return condemn(connection, .slowReader)
    }
    close(connection, .goodbye)
  }

  private func watchAnswer(to request: HTTPRequest) -> HTTPResponse {
    switch request.path {
    case "/healthz": .text(200, "ok")
    case "/readyz": readiness
    case "/metrics": .text(200, metricsText())
    default: .text(404, "no such route; try /healthz, /readyz or /metrics")
    }
  }

  private var readiness: HTTPResponse {
    if life != .serving { return .text(503, "draining") }
    if !isJournalReady { return .text(503, "the journal is not open yet") }
    if !isSiteReachable { return .text(503, "degraded: the site does not answer") }
    return .text(200, "ready")
  }
}
