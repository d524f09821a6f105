// The pure parts of the fallback: which request goes out, what an answer means, which transport is
// tried, when TCP is tried again.

import BGBModel
import BGBWire
import Glibc
import Reactor
import Testing

@testable import BGBAgent
@testable import Transports

struct PollExchangeTests {
  private static let start = Ticks(milliseconds: 1_000)

  private func answer(
    _ status: UInt16 = 200, session: UInt64 = 5, sent: UInt64 = 0, received: UInt64 = 0,
    poll: UInt32 = 60, body: [UInt8] = []
  ) -> HTTPAnswer {
    let fields = PollAnswerFields(
      session: session, sent: sent, received: received, pollSeconds: poll)
    let headers =
      [(name: "content-type", value: PollRoute.contentType)]
      + fields.lines.map { line in
        let parts = line.split(separator: ":")
        return (name: parts[0].lowercased(), value: String(parts[1].dropFirst()))
      }
    return HTTPAnswer(status: status, headers: headers, body: body)
  }

  private func loggedIn() -> PollExchange {
    var exchange = PollExchange(pollSeconds: nil)
    let login = exchange.next(unconfirmed: (0, [1, 2, 3]), received: 0, at: Self.start)
    #expect(login?.route == .login)
    #expect(login?.fields == PollRequestFields())
    let step = exchange.take(answer(received: 3, body: [9]), at: Self.start)
    #expect(step == .goesOn(bytes: [9], offset: 0, received: 3))
    return exchange
  }

  @Test func nothingIsAskedBeforeThereIsASignIn() {
    var exchange = PollExchange(pollSeconds: nil)
    let request = exchange.next(unconfirmed: (0, []), received: 0, at: Self.start)
    #expect(request == nil)
    #expect(exchange.deadline == .never)
  }

  @Test func aPollRestsAfterATaskSoThatItsAnswerCanGoWithIt() {
    var exchange = loggedIn()
    exchange.rest(at: Self.start)
    let early = exchange.next(unconfirmed: (3, []), received: 1, at: Self.start)
    #expect(early == nil)
    #expect(exchange.deadline == Self.start + PollExchange.restMilliseconds)
    let news = exchange.next(unconfirmed: (3, [7]), received: 1, at: Self.start)
    #expect(news?.fields == PollRequestFields(session: 5, sent: 3, received: 1))
    #expect(news?.body == [7])
  }

  @Test func afterTheRestAPollGoesOutWithNothingToSay() {
    var exchange = loggedIn()
    exchange.rest(at: Self.start)
    let later = Self.start + PollExchange.restMilliseconds
    let poll = exchange.next(unconfirmed: (3, []), received: 1, at: later)
    #expect(poll?.body == [])
    #expect(poll?.fields.sent == 3)
    let second = exchange.next(unconfirmed: (3, []), received: 1, at: later)
    #expect(second == nil, "one poll is enough")
  }

  @Test func twoRequestsAtMostAreUnderWay() {
    var exchange = loggedIn()
    let later = Self.start + 1_000
    let bodies = [
      exchange.next(unconfirmed: (3, []), received: 1, at: later)?.body,
      exchange.next(unconfirmed: (3, [7]), received: 1, at: later)?.body,
      exchange.next(unconfirmed: (3, [7, 8]), received: 1, at: later)?.body,
    ]
    #expect(bodies == [[], [7], nil])
    // The first one is answered: what came meanwhile goes out, once.
    _ = exchange.take(answer(sent: 1, received: 3), at: later)
    let third = exchange.next(unconfirmed: (3, [7, 8]), received: 1, at: later)
    #expect(third?.body == [8])
    #expect(third?.fields.sent == 4)
  }

  @Test func afterALostCarrierEverythingUnconfirmedGoesAgain() {
    var exchange = loggedIn()
    _ = exchange.next(unconfirmed: (3, []), received: 1, at: Self.start + 1_000)
    _ = exchange.next(unconfirmed: (3, [7]), received: 1, at: Self.start + 2_000)
    exchange.carrierLost(confirmed: 3, at: Self.start + 31_000)
    let again = exchange.next(unconfirmed: (3, [7]), received: 1, at: Self.start + 31_000)
    #expect(again?.body == [7])
    #expect(again?.fields == PollRequestFields(session: 5, sent: 3, received: 1))
    exchange.carrierLost(confirmed: 3, at: Self.start + 61_000)
    let third = exchange.next(unconfirmed: (3, [7]), received: 1, at: Self.start + 61_000)
    #expect(third?.fields.cutSeconds == 30, "a held poll that ended without an answer is a cut")
  }

