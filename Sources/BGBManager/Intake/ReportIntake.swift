// From report files to the site database: each file opened safely, its server's signature checked,
// imported in its order, and removed only after the database has committed it. Whatever is killed
// in between, the file is still there or the database already knows its number: nothing is lost and
// nothing counts twice.

import BGBModel
import BGBReport
import BGBSigning
import Glibc
import Logging
import SiteDatabase

/// What one sweep of the inbox did.
struct SweepResult: Hashable, Sendable {
  /// Operations whose counters may have moved.
  var operations: [OperationID] = []
  /// Files that were looked at.
  var files = 0
  /// Whether files were left for the next sweep only because this one had done its share.
  var isMoreWaiting = false
}

/// Imports the report files of one inbox; used by one thread at a time.
struct ReportIntake {
  /// Files of one sweep at most, so that deadlines and other rounds are kept during a backlog.
  static let filesPerSweepMax = 200
  /// Outcomes of one transaction at about: the database is locked for it, a second or two, and
  /// others wait five.
  static let outcomesPerTransaction = 50_000
  /// Waiting files from which on an administrator is told.
  static let backlogFiles = 500

  private struct Sender {
    var name: String
    var key: PublicKey
  }

  /// Whose sequence: presence and outcomes of a server are counted apart.
  private struct Source: Hashable {
    var kind: ReportKind
    var serverID: ServerID
  }

  private let inbox: DropBox
  private let store: any SiteStore
  private let site: SiteCode
  private let desk: StatusDesk
  private let gauges: ManagerGauges
  private let clock: SiteClock
  private let log: Logger
  private var senders: [ServerID: Sender] = [:]
  private var lastSeen: [Source: ReportName] = [:]
  private var serversInGap: Set<ServerID> = []

  /// Joins the parts.
  init(
    inbox: DropBox, store: any SiteStore, site: SiteCode, desk: StatusDesk, gauges: ManagerGauges,
    clock: SiteClock, log: Logger
  ) {
    self.inbox = inbox
    self.store = store
    self.site = site
    self.desk = desk
    self.gauges = gauges
    self.clock = clock
    self.log = log
  }

  /// The bytes of all reports that wait; none where that cannot be told, which a sweep then says.
  func waitingBytes() -> Int { (try? inbox.waitingBytes()) ?? 0 }

  /// Looks at the inbox once and imports what is there, oldest first.
  ///
  /// Throws when the database does not answer: the files stay, the caller tries again later.
  mutating func sweep() throws(StoreError) -> SweepResult {
    var result = SweepResult()
    let contents: DropBoxContents
    do { contents = try scan() } catch {
      desk.tell(.inboxUnreadable(reason: "\(error)"))
      gauges.set(.inboxReadable, 0)
      return result
    }
    gauges.set(.inboxReadable, 1)
    gauges.set(.inboxFiles, contents.reports.count)
    if contents.reports.count >= ReportIntake.backlogFiles {
      desk.tell(.inboxBacklog(files: contents.reports.count))
    }
    for stray in contents.strays { refuse(stray, because: "its name is not a report's name") }
    // Imported together: what is told of one operation changes the same pages of the database,
    // whichever server tells it.
    var (batch, waiting): ([NamedOutcomes], Int) = ([], 0)
    for name in contents.reports.prefix(ReportIntake.filesPerSweepMax) {
      result.files += 1
      guard let report = try take(name) else { continue }
      batch.append((name, report))
      waiting += report.records.count
      guard waiting >= ReportIntake.outcomesPerTransaction else { continue }
      result.operations += try load(batch)
      (batch, waiting) = ([], 0)
    }
    result.operations += try load(batch)
    result.isMoreWaiting = contents.reports.count > result.files
    gauges.set(.inboxFiles, contents.reports.count - result.files)
    return result
  }

