// Presence records into rows, many at a time: what is known of a chunk's clients is read by one
// statement, and what changed is written by one, in the order of the rows.

import BGBModel
import GRDB
import SiteDatabase

/// What is known of the clients of some presence records, while these are taken.
struct PresenceRows {
  private struct Known {
    let resourceID: ResourceID
    var presence: ClientPresence?
    var facts: ClientFacts
    var isChanged = false
    var hasNewFacts = false
  }

  private var clients: [ClientID: Known] = [:]

  /// Takes a report's records and says of how many clients of this site they are; these are named.
  static func take(
    _ records: [PresenceRecord], of header: ReportHeader, named: inout Set<ResourceID>,
    _ db: Database
  ) throws -> Int {
    var taken = 0
    var start = 0
    while start < records.count {
      let chunk = records[start..<min(records.count, start + RowsStatement.rowsMax)]
      var rows = try PresenceRows(of: chunk, db)
      for record in chunk {
        guard let resourceID = rows.merge(record, from: header.serverID) else { continue }
        taken += 1
        named.insert(resourceID)
      }
      try rows.save(db)
      start = chunk.endIndex
    }
    return taken
  }

  /// Reads what is known of the clients of some records.
  private init(of records: ArraySlice<PresenceRecord>, _ db: Database) throws {
    // Identities are hexadecimal digits and hyphens: nothing in them ends a text.
    let list = records.map { "\"\($0.clientID)\"" }.joined(separator: ",")
    let rows = try Row.fetchCursor(
      db.cachedStatement(
        sql: """
          SELECT c.ResourceID, c.ClientID, c.Hostname, c.OperatingSystem, c.AgentVersion,
            c.IPAddress, s.OnlineStatus, s.ServerID, s.LastOnlineTime, s.LastOfflineTime,
            s.LastProofTime, s.Reason, s.ChannelType, s.Session, s.FallbackReason, s.ChannelSince
          FROM BGB_Client c LEFT JOIN BGB_ResStatus s ON s.ResourceID = c.ResourceID
          WHERE c.ClientID IN (SELECT value FROM json_each(?))
          """), arguments: ["[\(list)]"])
    while let row = try rows.next() {
      clients[try ClientID(column: row.text(1))] = Known(
        resourceID: ResourceID(try row.number(0)),
        presence: try ClientPresence(row: row, from: 6), facts: try ClientFacts(row: row, from: 2))
    }
  }

  /// Takes one record; nil for a client that is not of this site.
  private mutating func merge(
    _ record: PresenceRecord, from serverID: ServerID
  ) -> ResourceID? {
    guard var known = clients[record.clientID] else { return nil }
    guard let merged = ClientPresence.merged(record, from: serverID, over: known.presence) else {
      return known.resourceID
    }
    known.presence = merged
    known.isChanged = true
    if record.facts != ClientFacts() {
      let facts = StoreChecks.bounded(record.facts)
      if facts != known.facts {
        known.facts = facts
        known.hasNewFacts = true
      }
    }
    clients[record.clientID] = known
    return known.resourceID
  }

  /// Writes what changed.
  private func save(_ db: Database) throws {
    var presences = RowValues(RowsStatement.presence)
    var facts = RowValues(RowsStatement.facts)
    let changed = clients.values.filter(\.isChanged).sorted { $0.resourceID < $1.resourceID }
    for known in changed {
      if let presence = known.presence { presences.append(presence, of: known.resourceID) }
      if known.hasNewFacts { facts.append(known.facts, of: known.resourceID) }
    }
    try presences.run(db)
    try facts.run(db)
  }
}

extension RowValues {
  /// A row of presence.
  mutating func append(_ presence: ClientPresence, of resourceID: ResourceID) {
    values.append(resourceID.column)
    values.append(Int64(presence.isOnline ? 1 : 0))
    values.append(presence.serverID.column)
    values.append(presence.lastOnline?.column)
    values.append(presence.lastOffline?.column)
    values.append(presence.lastProof.column)
    values.append(Int64(presence.reason.rawValue))
    values.append(Int64(presence.channel.rawValue))
    values.append(Int64(bitPattern: presence.session))
    values.append(Int64(presence.fallback.rawValue))
    values.append(presence.channelSince?.column)
  }

  /// A row of what a client told of itself.
  mutating func append(_ facts: ClientFacts, of resourceID: ResourceID) {
    values.append(resourceID.column)
    values.append(facts.hostname)
    values.append(facts.operatingSystem)
    values.append(facts.agentVersion)
    values.append(facts.addresses.joined(separator: ","))
  }
}
