// The memory store: servers, the broker queue, report imports, status messages and audit.

public import BGBModel

extension MemorySiteStore {
  /// Adds a notification server.
  public func addServer(
    named name: String, reportKey: [UInt8], by actor: String, at: WallTime
  ) throws(StoreError) -> ServerRecord {
    try StoreChecks.checkName(name, of: "server")
    try StoreChecks.checkReportKey(reportKey)
    return try write { (site) throws(StoreError) in
      guard !site.servers.values.contains(where: { StoreChecks.isSame($0.record.name, name) })
      else { throw .conflict("there is a server named '\(name)' already") }
      let serverID = ServerID(UInt32(site.servers.count) + 1)
      let record = ServerRecord(
        serverID: serverID, name: name, reportKey: reportKey, epoch: 0,
        cursor: site.lastMessageID, lastReport: nil, onlineCount: 0)
      site.servers[serverID] = MemorySite.Server(record: record, presence: nil)
      site.note(actor, "server.add", "\(name) server=\(serverID)", at: at)
      return record
    }
  }

  /// All servers by number.
  public func servers() throws(StoreError) -> [ServerRecord] {
    try read { (site) throws(StoreError) in
      site.servers.values.map { site.counted($0.record) }.sorted { $0.serverID < $1.serverID }
    }
  }

  /// A server starts; see the contract.
  public func registerServer(named name: String, at: WallTime) throws(StoreError) -> ServerRecord {
    try write { (site) throws(StoreError) in
      guard
        var server = site.servers.values.first(where: { StoreChecks.isSame($0.record.name, name) })
      else { throw .notFound("server '\(name)'") }
      server.record.epoch = max(server.record.epoch, server.presence?.epoch ?? 0) &+ 1
      server.record.cursor = site.lastMessageID
      server.record.lastReport = at
      server.record.drain = ServerDrain()
      site.servers[server.record.serverID] = server
      return site.counted(server.record)
    }
  }

  /// Notes how far a server has come.
  public func advanceCursor(of serverID: ServerID, to cursor: Int64) throws(StoreError) {
    try write { (site) throws(StoreError) in
      let server = try site.existing(serverID)
      guard cursor > server.record.cursor else { return }
      site.servers[serverID]?.record.cursor = min(cursor, site.lastMessageID)
      let passed = site.servers.values.map(\.record.cursor).min() ?? 0
      site.queue.removeAll { $0.message.messageID <= passed }
    }
  }

  /// Asks a server for a full presence report.
  public func requestFullReport(from serverID: ServerID) throws(StoreError) {
    try write { (site) throws(StoreError) in
      _ = try site.existing(serverID)
      site.requestFullReport(from: serverID)
    }
  }

  // MARK: Reports

  /// Imports a presence report; see the contract.
  public func importPresence(
    _ header: ReportHeader, _ records: [PresenceRecord], at: WallTime
  ) throws(StoreError) -> ImportResult {
    try write { (site) throws(StoreError) in
      try StoreChecks.checkHeader(header, kind: .presence, site: site.site.code)
      let server = try site.existing(header.serverID)
      switch PresenceOrder(header, after: server.presence) {
      case .passed:
        return site.ledger.contains(MemorySite.LedgerKey(header)) ? .duplicate : .stale
      case .gap(let expected):
        site.requestFullReport(from: header.serverID)
        return .gap(expected: expected)
      case .next: break
      }
      var taken = 0
      var named: Set<ResourceID> = []
      for record in records where site.take(record, from: header.serverID, named: &named) {
        taken += 1
      }
      if header.scope == .full {
        site.endMissing(header, named: named, isNewEpoch: server.presence?.epoch != header.epoch)
      }
      site.servers[header.serverID]?.presence = (header.epoch, header.sequence)
      site.noteReport(header, at: at)
      return .imported(records: taken, operations: [])
    }
  }

  /// Imports task-status reports; see the contract.
  public func importOutcomes(
    _ reports: [OutcomeReport], at: WallTime
  ) throws(StoreError) -> [ImportResult] {
    try write { (site) throws(StoreError) in
      var results: [ImportResult] = []
      for report in reports { results.append(try site.take(report, at: at)) }
      return results
    }
  }

  // MARK: Status messages and audit

  /// Keeps a status message.
  public func addStatusMessage(_ message: StatusMessage) throws(StoreError) {
    try write { (site) throws(StoreError) in
      var kept = StoreChecks.bounded(message)
      kept.recordID = Int64(site.statusMessages.count) + 1
      site.statusMessages.append(kept)
    }
  }

  /// Status messages, newest first.
  public func statusMessages(
    before cursor: Int64?, limit: Int
  ) throws(StoreError) -> [StatusMessage] {
    try read { (site) throws(StoreError) in
      let older = site.statusMessages.reversed().drop { $0.recordID >= cursor ?? .max }
      return Array(older.prefix(max(0, limit)))
    }
  }

