// What the server knows of whoever asks: for `bgb-agent doctor`, and for a person with curl. The
// answer can be held like a poll, to try how long a path lets a silent connection live. Nothing of
// it touches the client's session.

import BGBModel
import BGBWire
import Reactor
import Transports

extension Shard {
  /// Answers `GET /bgb/self`, at once or after `?hold=SECONDS`.
  func askView(_ request: HTTPRequest, _ connection: Connection) {
    counters.views &+= 1
    guard !request.query.isEmpty else { return answerView(connection) }
    let words = request.query.split(separator: "=", omittingEmptySubsequences: false)
    guard words.count == 2, words[0] == "hold", words[1].utf8.count <= 4,
      let seconds = UInt32(words[1]), seconds <= settings.pollSeconds
    else {
      return refuseHTTP(connection, 400, "hold is a number of seconds up to a poll's length")
    }
    guard seconds > 0 else { return answerView(connection) }
    connection.phase = .polling
    connection.requestSince = .never
    connection.pollUntil = loop.now + UInt64(seconds) * 1_000
    rearmTimer(connection)
  }

  /// Sends the view.
  func answerView(_ connection: Connection) {
    connection.phase = .answering
    connection.pollUntil = .never
    respond(
      HTTPResponse(
        status: 200, headers: ["Content-Type: application/json", "Cache-Control: no-store"],
        body: Array(view(of: connection).utf8)),
      connection)
  }

  /// Every value is ours: numbers, moments, closed words and the client's id, so nothing needs
  /// escaping but the addresses' colons, which JSON takes as they are.
  private func view(of connection: Connection) -> String {
    let clientID = connection.clientID
    var fields: [(String, String)] = [
      ("clientID", quoted(clientID?.description ?? "")),
      ("blocked", clientID.map { denied.contains($0) } ?? false ? "true" : "false"),
      ("seenFrom", quoted(connection.address.host)), ("serverID", quoted("\(identity.serverID)")),
      ("site", quoted("\(identity.site)")), ("serverTime", quoted(wallNow.description)),
      ("pollSeconds", "\(settings.pollSeconds)"),
    ]
    let record = clientID.flatMap { registry.record(of: $0) }
    fields.append(("online", record?.isOnline == true ? "true" : "false"))
    if let record {
      fields += [
        ("channel", quoted(record.channel.name)), ("since", quoted(record.since.description)),
        ("reason", quoted(record.reason.name)), ("session", "\(record.session)"),
        ("fallback", quoted(record.fallback.name)),
        ("channelSince", quoted(record.channelSince.description)),
      ]
    }
    return "{" + fields.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}\n"
  }

  private func quoted(_ text: String) -> String { "\"\(text)\"" }
}