  @Test func patienceIsThePollsLengthAndALittle() {
    var exchange = loggedIn()
    let sent = Self.start + 1_000
    _ = exchange.next(unconfirmed: (3, []), received: 1, at: sent)
    let end = sent + 60_000 + PollExchange.patienceMilliseconds
    #expect(exchange.deadline == end)
    #expect(!exchange.isOverdue(at: Ticks(milliseconds: end.milliseconds - 1)))
    #expect(exchange.isOverdue(at: end))
  }

  @Test func aPollWithARequestBehindItIsDueAtOnce() {
    var exchange = loggedIn()
    let sent = Self.start + 1_000
    _ = exchange.next(unconfirmed: (3, []), received: 1, at: sent)
    _ = exchange.next(unconfirmed: (3, [7]), received: 1, at: sent + 2_000)
    #expect(exchange.deadline == sent + 2_000 + PollExchange.patienceMilliseconds)
    _ = exchange.take(answer(sent: 1, received: 3), at: sent + 2_100)
    #expect(exchange.deadline == sent + 2_100 + 60_000 + PollExchange.patienceMilliseconds)
  }

  @Test func aRestThatAnotherRequestOutlastsWakesNobody() {
    var exchange = loggedIn()
    let sent = Self.start + 1_000
    _ = exchange.next(unconfirmed: (3, []), received: 1, at: sent)
    _ = exchange.next(unconfirmed: (3, [7]), received: 1, at: sent)
    _ = exchange.take(answer(sent: 1, received: 3), at: sent)
    exchange.rest(at: sent)
    #expect(exchange.deadline == sent + 60_000 + PollExchange.patienceMilliseconds)
  }

  @Test func onlyWhatAPathTaughtIsRemembered() {
    var exchange = PollExchange(pollSeconds: nil)
    _ = exchange.next(unconfirmed: (0, [1]), received: 0, at: Self.start)
    _ = exchange.take(answer(received: 1, poll: 300), at: Self.start)
    _ = exchange.next(unconfirmed: (1, []), received: 0, at: Self.start)
    _ = exchange.take(answer(received: 1, poll: 60), at: Self.start)
    #expect(exchange.learnedSeconds == nil, "the settings changed, the path did not")
    _ = exchange.next(unconfirmed: (1, []), received: 0, at: Self.start)
    exchange.carrierLost(confirmed: 1, at: Self.start + 59_000)
    _ = exchange.next(unconfirmed: (1, []), received: 0, at: Self.start + 60_000)
    _ = exchange.take(answer(received: 1, poll: 45), at: Self.start + 60_000)
    #expect(exchange.learnedSeconds == 45)
    _ = exchange.next(unconfirmed: (1, []), received: 0, at: Self.start + 60_000)
    _ = exchange.take(answer(received: 1, poll: 56), at: Self.start + 60_000)
    #expect(exchange.learnedSeconds == 56, "the server tries longer ones again")
  }

  @Test func anAnswerThatWasCutIsNoCutOfThePath() {
    var exchange = loggedIn()
    _ = exchange.next(unconfirmed: (3, []), received: 1, at: Self.start + 1_000)
    exchange.carrierLost(confirmed: 3, isCut: false, at: Self.start + 31_000)
    let again = exchange.next(unconfirmed: (3, []), received: 1, at: Self.start + 31_000)
    #expect(again?.fields.cutSeconds == nil)
  }