  /// Audit lines, newest first.
  public func auditRecords(before cursor: Int64?, limit: Int) throws(StoreError) -> [AuditRecord] {
    try read { (site) throws(StoreError) in
      let older = site.audit.reversed().drop { $0.recordID >= cursor ?? .max }
      return Array(older.prefix(max(0, limit)))
    }
  }
}

extension MemorySite.LedgerKey {
  /// The place of a report.
  init(_ header: ReportHeader) {
    self.init(
      serverID: header.serverID, kind: header.kind, epoch: header.epoch,
      sequence: header.sequence)
  }
}

extension MemorySite.Task {
  /// Keeps news for the history: the first of each state.
  mutating func noteStep(
    _ record: OutcomeRecord, of resourceID: ResourceID, _ header: ReportHeader, at: WallTime
  ) {
    guard steps[resourceID]?.contains(where: { $0.outcome.state == record.outcome.state }) != true
    else { return }
    let step = OutcomeStep(
      outcome: StoreChecks.bounded(record.outcome), serverID: header.serverID,
      reportedAt: header.writtenAt, importedAt: at)
    steps[resourceID, default: []].append(step)
  }
}

extension MemorySite {
  /// A server with the clients that are online through it.
  func counted(_ record: ServerRecord) -> ServerRecord {
    var record = record
    record.onlineCount = clients.values.count { client in
      client.presence?.isOnline == true && client.presence?.serverID == record.serverID
    }
    return record
  }

  /// Messages for a server after a cursor.
  func messages(
    for serverID: ServerID, after cursor: Int64, limit: Int
  ) throws(StoreError) -> [BrokerMessage] {
    _ = try existing(serverID)
    let found = queue.lazy.filter { entry in
      entry.message.messageID > cursor && (entry.serverID == nil || entry.serverID == serverID)
    }
    return found.prefix(max(0, limit)).map(\.message)
  }

  /// Asks once: an unread question is not repeated.
  mutating func requestFullReport(from serverID: ServerID) {
    let cursor = servers[serverID]?.record.cursor ?? 0
    let isAsked = queue.contains { entry in
      entry.serverID == serverID && entry.message.content == .fullReportWanted
        && entry.message.messageID > cursor
    }
    if !isAsked { post(.fullReportWanted, to: serverID) }
  }

  /// Writes a report into the ledger.
  mutating func noteReport(_ header: ReportHeader, at: WallTime) {
    ledger.insert(LedgerKey(header))
    servers[header.serverID]?.record.lastReport = at
  }

  /// Takes one presence record; false for a client that is not of this site.
  mutating func take(
    _ record: PresenceRecord, from serverID: ServerID, named: inout Set<ResourceID>
  ) -> Bool {
    guard let resourceID = resourceIDs[record.clientID] else { return false }
    named.insert(resourceID)
    let known = clients[resourceID]?.presence
    if let presence = ClientPresence.merged(record, from: serverID, over: known) {
      clients[resourceID]?.presence = presence
      if record.facts != ClientFacts() {
        clients[resourceID]?.facts = StoreChecks.bounded(record.facts)
      }
    }
    return true
  }

  /// Takes offline who is not in a full report.
  mutating func endMissing(_ header: ReportHeader, named: Set<ResourceID>, isNewEpoch: Bool) {
    for (resourceID, client) in clients where !named.contains(resourceID) {
      guard let presence = client.presence, presence.isOnline,
        presence.serverID == header.serverID
      else { continue }
      clients[resourceID]?.presence = presence.missing(from: header, isNewEpoch: isNewEpoch)
    }
  }
}

extension MemorySite {
  /// Takes one task-status report.
  fileprivate mutating func take(
    _ report: OutcomeReport, at: WallTime
  ) throws(StoreError) -> ImportResult {
    let header = report.header
    try StoreChecks.checkHeader(header, kind: .outcomes, site: site.code)
    _ = try existing(header.serverID)
    guard !ledger.contains(LedgerKey(header)) else { return .duplicate }
    var taken = 0
    var touched: Set<OperationID> = []
    for record in report.records {
      guard let resourceID = resourceIDs[record.clientID],
        let task = tasks[record.outcome.taskID], let known = task.known(of: resourceID)
      else { continue }
      taken += 1
      tasks[record.outcome.taskID]?.noteStep(record, of: resourceID, header, at: at)
      guard let merged = known.merged(with: record) else { continue }
      tasks[record.outcome.taskID]?.rows[resourceID] = merged
      tasks[record.outcome.taskID]?.progress.move(from: known.state, to: merged.state)
      touched.insert(task.operationID)
    }
    noteReport(header, at: at)
    return .imported(records: taken, operations: touched.sorted())
  }
}
