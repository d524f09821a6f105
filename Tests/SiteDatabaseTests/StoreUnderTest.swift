// What every contract test starts from: an empty site in one of the back ends, and short ways to
// fill it. Time is a number that tests choose.

import BGBModel
import Glibc
import SiteDatabase
import SiteDatabaseSQLite
import Testing

/// The back ends that the contract suite runs for.
enum Backend: String, CaseIterable, CustomTestStringConvertible {
  case memory
  case sqlite

  var testDescription: String { rawValue }
}

/// A directory that goes away with its last user.
final class TemporaryDirectory: Sendable {
  let path: String

  /// Makes one, unless it is not needed: a child that is killed leaves nothing behind then.
  init(isNeeded: Bool = true) {
    guard isNeeded else {
      path = "/nonexistent"
      return
    }
    var template = Array("/tmp/bgb-store-XXXXXX".utf8CString)
    path = mkdtemp(&template).map { String(cString: $0) } ?? "/nonexistent"
  }

  deinit { if path != "/nonexistent" { _ = removeTree(path) } }

  private func removeTree(_ path: String) -> Int32 {
    guard let directory = opendir(path) else { return unlink(path) }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { _ = removeTree("\(path)/\(name)") }
    }
    closedir(directory)
    return rmdir(path)
  }
}

/// A moment in tests: seconds after a day in November 2026.
func time(_ seconds: Double) -> WallTime {
  WallTime(milliseconds: 1_795_000_000_000 + Int64(seconds * 1000))
}

func clientID(_ number: Int) -> ClientID {
  ClientID(Bits128(high: 0xC000_0000_0000_4000, low: 0x8000_0000_0000_0000 | UInt64(number)))
}

func taskID(_ number: Int) -> TaskID {
  TaskID(Bits128(high: 0xA000_0000_0000_4000, low: 0x8000_0000_0000_0000 | UInt64(number)))
}

let siteCode = SiteCode("S01") ?? SiteCode("AAA").unsafelyUnwrapped

/// An empty site, and what fills it.
final class StoreUnderTest {
  let store: any SiteStore
  let directory: TemporaryDirectory
  let site = SiteRecord(
    code: siteCode, name: "Test site", taskKeys: [Array(repeating: 7, count: 32)])
  private var tasks = 0
  private var sequences: [String: UInt64] = [:]

  init(_ backend: Backend) throws {
    directory = TemporaryDirectory(isNeeded: backend == .sqlite)
    store =
      switch backend {
      case .memory: MemorySiteStore(site: site)
      case .sqlite: try SQLiteSiteStore.create(at: directory.path + "/site.db", site: site)
      }
  }

  /// Adds clients 1 to `count`, named `pc-N`.
  @discardableResult
  func addClients(_ count: Int, tags: [String] = []) throws -> [ClientRecord] {
    try (1...count).map { number in
      try store.addClient(
        clientID(number), name: "pc-\(number)", tags: tags, by: "test", at: time(0))
    }
  }

  @discardableResult
  func addServer(_ name: String = "mp-1") throws -> ServerRecord {
    _ = try store.addServer(
      named: name, reportKey: Array(repeating: 1, count: 32), by: "test", at: time(0))
    return try store.registerServer(named: name, at: time(0))
  }

  func request(
    _ action: ClientAction = .quickScan, _ parameters: ActionParameters = .none,
    on target: OperationRequest.Target = .collection(CollectionRecord.allSystems),
    validity: Int64 = 3_600_000, key: String? = nil
  ) -> OperationRequest {
    OperationRequest(
      action: action, parameters: parameters, target: target, validityMilliseconds: validity,
      spreadSeconds: 60, ratePerSecond: 0, requestedBy: "local:ann", idempotencyKey: key)
  }

  /// A statement as a manager would sign it; the signature is not looked at by stores.
  func signed(
    _ request: OperationRequest, task: TaskID, targets: Int, at: WallTime = time(0)
  ) -> SignedTask {
    let deliverBefore = at.adding(milliseconds: request.validityMilliseconds)
    let statement = TaskStatement(
      taskID: task, site: siteCode, keyID: KeyID(1), actionCode: request.action.rawValue,
      parameters: request.parameters, notBefore: at, deliverBefore: deliverBefore,
      startBefore: deliverBefore.adding(milliseconds: 60_000), runSeconds: 600,
      spreadSeconds: request.spreadSeconds, targetCount: UInt32(targets),
      targetRoot: Array(repeating: 3, count: 32))
    return SignedTask(
      statement: statement.encoded(), signature: Array(repeating: 9, count: 64))
  }

