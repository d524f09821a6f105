// From the settings to the desk of reconnect identities (ReconnectPlan.swift), and the thread that
// looks after the keys (SiteWork.swift).

import BGBModel
import BGBSigning
import Glibc
import Logging
import Reactor
import SiteDatabase
import Testing
import Transports

@testable import BGBServer

struct ReconnectPlanTests {
  let site: TestSite

  init() throws { site = try TestSite(now: WallTime(milliseconds: WallClock.nowMilliseconds())) }

  private func settings(_ more: String = "") throws -> ServerSettings {
    try site.write("server.yaml", "name: mp1\n\(more)")
    return try ServerSettings.load("\(site.folder)/server.yaml")
  }

  @Test func theDefaultsAreThoseOfTheLimits() throws {
    let settings = try settings()
    #expect(settings.reconnectRules.lifeSeconds == Limits.reconnectLifeSeconds)
    #expect(settings.reconnectRules.proofSeconds == Limits.reconnectProofSeconds)
    let file = try #require(settings.reconnectFile)
    #expect(file.path == "\(site.folder)/reconnect.keys")
    #expect(file.rotationSeconds == Limits.reconnectRotationSeconds)
    #expect(file.keptSeconds > Limits.reconnectLifeSeconds)
  }

  @Test func aLifeOfNothingGivesNoneOut() throws {
    let settings = try settings("reconnect-life: 0\n")
    #expect(settings.reconnectFile == nil)
    #expect(try ReconnectPlan(settings, now: 1) == nil)
    #expect(access("\(site.folder)/reconnect.keys", F_OK) != 0)
  }

  @Test func theKeysAreMadeOnceAndKeptThroughAReload() throws {
    let harness = try ShardHarness()
    let time = harness.time.source
    let now = time.wall() / 1000
    let code = try Sample.site()
    let plan = try #require(try ReconnectPlan(try settings(), now: now))
    let desk = plan.desk(nil, site: code, time: time)
    ReconnectPlan.apply(plan, desk, to: harness.shard)
    #expect(harness.shard.reconnects === desk)
    #expect(harness.shard.reconnectFile == plan.file)
    // The same file, other rules; the desk and what it counted stay.
    let changed = try settings("reconnect-life: 1h\nreconnect-proof: 2h\n")
    let next = try #require(try ReconnectPlan(changed, now: now))
    #expect(next.keys == plan.keys)
    #expect(next.desk(desk, site: code, time: time) === desk)
    #expect(desk.rules.lifeSeconds == 86_400, "in force only once all of the reload is good")
    ReconnectPlan.apply(next, desk, to: harness.shard)
    #expect(desk.rules == ReconnectRules(lifeSeconds: 3_600, proofSeconds: 7_200))
    // What another process writes is found when it is needed.
    let rotated = try plan.file.rotate(now: now + 1)
    #expect(desk.reread() == rotated)
    ReconnectPlan.apply(nil, nil, to: harness.shard)
    #expect(harness.shard.reconnects == nil)
    #expect(harness.shard.reconnectFile == nil)
  }

  @Test func aFileThatOthersMayReadIsASentence() throws {
    let settings = try settings()
    try site.write("reconnect.keys", "reconnect-keys 1\n")
    chmod("\(site.folder)/reconnect.keys", 0o644)
    do {
      _ = try ReconnectPlan(settings, now: 1)
      Issue.record("taken")
    } catch {
      #expect(error.description.contains("reconnect.keys may be read by others"))
    }
  }

  @Test func theSiteThreadReplacesAnOldKeyAndTellsTheLoop() throws {
    let time = ManualTime()
    let now = time.wall / 1000
    let file = ReconnectKeyFile(
      path: "\(site.folder)/reconnect.keys", rotationSeconds: 100, keptSeconds: 1_000)
    let before = try file.tend(now: now)
    let shard = try Mailbox<ShardLetter>()
    var work = SiteWork(
      link: NoSite(), reportKey: try SigningKey.generate(), shard: shard,
      journal: try Mailbox<JournalLetter>(), time: time.source,
      log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    func told() -> [ReconnectKeys] {
      var letters: [ShardLetter] = []
      shard.takeAll(into: &letters)
      return letters.compactMap { if case .reconnectKeys(let keys) = $0 { keys } else { nil } }
    }
    _ = work.work([.tendReconnectKeys(file)])
    #expect(told() == [before])
    time.advance(by: 100_000)
    _ = work.work([.tendReconnectKeys(file)])
    let after = try #require(told().first)
    #expect(after.keys.count == 2)
    #expect(after.keys.last == before.keys.first)
    // A file that cannot be read leaves the loop with what it has.
    chmod(file.path, 0o644)
    _ = work.work([.tendReconnectKeys(file)])
    #expect(told().isEmpty)
  }
}

/// A site that is away, for work that needs none.
private struct NoSite: SiteLink {
  func register(named name: String, at: WallTime) throws(SiteLinkError) -> SiteRegistration {
    throw .away("")
  }

  func registerWorker(
    _ number: Int, of server: String, reportKey: [UInt8], at: WallTime
  ) throws(SiteLinkError) -> SiteRegistration { throw .away("") }

  func messages(
    after cursor: Int64, waitMilliseconds: Int
  ) throws(SiteLinkError) -> [BrokerMessage] { throw .away("") }

  func interrupt() {}

  func advance(to cursor: Int64) throws(SiteLinkError) { throw .away("") }

  func task(_ taskID: TaskID) throws(SiteLinkError) -> TaskRecord? { throw .away("") }

  func targets(of taskID: TaskID) throws(SiteLinkError) -> [TargetRecord] { throw .away("") }

  func answered(of taskID: TaskID) throws(SiteLinkError) -> [ResourceID] { throw .away("") }

  func unexpiredTasks(at: WallTime) throws(SiteLinkError) -> [TaskRecord] { throw .away("") }

  func denyList() throws(SiteLinkError) -> Set<ClientID> { throw .away("") }

  func policy(of clientID: ClientID, at: WallTime) throws(SiteLinkError) -> PolicyBundle {
    throw .away("")
  }

  func note(_ drain: ServerDrain) throws(SiteLinkError) { throw .away("") }

  func deliver(_ header: ReportHeader, bytes: [UInt8]) throws(SiteLinkError) { throw .away("") }

  func report(_ message: StatusMessage) throws(SiteLinkError) { throw .away("") }
}