  /// Scans, and once more when a number seems to be missing.
  ///
  /// A folder that is read while files are renamed into it may show the later one and not the
  /// earlier. What the second scan does not show was not there when the later file came.
  private func scan() throws(DropError) -> DropBoxContents {
    let first = try inbox.scan()
    guard hasHole(first.reports) else { return first }
    return try inbox.scan()
  }

  private func hasHole(_ names: [ReportName]) -> Bool {
    var last = lastSeen
    for name in names {
      let source = Source(kind: name.kind, serverID: name.serverID)
      if let before = last[source], before.epoch == name.epoch,
        name.sequence > before.sequence, name.sequence - before.sequence > 1
      {
        return true
      }
      last[source] = name
    }
    return false
  }

  /// Reads one file; imports presence at once and gives outcomes to be imported with others.
  private mutating func take(_ name: ReportName) throws(StoreError) -> OutcomeReport? {
    let bytes: [UInt8]
    do { bytes = try inbox.read(name.text, limit: Limits.reportBytesMax) } catch {
      handle(error, reading: name)
      return nil
    }
    let report: Report
    do { report = try read(bytes, from: name) } catch let error as StoreError {
      throw error
    } catch {
      refuse(name.text, because: "\(error)")
      return nil
    }
    switch report.body {
    case .presence(let records):
      try loadPresence(report.header, records, name)
      return nil
    case .outcomes(let records): return OutcomeReport(header: report.header, records: records)
    }
  }

  private func handle(_ error: DropError, reading name: ReportName) {
    switch error.errno {
    case ENOENT:
      log.debug("\(name) is gone before it was read")
    case EFBIG:
      refuse(name.text, because: "it has more bytes than a report may have")
    case ELOOP, EINVAL, ENXIO, EISDIR:
      refuse(name.text, because: "it is not a regular file")
    default:
      // The disk may recover: keep the file, tell somebody, come back with the next sweep.
      desk.tell(.inboxUnreadable(reason: "\(error)"))
    }
  }

  /// Why a file that can be read is not a report of one of our servers.
  private enum Fault: Error, CustomStringConvertible {
    case format(ReportError)
    case foreignSite(SiteCode)
    case unknownServer(ServerID)
    case misnamed(ReportName)

    var description: String {
      switch self {
      case .format(let error): "\(error)"
      case .foreignSite(let site): "it is a report of the site \(site)"
      case .unknownServer(let server): "the site has no server of the number \(server)"
      case .misnamed(let name): "its header says that it is \(name)"
      }
    }
  }

  /// Reads and verifies; any error but a `StoreError` condemns the file.
  private mutating func read(_ bytes: [UInt8], from name: ReportName) throws -> Report {
    // The key is looked up by the name before the file is read; the header must then agree.
    guard let sender = try sender(name.serverID) else { throw Fault.unknownServer(name.serverID) }
    let report: Report
    do {
      report = try ReportFile.decode(bytes) { header, signed, signature in
        header.serverID == name.serverID && sender.key.verify(signature, over: signed)
      }
    } catch { throw Fault.format(error) }
    guard report.header.site == site else { throw Fault.foreignSite(report.header.site) }
    guard ReportName(report.header) == name else { throw Fault.misnamed(ReportName(report.header)) }
    return report
  }

  /// A server's name and key, asked of the database again when the number is new: servers are added
  /// while the manager runs, but a number never changes its key.
  private mutating func sender(_ serverID: ServerID) throws(StoreError) -> Sender? {
    if let sender = senders[serverID] { return sender }
    for server in try store.servers() {
      guard let key = PublicKey(rawValue: server.reportKey) else { continue }
      senders[server.serverID] = Sender(name: server.name, key: key)
    }
    return senders[serverID]
  }

  private mutating func loadPresence(
    _ header: ReportHeader, _ records: [PresenceRecord], _ name: ReportName
  ) throws(StoreError) {
    do {
      finish(try store.importPresence(header, records, at: clock.now()), header, name)
    } catch {
      try refuse(name, unlessAway: error)
    }
  }

  private typealias NamedOutcomes = (name: ReportName, report: OutcomeReport)

