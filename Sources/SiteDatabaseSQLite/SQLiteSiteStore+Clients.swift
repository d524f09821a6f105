// Clients in SQLite: rows of BGB_Client with what BGB_ResStatus knows of their presence.

public import BGBModel
import GRDB
public import SiteDatabase

extension SQLiteSiteStore {
  /// Adds a client; see the contract.
  public func addClient(
    _ clientID: ClientID, name: String, tags: [String], by actor: String, at: WallTime
  ) throws(StoreError) -> ClientRecord {
    let client = NewClient(clientID: clientID, name: name, tags: tags)
    return try write { db in try db.add(client, by: actor, at: at) }
  }

  /// Adds clients, all or none.
  public func addClients(
    _ clients: [NewClient], by actor: String, at: WallTime
  ) throws(StoreError) -> [ClientRecord] {
    try write { db in try clients.map { try db.add($0, by: actor, at: at) } }
  }

  /// One client by identity.
  public func client(_ clientID: ClientID) throws(StoreError) -> ClientRecord? {
    try read { db in try db.client(clientID) }
  }

  /// One client by name.
  public func client(named name: String) throws(StoreError) -> ClientRecord? {
    try read { db in
      try db.row("\(ClientRecord.select) WHERE c.Name = ?", [name]).map(ClientRecord.init(row:))
    }
  }

  /// Clients after a cursor.
  public func clients(
    after cursor: ResourceID?, limit: Int, onlyOnline: Bool
  ) throws(StoreError) -> [ClientRecord] {
    let condition = onlyOnline ? "AND s.OnlineStatus = 1" : ""
    return try read { db in
      try db.rows(
        """
        \(ClientRecord.select) WHERE c.ResourceID > ? \(condition)
        ORDER BY c.ResourceID LIMIT ?
        """, [cursor?.column ?? 0, max(0, limit)], ClientRecord.init(row:))
    }
  }

  /// Who is online now, by channel and fallback reason.
  public func onlineByChannel() throws(StoreError) -> [ChannelCount] {
    try read { db in
      try db.rows(
        """
        SELECT ChannelType, FallbackReason, count(*) FROM BGB_ResStatus WHERE OnlineStatus = 1
        GROUP BY ChannelType, FallbackReason ORDER BY ChannelType, FallbackReason
        """
      ) { row in
        try ChannelCount(
          channel: ChannelKind(column: row.number(0)),
          fallback: FallbackReason(column: row.number(1)), online: Int(row.number(2)))
      }
    }
  }

  /// Replaces a client's tags.
  public func setTags(
    _ tags: [String], of clientID: ClientID, by actor: String, at: WallTime
  ) throws(StoreError) {
    let tags = try StoreChecks.checkedTags(tags).joined(separator: ",")
    try write { db in
      let client = try db.existing(clientID)
      try db.run(
        "UPDATE BGB_Client SET Tags = ? WHERE ResourceID = ?", [tags, client.resourceID.column])
      try db.note(actor, "client.tags", "\(client.name) \(tags)", at: at)
    }
  }

  /// Blocks or unblocks; see the contract.
  public func setBlocked(
    _ blocked: Bool, _ clientID: ClientID, by actor: String, at: WallTime
  ) throws(StoreError) {
    try writeAndRing { db in
      let client = try db.existing(clientID)
      guard client.isBlocked != blocked else { return }
      try db.run(
        "UPDATE BGB_Client SET IsBlocked = ? WHERE ResourceID = ?",
        [blocked ? 1 : 0, client.resourceID.column])
      try db.post(.denyListChanged)
      let action = blocked ? "client.block" : "client.unblock"
      try db.note(actor, action, "\(client.name) \(clientID)", at: at)
    }
  }

  /// Everybody who is blocked.
  public func denyList() throws(StoreError) -> [ClientID] {
    try read { db in
      try db.rows("SELECT ClientID FROM BGB_Client WHERE IsBlocked = 1 ORDER BY ResourceID") {
        try ClientID(column: $0.text(0))
      }
    }
  }
}

