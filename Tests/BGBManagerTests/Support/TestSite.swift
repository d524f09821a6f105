// A whole site in a folder of its own: authority, task key, memory database, inbox, and a manual
// clock.

import BGBModel
import BGBReport
import BGBSigning
import Glibc
import Logging
import ServiceLog
import ServiceSettings
import SiteDatabase
import Synchronization
import Testing

@testable import BGBManager

/// A clock that a test moves.
final class HandClock: Sendable {
  private let moment: Mutex<WallTime>

  init(_ start: String = "2026-11-23T18:00:00Z") {
    moment = Mutex(WallTime(rfc3339: start) ?? WallTime(milliseconds: 0))
  }

  var now: WallTime { moment.withLock { $0 } }
  func advance(milliseconds: Int64) {
    moment.withLock { $0 = $0.adding(milliseconds: milliseconds) }
  }
  var hand: SiteClock { SiteClock { self.now } }
}

/// A site for one test; its folder goes when it does.
final class TestSite: Sendable {
  let folder: SiteFolder
  let clock = HandClock()
  let code: SiteCode
  let key: SigningKey
  let authority: CertificateAuthority
  let memory: MemorySiteStore
  let store: FaultyStore
  let inbox: DropBox

  init() throws {
    var template = Array("/tmp/bgbm-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Errno(errno) }
    folder = SiteFolder(String(decoding: template.dropLast().map(UInt8.init), as: UTF8.self))
    code = try #require(SiteCode("S01"))
    key = try SigningKey.generate()
    for path in ["inbox", "inbox/bgb.box", "run", "logs", "keys", "servers"] {
      mkdir("\(folder.path)/\(path)", 0o770)
    }
    authority = try CertificateAuthority.create(
      site: code, directory: folder.authority, now: clock.now)
    try key.save(to: folder.taskKey)
    try key.publicKey.save(to: folder.taskPublicKeys)
    let memory = MemorySiteStore(
      site: SiteRecord(code: code, name: "Test", taskKeys: [key.publicKey.rawValue]))
    self.memory = memory
    store = FaultyStore(memory)
    inbox = try DropBox(folder.inbox)
  }

  struct Errno: Error {
    let number: Int32
    init(_ number: Int32) { self.number = number }
  }

  deinit { TestSite.remove(folder.path) }

  /// Removes a folder with everything in it.
  static func remove(_ path: String) {
    for name in SiteFiles.names(in: path) {
      if unlink("\(path)/\(name)") == -1 { remove("\(path)/\(name)") }
    }
    rmdir(path)
  }

  static let quiet: Logger = {
    var log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    log.logLevel = .critical
    return log
  }()

  static func settings(_ overrides: [String: String] = [:]) throws -> ManagerSettings {
    try ServiceSettings.load(ManagerSettings.self, file: nil, overrides: overrides)
  }

  func manager(overrides: [String: String] = [:]) throws -> NotificationManager {
    NotificationManager(
      ManagerParts(
        folder: folder, store: store, site: try store.site(), authority: authority, key: key,
        taskKeysPEM: try key.publicKey.pem(), inbox: inbox,
        settings: LiveSettings(try TestSite.settings(overrides)), groupID: getegid(),
        clock: clock.hand, log: TestSite.quiet, machine: "testhost"))
  }

  // MARK: People and machines of the site

  /// Adds clients `pc-1`...
  func addClients(_ count: Int) throws -> [ClientID] {
    var randomness = SystemRandomNumberGenerator()
    return try (1...count).map { number in
      let clientID = ClientID(Bits128(random: &randomness))
      _ = try store.addClient(
        clientID, name: "pc-\(number)", tags: [], by: "test", at: clock.now)
      return clientID
    }
  }

  /// A notification server that writes reports.
  func addServer(_ name: String = "mp1") throws -> TestServer {
    let reportKey = try SigningKey.generate()
    _ = try store.addServer(
      named: name, reportKey: reportKey.publicKey.rawValue, by: "test", at: clock.now)
    let record = try store.registerServer(named: name, at: clock.now)
    return TestServer(site: self, record: record, key: reportKey)
  }

  /// What lies in the inbox.
  var files: [String] {
    SiteFiles.names(in: folder.inbox).filter { $0 != DropBox.quarantineFolder }
  }
  /// What was refused.
  var bad: [String] { SiteFiles.names(in: "\(folder.inbox)/bad") }

  /// The numbers of the status messages, oldest first.
  func messageIDs() throws -> [UInt32] {
    try store.statusMessages(before: nil, limit: 1_000).reversed().map(\.messageID)
  }

  /// Starts an operation on everybody.
  func start(
    _ action: ClientAction = .quickScan, validityMilliseconds: Int64 = 3_600_000
  ) throws -> OperationSummary {
    let office = TaskOffice(store: store, site: code, key: key, clock: clock.hand)
    return try office.start(
      OperationRequest(
        action: action, parameters: .none, target: .collection(CollectionRecord.allSystems),
        validityMilliseconds: validityMilliseconds, spreadSeconds: 0, ratePerSecond: 0,
        requestedBy: "test", idempotencyKey: nil)
    ).summary
  }
}

/// A notification server as the intake sees it: a number, a key and report files.
struct TestServer {
  let site: TestSite
  let record: ServerRecord
  let key: SigningKey

  func header(
    _ kind: ReportKind, sequence: UInt64, scope: ReportScope = .delta, epoch: UInt64? = nil,
    code: SiteCode? = nil
  ) -> ReportHeader {
    ReportHeader(
      kind: kind, site: code ?? site.code, serverID: record.serverID,
      epoch: epoch ?? record.epoch, sequence: sequence, scope: scope, writtenAt: site.clock.now)
  }

  func presence(
    _ clients: [ClientID], online: Bool = true, session: UInt64 = 1,
    over channel: ChannelKind = .tcp, because fallback: FallbackReason = .none
  ) -> ReportBody {
    .presence(
      clients.map { clientID in
        PresenceRecord(
          clientID: clientID, isOnline: online, since: site.clock.now,
          lastProof: site.clock.now, reason: online ? .signedIn : .connectionLost,
          channel: channel, fallback: fallback, channelSince: site.clock.now, session: session,
          facts: ClientFacts(hostname: "host"))
      })
  }

  func outcomes(
    _ clients: [ClientID], of taskID: TaskID, _ state: TaskState, code: Int32 = 0
  ) -> ReportBody {
    .outcomes(
      clients.map { clientID in
        OutcomeRecord(
          clientID: clientID, pushes: 1,
          outcome: TaskOutcome(taskID: taskID, state: state, code: code, at: site.clock.now))
      })
  }

  func bytes(_ header: ReportHeader, _ body: ReportBody, key: SigningKey? = nil) -> [UInt8] {
    let key = key ?? self.key
    return ReportFile.encode(Report(header: header, body: body)) { key.sign($0) }
  }

  /// Writes a report as a server does.
  @discardableResult
  func drop(_ header: ReportHeader, _ body: ReportBody) throws -> ReportName {
    let name = ReportName(header)
    try site.inbox.drop(name, bytes(header, body))
    return name
  }
}
