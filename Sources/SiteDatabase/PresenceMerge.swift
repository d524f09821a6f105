// How presence reports become presence: which report may be applied, and which record wins over
// what is known. Without a database, so that every backend decides the same.

package import BGBModel

/// Whether a presence report may be applied.
package enum PresenceOrder: Hashable, Sendable {
  /// It is the next one, or a full one that needs none before it.
  case next
  /// It, or a newer one, was applied already.
  case passed
  /// Reports before it are missing.
  case gap(expected: UInt64)

  /// Judges a report by the last one that was applied.
  package init(_ header: ReportHeader, after last: (epoch: UInt64, sequence: UInt64)?) {
    guard let last, header.epoch <= last.epoch else {
      self = header.scope == .full ? .next : .gap(expected: 1)
      return
    }
    if header.epoch < last.epoch || header.sequence <= last.sequence {
      self = .passed
    } else if header.scope == .full || header.sequence == last.sequence &+ 1 {
      self = .next
    } else {
      self = .gap(expected: last.sequence &+ 1)
    }
  }
}

extension ClientPresence {
  /// What is known after a record; nil when that is nothing new.
  ///
  /// Session numbers grow for one client across all servers of a site, so the greater one is the
  /// newer connection, whichever server reports it first: an old server that notices late that its
  /// client is gone changes nothing any more.
  package static func merged(
    _ record: PresenceRecord, from serverID: ServerID, over known: ClientPresence?
  ) -> ClientPresence? {
    if let known {
      if record.session < known.session { return nil }
      if record.session == known.session, known.serverID != serverID { return nil }
    }
    var channelSince = record.channelSince
    // Another session over the same channel; its server knows only when this one began.
    if let known, known.isOnline, known.channel == record.channel, let older = known.channelSince {
      channelSince = min(older, channelSince)
    }
    let merged = ClientPresence(
      isOnline: record.isOnline, serverID: serverID,
      lastOnline: record.isOnline ? record.since : known?.lastOnline,
      lastOffline: record.isOnline ? known?.lastOffline : record.since,
      lastProof: record.lastProof, reason: record.reason, channel: record.channel,
      fallback: record.fallback, channelSince: channelSince, session: record.session)
    return merged == known ? nil : merged
  }

  /// What is known after a full report of its server that does not name it.
  package func missing(from header: ReportHeader, isNewEpoch: Bool) -> ClientPresence {
    var presence = self
    presence.isOnline = false
    presence.lastOffline = header.writtenAt
    presence.reason = isNewEpoch ? .serverStopped : .connectionLost
    return presence
  }
}
