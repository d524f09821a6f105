// Report imports in SQLite: one transaction for a file of presence and for a few of outcomes, with
// their lines in the ledger, so that a file that comes again finds itself there.

public import BGBModel
import GRDB
public import SiteDatabase

extension SQLiteSiteStore {
  /// Imports a presence report; see the contract.
  public func importPresence(
    _ header: ReportHeader, _ records: [PresenceRecord], at: WallTime
  ) throws(StoreError) -> ImportResult {
    try StoreChecks.checkHeader(header, kind: .presence, site: code)
    let result = try write { db in
      _ = try db.existing(header.serverID)
      let last = try db.lastPresence(of: header.serverID)
      switch PresenceOrder(header, after: last) {
      case .passed:
        return try db.isInLedger(header) ? ImportResult.duplicate : .stale
      case .gap(let expected):
        try db.requestFullReport(from: header.serverID)
        return .gap(expected: expected)
      case .next: break
      }
      var named: Set<ResourceID> = []
      let taken = try PresenceRows.take(records, of: header, named: &named, db)
      if header.scope == .full {
        try db.endMissing(header, named: named, isNewEpoch: last?.epoch != header.epoch)
      }
      try db.run(
        "UPDATE BGB_Server SET LastOnlineEpoch = ?, LastOnlineVersion = ? WHERE ServerID = ?",
        [
          Int64(bitPattern: header.epoch), Int64(bitPattern: header.sequence),
          header.serverID.column,
        ])
      try db.noteReport(header, records: taken, leftOut: records.count - taken, at: at)
      return .imported(records: taken, operations: [])
    }
    if case .gap = result { bells.ring(header.serverID) }
    return result
  }

  /// Imports task-status reports; see the contract.
  public func importOutcomes(
    _ reports: [OutcomeReport], at: WallTime
  ) throws(StoreError) -> [ImportResult] {
    for report in reports {
      try StoreChecks.checkHeader(report.header, kind: .outcomes, site: code)
    }
    return try write { db in
      var batch = OutcomeBatch()
      var taken: [Int?] = []
      for (number, report) in reports.enumerated() {
        let header = report.header
        _ = try db.existing(header.serverID)
        guard try !db.isInLedger(header) else {
          taken.append(nil)
          continue
        }
        let count = try batch.add(report, number, db) { try self.numbers(of: $0, db) }
        try db.noteReport(
          header, records: count, leftOut: report.records.count - count, at: at)
        taken.append(count)
      }
      let touched = try batch.apply(reports, at: at, db)
      return zip(taken, touched).map { taken, operations in
        taken.map { .imported(records: $0, operations: operations) } ?? .duplicate
      }
    }
  }

  // MARK: Status messages and audit

  /// Keeps a status message.
  public func addStatusMessage(_ message: StatusMessage) throws(StoreError) {
    let kept = StoreChecks.bounded(message)
    try write { db in
      try db.run(
        """
        INSERT INTO BGB_StatusMessage (Time, Component, MachineName, MessageID, Severity, Text)
        VALUES (?, ?, ?, ?, ?, ?)
        """,
        [
          kept.at.column, kept.component, kept.machine, Int64(kept.messageID),
          Int64(kept.severity.rawValue), kept.text,
        ])
    }
  }

  /// Status messages, newest first.
  public func statusMessages(
    before cursor: Int64?, limit: Int
  ) throws(StoreError) -> [StatusMessage] {
    try read { db in
      try db.rows(
        """
        SELECT RecordID, Time, Component, MachineName, MessageID, Severity, Text
        FROM BGB_StatusMessage WHERE RecordID < ? ORDER BY RecordID DESC LIMIT ?
        """, [cursor ?? .max, max(0, limit)]
      ) { row in
        try StatusMessage(
          recordID: row.number(0), at: row.time(1), component: row.text(2), machine: row.text(3),
          messageID: UInt32(truncatingIfNeeded: row.number(4)),
          severity: UInt8(exactly: row.number(5)).flatMap(StatusMessage.Severity.init(rawValue:))
            ?? .error,
          text: row.text(6))
      }
    }
  }

  /// Audit lines, newest first.
  public func auditRecords(before cursor: Int64?, limit: Int) throws(StoreError) -> [AuditRecord] {
    try read { db in
      try db.rows(
        """
        SELECT RecordID, Time, Actor, Action, Detail FROM BGB_Audit
        WHERE RecordID < ? ORDER BY RecordID DESC LIMIT ?
        """, [cursor ?? .max, max(0, limit)]
      ) { row in
        try AuditRecord(
          recordID: row.number(0), at: row.time(1), actor: row.text(2), action: row.text(3),
          detail: row.text(4))
      }
    }
  }
}

extension Database {
  /// The place of a report in the ledger.
  private func key(_ header: ReportHeader) -> Arguments {
    [
      header.serverID.column, header.kind.rawValue, Int64(bitPattern: header.epoch),
      Int64(bitPattern: header.sequence),
    ]
  }

  /// Whether a report was imported.
  func isInLedger(_ header: ReportHeader) throws -> Bool {
    try row(
      """
      SELECT 1 FROM BGB_ReportLedger
      WHERE ServerID = ? AND Kind = ? AND Epoch = ? AND Sequence = ?
      """, key(header)) != nil
  }

  /// Writes a report into the ledger, with how many before it had not come.
  func noteReport(
    _ header: ReportHeader, records: Int, leftOut: Int, at: WallTime
  ) throws {
    let before = try number(
      """
      SELECT coalesce(max(Sequence), 0) FROM BGB_ReportLedger
      WHERE ServerID = ? AND Kind = ? AND Epoch = ? AND Sequence < ?
      """, key(header))
    let missing = Int64(bitPattern: header.sequence) - 1 - before
    try run(
      """
      INSERT INTO BGB_ReportLedger (ServerID, Kind, Epoch, Sequence, Scope, WriteTime, ImportTime,
        Records, LeftOut, MissingBefore) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      key(header) + [
        header.scope.rawValue, header.writtenAt.column, at.column, records, leftOut, missing,
      ])
    try run(
      "UPDATE BGB_Server SET ReportTime = ? WHERE ServerID = ?",
      [at.column, header.serverID.column])
  }

  // MARK: Presence

  /// The last presence report of a server that was applied.
  func lastPresence(of serverID: ServerID) throws -> (epoch: UInt64, sequence: UInt64)? {
    let found = try row(
      "SELECT LastOnlineEpoch, LastOnlineVersion FROM BGB_Server WHERE ServerID = ?",
      [serverID.column])
    guard let epoch = try found?.numberIfAny(0), let version = try found?.numberIfAny(1) else {
      return nil
    }
    return (UInt64(bitPattern: epoch), UInt64(bitPattern: version))
  }

  /// Takes offline who is not in a full report.
  func endMissing(_ header: ReportHeader, named: Set<ResourceID>, isNewEpoch: Bool) throws {
    let online = try rows(
      """
      SELECT OnlineStatus, ServerID, LastOnlineTime, LastOfflineTime, LastProofTime, Reason,
        ChannelType, Session, FallbackReason, ChannelSince, ResourceID
      FROM BGB_ResStatus WHERE ServerID = ? AND OnlineStatus = 1
      """, [header.serverID.column]
    ) { try (ResourceID($0.number(10)), ClientPresence(row: $0, from: 0)) }
    var gone = RowValues(RowsStatement.presence)
    for (resourceID, presence) in online where !named.contains(resourceID) {
      guard let presence else { continue }
      gone.append(presence.missing(from: header, isNewEpoch: isNewEpoch), of: resourceID)
    }
    try gone.run(self)
  }
}
