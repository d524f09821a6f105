// The contract of a site database. Managers and notification servers know nothing else of it; every
// backend passes the one contract suite in Tests/SiteDatabaseTests.

public import BGBModel

/// A site database.
///
/// Every call is one transaction: all of it happened or none, and it is durable when the call
/// returns. Calls block and may be made from any thread except a reactor's;
/// `StoreError.unavailable` means that nothing was changed and the caller may try again.
public protocol SiteStore: Sendable {
  // MARK: The site

  /// The site's own row.
  func site() throws(StoreError) -> SiteRecord

  // MARK: Clients

  /// Adds a client; its name and identity must be new. Resource ids are never used again.
  func addClient(_ clientID: ClientID, name: String, tags: [String], by actor: String, at: WallTime)
    throws(StoreError) -> ClientRecord
  /// Adds clients, all or none: one sync to disk and not one for each.
  func addClients(_ clients: [NewClient], by actor: String, at: WallTime) throws(StoreError)
    -> [ClientRecord]
  /// One client by identity.
  func client(_ clientID: ClientID) throws(StoreError) -> ClientRecord?
  /// One client by name.
  func client(named name: String) throws(StoreError) -> ClientRecord?
  /// Clients by resource id after a cursor, at most `limit`; `onlyOnline` leaves the others out.
  func clients(after cursor: ResourceID?, limit: Int, onlyOnline: Bool) throws(StoreError)
    -> [ClientRecord]
  /// Who is online now, counted by channel and fallback reason, in the order of both; pairs that
  /// nobody has are left out.
  func onlineByChannel() throws(StoreError) -> [ChannelCount]
  /// Replaces a client's tags.
  func setTags(_ tags: [String], of clientID: ClientID, by actor: String, at: WallTime)
    throws(StoreError)
  /// Blocks or unblocks; tells all servers in the same transaction and writes an audit line.
  func setBlocked(_ blocked: Bool, _ clientID: ClientID, by actor: String, at: WallTime)
    throws(StoreError)
  /// Everybody who is blocked.
  func denyList() throws(StoreError) -> [ClientID]

  // MARK: Collections

  /// Makes a collection with rules; queries are checked.
  func addCollection(named name: String, rules: [MembershipRule], by actor: String, at: WallTime)
    throws(StoreError) -> CollectionRecord
  /// Replaces the rules of a collection; `All Systems` cannot be changed.
  func setRules(_ rules: [MembershipRule], of name: String, by actor: String, at: WallTime)
    throws(StoreError)
  /// Removes a collection; operations keep their snapshots. `All Systems` cannot be removed.
  func removeCollection(named name: String, by actor: String, at: WallTime) throws(StoreError)
  /// All collections by name.
  func collections() throws(StoreError) -> [CollectionRecord]
  /// The members of a collection at this moment, by resource id.
  func members(ofCollection name: String) throws(StoreError) -> [TargetRecord]
  /// How many of these clients are online now.
  func onlineCount(among target: OperationRequest.Target) throws(StoreError) -> (
    online: Int, targets: Int
  )

  // MARK: Operations

  /// Starts an operation: snapshot, signature, queue message for every server and audit line in one
  /// transaction. `sign` gets the targets by resource id, blocked ones left out, and is called once
  /// inside the transaction. An empty target set is `StoreError.invalid`.
  func startOperation(
    _ request: OperationRequest, at: WallTime,
    sign: ([TargetRecord]) throws(StoreError) -> SignedTask
  ) throws(StoreError) -> OperationSummary
  /// Withdraws an operation: targets without the task become `cancelled`, servers are told.
  func cancelOperation(_ operationID: OperationID, by actor: String, at: WallTime)
    throws(StoreError) -> OperationSummary
  /// One operation with its counters.
  func operation(_ operationID: OperationID) throws(StoreError) -> OperationSummary?
  /// One operation by its task.
  func operation(ofTask taskID: TaskID) throws(StoreError) -> OperationSummary?
  /// Operations, newest first, below a cursor.
  func operations(before cursor: OperationID?, limit: Int) throws(StoreError) -> [OperationSummary]
  /// Targets of an operation after a cursor, those in `state` only if given.
  func targets(
    of operationID: OperationID, in state: TaskState?, after cursor: ResourceID?, limit: Int
  ) throws(StoreError) -> [TargetOutcome]
  /// What happened to one target, in the order of time: each state that was reported, once, and
  /// what the site itself concluded. Empty for a client that is no target.
  func history(ofTask taskID: TaskID, client clientID: ClientID) throws(StoreError) -> [OutcomeStep]
  /// The counters of an operation, counted anew from its targets and outcome rows; the same as
  /// those of its summary, or something is wrong.
  func recount(_ operationID: OperationID) throws(StoreError) -> OutcomeCounts
  /// Ends what time has ended: undelivered targets after validity become `expired`, delivered ones
  /// without a result after run time, spread and grace `unknown`. Returns the operations touched.
  func closeOverdue(at: WallTime) throws(StoreError) -> [OperationID]

