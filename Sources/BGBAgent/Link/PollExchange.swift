// What an agent says and hears by long polls, without a socket: which request goes out next, what
// an answer means, when a poll is given up. At most two requests are under way: the poll that is
// held, and one that supersedes it because there is something to say.

import BGBModel
import BGBWire
import Reactor
import Transports

/// A request to send now.
struct PollRequest: Equatable {
  var route: PollRoute
  var fields: PollRequestFields
  var body: [UInt8]
}

extension PollRequest {
  /// The bytes of the request.
  func encoded(host: String) -> [UInt8] {
    var head = "\(route.method) \(route.rawValue) HTTP/1.1\r\nHost: \(host)\r\n"
    head += "Content-Type: \(PollRoute.contentType)\r\nContent-Length: \(body.count)\r\n"
    for line in fields.lines { head += line + "\r\n" }
    return Array((head + "\r\n").utf8) + body
  }
}

/// What an answer came to.
enum PollAnswer: Equatable {
  /// The session goes on: these bytes of the server's stream begin at that place, and it has so
  /// much of ours.
  case goesOn(bytes: [UInt8], offset: UInt64, received: UInt64)
  /// The server does not know the session, or is out of step with it: sign in anew.
  case sessionGone
  /// The server says no, in these words.
  case refused(status: UInt16, words: String)
  /// Not our server's answer: nothing of it is believed.
  case notOurs(String)
}

/// The requests and answers of one session over long polls.
struct PollExchange {
  /// How long beyond its length a poll's answer is waited for, in milliseconds: the way there and
  /// back on a bad network.
  static let patienceMilliseconds: UInt64 = 15_000
  /// How long the next poll waits, after an answer that brought a task, for something to say: the
  /// acknowledgement then goes with the poll and not as a request of its own.
  static let restMilliseconds: UInt64 = 200

  private enum Under: Equatable {
    case login
    /// Held by the server up to a poll's length.
    case poll(since: Ticks)
    /// A held poll with a request behind it: the server answers it at once.
    case superseded(since: Ticks)
    case goodbye
  }

  /// The session's number; nil before the login was answered.
  private(set) var session: UInt64?
  /// How long the server holds a poll, as it said last.
  private(set) var pollSeconds: UInt32?
  /// The length of polls that this path was found to allow; nil while nothing was learned of it.
  private(set) var learnedSeconds: UInt32?
  /// Whether the server was told of a cut in this session.
  private var hasReportedCut = false
  private var under: [Under] = []
  /// How far our stream was sent on this carrier.
  private var sentUpTo: UInt64 = 0
  private var cutSeconds: UInt32?
  private var restsUntil: Ticks?
  private var isOver = false

  /// Begins before the login.
  ///
  /// `pollSeconds` is what an earlier session of this episode learned of the path.
  init(pollSeconds: UInt32?) {
    self.pollSeconds = pollSeconds
    learnedSeconds = pollSeconds
  }

  /// When something is due at the latest.
  var deadline: Ticks {
    // A rest that another request outlasts is over with that one's answer.
    let rest = under.isEmpty && !isOver ? restsUntil : nil
    return min(rest ?? .never, answerDue)
  }

  /// When the answer to the oldest request is overdue.
  private var answerDue: Ticks {
    switch under.first {
    case .poll(let since):
      let held = UInt64(pollSeconds ?? Limits.pollSeconds) * 1_000
      return since + held + PollExchange.patienceMilliseconds
    case .superseded(let since): return since + PollExchange.patienceMilliseconds
    case .login, .goodbye, nil: return .never
    }
  }

  // MARK: Out

