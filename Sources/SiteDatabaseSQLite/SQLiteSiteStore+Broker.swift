// Servers and the broker in SQLite: an ordered table of messages, a cursor for each server, and a
// doorbell so that nobody has to look at the table every few milliseconds.

public import BGBModel
import GRDB
public import SiteDatabase

extension SQLiteSiteStore {
  /// Adds a notification server.
  public func addServer(
    named name: String, reportKey: [UInt8], by actor: String, at: WallTime
  ) throws(StoreError) -> ServerRecord {
    try StoreChecks.checkName(name, of: "server")
    try StoreChecks.checkReportKey(reportKey)
    return try write { db in
      guard try db.row("SELECT 1 FROM BGB_Server WHERE ServerName = ?", [name]) == nil else {
        throw StoreError.conflict("there is a server named '\(name)' already")
      }
      try db.run(
        """
        INSERT INTO BGB_Server (ServerName, ReportKey, Epoch, QueueCursor) VALUES (?, ?, 0, ?)
        """, [name, Blob(reportKey), try db.lastMessageID()])
      let serverID = ServerID(db.lastInsertedRowID)
      try db.note(actor, "server.add", "\(name) server=\(serverID)", at: at)
      return try db.existing(serverID)
    }
  }

  /// All servers by number.
  public func servers() throws(StoreError) -> [ServerRecord] {
    try read { db in
      try db.rows("\(ServerRecord.select) ORDER BY s.ServerID", [], ServerRecord.init(row:))
    }
  }

  /// A server starts; see the contract.
  public func registerServer(named name: String, at: WallTime) throws(StoreError) -> ServerRecord {
    try write { db in
      // Above every epoch that was ever heard of, also after a restore of an older database.
      try db.run(
        """
        UPDATE BGB_Server SET Epoch = max(Epoch, coalesce(LastOnlineEpoch, 0)) + 1,
          QueueCursor = ?, ReportTime = ?, DrainState = 0, DrainTotal = 0, DrainLeft = 0
        WHERE ServerName = ?
        """, [try db.lastMessageID(), at.column, name])
      guard db.changesCount == 1,
        let row = try db.row("\(ServerRecord.select) WHERE s.ServerName = ?", [name])
      else { throw StoreError.notFound("server '\(name)'") }
      return try ServerRecord(row: row)
    }
  }

  /// Messages for a server after a cursor; see the contract.
  public func messages(
    for serverID: ServerID, after cursor: Int64, limit: Int, waitMilliseconds: Int
  ) throws(StoreError) -> [BrokerMessage] {
    let clock = ContinuousClock()
    let deadline = clock.now + .milliseconds(max(0, min(waitMilliseconds, 86_400_000)))
    // Before the first look, so that what is committed after it rings and is seen.
    if waitMilliseconds > 0 { bells.listen(for: serverID) }
    let commits = waitMilliseconds > 0 ? CommitWatch(of: pool.path) : nil
    while true {
      let found = try read { db in
        try db.messages(for: serverID, after: cursor, limit: limit)
      }
      let left = clock.now.duration(to: deadline)
      if !found.isEmpty || left <= .zero { return found }
      if bells.takeInterrupt(of: serverID) { return [] }
      var waking: Doorbells.Waking
      if let commits {
        waking = bells.wait(for: serverID, upTo: left, or: commits.descriptor)
        // Somebody commits. If it is for this server the bell rings, or the backstop looks.
        if waking == .committed { waking = bells.wait(for: serverID, upTo: min(left, backstop)) }
        commits.forget()
      } else {
        waking = bells.wait(for: serverID, upTo: min(left, backstop))
      }
      if waking == .interrupted {
        _ = bells.takeInterrupt(of: serverID)
        return []
      }
    }
  }

  /// Wakes a waiting `messages` call; see the contract.
  public func interruptWait(of serverID: ServerID) { bells.interruptWait(of: serverID) }

  /// Notes how far a server has come.
  public func advanceCursor(of serverID: ServerID, to cursor: Int64) throws(StoreError) {
    try write { db in
      let server = try db.existing(serverID)
      guard cursor > server.cursor else { return }
      try db.run(
        "UPDATE BGB_Server SET QueueCursor = ? WHERE ServerID = ?",
        [min(cursor, try db.lastMessageID()), serverID.column])
      try db.run(
        "DELETE FROM BGB_Queue WHERE MessageID <= (SELECT min(QueueCursor) FROM BGB_Server)")
    }
  }

