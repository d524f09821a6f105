// What other threads tell a shard's loop. Letters carry values and are small; whatever takes time
// (building a tree, reading the database, syncing a file) has been done before they are posted.

import BGBModel
import Reactor
import SiteDatabase
import Transports

/// A letter to the loop.
enum ShardLetter: Sendable {
  /// A task is ready for pushing.
  case task(PushPlan)
  /// A task was withdrawn.
  case taskCancelled(TaskID)
  /// Everybody who is blocked now.
  case denyList(Set<ClientID>)
  /// The site wants a full online report.
  case fullReportWanted
  /// The site can (or cannot) be reached.
  case siteReachable(Bool)
  /// Outcomes that an earlier life of this server had confirmed and no report had told.
  case recovered([OutcomeRecord], damaged: Int)
  /// Something without which the server must not go on.
  case fatal(String)
  /// The agents shall be moved away.
  case drain(DrainOrder)
  /// Agents shall be taken again.
  case undrain
  /// A signal or the owner asks the server to stop in order.
  case stop
  /// Outcomes up to this number are durable in the journal.
  case outcomesDurable(upTo: UInt64)
  /// The journal could not store outcomes; they are kept and tried again.
  case journalStalled(Bool)
  /// The journal began a new segment for the report with this sequence.
  case journalCut(sequence: UInt64, segment: UInt64)
  /// A report is durable at the site.
  case reportDelivered(ReportKind, sequence: UInt64)
  /// The keys of reconnect identities, as their file has them now.
  case reconnectKeys(ReconnectKeys)
  /// The answer to a request of a connection.
  case answer(Token, HTTPResponse)
}
