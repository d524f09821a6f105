// Reconnect identities in a whole shard, over real TLS in virtual time (Shard+Reconnect.swift,
// ReconnectState.swift). Each rule of docs/SECURITY.md, "Reconnect identities", that a session has
// to keep has its test here.

import BGBModel
import BGBWire
import Reactor
import Testing
import Transports

@testable import BGBServer

struct ShardReconnectTests {
  private static let hour: UInt64 = 3_600_000

  /// A shard that gives out identities, and in which silence ends nothing.
  private func stage(
    keys: ReconnectKeys? = nil, life: Int64 = 86_400, proof: Int64 = 7 * 86_400
  ) throws -> ShardHarness {
    try ShardHarness(
      { $0.keepAliveSeconds = 40 * 86_400 },
      reconnects: { time in
        ReconnectDesk(
          keys: try keys ?? ReconnectKeys.fresh(now: time.wall() / 1000),
          rules: ReconnectRules(lifeSeconds: life, proofSeconds: proof), audience: "S01",
          wall: { time.wall() / 1000 })
      })
  }

  /// Signs in with a full handshake, and takes what is given.
  private func given(
    _ harness: ShardHarness, _ number: UInt64 = 1, days: Int = 30
  ) throws -> (agent: TestAgent, grant: ReconnectGrant) {
    let agent = try harness.signedIn(number, days: days, takesReconnect: true)
    try harness.turn("an identity", with: [agent]) { !agent.grants.isEmpty }
    return (agent, try #require(agent.grants.first))
  }

  @Test func anAgentGetsAnIdentityWithItsWelcomeAndComesBackWithIt() throws {
    let harness = try stage()
    let (first, grant) = try given(harness)
    #expect(first.received.map(\.kind) == [.welcome, .reconnectIdentity])
    #expect(grant.lifeSeconds == 86_400)
    first.drop()
    try harness.turn("gone") { harness.shard.registry.onlineCount == 0 }
    let second = try harness.signedIn(1, takesReconnect: true, reconnect: grant)
    #expect(second.welcome != nil)
    #expect(harness.shard.registry.token(of: second.clientID) != nil)
    #expect(harness.shard.counters.handshakesFull == 1)
    #expect(harness.shard.counters.handshakesReconnect == 1)
    #expect(harness.shard.counters.handshakesResumed == 0)
    // With the next Welcome comes the next identity.
    try harness.turn("another one", with: [second]) { second.grants.count == 1 }
    #expect(second.grants.first?.identity != grant.identity)
    let metrics = harness.shard.metricsText()
    #expect(metrics.contains("bgb_handshakes_reconnect_total 1\n"))
    #expect(metrics.contains("bgb_reconnect_identities_total 2\n"))
    #expect(metrics.contains("bgb_reconnect_refused_total 0\n"))
  }

  @Test func whoDoesNotAskGetsNone() throws {
    let harness = try stage()
    let agent = try harness.signedIn(1)
    try harness.pass(12 * Self.hour, with: [agent])
    agent.send(.keepAlive(KeepAlive(clock: harness.now)))
    try harness.settle(with: [agent])
    #expect(agent.received.map(\.kind) == [.welcome, .keepAlive])
    // Nor does one who asks a server that gives none.
    let other = try ShardHarness()
    let asking = try other.signedIn(1, takesReconnect: true)
    try other.settle(with: [asking])
    #expect(asking.grants.isEmpty)
  }

  @Test func overLongPollsThereAreNone() throws {
    let harness = try stage()
    let session = try PollSession(harness, 1, takesReconnect: true)
    #expect(session.messages.map(\.kind) == [.welcome])
    #expect(harness.shard.reconnects?.issued == 0)
  }

  @Test func aLongSessionGetsAnotherOneWellBeforeTheLastOneEnds() throws {
    let harness = try stage()
    let agent = try given(harness).agent
    for (hours, count) in [(4, 1), (8, 1), (9, 2), (16, 2), (18, 3)] as [(UInt64, Int)] {
      let passed = harness.time.now.milliseconds - 1_000
      try harness.pass(hours * Self.hour - min(passed, hours * Self.hour), with: [agent])
      agent.send(.keepAlive(KeepAlive(clock: harness.now)))
      try harness.settle(with: [agent])
      #expect(agent.grants.count == count, "after \(hours) hours")
    }
  }

  @Test func revokedWhileConnectedAndAtTheNextHandshake() throws {
    let harness = try stage()
    let (agent, grant) = try given(harness)
    harness.shardBox.post(.denyList([agent.clientID]))
    try harness.turn("cut", with: [agent]) { agent.refusals == [.blocked] }
    let again = try harness.agent(1, reconnect: grant)
    again.send(.signIn(Sample.signIn(again.clientID)))
    try harness.turn("refused", with: [again]) { again.refusals == [.blocked] }
    #expect(again.welcome == nil)
    #expect(harness.shard.counters.handshakesReconnect == 1, "it had the key, and yet")
    #expect(harness.shard.registry.onlineCount == 0)
    // Let in again, the identity is what it was.
    harness.shardBox.post(.denyList([]))
    try harness.settle()
    #expect(try harness.signedIn(1, reconnect: grant).welcome != nil)
  }

  @Test func anIdentityOfOneClientSignsNobodyElseIn() throws {
    let harness = try stage()
    let (first, grant) = try given(harness, 1)
    // Client 2 has a certificate of its own, and the identity of client 1.
    let mixed = try harness.agent(2, reconnect: grant)
    mixed.send(.signIn(Sample.signIn(mixed.clientID)))
    try harness.turn("refused", with: [mixed]) { mixed.refusals == [.foreignIdentity] }
    #expect(mixed.welcome == nil)
    #expect(!first.isClosed)
    #expect(harness.shard.registry.token(of: Sample.client(2)) == nil)
    #expect(harness.shard.registry.token(of: Sample.client(1)) != nil)
  }

  @Test func theSameIdentityServesItsOwnerTwiceAndTheSecondReplacesTheFirst() throws {
    let harness = try stage()
    let grant = try given(harness).grant
    let one = try harness.signedIn(1, reconnect: grant)
    let other = try harness.signedIn(1, reconnect: grant)
    try harness.turn("replaced", with: [one, other]) { one.refusals == [.replaced] }
    #expect(harness.shard.counters.handshakesReconnect == 2)
    #expect(harness.shard.registry.onlineCount == 1)
  }

  @Test func whatIsOverOrRotatedAwayIsAFullHandshakeOnTheSameConnection() throws {
    let harness = try stage()
    let grant = try given(harness).grant
    try harness.pass(24 * Self.hour)
    #expect(try harness.signedIn(1, reconnect: grant).welcome != nil)
    #expect(harness.shard.counters.handshakesFull == 2)
    let fresh = try given(harness, 2).grant
    harness.shardBox.post(
      .reconnectKeys(try ReconnectKeys.fresh(now: harness.now.milliseconds / 1000)))
    try harness.turn()
    #expect(try harness.signedIn(2, reconnect: fresh).welcome != nil)
    #expect(harness.shard.counters.handshakesFull == 4)
    #expect(harness.shard.counters.handshakesReconnect == 0)
    #expect(harness.shard.counters.handshakesFailed == 0)
    #expect(harness.shard.reconnects?.refused == [.expired: 1, .unknownKey: 1])
  }

  @Test func anotherServerWithTheSameKeysTakesItAndOneWithKeysOfItsOwnDoesNot() throws {
    let keys = try ReconnectKeys.fresh(now: 1)
    let grant = try given(try stage(keys: keys)).grant
    let sibling = try stage(keys: keys)
    _ = try sibling.signedIn(1, reconnect: grant)
    #expect(sibling.shard.counters.handshakesReconnect == 1)
    let stranger = try stage()
    _ = try stranger.signedIn(1, reconnect: grant)
    #expect(stranger.shard.counters.handshakesFull == 1)
  }

  @Test func theCertificatesEndIsTheSessionsEndHoweverItCameBack() throws {
    let harness = try stage()
    let grant = try given(harness, days: 1).grant
    #expect(grant.lifeSeconds <= 86_400)
    try harness.pass(23 * Self.hour)
    let back = try harness.signedIn(1, takesReconnect: true, reconnect: grant)
    #expect(harness.shard.counters.handshakesReconnect == 1)
    try harness.turn("another one", with: [back]) { !back.grants.isEmpty }
    #expect(try #require(back.grants.first).lifeSeconds <= 3_600)
    try harness.pass(Self.hour - 2_000, with: [back])
    #expect(back.refusals.isEmpty)
    try harness.pass(2_000, with: [back])
    #expect(back.refusals == [.certificateExpired])
  }

  @Test func aWeekAfterTheCertificateWasShownItMustBeShownAgain() throws {
    let harness = try stage()
    var grant = try given(harness).grant
    var reconnects: UInt64 = 0
    // Back every 20 hours, with the newest identity each time.
    while harness.shard.counters.handshakesFull == 1, reconnects < 20 {
      try harness.pass(20 * Self.hour)
      let back = try harness.signedIn(1, takesReconnect: true, reconnect: grant)
      try harness.settle(with: [back])
      if let newest = back.grants.last { grant = newest }
      reconnects = harness.shard.counters.handshakesReconnect
    }
    // 7 days are 168 hours: the eighth visit, after 160 hours, is the last one without.
    #expect(reconnects == 8)
    #expect(harness.shard.counters.handshakesFull == 2)
    _ = try harness.signedIn(1, reconnect: grant)
    #expect(harness.shard.counters.handshakesReconnect == 9, "the week began anew")
  }

  @Test func onceAMinuteTheKeysAreLookedAfter() throws {
    let harness = try stage()
    let file = ReconnectKeyFile(path: "/nowhere", rotationSeconds: 60, keptSeconds: 60)
    try harness.pass(60_000)
    #expect(harness.tended.isEmpty, "no file, nothing to look after")
    harness.shard.reconnectFile = file
    try harness.pass(60_000)
    #expect(harness.tended == [file])
  }

  @Test func theStateOfAConnectionIsTwoMinutes() {
    var state = ReconnectState()
    #expect(MemoryLayout<ReconnectState>.size == 8)
    #expect(!state.isDue(at: .max, lifeSeconds: 86_400), "nobody asked")
    state.noteShown(at: 1_000_059)
    #expect(state.shownAt == 1_000_020)
    state.noteGiven(at: 1_000_059)
    #expect(!state.isDue(at: 1_000_020 + 28_800, lifeSeconds: 86_400))
    #expect(state.isDue(at: 1_000_020 + 28_860, lifeSeconds: 86_400))
    state.noteShown(at: nil)
    #expect(state.shownAt == 0)
    state.noteShown(at: .max)
    #expect(state.shownAt == Int64(UInt32.max) * 60)
    state.noteShown(at: .min)
    #expect(state.shownAt == 0)
    state.noteGiven(at: .min)
    #expect(state.isDue(at: .max, lifeSeconds: 0))
  }
}