  /// Asks a server for a full presence report.
  public func requestFullReport(from serverID: ServerID) throws(StoreError) {
    try writeAndRing { db in
      _ = try db.existing(serverID)
      try db.requestFullReport(from: serverID)
    }
  }
}

extension Database {
  /// A server that must exist.
  func existing(_ serverID: ServerID) throws -> ServerRecord {
    let row = try row("\(ServerRecord.select) WHERE s.ServerID = ?", [serverID.column])
    guard let row else { throw StoreError.notFound("server \(serverID)") }
    return try ServerRecord(row: row)
  }

  /// The last number that the queue has given, also when the message is forgotten.
  func lastMessageID() throws -> Int64 {
    try number("SELECT seq FROM sqlite_sequence WHERE name = 'BGB_Queue'")
  }

  /// Places a message in the queue, for all servers or for one.
  func post(_ content: BrokerMessage.Content, to serverID: ServerID? = nil) throws {
    let (kind, taskID, detail): (Int64, TaskID?, String?) =
      switch content {
      case .push(let taskID): (1, taskID, nil)
      case .cancel(let taskID): (2, taskID, nil)
      case .denyListChanged: (3, nil, nil)
      case .fullReportWanted: (4, nil, nil)
      case .policyChanged: (5, nil, nil)
      case .drain(let order): (6, nil, order.text)
      case .undrain: (7, nil, nil)
      }
    try run(
      "INSERT INTO BGB_Queue (Kind, TaskGUID, ServerID, Detail) VALUES (?, ?, ?, ?)",
      [kind, taskID?.description, serverID?.column, detail])
  }

  /// Asks once: an unread question is not repeated.
  func requestFullReport(from serverID: ServerID) throws {
    let asked = try row(
      """
      SELECT 1 FROM BGB_Queue WHERE Kind = 4 AND ServerID = ?
        AND MessageID > (SELECT QueueCursor FROM BGB_Server WHERE ServerID = ?)
      """, [serverID.column, serverID.column])
    if asked == nil { try post(.fullReportWanted, to: serverID) }
  }

  /// Messages for a server after a cursor.
  ///
  /// A row that nobody can read is passed over: it must not hold up those behind it.
  func messages(for serverID: ServerID, after cursor: Int64, limit: Int) throws -> [BrokerMessage] {
    guard try row("SELECT 1 FROM BGB_Server WHERE ServerID = ?", [serverID.column]) != nil else {
      throw StoreError.notFound("server \(serverID)")
    }
    return try rows(
      """
      SELECT MessageID, Kind, TaskGUID, Detail FROM BGB_Queue
      WHERE MessageID > ? AND (ServerID IS NULL OR ServerID = ?) ORDER BY MessageID LIMIT ?
      """, [cursor, serverID.column, max(0, limit)]
    ) { row -> BrokerMessage? in
      let taskID = try row.textIfAny(2).flatMap(TaskID.init(_:))
      let content: BrokerMessage.Content? =
        switch try row.number(1) {
        case 1: taskID.map { .push($0) }
        case 2: taskID.map { .cancel($0) }
        case 3: .denyListChanged
        case 4: .fullReportWanted
        case 5: .policyChanged
        case 6: try row.textIfAny(3).flatMap { DrainOrder(text: $0) }.map { .drain($0) }
        case 7: .undrain
        default: nil
        }
      return try content.map { try BrokerMessage(messageID: row.number(0), content: $0) }
    }.compactMap { $0 }
  }
}

extension ServerRecord {
  /// The columns that `init(row:)` reads, in its order.
  static let select = """
    SELECT s.ServerID, s.ServerName, s.ReportKey, s.Epoch, s.QueueCursor, s.ReportTime,
      (SELECT count(*) FROM BGB_ResStatus p WHERE p.ServerID = s.ServerID AND p.OnlineStatus = 1),
      s.DrainState, s.DrainTotal, s.DrainLeft
    FROM BGB_Server s
    """

  init(row: Row) throws {
    try self.init(
      serverID: ServerID(row.number(0)), name: row.text(1), reportKey: row.bytes(2),
      epoch: UInt64(bitPattern: row.number(3)), cursor: row.number(4),
      lastReport: row.timeIfAny(5), onlineCount: Int(row.number(6)),
      drain: ServerDrain(row: row, from: 7))
  }
}
