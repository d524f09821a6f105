// The intake against real files: order, repetition, gaps, forgery, torn and hostile files, and the
// one rule of crash safety: a file goes only after its import was committed.

import BGBModel
import BGBReport
import BGBSigning
import Glibc
import SiteDatabase
import Synchronization
import Testing

@testable import BGBManager

@Suite("Report intake")
struct ReportIntakeTests {
  let site: TestSite
  let manager: NotificationManager

  init() throws {
    site = try TestSite()
    manager = try site.manager()
  }

  private func intake() -> ReportIntake { manager.rounds().intake }

  private func isOnline(_ clientID: ClientID) throws -> Bool {
    try site.store.client(clientID)?.presence?.isOnline ?? false
  }

  @Test("A full online report shows who is online, and its file goes")
  func fullReport() throws {
    let clients = try site.addClients(3)
    let server = try site.addServer()
    try server.drop(
      server.header(.presence, sequence: 1, scope: .full), server.presence(Array(clients[..<2])))
    var intake = intake()
    #expect(try intake.sweep().files == 1)
    #expect(try isOnline(clients[0]) && isOnline(clients[1]))
    #expect(try !isOnline(clients[2]))
    #expect(site.files.isEmpty && site.bad.isEmpty)
    #expect(manager.gauges[.presenceReports] == 1)
  }

  @Test("Reports of a server are imported by their numbers, whatever order the folder has")
  func order() throws {
    let clients = try site.addClients(1)
    let server = try site.addServer()
    // The last word says online; imported in another order it would be a gap or a lie.
    for sequence in [12, 2, 11, 1, 3, 10, 9, 8, 7, 6, 5, 4] as [UInt64] {
      try server.drop(
        server.header(.presence, sequence: sequence, scope: sequence == 1 ? .full : .delta),
        server.presence(clients, online: sequence % 2 == 0, session: sequence))
    }
    let seen = Mutex<[UInt64]>([])
    site.store.onImport { header in seen.withLock { $0.append(header.sequence) } }
    var intake = intake()
    _ = try intake.sweep()
    #expect(seen.withLock { $0 } == Array(1...12))
    #expect(try isOnline(clients[0]))
    #expect(site.files.isEmpty && manager.gauges[.gapReports] == 0)
  }

  @Test("The same report twice counts once")
  func duplicate() throws {
    let clients = try site.addClients(4)
    let server = try site.addServer()
    let operation = try site.start()
    let header = server.header(.outcomes, sequence: 1)
    let body = server.outcomes(clients, of: operation.taskID, .succeeded)
    var intake = intake()
    try server.drop(header, body)
    #expect(try intake.sweep().operations == [operation.operationID])
    try server.drop(header, body)
    #expect(try intake.sweep().operations.isEmpty)
    let counts = try #require(try site.store.operation(operation.operationID)).counts
    #expect(counts[.succeeded] == 4 && counts.total == 4)
    #expect(manager.gauges[.duplicateReports] == 1 && site.files.isEmpty && site.bad.isEmpty)
  }

  @Test("A missing online report asks for a full one, which makes presence right again")
  func gap() throws {
    let clients = try site.addClients(2)
    let server = try site.addServer()
    var intake = intake()
    try server.drop(server.header(.presence, sequence: 1, scope: .full), server.presence([]))
    _ = try intake.sweep()
    try server.drop(
      server.header(.presence, sequence: 3), server.presence([clients[0]], session: 2))
    _ = try intake.sweep()
    #expect(try !isOnline(clients[0]))
    let wanted = try site.store.messages(
      for: server.record.serverID, after: 0, limit: 10, waitMilliseconds: 0)
    #expect(wanted.contains { $0.content == .fullReportWanted })
    #expect(try site.messageIDs().contains(9853))
    try server.drop(
      server.header(.presence, sequence: 4, scope: .full),
      server.presence(clients, session: 3))
    _ = try intake.sweep()
    #expect(try isOnline(clients[0]) && isOnline(clients[1]))
    #expect(try site.messageIDs().contains(9854))
    #expect(site.files.isEmpty && site.bad.isEmpty)
  }

  @Test("Yesterday's report changes nothing today")
  func replayed() throws {
    let clients = try site.addClients(1)
    let server = try site.addServer()
    let old = server.header(.presence, sequence: 1, scope: .full)
    let oldBytes = server.bytes(old, server.presence(clients, session: 1))
    var intake = intake()
    try server.drop(old, server.presence(clients, session: 1))
    _ = try intake.sweep()
    let again = try site.store.registerServer(named: "mp1", at: site.clock.now)
    try server.drop(
      server.header(.presence, sequence: 1, scope: .full, epoch: again.epoch),
      server.presence(clients, online: false, session: 2))
    _ = try intake.sweep()
    #expect(try !isOnline(clients[0]))
    try site.inbox.drop(ReportName(old), oldBytes)
    _ = try intake.sweep()
    #expect(try !isOnline(clients[0]))
    #expect(site.files.isEmpty && manager.gauges[.presenceReports] == 2)
  }

