// What the doctor makes of the server's answer, in tables.

import BGBModel
import Testing
import Transports

@testable import BGBAgent

@Suite struct ServerViewTests {
  private static func view(_ text: String) throws -> ServerView {
    try #require(ServerView(Array(text.utf8)))
  }

  @Test func anAnswerIsReadWholeOrNotAtAll() throws {
    let good = DoctorStage.view()
    let view = try ServerViewTests.view(good)
    #expect(view.clientID == testClient && view.isOnline && !view.isBlocked)
    #expect(view.channel == .tcp && view.pollSeconds == 300 && view.fallback == FallbackReason.none)
    for (old, new) in [
      ("\"blocked\":false", "\"blocked\":0"), ("\"pollSeconds\":300", "\"pollSeconds\":-1"),
      ("\"pollSeconds\":300", "\"pollSeconds\":1e99"), ("\"online\":true", "\"online\":\"true\""),
      ("\(testClient)", "nobody"), ("Z\",\"pollSeconds", "\",\"pollSeconds"), ("}", ""),
      ("\"seenFrom\"", "\"from\""),
    ] {
      let bad = good.replacing(old, with: new)
      #expect(bad != good)
      #expect(ServerView(Array(bad.utf8)) == nil, "\(new)")
    }
    // What an offline client lacks.
    let bare = try ServerViewTests.view(
      #"{"clientID":"\#(testClient)","blocked":false,"seenFrom":"::1","serverID":"2","site":"S01","#
        + #""serverTime":"2026-10-26T06:13:20Z","pollSeconds":60,"online":false}"#)
    let verdict = bare.verdict(for: testClient, site: TestSite.code)
    #expect(
      verdict
        == .warning(
          "server 2 does not see this client online; it sees us come from ::1: is the "
            + "agent running?"
        )
    )
  }

  @Test func onlineIsToldWithTransportAndReason() throws {
    var view = try ServerViewTests.view(DoctorStage.view())
    #expect(
      view.verdict(for: testClient, site: TestSite.code).sentence
        == "server 1 sees this client online over TCP since 2026-10-01T08:00:00.000Z; it sees us "
        + "come from 127.0.0.1")
    view.channel = .https
    view.fallback = .refused
    #expect(
      view.verdict(for: testClient, site: TestSite.code).sentence.contains(
        "over HTTPS since 2026-10-01T08:00:00.000Z, because TCP: refused"))
  }

  @Test func theClockIsJudgedByItsDistance() throws {
    let now = WallTime(milliseconds: 1_793_000_000_000)
    var view = try ServerViewTests.view(DoctorStage.view())
    let day: Int64 = 86_400
    let valid = (
      notBefore: now.milliseconds / 1_000 - day, notAfter: now.milliseconds / 1_000 + day
    )
    for (ahead, word, words) in [
      (0, "ok", "0 ms ahead of"), (-119_000, "ok", "119 s behind"), (120_000, "ok", "2 min ahead"),
      (120_001, "warning", "NTP"), (-3_600_000, "warning", "60 min behind"),
      (2 * 86_400_000, "failed", "not valid"), (-2 * 86_400_000, "failed", "not valid"),
      (.max, "failed", "ahead of"),
    ] as [(Int64, String, String)] {
      view.serverTime = WallTime(milliseconds: now.milliseconds).adding(
        milliseconds: ahead == .max ? .min : -ahead)
      let verdict = view.clockVerdict(asked: now, answered: now, certificate: valid)
      #expect(verdict.word == word && verdict.sentence.contains(words), "\(verdict)")
    }
    // The answer's way takes time: the middle counts.
    view.serverTime = now
    let slow = view.clockVerdict(
      asked: now.adding(milliseconds: -4_000), answered: now.adding(milliseconds: 4_000),
      certificate: nil)
    #expect(slow == .ok("this computer's clock is 0 ms ahead of the server's"))
  }

  @Test func pollsAreJudgedByHowLongTheyLasted() throws {
    let view = try ServerViewTests.view(DoctorStage.view())
    var reader = HTTPAnswerReader()
    reader.append(Array(httpAnswer("{}").utf8).span)
    let answer = ProbeAnswer.answered(try #require(try reader.next()))
    let cases: [(ProbeAnswer, UInt32, UInt64, String, String)] = [
      (answer, 5, 5_002, "ok", "--hold 300s"),
      (answer, 300, 299_800, "ok", "was held and answered"),
      (answer, 5, 4_000, "failed", "was answered after 4 s"),
      (.ended(midway: false), 90, 60_000, "warning", "after about 60 s; the server will learn"),
      (.lost(TransportError(.connectionReset)), 90, 5_000, "warning", "shorter polls"),
      (.ended(midway: false), 90, 4_999, "failed", "too soon"),
      (.silent, 90, 100_000, "failed", "without a word"),
      (.notOurs(.malformed), 90, 3_000, "failed", "after 3 s: what answers breaks HTTP"),
    ]
    for (answer, seconds, passed, word, words) in cases {
      let verdict = answer.pollVerdict(seconds: seconds, after: passed, view: view)
      #expect(verdict.word == word && verdict.sentence.contains(words), "\(verdict)")
    }
  }

  @Test func faultsOfTheAnswerAreClassedByWhoseTheyAre() {
    let alert = ProbeAnswer.lost(TransportError(.alertReceived, reason: 48))
    #expect(alert.view(timeoutMilliseconds: 1).verdict.failure == .tls)
    for fault in [.notHTTP, .malformed, .tooLong, .unsupported] as [HTTPAnswerFault] {
      let verdict = ProbeAnswer.notOurs(fault).view(timeoutMilliseconds: 1).verdict
      #expect(verdict.failure == .https && verdict.sentence.hasPrefix("what answers"))
    }
  }
}
