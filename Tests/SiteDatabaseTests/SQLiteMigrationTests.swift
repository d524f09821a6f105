// Files of earlier versions: refused by a program that only opens, brought up to date by `create`,
// and then the same as new ones.

import BGBModel
import GRDB
import SiteDatabase
import Testing

@testable import SiteDatabaseSQLite

@Suite("SQLite: migrations") struct SQLiteMigrationTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.path + "/site.db" }
  private let site = SiteRecord(code: siteCode, name: "Test", taskKeys: [])

  /// Everything that was created in a file, as SQL.
  private func schema(_ path: String) throws -> [String] {
    let queue = try DatabaseQueue(path: path)
    return try queue.read { db in
      try String.fetchAll(
        db,
        sql: """
          SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
          ORDER BY type, name
          """)
    }
  }

  /// Makes a file as its migrations up to the given one left it, with one client online.
  private func makeFile(upTo migration: String) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write { try Schema.claim($0) }
    try Schema.migrator.migrate(queue, upTo: migration)
    try queue.write { db in
      try db.execute(
        sql: """
          INSERT INTO BGB_Site VALUES ('S01', 'Test', x'');
          INSERT INTO BGB_Client VALUES (7, '\(clientID(1))', 'pc-1', '', 0, 0, '', '', '', '');
          INSERT INTO BGB_Server VALUES (1, 'mp-1', x'', 1, 0, 1, 1, NULL);
          INSERT INTO BGB_ResStatus VALUES (7, 1, 1, \(time(2).column), NULL, \(time(3).column),
            0, 0, 4);
          """)
    }
    try queue.close()
  }

  @Test func aFileOfVersionOneIsBroughtUpToDate() throws {
    try makeFile(upTo: "1 site")
    let refusal = #expect(throws: StoreError.self) { try SQLiteSiteStore.open(at: path) }
    #expect(refusal?.description.contains("older version") == true)
    let store = try SQLiteSiteStore.create(at: path, site: site)
    let kept = try #require(try store.client(named: "pc-1"))
    #expect(
      kept.presence
        == ClientPresence(
          isOnline: true, serverID: ServerID(UInt32(1)), lastOnline: time(2), lastOffline: nil,
          lastProof: time(3), reason: .signedIn, channel: .tcp, fallback: .none,
          channelSince: nil, session: 4))
    #expect(
      try store.onlineByChannel() == [ChannelCount(channel: .tcp, fallback: .none, online: 1)])
    // The next report says since when, as far as its server knows.
    let header = ReportHeader(
      kind: .presence, site: siteCode, serverID: ServerID(UInt32(1)), epoch: 1, sequence: 2,
      scope: .delta, writtenAt: time(9))
    let record = PresenceRecord(
      clientID: clientID(1), isOnline: true, since: time(2), lastProof: time(8),
      reason: .signedIn, channel: .tcp, fallback: .none, channelSince: time(2), session: 4,
      facts: ClientFacts())
    _ = try store.importPresence(header, [record], at: time(9))
    #expect(try store.client(named: "pc-1")?.presence?.channelSince == time(2))
    try store.checkIntegrity()
  }

  @Test func aMigratedFileIsTheSameAsANewOne() throws {
    try makeFile(upTo: "1 site")
    _ = try SQLiteSiteStore.create(at: path, site: site)
    let new = directory.path + "/new.db"
    _ = try SQLiteSiteStore.create(at: new, site: site)
    #expect(try schema(path) == schema(new))
    #expect(try schema(path).contains { $0.contains("BGB_FallbackReason") })
  }

  /// Sites have run it: whoever changes it makes two kinds of files that say they are one.
  @Test func theFirstMigrationIsNeverEdited() throws {
    try makeFile(upTo: "1 site")
    let text = try schema(path).filter { !$0.contains("grdb_migrations") }.joined(separator: ";")
    #expect(CRC32C.checksum(Array(text.utf8)) == 3_574_649_755)
  }
}
