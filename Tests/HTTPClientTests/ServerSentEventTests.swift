// The event stream's grammar.

import Testing

@testable import HTTPClient

@Suite struct ServerSentEventTests {
  private func events(_ lines: [String]) -> [ServerSentEvent] {
    var reader = ServerSentEventReader()
    return lines.compactMap { reader.take($0) }
  }

  @Test func fieldsAndBlanksFollowTheStandard() {
    #expect(
      events(["\u{FEFF}data:a", "data:  b", "data", "id: 7", "retry: 1", "nonsense", ""]) == [
        ServerSentEvent(name: "message", data: "a\n b\n")
      ])
  }

  @Test func anEventWithoutDataIsNone() {
    #expect(events(["event: x", "", ": comment", "", "data: 1", ""]).map(\.name) == ["message"])
  }

  @Test func anUnfinishedEventIsNotGivenOut() { #expect(events(["data: 1"]).isEmpty) }

  @Test func anEventOverTheLimitIsLeftOut() {
    let half = "data: " + String(repeating: "x", count: ServerSentEventReader.dataBytesMax / 2)
    #expect(events([half, half, half, "", "data: ok", ""]).map(\.data) == ["ok"])
  }
}
