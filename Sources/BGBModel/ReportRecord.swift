// What a report file says, as values: the header that places it in its server's sequence, and the
// records of presence (BOS) or outcomes (BTS). docs/REPORTS.md specifies the lines.

/// Which of the two report files.
public enum ReportKind: String, Sendable, CaseIterable {
  /// Online status.
  case presence = "BOS"
  /// Task status.
  case outcomes = "BTS"
}

/// Whether a presence report replaces all that was known of its server or changes it.
public enum ReportScope: String, Sendable, CaseIterable {
  /// Everything the server knows.
  case full
  /// Changes since the report before.
  case delta
}

/// The header of a report: where it belongs.
public struct ReportHeader: Hashable, Sendable {
  /// Which kind of report.
  public var kind: ReportKind
  /// The site.
  public var site: SiteCode
  /// The server that wrote it.
  public var serverID: ServerID
  /// Counts the starts of that server.
  public var epoch: UInt64
  /// Counts its reports of this kind within the epoch, from 1.
  public var sequence: UInt64
  /// Full or delta; always delta for outcomes.
  public var scope: ReportScope
  /// When it was written.
  public var writtenAt: WallTime

  /// Joins the parts.
  public init(
    kind: ReportKind, site: SiteCode, serverID: ServerID, epoch: UInt64, sequence: UInt64,
    scope: ReportScope, writtenAt: WallTime
  ) {
    self.kind = kind
    self.site = site
    self.serverID = serverID
    self.epoch = epoch
    self.sequence = sequence
    self.scope = scope
    self.writtenAt = writtenAt
  }
}

/// One line of a task-status report.
public struct OutcomeRecord: Hashable, Sendable {
  /// The client whose news it is.
  public var clientID: ClientID
  /// The push attempts that the server made to it for this task.
  public var pushes: UInt32
  /// The news.
  public var outcome: TaskOutcome

  /// Joins the parts.
  public init(clientID: ClientID, pushes: UInt32, outcome: TaskOutcome) {
    self.clientID = clientID
    self.pushes = pushes
    self.outcome = outcome
  }
}

/// The records of a report.
public enum ReportBody: Hashable, Sendable {
  /// Of a BOS.
  case presence([PresenceRecord])
  /// Of a BTS.
  case outcomes([OutcomeRecord])
}

/// A whole report.
public struct Report: Hashable, Sendable {
  /// Where it belongs.
  public var header: ReportHeader
  /// What it says.
  public var body: ReportBody

  /// Joins the two.
  public init(header: ReportHeader, body: ReportBody) {
    self.header = header
    self.body = body
  }
}
