// Contract: over which channel a client is online, why not over TCP, since when, and how many are.

import BGBModel
import SiteDatabase
import Testing

@Suite("Contract: channels") struct ChannelContractTests {
  /// Imports records as the next report of a server and returns the presence of client 1.
  private func presence(
    of site: StoreUnderTest, after record: PresenceRecord, from server: ServerRecord,
    _ scope: ReportScope = .delta
  ) throws -> ClientPresence? {
    let header = site.header(.presence, server, scope: scope)
    _ = try site.store.importPresence(header, [record], at: time(50))
    return try site.store.client(clientID(1))?.presence
  }

  @Test(arguments: Backend.allCases) func aChannelLastsOverSessions(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let one = try site.addServer("mp-1")
    let two = try site.addServer("mp-2")
    let first = try presence(
      of: site, after: site.presence(1, since: 5, session: 1, over: .https, because: .timedOut),
      from: one, .full)
    #expect(first?.channel == .https && first?.fallback == .timedOut)
    #expect(first?.channelSince == time(5))
    // Another server knows only when its own session began.
    let moved = try presence(
      of: site, after: site.presence(1, since: 8, session: 2, over: .https, because: .refused),
      from: two, .full)
    #expect(moved?.channelSince == time(5) && moved?.lastOnline == time(8))
    #expect(moved?.fallback == .refused)
    let climbed = try presence(of: site, after: site.presence(1, since: 9, session: 3), from: two)
    #expect(climbed?.channel == .tcp && climbed?.channelSince == time(9))
    #expect(climbed?.fallback == FallbackReason.none)
  }

  @Test(arguments: Backend.allCases) func aChannelEndsWithPresence(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let server = try site.addServer()
    _ = try presence(of: site, after: site.presence(1, since: 5), from: server, .full)
    let gone = try presence(
      of: site, after: site.presence(1, online: false, since: 7, channelSince: 5), from: server)
    #expect(gone?.isOnline == false && gone?.channelSince == time(5))
    let back = try presence(of: site, after: site.presence(1, since: 9, session: 2), from: server)
    #expect(back?.channelSince == time(9), "what was before the absence does not count")
  }

  @Test(arguments: Backend.allCases) func theOlderMomentStays(_ backend: Backend) throws {
    let site = try StoreUnderTest(backend)
    try site.addClients(1)
    let server = try site.addServer()
    _ = try presence(of: site, after: site.presence(1, since: 9), from: server, .full)
    let older = try presence(
      of: site, after: site.presence(1, since: 10, session: 2, channelSince: 3), from: server)
    #expect(older?.channelSince == time(3))
  }

  @Test(arguments: Backend.allCases) func onlineClientsAreCountedByChannel(_ backend: Backend)
    throws
  {
    let site = try StoreUnderTest(backend)
    try site.addClients(9)
    let server = try site.addServer()
    #expect(try site.store.onlineByChannel() == [])
    let records = [
      site.presence(1), site.presence(2), site.presence(3, over: .https, because: .configured),
      site.presence(4, over: .https, because: .timedOut),
      site.presence(5, over: .https, because: .timedOut), site.presence(6, over: .https),
      site.presence(7, online: false, over: .https, because: .timedOut),
      site.presence(8, online: false), site.presence(77),
    ]
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full), records, at: time(10))
    #expect(
      try site.store.onlineByChannel() == [
        ChannelCount(channel: .tcp, fallback: .none, online: 2),
        ChannelCount(channel: .https, fallback: .none, online: 1),
        ChannelCount(channel: .https, fallback: .timedOut, online: 2),
        ChannelCount(channel: .https, fallback: .configured, online: 1),
      ])
    _ = try site.store.importPresence(
      site.header(.presence, server, scope: .full), [site.presence(1)], at: time(11))
    #expect(
      try site.store.onlineByChannel()
        == [ChannelCount(channel: .tcp, fallback: .none, online: 1)])
  }
}