  @Test("Forged, foreign, misnamed and altered reports go to the bad ones with a reason")
  func forged() throws {
    let clients = try site.addClients(2)
    let (server, other) = (try site.addServer("mp1"), try site.addServer("mp2"))
    let header = server.header(.presence, sequence: 1, scope: .full)
    let body = server.presence(clients)
    var altered = server.bytes(header, body)
    altered[altered.count / 2] ^= 1
    let foreign = server.header(
      .presence, sequence: 1, scope: .full, code: SiteCode("X99"))
    let stranger = ReportName(
      kind: .presence, serverID: ServerID(99), epoch: 1, sequence: 1)
    let cases: [(String, ReportName, [UInt8])] = [
      ("signed by another server", ReportName(header), server.bytes(header, body, key: other.key)),
      (
        "unsigned", ReportName(header),
        ReportFile.encode(Report(header: header, body: body), sign: nil)
      ),
      ("altered", ReportName(header), altered),
      ("another site's", ReportName(header), server.bytes(foreign, body)),
      (
        "under another number",
        ReportName(
          kind: .presence, serverID: header.serverID, epoch: header.epoch, sequence: 7),
        server.bytes(header, body)
      ),
      (
        "of another server's name", ReportName(other.header(.presence, sequence: 1)),
        server.bytes(header, body)
      ),
      ("of an unknown server", stranger, server.bytes(header, body)),
      ("empty", ReportName(header), []),
    ]
    var intake = intake()
    for (number, (what, name, bytes)) in cases.enumerated() {
      try site.inbox.drop(name, bytes)
      _ = try intake.sweep()
      #expect(site.files.isEmpty, "\(what)")
      #expect(site.bad.filter { $0.hasSuffix(".reason") }.count == number + 1, "\(what)")
    }
    #expect(try !isOnline(clients[0]))
    #expect(manager.gauges[.badReports] == Int64(cases.count))
    // The true report is still welcome.
    try server.drop(header, body)
    _ = try intake.sweep()
    #expect(try isOnline(clients[0]))
  }

  @Test("Every prefix of a report is refused and the next file is imported")
  func torn() throws {
    let clients = try site.addClients(1)
    let server = try site.addServer()
    let header = server.header(.presence, sequence: 1, scope: .full)
    let whole = server.bytes(header, server.presence(clients))
    var intake = intake()
    for length in stride(from: 0, to: whole.count, by: 7) {
      try site.inbox.drop(ReportName(header), Array(whole[..<length]))
      _ = try intake.sweep()
      #expect(try !isOnline(clients[0]))
    }
    #expect(site.files.isEmpty && manager.gauges[.presenceReports] == 0)
    try server.drop(header, server.presence(clients))
    _ = try intake.sweep()
    #expect(try isOnline(clients[0]))
  }

  @Test("Pipes, links, folders and strange names are put away without being followed")
  func hostileNames() throws {
    let clients = try site.addClients(1)
    let server = try site.addServer()
    let box = site.folder.inbox
    mkfifo("\(box)/Bgb1-1-5.BOS", 0o600)
    symlink("/etc/passwd", "\(box)/Bgb1-1-6.BOS")
    mkdir("\(box)/Bgb1-1-7.BOS", 0o700)
    symlink("\(site.folder.path)/nowhere", "\(box)/Bgb1-1-8.BTS")
    for name in ["x.BTS", "Bgb01-1-1.BOS", "Bgb1-1-1.BOS\n", "notes.txt", "Bgb1-1.BOS"] {
      close(open("\(box)/\(name)", O_CREAT | O_WRONLY, 0o600))
    }
    try server.drop(
      server.header(.presence, sequence: 1, scope: .full), server.presence(clients))
    var intake = intake()
    _ = try intake.sweep()
    #expect(try isOnline(clients[0]))
    #expect(site.files.isEmpty)
    #expect(site.bad.filter { $0.hasSuffix(".reason") }.count == 9)
    // What the links pointed to is where it was.
    #expect(access("/etc/passwd", R_OK) == 0)
  }

  @Test("A hundred bad files of one kind are one status message")
  func rateLimit() throws {
    var intake = intake()
    for number in 0..<100 {
      close(open("\(site.folder.inbox)/junk-\(number)", O_CREAT | O_WRONLY, 0o600))
    }
    _ = try intake.sweep()
    #expect(try site.messageIDs().filter { $0 == 9852 }.count == 1)
    site.clock.advance(milliseconds: 3_600_000)
    close(open("\(site.folder.inbox)/junk", O_CREAT | O_WRONLY, 0o600))
    _ = try intake.sweep()
    #expect(try site.messageIDs().filter { $0 == 9852 }.count == 2)
  }

