// What a notification server needs of its site, whichever way it reaches it: the database, or (for
// a management point without one) the site server's HTTPS. Calls block and are made on the link's
// threads, never on the loop's; `SiteLinkError.away` means: keep what you have and try again.

import BGBModel
import SiteDatabase

/// Why the site could not be asked.
enum SiteLinkError: Error, Equatable {
  /// It does not answer; nothing is lost; try again.
  case away(String)
  /// It refuses this server; a person must act.
  case refused(String)
}

/// What a server learns when it starts.
struct SiteRegistration: Sendable {
  /// The server's number.
  let serverID: ServerID
  /// Counts its starts; names its reports.
  let epoch: UInt64
  /// The place in the broker queue behind which news are read.
  let cursor: Int64
  /// The site.
  let site: SiteCode
}

/// The way to the site.
protocol SiteLink: Sendable {
  /// Announces a start.
  func register(named name: String, at: WallTime) throws(SiteLinkError) -> SiteRegistration
  /// Announces the start of a server's further worker, which shares its report key; the site learns
  /// of a worker that is new to it.
  func registerWorker(
    _ number: Int, of server: String, reportKey: [UInt8], at: WallTime
  ) throws(SiteLinkError) -> SiteRegistration
  /// Waits for messages behind a cursor; none when the time passed or `interrupt` was called.
  func messages(after cursor: Int64, waitMilliseconds: Int) throws(SiteLinkError) -> [BrokerMessage]
  /// Ends a waiting `messages` early, from any thread.
  func interrupt()
  /// Notes how far this server has come.
  func advance(to cursor: Int64) throws(SiteLinkError)
  /// A task as it was made and signed; nil when it does not exist.
  func task(_ taskID: TaskID) throws(SiteLinkError) -> TaskRecord?
  /// The targets of a task, in the order of its leaves.
  func targets(of taskID: TaskID) throws(SiteLinkError) -> [TargetRecord]
  /// The targets of a task that the site has an answer of.
  func answered(of taskID: TaskID) throws(SiteLinkError) -> [ResourceID]
  /// Tasks that may still be delivered.
  func unexpiredTasks(at: WallTime) throws(SiteLinkError) -> [TaskRecord]
  /// Everybody who is blocked.
  func denyList() throws(SiteLinkError) -> Set<ClientID>
  /// What a client must follow now.
  func policy(of clientID: ClientID, at: WallTime) throws(SiteLinkError) -> PolicyBundle
  /// Hands a report's bytes over; returns when they are durable there.
  func deliver(_ header: ReportHeader, bytes: [UInt8]) throws(SiteLinkError)
  /// Says how far this server's drain is.
  func note(_ drain: ServerDrain) throws(SiteLinkError)
  /// Keeps a status message.
  func report(_ message: StatusMessage) throws(SiteLinkError)
}

/// A client's policy with the tasks that travel by it.
struct PolicyBundle: Sendable {
  /// The documents.
  var policy: EffectivePolicy
  /// Unexpired tasks that also travel by policy, each with its targets.
  var tasks: [(record: TaskRecord, targets: [TargetRecord])]
}
