// Takeover, sign-out of a session that is no longer the client's, and reports that carry changes
// only.

import BGBModel
import Reactor
import Testing

@testable import BGBServer

struct ClientRegistryTests {
  private let first = Token(generation: 1, index: 1)
  private let second = Token(generation: 1, index: 2)

  @Test func secondSignInReplacesTheFirstAtOnce() {
    var registry = ClientRegistry()
    let answer1 = registry.signIn(Sample.presence(1, session: 1), token: first)
    #expect(answer1 == nil)
    let answer2 = registry.signIn(Sample.presence(1, session: 2), token: second)
    #expect(answer2 == first)
    #expect(registry.token(of: Sample.client(1)) == second)
    #expect(registry.onlineCount == 1)
  }

  @Test func endOfAReplacedSessionChangesNothing() {
    var registry = ClientRegistry()
    _ = registry.signIn(Sample.presence(1, session: 1), token: first)
    _ = registry.signIn(Sample.presence(1, session: 2), token: second)
    registry.signOut(Sample.client(1), token: first, reason: .connectionLost, at: Sample.start)
    #expect(registry.token(of: Sample.client(1)) == second)
    #expect(registry.onlineCount == 1)
  }

  @Test func reportsCarryEachChangeOnce() {
    var registry = ClientRegistry()
    _ = registry.signIn(Sample.presence(1), token: first)
    _ = registry.signIn(Sample.presence(2), token: second)
    let result1 = registry.takeChanges()
    #expect(Set(result1.map(\.clientID)) == [Sample.client(1), Sample.client(2)])
    let result2 = registry.takeChanges()
    #expect(result2.isEmpty)
    registry.signOut(Sample.client(1), token: first, reason: .goodbye, at: Sample.start)
    let changes = registry.takeChanges()
    #expect(changes.map(\.clientID) == [Sample.client(1)])
    #expect(changes.first?.isOnline == false)
    #expect(changes.first?.reason == .goodbye)
    let result3 = registry.takeChanges()
    #expect(result3.isEmpty)
    #expect(registry.onlineCount == 1)
  }

  @Test func flappingBetweenReportsIsOneChange() {
    var registry = ClientRegistry()
    _ = registry.signIn(Sample.presence(1, session: 1), token: first)
    registry.signOut(Sample.client(1), token: first, reason: .connectionLost, at: Sample.start)
    _ = registry.signIn(Sample.presence(1, session: 2), token: second)
    let changes = registry.takeChanges()
    #expect(changes.count == 1)
    #expect(changes.first?.isOnline == true)
    #expect(changes.first?.session == 2)
  }

  @Test func fullReportTellsEverybodyAndSwallowsChanges() {
    var registry = ClientRegistry()
    for number in 1...5 as ClosedRange<UInt64> {
      _ = registry.signIn(
        Sample.presence(number), token: Token(generation: 1, index: UInt32(number)))
    }
    _ = registry.takeChanges()
    registry.signOut(
      Sample.client(3), token: Token(generation: 1, index: 3), reason: .goodbye, at: Sample.start)
    let full = registry.takeEverybody()
    #expect(full.map(\.clientID) == [1, 2, 4, 5].map { Sample.client($0) })
    let result4 = registry.takeChanges()
    #expect(result4.isEmpty)
  }

  @Test func changesThatCouldNotBeReportedComeAgain() {
    var registry = ClientRegistry()
    _ = registry.signIn(Sample.presence(1), token: first)
    registry.putBack(registry.takeChanges())
    let result5 = registry.takeChanges()
    #expect(result5.map(\.clientID) == [Sample.client(1)])
  }

  /// A record of client 1 after some sessions, each a second after the one before.
  private func record(
    after sessions: [(channel: ChannelKind, fallback: FallbackReason)], signingOut: Bool = false
  ) -> PresenceRecord? {
    var registry = ClientRegistry()
    for (index, session) in sessions.enumerated() {
      let at = Sample.start.adding(milliseconds: Int64(index) * 1_000)
      let token = Token(generation: 1, index: UInt32(index))
      let record = Sample.presence(
        1, session: UInt64(index), over: session.channel, because: session.fallback, at: at)
      _ = registry.signIn(record, token: token)
      if signingOut {
        registry.signOut(Sample.client(1), token: token, reason: .connectionLost, at: at)
      }
    }
    return registry.takeChanges().first
  }

  @Test func theChannelCountsFromItsFirstSession() {
    let stayed = record(after: [(.https, .refused), (.https, .timedOut), (.https, .timedOut)])
    #expect(stayed?.channelSince == Sample.start)
    #expect(stayed?.since == Sample.start.adding(milliseconds: 2_000))
    #expect(stayed?.fallback == .timedOut, "the newest reason")
    let moved = record(after: [(.https, .refused), (.tcp, .none), (.https, .reset)])
    #expect(moved?.channelSince == Sample.start.adding(milliseconds: 2_000))
    let away = record(after: [(.https, .refused), (.https, .refused)], signingOut: true)
    #expect(away?.channelSince == Sample.start.adding(milliseconds: 1_000))
    #expect(away?.isOnline == false && away?.fallback == .refused)
  }

  @Test func overTCPThereIsNothingToExplain() {
    #expect(record(after: [(.tcp, .refused)])?.fallback == FallbackReason.none)
    #expect(record(after: [(.https, .refused), (.tcp, .refused)])?.fallback == FallbackReason.none)
  }

  @Test func newFactsAreAChange() {
    var registry = ClientRegistry()
    _ = registry.signIn(Sample.presence(1), token: first)
    _ = registry.takeChanges()
    registry.update(Sample.client(1), facts: ClientFacts(hostname: "pc1"))
    let result6 = registry.takeChanges()
    #expect(result6.isEmpty, "the same facts are no change")
    registry.update(Sample.client(1), facts: ClientFacts(hostname: "renamed"))
    let result7 = registry.takeChanges()
    #expect(result7.first?.facts.hostname == "renamed")
  }

  @Test func whoIsConnectedIsFoundHoweverManyCameAndWent() {
    var registry = ClientRegistry()
    for number in 1...3_000 as ClosedRange<UInt64> {
      _ = registry.signIn(Sample.presence(number), token: first)
      guard number > 300 else { continue }
      registry.signOut(
        Sample.client(number - 300), token: first, reason: .goodbye, at: Sample.start)
      _ = registry.takeChanges()
    }
    let found = (1...4_000).filter { registry.token(of: Sample.client($0)) == first }
    #expect(found == Array(2_701...3_000))
  }
}
