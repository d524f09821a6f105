// What the server says of this client at GET /bgb/self, and what follows from it. Pure.

import BGBModel
import BGBWire
import Transports

/// The server's view of a client.
struct ServerView: Hashable, Sendable {
  var clientID: ClientID
  var isBlocked: Bool
  /// The address that the server sees us come from.
  var seenFrom: String
  var serverID: String
  var site: String
  var serverTime: WallTime
  /// How long the server lets itself be asked to wait.
  var pollSeconds: UInt32
  var isOnline: Bool
  var channel: ChannelKind?
  var since: WallTime?
  var reason: PresenceReason?
  var fallback: FallbackReason?

  /// Reads the answer's body; nil when it is not of the server's making.
  init?(_ body: [UInt8]) {
    guard let json = JSONText(body), let client = json["clientID"]?.text.flatMap({ ClientID($0) }),
      let blocked = ServerView.truth(json["blocked"]), let from = json["seenFrom"]?.text,
      let server = json["serverID"]?.text, let site = json["site"]?.text,
      let time = json["serverTime"]?.text.flatMap({ WallTime(rfc3339: $0) }),
      let seconds = json["pollSeconds"]?.integer.flatMap({ UInt32(exactly: $0) }),
      let online = ServerView.truth(json["online"])
    else { return nil }
    clientID = client
    isBlocked = blocked
    seenFrom = from
    serverID = server
    self.site = site
    serverTime = time
    pollSeconds = seconds
    isOnline = online
    let word = json["channel"]?.text
    channel = ChannelKind.allCases.first { $0.name == word }
    since = json["since"]?.text.flatMap { WallTime(rfc3339: $0) }
    reason = json["reason"]?.text.flatMap { PresenceReason(named: $0) }
    fallback = json["fallback"]?.text.flatMap { FallbackReason(named: $0) }
  }

  private static func truth(_ value: JSONText?) -> Bool? {
    switch value {
    case .plain("true"): true
    case .plain("false"): false
    default: nil
    }
  }

  /// Whether the server knows us, and sees us connected.
  func verdict(for client: ClientID, site ours: SiteCode) -> DoctorVerdict {
    guard site == "\(ours)" else {
      return .failed(.https, "the server says that it is of site \(site), and we are of \(ours)")
    }
    guard clientID == client else {
      return .failed(
        .https, "the server takes us for client \(clientID): something on the way mixes answers up")
    }
    guard !isBlocked else {
      return .failed(
        .refused,
        "server \(serverID) refuses this client, which is blocked: 'bgb client unblock' lets it in")
    }
    let from = "; it sees us come from \(seenFrom)"
    if isOnline {
      let over = channel == .https ? "HTTPS" : "TCP"
      let why = fallback.map { $0 == .none ? "" : ", because TCP: \($0.name)" } ?? ""
      let when = since.map { " since \($0)" } ?? ""
      return .ok("server \(serverID) sees this client online over \(over)\(when)\(why)" + from)
    }
    let last = since.map { " since \($0)" } ?? ""
    let why = reason.map { " (\($0.name))" } ?? ""
    return .warning(
      "server \(serverID) does not see this client online\(last)\(why)\(from): is the "
        + "agent running?"
    )
  }

  /// Holds our clock against the server's, which was read between two moments of ours.
  func clockVerdict(
    asked: WallTime, answered: WallTime, certificate: (notBefore: Int64, notAfter: Int64)?
  ) -> DoctorVerdict {
    let middle = asked.adding(milliseconds: answered.since(asked) / 2)
    let ahead = middle.since(serverTime)
    let size = DoctorWords.length(milliseconds: ahead.magnitude)
    let skew = "\(size) \(ahead < 0 ? "behind" : "ahead of") the server's"
    let seconds = serverTime.milliseconds / 1_000
    if let certificate, seconds < certificate.notBefore || seconds >= certificate.notAfter {
      return .failed(
        .clock,
        "this computer's clock is \(skew), by which our certificate is not valid: set the wrong "
          + "one of both clocks (NTP)")
    }
    guard ahead.magnitude <= ServerView.skewMillisecondsMax else {
      return .warning("this computer's clock is \(skew): let NTP set it")
    }
    return .ok("this computer's clock is \(skew)")
  }

  /// More than this is worth a warning; deadlines of tasks go by the server's time anyway.
  static let skewMillisecondsMax: UInt64 = 120_000
}

/// What became of a request.
enum ProbeAnswer: Equatable, Sendable {
  case answered(HTTPAnswer)
  /// Bytes that are no answer of our server.
  case notOurs(HTTPAnswerFault)
  /// The connection ended, before any byte of the answer or in its middle.
  case ended(midway: Bool)
  case lost(TransportError)
  case silent
}

extension ProbeAnswer {
  /// The view that was answered, or the verdict on what came in its place.
  func view(timeoutMilliseconds: UInt64) -> (view: ServerView?, verdict: DoctorVerdict) {
    switch self {
    case .answered(let answer):
      if let words = DoctorWords.notOurs(answer) { return (nil, .failed(.https, words)) }
      guard let view = ServerView(answer.body) else {
        return (
          nil, .failed(.https, "the server's answer cannot be read: it is of another release")
        )
      }
      return (view, .ok(""))
    case .notOurs(let fault): return (nil, .failed(.https, DoctorWords.notOurs(fault)))
    case .ended(let midway):
      return (
        nil,
        .failed(
          .https,
          midway
            ? "the answer was cut in its middle: look at proxies and firewalls on the way"
            : "the server ended the connection without an answer: its BgbHttpProxy.log says why")
      )
    case .lost(let error):
      return (nil, .failed(error.kind == .alertReceived ? .tls : .https, DoctorWords.lost(error)))
    case .silent:
      let waited = DoctorWords.length(milliseconds: timeoutMilliseconds)
      return (
        nil,
        .failed(
          .https,
          "no answer within \(waited): the server is stuck, or something on the way holds it")
      )
    }
  }

  /// Whether a poll lasted.
  func pollVerdict(seconds: UInt32, after milliseconds: UInt64, view: ServerView) -> DoctorVerdict {
    let passed = DoctorWords.length(milliseconds: milliseconds)
    switch self {
    case .answered(let answer):
      if let words = DoctorWords.notOurs(answer) {
        return .failed(.https, "after \(passed): \(words)")
      }
      // The server's clock ticks on its own: a little early is in time.
      guard milliseconds + 250 >= UInt64(seconds) * 1_000 else {
        return .failed(
          .https,
          "a poll of \(seconds) s was answered after \(passed): something on the way answers for "
            + "the server")
      }
      let more =
        seconds < view.pollSeconds
        ? " (the server's own length is \(view.pollSeconds) s: '--hold \(view.pollSeconds)s' tries "
          + "it)"
        : ""
      return .ok("a poll of \(seconds) s was held and answered\(more)")
    case .notOurs(let fault):
      return .failed(.https, "after \(passed): \(DoctorWords.notOurs(fault))")
    case .ended, .lost:
      let cut = "the path cuts silent connections after about \(passed)"
      guard milliseconds >= UInt64(Limits.pollSecondsMinimum) * 1_000 else {
        return .failed(
          .https, "\(cut), too soon for long polls: raise the idle timeout of what is on the way")
      }
      return .warning("\(cut); the server will learn shorter polls")
    case .silent:
      return .failed(
        .https,
        "a poll of \(seconds) s had no answer after \(passed): something on the way drops silent "
          + "connections without a word; raise its idle timeout")
    }
  }
}