  /// The request to send now, if there is one.
  ///
  /// - Parameters:
  ///   - unconfirmed: our stream from the first byte that the server is not known to have.
  ///   - received: how much of the server's stream we have.
  mutating func next(
    unconfirmed: (offset: UInt64, bytes: [UInt8]), received: UInt64, at now: Ticks
  ) -> PollRequest? {
    guard !isOver else { return nil }
    let end = unconfirmed.offset &+ UInt64(unconfirmed.bytes.count)
    guard let session else {
      guard under.isEmpty, !unconfirmed.bytes.isEmpty else { return nil }
      under = [.login]
      sentUpTo = end
      return PollRequest(
        route: .login, fields: PollRequestFields(pollSeconds: pollSeconds), body: unconfirmed.bytes)
    }
    let hasNews = end > sentUpTo
    guard hasNews ? under.count < 2 : under.isEmpty && (restsUntil.map { now >= $0 } ?? true)
    else { return nil }
    restsUntil = nil
    if case .poll = under.first { under[0] = .superseded(since: now) }
    under.append(.poll(since: now))
    if cutSeconds != nil { hasReportedCut = true }
    let known = Int(clamping: max(sentUpTo, unconfirmed.offset) &- unconfirmed.offset)
    let body = known == 0 ? unconfirmed.bytes : Array(unconfirmed.bytes.dropFirst(known))
    sentUpTo = max(end, sentUpTo)
    defer { cutSeconds = nil }
    return PollRequest(
      route: .goOn,
      fields: PollRequestFields(
        session: session, sent: end &- UInt64(body.count), received: received,
        cutSeconds: cutSeconds),
      body: body)
  }

  /// The request that ends the session; nil when there is none.
  mutating func goodbye(
    unconfirmed: (offset: UInt64, bytes: [UInt8]), received: UInt64
  ) -> PollRequest? {
    guard let session, !isOver else { return nil }
    isOver = true
    under.append(.goodbye)
    return PollRequest(
      route: .goodbye,
      fields: PollRequestFields(session: session, sent: unconfirmed.offset, received: received),
      body: unconfirmed.bytes)
  }

  // MARK: In

  /// Takes an answer; answers come in the order of their requests.
  mutating func take(_ answer: HTTPAnswer, at now: Ticks) -> PollAnswer {
    guard !under.isEmpty else { return .notOurs("an answer that nobody asked for") }
    under.removeFirst()
    // The next poll under way counts from here: the server begins to hold it now.
    if case .poll = under.first { under[0] = .poll(since: now) }
    switch answer.status {
    case 200: break
    case 409, 410: return .sessionGone
    case 400, 403, 404, 405, 413, 429, 503:
      let words = String(decoding: answer.body.prefix(200), as: UTF8.self)
      return .refused(status: answer.status, words: words.filter { $0 >= " " })
    default: return .notOurs("status \(answer.status)")
    }
    guard answer["content-type"] == PollRoute.contentType,
      let fields = PollAnswerFields({ answer[$0] })
    else { return .notOurs("an answer that is not of our protocol") }
    guard session == nil || session == fields.session else {
      return .notOurs("the answer of another session")
    }
    session = fields.session
    let told = min(Limits.pollSecondsMaximum, max(fields.pollSeconds, Limits.pollSecondsMinimum))
    // Shorter after a cut was told: learned. From then on it follows the server, which also tries
    // longer ones again; what the settings alone say is not remembered.
    let isShorter = pollSeconds.map { told < $0 } ?? false
    if learnedSeconds != nil || (hasReportedCut && isShorter) { learnedSeconds = told }
    pollSeconds = told
    return .goesOn(bytes: answer.body, offset: fields.sent, received: fields.received)
  }

  /// A task arrived, and something will be said of it in a moment.
  mutating func rest(at now: Ticks) { restsUntil = now + PollExchange.restMilliseconds }

  /// The carrier is gone: what was under way is void, and what was sent is sent again.
  ///
  /// `isCut` says that it may have been the path's patience that ended.
  mutating func carrierLost(confirmed: UInt64, isCut: Bool = true, at now: Ticks) {
    if isCut, case .poll(let since) = under.first {
      cutSeconds = UInt32(clamping: now.since(since) / 1_000)
    }
    under = []
    sentUpTo = confirmed
    restsUntil = nil
  }

  /// Whether a poll's answer is overdue: the path swallowed it.
  func isOverdue(at now: Ticks) -> Bool { now >= answerDue }
}