  // MARK: Servers and the broker

  /// Adds a notification server with the key that signs its reports.
  func addServer(named name: String, reportKey: [UInt8], by actor: String, at: WallTime)
    throws(StoreError) -> ServerRecord
  /// All servers by number.
  func servers() throws(StoreError) -> [ServerRecord]
  /// A server starts: its epoch grows by one, and its cursor stands at the queue's end, for it
  /// reads unexpired tasks and the deny list afresh.
  func registerServer(named name: String, at: WallTime) throws(StoreError) -> ServerRecord
  /// Messages for a server after a cursor, oldest first. Waits for one up to the given time;
  /// returns none when it passed or the wait was interrupted.
  func messages(
    for serverID: ServerID, after cursor: Int64, limit: Int, waitMilliseconds: Int
  ) throws(StoreError) -> [BrokerMessage]
  /// Wakes a waiting `messages` call of this server from another thread or process; if none waits,
  /// the next one returns at once.
  func interruptWait(of serverID: ServerID)
  /// Notes how far a server has come; messages that all servers passed may be forgotten.
  func advanceCursor(of serverID: ServerID, to cursor: Int64) throws(StoreError)
  /// Asks a server to move its agents away: a message for it, its row says so, an audit line.
  func drainServer(_ serverID: ServerID, _ order: DrainOrder, by actor: String, at: WallTime)
    throws(StoreError)
  /// Asks a server to take agents again.
  func undrainServer(_ serverID: ServerID, by actor: String, at: WallTime) throws(StoreError)
  /// A server says how far its drain is; registering anew ends every drain.
  func noteDrain(_ drain: ServerDrain, of serverID: ServerID) throws(StoreError)
  /// One task as servers need it.
  func task(_ taskID: TaskID) throws(StoreError) -> TaskRecord?
  /// Tasks that may still be delivered: valid at this moment and not cancelled.
  func unexpiredTasks(at: WallTime) throws(StoreError) -> [TaskRecord]
  /// The targets of a task by resource id: the leaves of its Merkle tree.
  func targets(ofTask taskID: TaskID) throws(StoreError) -> [TargetRecord]
  /// Targets of a task whose state the database already knows to be delivered or final.
  func answeredTargets(ofTask taskID: TaskID) throws(StoreError) -> [ResourceID]

  // MARK: Reports

  /// Imports a presence report: once, in order. A full report replaces all of its server's
  /// presence; a delta with a gap before it changes nothing and asks the server for a full one.
  func importPresence(_ header: ReportHeader, _ records: [PresenceRecord], at: WallTime)
    throws(StoreError) -> ImportResult
  /// Imports task-status reports, all of them or none: each once, in order within its epoch (a gap
  /// is noted, not waited for: outcomes stand for themselves, and a late file is still taken).
  /// Records of clients that are no target are left out and counted: `imported(records:)` is the
  /// number of the others. The results are those of each report as if it came alone.
  func importOutcomes(_ reports: [OutcomeReport], at: WallTime) throws(StoreError) -> [ImportResult]
  /// Asks a server for a full presence report.
  func requestFullReport(from serverID: ServerID) throws(StoreError)

  // MARK: Policies

  /// Adds or replaces a policy; its version grows by one.
  func putPolicy(
    named name: String, collection: String, document: String, by actor: String, at: WallTime
  )
    throws(StoreError) -> PolicyRecord
  /// Removes a policy.
  func removePolicy(named name: String, by actor: String, at: WallTime) throws(StoreError)
  /// All policies by name.
  func policies() throws(StoreError) -> [PolicyRecord]
  /// What one client must follow now.
  func effectivePolicy(of clientID: ClientID) throws(StoreError) -> EffectivePolicy
  /// Unexpired tasks of actions that also travel by policy and have this client as an unanswered
  /// target, with the client's position in each target set.
  func policyTasks(of clientID: ClientID, at: WallTime) throws(StoreError) -> [TaskRecord]

  // MARK: Status messages and audit

  /// Keeps a status message.
  func addStatusMessage(_ message: StatusMessage) throws(StoreError)
  /// Status messages, newest first, below a cursor.
  func statusMessages(before cursor: Int64?, limit: Int) throws(StoreError) -> [StatusMessage]
  /// Audit lines, newest first, below a cursor.
  func auditRecords(before cursor: Int64?, limit: Int) throws(StoreError) -> [AuditRecord]
}

extension SiteStore {
  /// Imports one task-status report.
  public func importOutcomes(
    _ header: ReportHeader, _ records: [OutcomeRecord], at: WallTime
  ) throws(StoreError) -> ImportResult {
    let report = OutcomeReport(header: header, records: records)
    guard let result = try importOutcomes([report], at: at).first else {
      throw .damaged("a report was imported without a result")
    }
    return result
  }
}