  /// When delivered targets without a result end: start-before, run time, spread and grace.
  func closeAt(_ request: OperationRequest, from at: WallTime = time(0)) -> WallTime {
    at.adding(milliseconds: request.validityMilliseconds + 60_000 + 660_000)
      .adding(milliseconds: Limits.outcomeGraceMilliseconds)
  }

  @discardableResult
  func start(_ request: OperationRequest, at: WallTime = time(0)) throws -> OperationSummary {
    tasks += 1
    let task = taskID(tasks)
    return try store.startOperation(request, at: at) { (targets) throws(StoreError) in
      self.signed(request, task: task, targets: targets.count, at: at)
    }
  }

  /// A header with the next sequence of its kind, server and epoch.
  func header(
    _ kind: ReportKind, _ server: ServerRecord, scope: ReportScope = .delta, epoch: UInt64? = nil,
    at: WallTime = time(10)
  ) -> ReportHeader {
    let epoch = epoch ?? server.epoch
    let key = "\(kind) \(server.serverID) \(epoch)"
    sequences[key, default: 0] += 1
    return ReportHeader(
      kind: kind, site: siteCode, serverID: server.serverID, epoch: epoch,
      sequence: sequences[key] ?? 1, scope: scope, writtenAt: at)
  }

  func outcome(
    _ client: Int, _ task: TaskID, _ state: TaskState, code: Int32 = 0, text: String = "",
    pushes: UInt32 = 1, at: WallTime = time(5)
  ) -> OutcomeRecord {
    OutcomeRecord(
      clientID: clientID(client), pushes: pushes,
      outcome: TaskOutcome(taskID: task, state: state, code: code, text: text, at: at))
  }

  @discardableResult
  func report(
    _ server: ServerRecord, _ records: [OutcomeRecord], at: WallTime = time(10)
  ) throws -> ImportResult {
    try store.importOutcomes(header(.outcomes, server, at: at), records, at: at)
  }

  func presence(
    _ client: Int, online: Bool = true, since: Double = 1, session: UInt64 = 1,
    reason: PresenceReason? = nil, over channel: ChannelKind = .tcp,
    because fallback: FallbackReason = .none, channelSince: Double? = nil,
    facts: ClientFacts? = nil
  ) -> PresenceRecord {
    PresenceRecord(
      clientID: clientID(client), isOnline: online, since: time(since), lastProof: time(since),
      reason: reason ?? (online ? .signedIn : .goodbye), channel: channel,
      fallback: fallback, channelSince: time(channelSince ?? since), session: session,
      facts: facts
        ?? ClientFacts(
          hostname: "host-\(client)", operatingSystem: "Debian GNU/Linux 12",
          agentVersion: "1.0.0", addresses: ["192.0.2.\(client % 250)"]))
  }

  func isOnline(_ client: Int) throws -> Bool? {
    try store.client(clientID(client))?.presence?.isOnline
  }

  /// The invariant of every operation: counters, recount, pages and snapshot agree.
  func checkedCounts(_ operationID: OperationID) throws -> OutcomeCounts {
    guard let summary = try store.operation(operationID) else {
      throw StoreError.notFound("operation \(operationID)")
    }
    var paged = OutcomeCounts()
    var cursor: ResourceID?
    while true {
      let page = try store.targets(of: operationID, in: nil, after: cursor, limit: 3)
      guard let last = page.last else { break }
      cursor = last.resourceID
      for target in page { paged[target.outcome.state] += 1 }
    }
    let recount = try store.recount(operationID)
    let targets = try store.targets(ofTask: summary.taskID).count
    guard summary.counts == recount, recount == paged, recount.total == targets else {
      throw StoreError.damaged(
        "counters \(summary.counts), recount \(recount), pages \(paged), targets \(targets)")
    }
    for state in TaskState.allCases {
      let found = try store.targets(of: operationID, in: state, after: nil, limit: targets)
      guard found.count == recount[state], found.allSatisfy({ $0.outcome.state == state }) else {
        throw StoreError.damaged("list of \(state): \(found.count), counter \(recount[state])")
      }
    }
    return recount
  }
}