  @Test("The file is there until its import is committed, and a kill in between loses nothing")
  func commitBeforeRemoval() throws {
    let clients = try site.addClients(2)
    let server = try site.addServer()
    let operation = try site.start()
    let name = try server.drop(
      server.header(.outcomes, sequence: 1),
      server.outcomes(clients, of: operation.taskID, .succeeded))
    let path = "\(site.folder.inbox)/\(name)"
    let wasThere = Mutex(false)
    site.store.onImport { _ in wasThere.withLock { $0 = access(path, F_OK) == 0 } }
    var intake = intake()
    _ = try intake.sweep()
    #expect(wasThere.withLock { $0 }, "the file was removed before the commit")
    #expect(access(path, F_OK) == -1)
    // Killed after the commit and before the removal: the next manager finds the file again.
    try server.drop(
      server.header(.outcomes, sequence: 1),
      server.outcomes(clients, of: operation.taskID, .succeeded))
    var next = self.intake()
    _ = try next.sweep()
    #expect(try #require(try site.store.operation(operation.operationID)).counts[.succeeded] == 2)
    #expect(site.files.isEmpty)
  }

  @Test("Outcomes of one sweep are one transaction; a file that it refuses costs only itself")
  func together() throws {
    let clients = try site.addClients(4)
    let server = try site.addServer()
    let operation = try site.start()
    let imported = Mutex<[UInt64]>([])
    let waiting = Mutex<[Int]>([])
    let inbox = site.folder.inbox
    site.store.onImport { header in
      imported.withLock { $0.append(header.sequence) }
      let files = (try? DropBox(inbox).scan().reports.count) ?? -1
      waiting.withLock { $0.append(files) }
    }
    func drop(_ sequence: UInt64, _ client: Int) throws {
      try server.drop(
        server.header(.outcomes, sequence: sequence),
        server.outcomes([clients[client]], of: operation.taskID, .succeeded))
    }
    for number in 1...3 { try drop(UInt64(number), number - 1) }
    var intake = intake()
    #expect(try intake.sweep().operations == Array(repeating: operation.operationID, count: 3))
    #expect(imported.withLock { $0 } == [1, 2, 3])
    #expect(waiting.withLock { $0 } == [3, 3, 3], "no file goes before the commit of all")
    site.store.refuse(outcomes: 5, with: .conflict("test"))
    for number in 4...6 { try drop(UInt64(number), 3) }
    _ = try intake.sweep()
    #expect(imported.withLock { $0 } == [1, 2, 3, 4, 6])
    #expect(site.files.isEmpty && site.bad.count == 2, "the file and its reason")
    #expect(try #require(try site.store.operation(operation.operationID)).counts[.succeeded] == 4)
    // If it is the database that fails, no file is refused.
    site.store.refuse(outcomes: 8, with: .unavailable("test"))
    for number in 7...8 { try drop(UInt64(number), 3) }
    #expect(throws: StoreError.unavailable("test")) { try intake.sweep() }
    #expect(site.files.count == 2 && site.bad.count == 2)
  }

  @Test("While the database is away files stay, and are imported when it is back")
  func databaseAway() throws {
    let clients = try site.addClients(1)
    let server = try site.addServer()
    try server.drop(
      server.header(.presence, sequence: 1, scope: .full), server.presence(clients))
    var intake = intake()
    site.store.fail(with: .unavailable("test"))
    #expect(throws: StoreError.unavailable("test")) { try intake.sweep() }
    #expect(site.files.count == 1 && site.bad.isEmpty)
    site.store.fail(with: nil)
    _ = try intake.sweep()
    #expect(try isOnline(clients[0]))
    #expect(site.files.isEmpty)
  }

  @Test("A backlog is taken in bounded shares, oldest first, and somebody is told")
  func backlog() throws {
    let clients = try site.addClients(1)
    let server = try site.addServer()
    let count = ReportIntake.backlogFiles
    for sequence in 1...UInt64(count) {
      try server.drop(
        server.header(.presence, sequence: sequence, scope: sequence == 1 ? .full : .delta),
        server.presence(clients, session: sequence))
    }
    var intake = intake()
    let first = try intake.sweep()
    #expect(first.files == ReportIntake.filesPerSweepMax && first.isMoreWaiting)
    #expect(try site.messageIDs().contains(9856))
    while try intake.sweep().isMoreWaiting {}
    #expect(site.files.isEmpty && manager.gauges[.presenceReports] == Int64(count))
  }

  @Test("Outcomes of strangers and unknown tasks never enter the counters")
  func strangers() throws {
    let clients = try site.addClients(3)
    let server = try site.addServer()
    let operation = try site.start()
    var randomness = SystemRandomNumberGenerator()
    let stranger = ClientID(Bits128(random: &randomness))
    let nobody = TaskID(Bits128(random: &randomness))
    try server.drop(
      server.header(.outcomes, sequence: 1),
      server.outcomes([stranger, clients[0]], of: operation.taskID, .succeeded))
    try server.drop(
      server.header(.outcomes, sequence: 2), server.outcomes(clients, of: nobody, .succeeded))
    var intake = intake()
    _ = try intake.sweep()
    let counts = try #require(try site.store.operation(operation.operationID)).counts
    #expect(counts.total == 3 && counts[.succeeded] == 1 && counts[.queued] == 2)
  }
}