  /// Imports outcomes that were read; the operations that they touched.
  ///
  /// In one transaction; if that is refused, one by one, so that a bad one costs only itself.
  private mutating func load(_ batch: [NamedOutcomes]) throws(StoreError) -> [OperationID] {
    guard let first = batch.first else { return [] }
    var touched: [OperationID] = []
    do {
      let results = try store.importOutcomes(batch.map(\.report), at: clock.now())
      for (result, (name, report)) in zip(results, batch) {
        touched += finish(result, report.header, name)
      }
    } catch {
      if batch.count == 1 || ReportIntake.isAway(error) {
        try refuse(first.name, unlessAway: error)
      } else {
        for item in batch { touched += try load([item]) }
      }
    }
    return touched
  }

  /// Committed or known: only now may the file go.
  ///
  /// If removing fails, the next sweep finds it again and the database says that it is a duplicate.
  @discardableResult
  private mutating func finish(
    _ result: ImportResult, _ header: ReportHeader, _ name: ReportName
  ) -> [OperationID] {
    note(result, of: header, name)
    do { try inbox.remove(name.text) } catch { log.warning("Cannot remove \(name): \(error)") }
    if case .imported(_, let operations) = result { return operations }
    return []
  }

  private func refuse(_ name: ReportName, unlessAway error: StoreError) throws(StoreError) {
    if ReportIntake.isAway(error) { throw error }
    refuse(name.text, because: "\(error)")
  }

  /// Whether it is the database that must get well, and not the file that is bad.
  private static func isAway(_ error: StoreError) -> Bool {
    switch error {
    case .unavailable, .damaged: true
    case .invalid, .notFound, .conflict: false
    }
  }

  private mutating func note(_ result: ImportResult, of header: ReportHeader, _ name: ReportName) {
    let server = senders[name.serverID]?.name ?? "\(name.serverID)"
    switch result {
    case .imported(let records, _):
      lastSeen[Source(kind: name.kind, serverID: name.serverID)] = name
      gauges.add(name.kind == .presence ? .presenceReports : .outcomeReports, 1)
      gauges.add(.reportRecords, records)
      log.info("\(ReportIntake.loadedLine(name, header, records: records))")
      let isFull = header.kind == .presence && header.scope == .full
      if isFull, serversInGap.remove(name.serverID) != nil {
        desk.tell(.presenceResynced(server: server))
      }
    case .duplicate:
      gauges.add(.duplicateReports, 1)
      log.info("\(name) was loaded before; removed")
    case .stale:
      gauges.add(.staleReports, 1)
      log.info("\(name) was overtaken by newer reports; removed")
    case .gap(let expected):
      gauges.add(.gapReports, 1)
      serversInGap.insert(name.serverID)
      log.warning("Need resync! \(name) came but version \(expected) is missing")
      desk.tell(.presenceGap(server: server, expected: expected, found: name.sequence))
    }
  }

  /// The line in the words of the original where it has them.
  private static func loadedLine(
    _ name: ReportName, _ header: ReportHeader, records: Int
  ) -> String {
    switch header.kind {
    case .presence:
      let scope = header.scope == .full ? "FULL" : "DELTA"
      return "Loaded BGB online status \(scope) report \(name) (version: \(header.sequence))"
        + " with \(records) records"
    case .outcomes:
      return "Loaded BGB task status report \(name) (ReportedClients: \(records))"
    }
  }

  /// Moves a file to the bad ones, with its reason beside it.
  private func refuse(_ name: String, because reason: String) {
    let shown = name.isPrintable ? name : "of an unprintable name"
    do { try inbox.quarantine(name, reason: reason) } catch {
      if error.errno == ENOENT { return }
      log.error("Cannot move \(shown) to the bad inbox: \(error)")
      return
    }
    gauges.add(.badReports, 1)
    log.error("Failed to process file \(shown), move it to bad inbox: \(reason)")
    desk.tell(.reportRejected(file: shown, reason: reason))
  }
}