  @Test func aTunnelsEndIsTakenOnceAndClosesItselfOtherwise() throws {
    // What the other end hears, for a number that was closed is soon another test's.
    let (used, hearsUsed) = try Descriptors.pair()
    let (unused, hearsUnused) = try Descriptors.pair()
    defer {
      close(hearsUsed)
      close(hearsUnused)
    }
    let end = TunnelEnd(owning: used)
    var taken = end.take()
    let number = taken?.raw
    let isTwice = end.take() != nil
    #expect(number == used)
    #expect(!isTwice)
    #expect(!Descriptors.hearsEnd(hearsUnused, withinMilliseconds: 0))
    _ = TunnelEnd(owning: unused)
    #expect(Descriptors.hearsEnd(hearsUnused), "nobody took it")
    #expect(!Descriptors.hearsEnd(hearsUsed, withinMilliseconds: 0))
    taken.take()?.close()
    #expect(Descriptors.hearsEnd(hearsUsed))
  }

  @Test func answersAreSortedByWhatTheyMean() {
    for (status, expected) in [(409 as UInt16, PollAnswer.sessionGone), (410, .sessionGone)] {
      var exchange = loggedIn()
      _ = exchange.next(unconfirmed: (3, [7]), received: 1, at: Self.start)
      let step = exchange.take(answer(status), at: Self.start)
      #expect(step == expected)
    }
    var exchange = loggedIn()
    _ = exchange.next(unconfirmed: (3, [7]), received: 1, at: Self.start)
    let text = HTTPAnswer(status: 503, headers: [], body: Array("stops\u{1B}[1m\n".utf8))
    let refused = exchange.take(text, at: Self.start)
    #expect(refused == .refused(status: 503, words: "stops[1m"))
    let unasked = exchange.take(answer(), at: Self.start)
    #expect(unasked == .notOurs("an answer that nobody asked for"))
  }

  @Test func anotherSessionsAnswerIsNotOurs() {
    var exchange = loggedIn()
    _ = exchange.next(unconfirmed: (3, [7]), received: 1, at: Self.start)
    let foreign = exchange.take(answer(session: 6), at: Self.start)
    #expect(foreign == .notOurs("the answer of another session"))
  }

  @Test func theServersPollLengthIsKeptWithinBounds() {
    for (told, kept) in [
      (0 as UInt32, Limits.pollSecondsMinimum), (60, 60), (.max, Limits.pollSecondsMaximum),
    ] {
      var exchange = PollExchange(pollSeconds: nil)
      _ = exchange.next(unconfirmed: (0, [1]), received: 0, at: Self.start)
      _ = exchange.take(answer(poll: told), at: Self.start)
      #expect(exchange.pollSeconds == kept)
    }
    var exchange = PollExchange(pollSeconds: 45)
    let login = exchange.next(unconfirmed: (0, [1]), received: 0, at: Self.start)
    #expect(login?.fields.pollSeconds == 45, "what the path allows is told at the login")
  }

  @Test func goodbyeTakesTheRestAlongAndIsTheLast() {
    var exchange = loggedIn()
    let last = exchange.goodbye(unconfirmed: (3, [7]), received: 1)
    #expect(last?.route == .goodbye)
    #expect(last?.body == [7])
    let more = exchange.next(unconfirmed: (3, [7, 8]), received: 1, at: Self.start + 9_000)
    #expect(more == nil)
    #expect(
      last?.encoded(host: "mp:443").starts(
        with: "POST /bgb/goodbye HTTP/1.1\r\nHost: mp:443\r\n".utf8) == true)
  }

  @Test func aLineWaitsForTheNearestOfItsClocks() {
    let line = PollLine(endpoint: "mp:443", pollSeconds: nil)
    #expect(line.deadline == .never)
    line.opensAt = Ticks(milliseconds: 70)
    line.openingUntil = Ticks(milliseconds: 50)
    #expect(line.deadline == Ticks(milliseconds: 50))
  }
}

/// Bare descriptors.
private enum Descriptors {
  static func pair() throws -> (Int32, Int32) {
    var numbers: [Int32] = [0, 0]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    try #require(socketpair(AF_UNIX, kind, 0, &numbers) == 0)
    return (numbers[0], numbers[1])
  }

  /// Whether the other end is closed, or is within that time: a child process that another test
  /// is just starting holds it until its program begins.
  static func hearsEnd(_ number: Int32, withinMilliseconds patience: Int32 = 10_000) -> Bool {
    var asked = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
    var byte: UInt8 = 0
    return poll(&asked, 1, patience) == 1 && recv(number, &byte, 1, 0) == 0
  }
}