extension Database {
  /// Adds one client.
  func add(_ new: NewClient, by actor: String, at: WallTime) throws -> ClientRecord {
    let (clientID, name) = (new.clientID, new.name)
    try StoreChecks.checkClientName(name)
    let tags = try StoreChecks.checkedTags(new.tags)
    guard try row("SELECT 1 FROM BGB_Client WHERE Name = ?", [name]) == nil else {
      throw StoreError.conflict("there is a client named '\(name)' already")
    }
    let text = clientID.description
    guard try row("SELECT 1 FROM BGB_Client WHERE ClientID = ?", [text]) == nil else {
      throw StoreError.conflict("there is a client \(clientID) already")
    }
    try run(
      """
      INSERT INTO BGB_Client (ClientID, Name, Tags, IsBlocked, CreateTime, Hostname,
        OperatingSystem, AgentVersion, IPAddress) VALUES (?, ?, ?, 0, ?, '', '', '', '')
      """, [text, name, tags.joined(separator: ","), at.column])
    let resourceID = ResourceID(lastInsertedRowID)
    try note(actor, "client.add", "\(name) \(clientID)", at: at)
    return ClientRecord(
      resourceID: resourceID, clientID: clientID, name: name, tags: tags, isBlocked: false,
      createdAt: at, facts: ClientFacts(), presence: nil)
  }

  /// One client, if there is one.
  func client(_ clientID: ClientID) throws -> ClientRecord? {
    try row("\(ClientRecord.select) WHERE c.ClientID = ?", [clientID.description])
      .map(ClientRecord.init(row:))
  }

  /// A client that must exist.
  func existing(_ clientID: ClientID) throws -> ClientRecord {
    guard let client = try client(clientID) else { throw StoreError.notFound("client \(clientID)") }
    return client
  }

  /// Writes an audit line.
  func note(_ actor: String, _ action: String, _ detail: String, at: WallTime) throws {
    try run(
      "INSERT INTO BGB_Audit (Time, Actor, Action, Detail) VALUES (?, ?, ?, ?)",
      [
        at.column, StoreChecks.bounded(actor, bytes: StoreChecks.nameBytesMax), action,
        StoreChecks.bounded(detail),
      ])
  }
}

extension ClientRecord {
  /// The columns that `init(row:)` reads, in its order.
  static let select = """
    SELECT c.ResourceID, c.ClientID, c.Name, c.Tags, c.IsBlocked, c.CreateTime, c.Hostname,
      c.OperatingSystem, c.AgentVersion, c.IPAddress, s.OnlineStatus, s.ServerID, s.LastOnlineTime,
      s.LastOfflineTime, s.LastProofTime, s.Reason, s.ChannelType, s.Session, s.FallbackReason,
      s.ChannelSince
    FROM BGB_Client c LEFT JOIN BGB_ResStatus s ON s.ResourceID = c.ResourceID
    """

  init(row: Row) throws {
    try self.init(
      resourceID: ResourceID(row.number(0)), clientID: ClientID(column: row.text(1)),
      name: row.text(2), tags: ClientRecord.list(row.text(3)), isBlocked: row.number(4) != 0,
      createdAt: row.time(5),
      facts: ClientFacts(row: row, from: 6),
      presence: ClientPresence(row: row, from: 10))
  }

  fileprivate static func list(_ text: String) -> [String] {
    text.split(separator: ",").map(String.init)
  }
}

extension ClientFacts {
  /// Reads four columns from the given one on.
  init(row: Row, from first: Int) throws {
    try self.init(
      hostname: row.text(first), operatingSystem: row.text(first + 1),
      agentVersion: row.text(first + 2), addresses: ClientRecord.list(row.text(first + 3)))
  }
}

extension ClientPresence {
  /// Reads ten columns from the given one on; nil when nothing is known of the client.
  init?(row: Row, from first: Int) throws {
    guard let isOnline = try row.numberIfAny(first) else { return nil }
    try self.init(
      isOnline: isOnline != 0, serverID: ServerID(row.number(first + 1)),
      lastOnline: row.timeIfAny(first + 2),
      lastOffline: row.timeIfAny(first + 3),
      lastProof: row.time(first + 4),
      reason: UInt8(exactly: row.number(first + 5)).flatMap(PresenceReason.init(rawValue:))
        ?? .protocolError,
      channel: ChannelKind(column: row.number(first + 6)),
      fallback: FallbackReason(column: row.number(first + 8)),
      channelSince: row.timeIfAny(first + 9),
      session: UInt64(bitPattern: row.number(first + 7)))
  }
}
