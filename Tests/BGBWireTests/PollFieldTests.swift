// The header fields of long polls: what is written is read again, and nothing odd passes for a
// number.

import Testing

@testable import BGBWire

struct PollFieldTests {
  private func fields(_ lines: [String]) -> (String) -> String? {
    var values: [String: String] = [:]
    for line in lines {
      let parts = line.split(separator: ":", maxSplits: 1)
      values[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
    }
    return { values[$0] }
  }

  @Test func requestsAreReadAsWritten() {
    let login = PollRequestFields(pollSeconds: 45)
    #expect(login.lines == ["BGB-Poll: 45"])
    #expect(PollRequestFields(fields(login.lines)) == login)
    let poll = PollRequestFields(session: .max, sent: 7, received: 0, cutSeconds: 60)
    #expect(
      poll.lines
        == [
          "BGB-Session: 18446744073709551615", "BGB-Sent: 7", "BGB-Received: 0", "BGB-Cut: 60",
        ])
    #expect(PollRequestFields(fields(poll.lines)) == poll)
    #expect(PollRequestFields({ _ in nil }) == PollRequestFields())
  }

  @Test func answersAreReadAsWritten() {
    let answer = PollAnswerFields(session: 9, sent: 1, received: 2, pollSeconds: 300)
    #expect(PollAnswerFields(fields(answer.lines)) == answer)
    for index in answer.lines.indices {
      var lines = answer.lines
      lines.remove(at: index)
      #expect(PollAnswerFields(fields(lines)) == nil, "each field is needed")
    }
  }

  @Test(arguments: [
    "", " ", "-1", "+1", "1 ", "0x1", "01", "00", "1.0", "1e3", "18446744073709551616", "１",
    "one", "1,1", "1;",
  ])
  func oddNumbersAreNone(_ text: String) {
    #expect(PollRequestFields({ $0 == "bgb-session" ? text : nil }) == nil)
    #expect(PollRequestFields({ $0 == "bgb-sent" ? text : nil }) == nil)
    #expect(
      PollAnswerFields({ $0 == "bgb-received" ? text : "1" }) == nil)
  }

  @Test func withinASessionBothPlacesAreSaid() {
    for missing in ["bgb-sent", "bgb-received"] {
      #expect(PollRequestFields({ $0 == missing ? nil : $0 == "bgb-cut" ? nil : "1" }) == nil)
    }
  }

  @Test func secondsHaveTheirOwnBound() {
    #expect(PollRequestFields({ $0 == "bgb-poll" ? "4294967295" : nil })?.pollSeconds == .max)
    #expect(PollRequestFields({ $0 == "bgb-poll" ? "4294967296" : nil }) == nil)
  }

  @Test func routesHaveTheirMethods() {
    #expect(PollRoute.allCases.map(\.rawValue).allSatisfy { $0.hasPrefix("/bgb/") })
    #expect(PollRoute.allCases.filter { $0.method == "POST" } == [.login, .goOn, .goodbye])
  }
}