struct TransportLadderTests {
  @Test func aRoundIsTCPThenHTTPSThenAWait() {
    var ladder = TransportLadder(rule: .automatic, hasHTTPS: true)
    #expect(ladder.current == .tcp)
    for _ in 0..<3 {
      let goesOn = ladder.attemptFailed(.refused)
      #expect(goesOn)
      #expect(ladder.current == .https)
      #expect(ladder.reason == .refused)
      let goesOnAgain = ladder.attemptFailed(.timedOut)
      #expect(!goesOnAgain)
      #expect(ladder.current == .tcp)
      #expect(ladder.reason == FallbackReason.none)
    }
  }

  @Test func settingsRuleAndWithoutAListenerThereIsNoHTTPS() {
    for (rule, hasHTTPS, first) in [
      (TransportRule.tcp, true, ChannelKind.tcp), (.https, true, .https), (.automatic, false, .tcp),
    ] {
      var ladder = TransportLadder(rule: rule, hasHTTPS: hasHTTPS)
      for _ in 0..<5 {
        let goesOn = ladder.attemptFailed(.refused)
        #expect(!goesOn)
        ladder.sessionLost(wasProven: false)
        #expect(ladder.current == first)
        #expect(!ladder.mayClimb)
      }
    }
    #expect(TransportLadder(rule: .https, hasHTTPS: true).reason == .configured)
  }

  @Test func shortSessionsInARowAreUnstable() {
    var ladder = TransportLadder(rule: .automatic, hasHTTPS: true)
    ladder.sessionLost(wasProven: false)
    ladder.sessionLost(wasProven: false)
    ladder.sessionLost(wasProven: true)
    ladder.sessionLost(wasProven: false)
    ladder.sessionLost(wasProven: false)
    #expect(ladder.current == .tcp)
    ladder.sessionLost(wasProven: false)
    #expect(ladder.current == .https)
    #expect(ladder.reason == .unstable)
    #expect(ladder.mayClimb)
    ladder.sessionLost(wasProven: true)
    #expect(ladder.current == .https, "what worked is tried first")
    ladder.climbed()
    #expect(ladder.current == .tcp)
  }

  @Test func reasonsAreSorted() {
    #expect(FallbackReason(DisconnectReason.attemptTimedOut) == .timedOut)
    #expect(FallbackReason(DisconnectReason.unresolved) == .unresolved)
    #expect(FallbackReason(DisconnectReason.unreachable(Errno(rawValue: 111))) == .refused)
    #expect(FallbackReason(DisconnectReason.unreachable(Errno(rawValue: 113))) == .unreachable)
    #expect(FallbackReason(DisconnectReason.lost(TransportError(errno: 111))) == .refused)
    #expect(FallbackReason(DisconnectReason.lost(TransportError(errno: 110))) == .timedOut)
    #expect(FallbackReason(DisconnectReason.lost(TransportError(.truncated))) == .reset)
    #expect(
      FallbackReason(DisconnectReason.lost(TransportError(.protocolViolation))) == .tlsFailed)
    #expect(
      FallbackReason(DisconnectReason.lost(TransportError(.certificateRefused))) == .notOurServer)
  }
}

struct ClimbPlanTests {
  @Test func triesComeAfterTwoMinutesThenEveryQuarterAFifthMoreOrLess() {
    for seed in 0..<200 as Range<UInt64> {
      var random = JitterRandom(seed: seed)
      var plan = ClimbPlan()
      #expect(plan.deadline == .never)
      let now = Ticks(milliseconds: 1_000)
      plan.begin(at: now, rules: ClimbRules(), using: &random)
      #expect((96_000...144_000).contains(plan.deadline.since(now)))
      plan.connect(until: now + 10_000)
      #expect(plan.isTrying)
      plan.signIn()
      #expect(plan.state == .signingIn(until: now + 10_000))
      plan.rest(at: now, rules: ClimbRules(), using: &random)
      #expect((720_000...1_080_000).contains(plan.deadline.since(now)))
      #expect(!plan.isTrying)
      plan.stop()
      #expect(plan.deadline == .never)
    }
  }
}
