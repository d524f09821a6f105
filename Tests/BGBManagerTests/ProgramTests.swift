// The program as a supervisor meets it: what stops it from starting ends with 2, one manager a
// site, settings that are not right are said; and the rounds go on after the database was away.

import BGBModel
import BGBReport
import BGBSigning
import Glibc
import Reactor
import SiteDatabase
import SiteDatabaseSQLite
import Testing

@testable import BGBManager

@Suite("Program and rounds")
struct ProgramTests {
  let site: TestSite

  init() throws { site = try TestSite() }

  private func opening(environment: [String: String] = [:]) -> SiteOpening {
    SiteOpening(folder: site.folder, settingsFile: nil, environment: environment)
  }

  private func makeDatabase() throws {
    _ = try SQLiteSiteStore.create(at: site.folder.database, site: try site.store.site())
  }

  @Test("A folder that is no site, or has no database, is a sentence and exit code 2")
  func noSite() async throws {
    for folder in ["/nonexistent", site.folder.path, "/" + String(repeating: "x", count: 200)] {
      let code = await ManagerProgram.run(["--site", folder, "--check"], environment: [:])
      #expect(code == 2, "\(folder)")
    }
    #expect(await ManagerProgram.run([], environment: ["BGB_SITE": "/nonexistent"]) == 2)
    // Looking did not make an empty database.
    #expect(!SiteFiles.isThere(site.folder.database))
  }

  @Test("Wrong flags are 64, help and version are 0")
  func flags() async {
    #expect(await ManagerProgram.run(["--sites", "x"], environment: [:]) == 64)
    #expect(await ManagerProgram.run(["--help"], environment: [:]) == 0)
    #expect(await ManagerProgram.run(["--version"], environment: [:]) == 0)
  }

  @Test("A whole site passes the check; a key that is not the site's does not")
  func check() async throws {
    try makeDatabase()
    let arguments = ["--site", site.folder.path, "--check"]
    #expect(await ManagerProgram.run(arguments, environment: [:]) == 0)
    unlink(site.folder.taskKey)
    #expect(await ManagerProgram.run(arguments, environment: [:]) == 2)
    try SigningKey.generate().save(to: site.folder.taskKey)
    #expect(await ManagerProgram.run(arguments, environment: [:]) == 2)
  }

  @Test("A second manager of the same site is refused, and the lock goes with its holder")
  func lock() throws {
    var first: SiteLock? = try opening().lock()
    #expect(first != nil)
    let refused = #expect(throws: StartFault.self) { try opening().lock() }
    #expect(refused?.description.contains("another manager") == true)
    first = nil
    _ = try opening().lock()
  }

  @Test("Settings: defaults, environment, and every fault is said before the start")
  func settings() throws {
    let standard = try opening().settings()
    #expect(standard.sweepInterval.milliseconds == 5_000 && standard.group == nil)
    let given = try opening(environment: ["BGB_MANAGER_SWEEP_INTERVAL": "1s"]).settings()
    #expect(given.sweepInterval.milliseconds == 1_000)
    for (name, value) in [
      ("BGB_MANAGER_SWEEP_INTERVAL", "0s"), ("BGB_MANAGER_SWEEP_INTERVAL", "soon"),
      ("BGB_MANAGER_CLIENT_CERTIFICATE_DAYS", "0"), ("BGB_MANAGER_SWEEPS", "1s"),
      ("BGB_MANAGER_LOG_LEVEL", "loud"),
    ] {
      #expect(throws: StartFault.self, "\(name)=\(value)") {
        try opening(environment: [name: value]).settings()
      }
    }
  }

  @Test("While the database is away the rounds rest longer each time, and tell both ends once")
  func databaseAway() throws {
    var rounds = try site.manager().rounds()
    site.store.fail(with: .unavailable("test"))
    var now = Ticks(milliseconds: 1_000)
    var rests: [UInt64] = []
    for _ in 0..<7 {
      let next = rounds.go(heard: true, at: now)
      rests.append(next.since(now))
      now = next
    }
    #expect(rests == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    site.store.fail(with: nil)
    _ = rounds.go(heard: false, at: now)
    #expect(try site.messageIDs().filter { $0 == 9858 }.count == 1)
  }

  @Test("A round ends what is overdue and loads what was announced")
  func rounds() throws {
    let clients = try site.addClients(2)
    let server = try site.addServer()
    let operation = try site.start(validityMilliseconds: 60_000)
    var rounds = try site.manager().rounds()
    let start = Ticks(milliseconds: 1_000)
    let next = rounds.go(heard: false, at: start)
    #expect(next.since(start) == 2_000)
    try server.drop(
      server.header(.outcomes, sequence: 1),
      server.outcomes([clients[0]], of: operation.taskID, .succeeded))
    _ = rounds.go(heard: true, at: start + 1)
    #expect(site.files.isEmpty)
    site.clock.advance(milliseconds: 60_000)
    _ = rounds.go(heard: false, at: start + 2_000)
    let summary = try #require(try site.store.operation(operation.operationID))
    #expect(summary.counts[.succeeded] == 1 && summary.counts[.expired] == 1)
    #expect(summary.state == .completed && summary.counts.total == 2)
  }

  @Test("Certificates that end soon, or have ended, are told")
  func certificates() throws {
    var rounds = try site.manager().rounds()
    _ = rounds.go(heard: false, at: Ticks(milliseconds: 1))
    #expect(try !site.messageIDs().contains(9859))
    site.clock.advance(milliseconds: 3_640 * 86_400_000)
    _ = rounds.go(heard: false, at: Ticks(milliseconds: 3_700_000))
    #expect(try site.messageIDs().contains(9859))
    site.clock.advance(milliseconds: 20 * 86_400_000)
    _ = rounds.go(heard: false, at: Ticks(milliseconds: 7_400_000))
    #expect(try site.messageIDs().contains(9860))
  }
}
