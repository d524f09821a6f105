// The numbered status messages of SMS_NOTIFICATION_MANAGER: number, severity and sentence in one
// place. docs/STATUS-MESSAGES.md shows the same table to people; a test holds the two against each
// other.

import BGBModel
import SiteDatabase

/// One thing the manager tells the site's people, with what differs from case to case.
enum ManagerEvent: Hashable, Sendable {
  /// It began to work.
  case started(version: String, site: SiteCode)
  /// It stopped in order.
  case stopped
  /// A report file was refused and moved to `bad`.
  case reportRejected(file: String, reason: String)
  /// A presence report is missing; its server was asked for a full one.
  case presenceGap(server: String, expected: UInt64, found: UInt64)
  /// A full presence report closed a gap.
  case presenceResynced(server: String)
  /// The inbox cannot be read.
  case inboxUnreadable(reason: String)
  /// More report files wait than should.
  case inboxBacklog(files: Int)
  /// The site database did not answer; the manager tries again.
  case databaseUnavailable(reason: String)
  /// The site database answers again.
  case databaseBack
  /// A certificate of the site ends soon.
  case certificateNearExpiry(what: String, days: Int64)
  /// A certificate of the site has ended.
  case certificateExpired(what: String)
  /// A local account without the right tried to use the manager.
  case peerRefused(user: String)
  /// The settings were read again.
  case settingsReloaded
  /// The settings could not be read again; the old ones stay.
  case settingsRefused(reason: String)

  /// The number, from 9850; the numbers below belong to SMS_NOTIFICATION_SERVER.
  var messageID: UInt32 {
    switch self {
    case .started: 9850
    case .stopped: 9851
    case .reportRejected: 9852
    case .presenceGap: 9853
    case .presenceResynced: 9854
    case .inboxUnreadable: 9855
    case .inboxBacklog: 9856
    case .databaseUnavailable: 9857
    case .databaseBack: 9858
    case .certificateNearExpiry: 9859
    case .certificateExpired: 9860
    case .peerRefused: 9861
    case .settingsReloaded: 9862
    case .settingsRefused: 9863
    }
  }

  /// How bad it is.
  var severity: StatusMessage.Severity {
    switch self {
    case .started, .stopped, .presenceResynced, .databaseBack, .settingsReloaded: .information
    case .presenceGap, .inboxBacklog, .certificateNearExpiry, .peerRefused, .settingsRefused:
      .warning
    case .reportRejected, .inboxUnreadable, .databaseUnavailable, .certificateExpired: .error
    }
  }

  /// The sentence.
  var text: String {
    switch self {
    case .started(let version, let site):
      "The notification manager \(version) of site \(site) started."
    case .stopped: "The notification manager stopped."
    case .reportRejected(let file, let reason):
      "The report file \(file) was refused and moved to the folder bad: \(reason)."
    case .presenceGap(let server, let expected, let found):
      "The server \(server) sent online report \(found) but report \(expected) is missing; "
        + "a full report was asked for."
    case .presenceResynced(let server):
      "A full online report of the server \(server) was loaded; its presence is right again."
    case .inboxUnreadable(let reason): "The inbox bgb.box cannot be read: \(reason)."
    case .inboxBacklog(let files): "\(files) report files wait in the inbox bgb.box."
    case .databaseUnavailable(let reason):
      "The site database does not answer: \(reason). Report files wait until it does."
    case .databaseBack: "The site database answers again."
    case .certificateNearExpiry(let what, let days):
      "The certificate of \(what) ends in \(days) days."
    case .certificateExpired(let what): "The certificate of \(what) has ended."
    case .peerRefused(let user):
      "The local account \(user) may not administer this site and was refused."
    case .settingsReloaded: "The settings were read again."
    case .settingsRefused(let reason):
      "The settings could not be read again and stay as they were: \(reason)."
    }
  }

  /// What limits how often it is told: events with the same subject count as one.
  var subject: String {
    switch self {
    case .reportRejected(_, let reason): "\(messageID) \(reason)"
    case .presenceGap(let server, _, _), .presenceResynced(let server): "\(messageID) \(server)"
    case .certificateNearExpiry(let what, _), .certificateExpired(let what): "\(messageID) \(what)"
    case .peerRefused(let user): "\(messageID) \(user)"
    case .started, .stopped, .inboxUnreadable, .inboxBacklog, .databaseUnavailable, .databaseBack,
      .settingsReloaded, .settingsRefused:
      "\(messageID)"
    }
  }

  /// The shortest time between two messages of one subject, in milliseconds; 0 for every time.
  var quietMilliseconds: Int64 {
    switch self {
    case .started, .stopped, .presenceResynced, .databaseBack, .settingsReloaded,
      .settingsRefused:
      0
    case .certificateNearExpiry, .certificateExpired: 20 * 3_600_000
    case .reportRejected, .presenceGap, .inboxUnreadable, .inboxBacklog, .databaseUnavailable,
      .peerRefused:
      3_600_000
    }
  }
}
