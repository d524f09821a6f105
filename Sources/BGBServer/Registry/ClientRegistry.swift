// Who is connected to this server, by client id; and what changed since the last online report. One
// entry a client: when the same client signs in again, the new session takes over at once and the
// old one is condemned by the caller. A report carries changes, so its cost follows churn, not
// size.

import BGBModel
import Reactor

/// Presence of all clients that this server has seen since it started.
struct ClientRegistry {
  private struct Entry {
    var token: Token?
    var record: PresenceRecord
    var isDirty: Bool
  }

  private var entries: [ClientID: Entry] = [:]
  private var dirty: [ClientID] = []
  /// Clients connected now, by channel (`ChannelKind.rawValue`).
  private(set) var onlineByChannel: [Int] = Array(repeating: 0, count: ChannelKind.allCases.count)

  /// Clients connected now.
  var onlineCount: Int { onlineByChannel.reduce(0, +) }
  /// Clients whose change no report has carried yet.
  var dirtyCount: Int { dirty.count }

  /// The connection of a client, if it is connected here.
  func token(of clientID: ClientID) -> Token? { entries[clientID]?.token }

  /// A client signed in; returns the connection that it replaces, if there is one.
  mutating func signIn(_ record: PresenceRecord, token: Token) -> Token? {
    var record = record
    let previous = entries[record.clientID]
    if previous?.token != nil, let old = previous?.record {
      onlineByChannel[Int(old.channel.rawValue)] -= 1
      // Only the session is another one: the channel is in use since it was chosen.
      if old.channel == record.channel { record.channelSince = old.channelSince }
    }
    // Over TCP there is nothing to explain, whatever the agent says.
    if record.channel == .tcp { record.fallback = .none }
    onlineByChannel[Int(record.channel.rawValue)] += 1
    store(record, token: token, wasDirty: previous?.isDirty ?? false)
    return previous?.token
  }

  /// A connection ended.
  ///
  /// Does nothing when the client's session is another one by now.
  mutating func signOut(
    _ clientID: ClientID, token: Token, reason: PresenceReason, at: WallTime
  ) {
    guard var entry = entries[clientID], entry.token == token else { return }
    onlineByChannel[Int(entry.record.channel.rawValue)] -= 1
    entry.record.isOnline = false
    entry.record.since = at
    entry.record.lastProof = at
    entry.record.reason = reason
    store(entry.record, token: nil, wasDirty: entry.isDirty)
  }

  /// Facts of a connected client changed.
  mutating func update(_ clientID: ClientID, facts: ClientFacts) {
    guard let entry = entries[clientID], entry.record.facts != facts else { return }
    var record = entry.record
    record.facts = facts
    store(record, token: entry.token, wasDirty: entry.isDirty)
  }

  /// What is known of a client.
  func record(of clientID: ClientID) -> PresenceRecord? { entries[clientID]?.record }

  /// The facts known of a client.
  func facts(of clientID: ClientID) -> ClientFacts? { entries[clientID]?.record.facts }

  /// What changed since the last call.
  ///
  /// Clients that are offline and reported are forgotten.
  mutating func takeChanges() -> [PresenceRecord] {
    var changes: [PresenceRecord] = []
    changes.reserveCapacity(dirty.count)
    for clientID in dirty {
      guard var entry = entries[clientID], entry.isDirty else { continue }
      changes.append(entry.record)
      entry.isDirty = false
      entries[clientID] = entry.token == nil ? nil : entry
    }
    dirty.removeAll(keepingCapacity: dirty.count < 4096)
    return changes
  }

  /// Everybody who is connected, for a full report; changes before it are told by it.
  mutating func takeEverybody() -> [PresenceRecord] {
    _ = takeChanges()
    return entries.values.map(\.record).sorted { $0.clientID < $1.clientID }
  }

  /// Puts changes back that could not be reported; newer changes win.
  mutating func putBack(_ changes: [PresenceRecord]) {
    for record in changes where entries[record.clientID]?.isDirty != true {
      let entry = entries[record.clientID]
      store(entry?.record ?? record, token: entry?.token, wasDirty: false)
    }
  }

  private mutating func store(_ record: PresenceRecord, token: Token?, wasDirty: Bool) {
    entries[record.clientID] = Entry(token: token, record: record, isDirty: true)
    if !wasDirty { dirty.append(record.clientID) }
  }
}
