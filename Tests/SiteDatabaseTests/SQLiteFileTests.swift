// The SQLite file itself: who may open it, what it promises to the disk, and what an administrator
// sees in it with the `sqlite3` shell.

import BGBModel
import GRDB
import Glibc
import SiteDatabase
import Testing

@testable import SiteDatabaseSQLite

@Suite("SQLite: the file") struct SQLiteFileTests {
  private let directory = TemporaryDirectory()
  private var path: String { directory.path + "/site.db" }
  private let site = SiteRecord(code: siteCode, name: "Test", taskKeys: [])

  /// Does something to the file behind the store's back.
  private func tamper(_ body: (Database) throws -> Void) throws {
    let queue = try DatabaseQueue(path: path)
    try queue.write(body)
    try queue.close()
  }

  @Test func aMissingFileIsNotMade() throws {
    #expect(throws: StoreError.self) { try SQLiteSiteStore.open(at: path) }
    #expect(access(path, F_OK) == -1)
    #expect(throws: StoreError.self) { try SQLiteSiteStore.open(at: directory.path) }
    #expect(throws: StoreError.self) {
      try SQLiteSiteStore.create(at: directory.path + "/no/such/site.db", site: site)
    }
  }

  @Test func foreignFilesAreLeftAlone() throws {
    try tamper { try $0.execute(sql: "CREATE TABLE mine (a)") }
    #expect(throws: StoreError.damaged("\(path) is not a site database")) {
      try SQLiteSiteStore.open(at: path)
    }
    #expect(throws: StoreError.self) { try SQLiteSiteStore.create(at: path, site: site) }
    try tamper { db in
      let mode = try String.fetchOne(db, sql: "PRAGMA journal_mode")
      let tables = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master")
      #expect(mode == "delete" && tables == 1)
    }
    let text = directory.path + "/text.db"
    let file = fopen(text, "w")
    fputs(String(repeating: "no database at all\n", count: 100), file)
    fclose(file)
    #expect(throws: StoreError.self) { try SQLiteSiteStore.open(at: text) }
    #expect(throws: StoreError.self) { try SQLiteSiteStore.create(at: text, site: site) }
  }

  @Test func createAgainKeepsWhatIsThere() throws {
    let store = try SQLiteSiteStore.create(at: path, site: site)
    _ = try store.addClient(clientID(1), name: "pc", tags: [], by: "ann", at: time(0))
    let other = SiteRecord(code: siteCode, name: "Renamed", taskKeys: [])
    let again = try SQLiteSiteStore.create(at: path, site: other)
    #expect(try again.site().name == "Test")
    #expect(try again.client(named: "pc") != nil)
    let foreign = SiteRecord(code: SiteCode("XYZ") ?? siteCode, name: "Other", taskKeys: [])
    #expect(throws: StoreError.conflict("the database belongs to site S01, not XYZ")) {
      try SQLiteSiteStore.create(at: path, site: foreign)
    }
  }

  @Test func newerAndOlderSchemasAreRefused() throws {
    _ = try SQLiteSiteStore.create(at: path, site: site)
    try tamper { try $0.execute(sql: "INSERT INTO grdb_migrations VALUES ('99 later')") }
    let newer = #expect(throws: StoreError.self) { try SQLiteSiteStore.open(at: path) }
    #expect(newer?.description.contains("newer version") == true)
    try tamper { try $0.execute(sql: "DELETE FROM grdb_migrations") }
    let older = #expect(throws: StoreError.self) { try SQLiteSiteStore.open(at: path) }
    #expect(older?.description.contains("older version") == true)
  }

  @Test func everyCommitIsSynced() throws {
    let store = try SQLiteSiteStore.create(at: path, site: site)
    let pragmas = try store.pool.writeWithoutTransaction { db in
      try ["synchronous", "journal_mode", "foreign_keys"].map { name in
        try Row.fetchOne(db, sql: "PRAGMA \(name)").map { "\($0[0] as DatabaseValue)" }
      }
    }
    #expect(pragmas == ["2", "\"wal\"", "1"], "2 is FULL")
  }

  @Test func otherUsersCannotReadIt() throws {
    let before = umask(0)
    defer { umask(before) }
    _ = try SQLiteSiteStore.create(at: path, site: site)
    var status = stat()
    #expect(stat(path, &status) == 0)
    #expect(status.st_mode & 0o777 == 0o660)
  }

  @Test func countersCannotDrift() throws {
    let fill = try StoreUnderTest(.sqlite)
    try fill.addClients(3)
    try fill.start(fill.request())
    let queue = try DatabaseQueue(path: fill.directory.path + "/site.db")
    #expect(throws: DatabaseError.self) {
      try queue.write { try $0.execute(sql: "UPDATE BGB_Task SET Queued = Queued - 1") }
    }
    #expect(throws: DatabaseError.self) {
      try queue.write { try $0.execute(sql: "UPDATE BGB_Task SET Queued = 4, Pushed = -1") }
    }
    #expect(throws: DatabaseError.self, "STRICT tables refuse values of a wrong type") {
      try queue.write { try $0.execute(sql: "UPDATE BGB_Client SET IsBlocked = 'no'") }
    }
  }

  @Test func theViewsTellTheStory() throws {
    let fill = try StoreUnderTest(.sqlite)
    try fill.addClients(3, tags: ["lab"])
    let server = try fill.addServer()
    let operation = try fill.start(fill.request(.fullScan))
    try fill.report(
      server,
      [
        fill.outcome(1, operation.taskID, .pushed),
        fill.outcome(1, operation.taskID, .failed, code: 2, text: "no definitions"),
      ])
    _ = try fill.store.importPresence(
      fill.header(.presence, server, scope: .full),
      [fill.presence(2, over: .https, because: .timedOut)], at: time(20))
    try fill.store.addStatusMessage(
      StatusMessage(
        at: time(1), component: "SMS_NOTIFICATION_SERVER", machine: "mp-1", messageID: 9802,
        severity: .warning, text: "listening"))
    func shell(_ sql: String) throws -> [String] {
      let queue = try DatabaseQueue(path: fill.directory.path + "/site.db")
      return try queue.read { db in
        try Row.fetchAll(db, sql: sql).map { row in
          row.map { $0.1.isNull ? "" : "\(String.fromDatabaseValue($0.1) ?? "\($0.1)")" }
            .joined(separator: "|")
        }
      }
    }
    #expect(
      try shell("SELECT Action, State, TargetCount, Failed, Queued, CreateTime FROM v_BGB_Task")
        == ["full-scan|active|3|1|2|\(time(0))"])
    #expect(
      try shell("SELECT GUID, ClientID, Name, State, Code, Text, StatusTime FROM v_BGB_ResTask")
        == ["\(operation.taskID)|\(clientID(1))|pc-1|failed|2|no definitions|\(time(5))"])
    #expect(
      try shell("SELECT State, ReportTime FROM v_BGB_ResTaskHistory ORDER BY State DESC")
        == ["pushed|\(time(10))", "failed|\(time(10))"])
    #expect(
      try shell(
        "SELECT Name, CNIsOnline, CNAccessMP, CNLastOnlineTime FROM v_CombinedDeviceResources")
        == ["pc-1|0||", "pc-2|1|mp-1|\(time(1))", "pc-3|0||"])
    #expect(
      try shell("SELECT ServerName, OnlineClients, WaitingMessages FROM v_BgbServerCurrent")
        == ["mp-1|1|1"])
    #expect(
      try shell(
        "SELECT OnlineStatus, Reason, Channel, FallbackReason, ChannelSince FROM v_BGB_ResStatus")
        == ["1|signedIn|https|timed-out|\(time(1))"])
    #expect(
      try shell(
        "SELECT CNChannel, CNFallbackReason, CNChannelSince FROM v_CombinedDeviceResources")
        == ["||", "https|timed-out|\(time(1))", "||"])
    #expect(try shell("SELECT Kind, TaskGUID FROM v_BGB_Queue") == ["push|\(operation.taskID)"])
    #expect(try shell("SELECT TemplateID FROM BGB_TaskTemplate WHERE Name = 'restart'") == ["17"])
    let views = try shell("SELECT name FROM sqlite_master WHERE type = 'view'")
    #expect(views.count == SchemaViews.site.count)
    for name in views { #expect(try !shell("SELECT * FROM \(name)").isEmpty, "\(name)") }
  }

  @Test func aPoisonMessageHoldsUpNobody() throws {
    let fill = try StoreUnderTest(.sqlite)
    try fill.addClients(1)
    let server = try fill.addServer()
    let queue = try DatabaseQueue(path: fill.directory.path + "/site.db")
    try queue.write { db in
      try db.execute(
        sql: "INSERT INTO BGB_Queue (Kind, TaskGUID) VALUES (1, 'no task'), (99, NULL)")
    }
    try fill.store.requestFullReport(from: server.serverID)
    let messages = try fill.store.messages(
      for: server.serverID, after: 0, limit: 9, waitMilliseconds: 0)
    #expect(messages.map(\.content) == [.fullReportWanted])
  }

  @Test func hostileTextStaysText() throws {
    let fill = try StoreUnderTest(.sqlite)
    let texts = [
      "'; DROP TABLE BGB_Client; --", "\" OR 1=1 --", "%_\\", "Robert'); --", "$(reboot)",
      "x' || 'y",
      "<script>alert(1)</script>", "\u{1F4A9}\u{301}", "NULL", "-- ", "?1", ":a",
    ]
    for (number, text) in texts.enumerated() {
      let name = text.trimmingBlanks
      _ = try fill.store.addClient(
        clientID(number), name: name, tags: ["x"], by: text, at: time(0))
      #expect(try fill.store.client(named: name)?.clientID == clientID(number))
      _ = try fill.store.addCollection(
        named: name, rules: [.direct(clientID(number))], by: text, at: time(0))
      #expect(try fill.store.members(ofCollection: name).map(\.clientID) == [clientID(number)])
      _ = try fill.store.putPolicy(
        named: name, collection: name, document: text, by: text, at: time(0))
      #expect(
        try fill.store.effectivePolicy(of: clientID(number)).documents.map(\.document) == [text])
      _ = try fill.store.addServer(
        named: name, reportKey: Array(repeating: 0, count: 32), by: text, at: time(0))
      let server = try fill.store.registerServer(named: name, at: time(0))
      var request = fill.request(
        .restart, ActionParameters([.init(name: "message", text: text)]), on: .collection(name),
        key: text)
      request.requestedBy = text
      let operation = try fill.start(request)
      #expect(try fill.start(request) == operation)
      try fill.report(server, [fill.outcome(number, operation.taskID, .failed, text: text)])
      let target = try fill.store.targets(
        of: operation.operationID, in: nil, after: nil, limit: 1)[0]
      #expect(target.outcome.text == text && target.name == name)
      #expect(try fill.store.auditRecords(before: nil, limit: 1)[0].actor == text)
      try fill.store.addStatusMessage(
        StatusMessage(
          at: time(0), component: text, machine: text, messageID: 1, severity: .error, text: text))
      #expect(try fill.store.statusMessages(before: nil, limit: 1)[0].component == text)
      #expect(try SiteQuery("name == \"\(text.escaped)\"").condition == .test(.name, .equal, text))
    }
    #expect(try fill.store.clients(after: nil, limit: 99, onlyOnline: false).count == texts.count)
  }

  @Test func damagedRowsAreErrorsNotCrashes() throws {
    let fill = try StoreUnderTest(.sqlite)
    try fill.addClients(2)
    let operation = try fill.start(fill.request())
    let queue = try DatabaseQueue(path: fill.directory.path + "/site.db")
    try queue.write { db in
      try db.execute(sql: "UPDATE BGB_TaskTarget SET TargetSet = x'80808080808080'")
      try db.execute(sql: "UPDATE BGB_Client SET ClientID = 'x' WHERE ResourceID = 2")
    }
    #expect(throws: StoreError.self) { try fill.store.targets(ofTask: operation.taskID) }
    #expect(throws: StoreError.self) {
      try fill.store.clients(after: nil, limit: 9, onlyOnline: false)
    }
    #expect(throws: StoreError.self) {
      try fill.store.members(ofCollection: CollectionRecord.allSystems)
    }
    try queue.write { try $0.execute(sql: "UPDATE BGB_Task SET RestState = 77") }
    #expect(throws: StoreError.self) { try fill.store.operation(operation.operationID) }
    #expect(try fill.store.client(clientID(1)) != nil, "the rest goes on")
  }

  @Test func flippedBitsAreFoundOrHarmless() throws {
    do {
      let store = try SQLiteSiteStore.create(at: path, site: site)
      for number in 1...200 {
        _ = try store.addClient(
          clientID(number), name: "pc-\(number)", tags: [], by: "ann", at: time(0))
      }
      try store.checkIntegrity()
      try store.pool.close()
    }
    let whole = try readFile(path)
    var random = SplitMix(seed: 7)
    var found = 0
    for _ in 0..<40 {
      var bytes = whole
      for _ in 0..<24 {
        bytes[Int.random(in: 100..<bytes.count, using: &random)] ^= 0xFF
      }
      try writeFile(path, bytes)
      _ = unlink(path + "-wal")
      _ = unlink(path + "-shm")
      do throws(StoreError) {
        let store = try SQLiteSiteStore.open(at: path)
        _ = try store.clients(after: nil, limit: 999, onlyOnline: false)
        _ = try store.members(ofCollection: CollectionRecord.allSystems)
        try store.checkIntegrity()
      } catch {
        found += 1
      }
    }
    #expect(found > 20, "most damage of 24 bytes is noticed, and none of it crashes")
  }
}

/// The bytes of a file; none when there is none.
func readFile(_ path: String) throws -> [UInt8] {
  guard let file = fopen(path, "r") else { return [] }
  defer { fclose(file) }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = fread(&chunk, 1, chunk.count, file)
    if count == 0 { return bytes }
    bytes.append(contentsOf: chunk[..<count])
  }
}

func writeFile(_ path: String, _ bytes: [UInt8]) throws {
  let file = try #require(fopen(path, "w"))
  defer { fclose(file) }
  try #require(fwrite(bytes, 1, bytes.count, file) == bytes.count)
}

extension String {
  fileprivate var trimmingBlanks: String { String(reversed().drop { $0 == " " }.reversed()) }

  fileprivate var escaped: String {
    flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }.reduce(into: "") { $0.append($1) }
  }
}
