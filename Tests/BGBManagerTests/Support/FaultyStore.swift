// A database in front of another one that can be away, and that tells when an import was committed:
// what a test of crash safety needs to stand between commit and removal.

import BGBModel
import SiteDatabase
import Synchronization

final class FaultyStore: SiteStore {
  private let base: any SiteStore
  private let fault = Mutex<StoreError?>(nil)
  private let observer = Mutex<(@Sendable (ReportHeader) -> Void)?>(nil)
  private let refused = Mutex<(sequence: UInt64, error: StoreError)?>(nil)

  init(_ base: any SiteStore) { self.base = base }

  /// From now on every call fails with this error; nil ends that.
  func fail(with error: StoreError?) { fault.withLock { $0 = error } }

  /// From now on outcomes fail with this error where a report of this number is among them.
  func refuse(outcomes sequence: UInt64, with error: StoreError) {
    refused.withLock { $0 = (sequence, error) }
  }

  /// Called right after an import was committed, before the importer learns of it.
  func onImport(_ observe: @escaping @Sendable (ReportHeader) -> Void) {
    observer.withLock { $0 = observe }
  }

  private func check() throws(StoreError) {
    if let error = fault.withLock({ $0 }) { throw error }
  }

  private func afterImport(_ header: ReportHeader) { observer.withLock { $0 }?(header) }

  func site() throws(StoreError) -> SiteRecord {
    try check()
    return try base.site()
  }
  func addClient(_ clientID: ClientID, name: String, tags: [String], by actor: String, at: WallTime)
    throws(StoreError) -> ClientRecord
  {
    try check()
    return try base.addClient(clientID, name: name, tags: tags, by: actor, at: at)
  }
  func addClients(_ clients: [NewClient], by actor: String, at: WallTime) throws(StoreError)
    -> [ClientRecord]
  {
    try check()
    return try base.addClients(clients, by: actor, at: at)
  }
  func client(_ clientID: ClientID) throws(StoreError) -> ClientRecord? {
    try check()
    return try base.client(clientID)
  }
  func client(named name: String) throws(StoreError) -> ClientRecord? {
    try check()
    return try base.client(named: name)
  }
  func clients(after cursor: ResourceID?, limit: Int, onlyOnline: Bool) throws(StoreError)
    -> [ClientRecord]
  {
    try check()
    return try base.clients(after: cursor, limit: limit, onlyOnline: onlyOnline)
  }
  func onlineByChannel() throws(StoreError) -> [ChannelCount] {
    try check()
    return try base.onlineByChannel()
  }
  func setTags(_ tags: [String], of clientID: ClientID, by actor: String, at: WallTime)
    throws(StoreError)
  {
    try check()
    try base.setTags(tags, of: clientID, by: actor, at: at)
  }
  func setBlocked(_ blocked: Bool, _ clientID: ClientID, by actor: String, at: WallTime)
    throws(StoreError)
  {
    try check()
    try base.setBlocked(blocked, clientID, by: actor, at: at)
  }
  func denyList() throws(StoreError) -> [ClientID] {
    try check()
    return try base.denyList()
  }
  func addCollection(named name: String, rules: [MembershipRule], by actor: String, at: WallTime)
    throws(StoreError) -> CollectionRecord
  {
    try check()
    return try base.addCollection(named: name, rules: rules, by: actor, at: at)
  }
  func setRules(_ rules: [MembershipRule], of name: String, by actor: String, at: WallTime)
    throws(StoreError)
  {
    try check()
    try base.setRules(rules, of: name, by: actor, at: at)
  }
  func removeCollection(named name: String, by actor: String, at: WallTime) throws(StoreError) {
    try check()
    try base.removeCollection(named: name, by: actor, at: at)
  }
  func collections() throws(StoreError) -> [CollectionRecord] {
    try check()
    return try base.collections()
  }
  func members(ofCollection name: String) throws(StoreError) -> [TargetRecord] {
    try check()
    return try base.members(ofCollection: name)
  }
  func onlineCount(among target: OperationRequest.Target) throws(StoreError) -> (
    online: Int, targets: Int
  ) {
    try check()
    return try base.onlineCount(among: target)
  }
  func startOperation(
    _ request: OperationRequest, at: WallTime,
    sign: ([TargetRecord]) throws(StoreError) -> SignedTask
  ) throws(StoreError) -> OperationSummary {
    try check()
    return try base.startOperation(request, at: at, sign: sign)
  }
  func cancelOperation(_ operationID: OperationID, by actor: String, at: WallTime)
    throws(StoreError) -> OperationSummary
  {
    try check()
    return try base.cancelOperation(operationID, by: actor, at: at)
  }
  func operation(_ operationID: OperationID) throws(StoreError) -> OperationSummary? {
    try check()
    return try base.operation(operationID)
  }
  func operation(ofTask taskID: TaskID) throws(StoreError) -> OperationSummary? {
    try check()
    return try base.operation(ofTask: taskID)
  }
  func operations(before cursor: OperationID?, limit: Int) throws(StoreError) -> [OperationSummary]
  {
    try check()
    return try base.operations(before: cursor, limit: limit)
  }
  func targets(
    of operationID: OperationID, in state: TaskState?, after cursor: ResourceID?, limit: Int
  ) throws(StoreError) -> [TargetOutcome] {
    try check()
    return try base.targets(of: operationID, in: state, after: cursor, limit: limit)
  }
  func history(ofTask taskID: TaskID, client clientID: ClientID) throws(StoreError) -> [OutcomeStep]
  {
    try check()
    return try base.history(ofTask: taskID, client: clientID)
  }
  func recount(_ operationID: OperationID) throws(StoreError) -> OutcomeCounts {
    try check()
    return try base.recount(operationID)
  }
  func closeOverdue(at: WallTime) throws(StoreError) -> [OperationID] {
    try check()
    return try base.closeOverdue(at: at)
  }
  func addServer(named name: String, reportKey: [UInt8], by actor: String, at: WallTime)
    throws(StoreError) -> ServerRecord
  {
    try check()
    return try base.addServer(named: name, reportKey: reportKey, by: actor, at: at)
  }
  func servers() throws(StoreError) -> [ServerRecord] {
    try check()
    return try base.servers()
  }
  func registerServer(named name: String, at: WallTime) throws(StoreError) -> ServerRecord {
    try check()
    return try base.registerServer(named: name, at: at)
  }
  func messages(for serverID: ServerID, after cursor: Int64, limit: Int, waitMilliseconds: Int)
    throws(StoreError) -> [BrokerMessage]
  {
    try check()
    return try base.messages(
      for: serverID, after: cursor, limit: limit, waitMilliseconds: waitMilliseconds)
  }
  func interruptWait(of serverID: ServerID) {
    base.interruptWait(of: serverID)
  }
  func advanceCursor(of serverID: ServerID, to cursor: Int64) throws(StoreError) {
    try check()
    try base.advanceCursor(of: serverID, to: cursor)
  }
  func drainServer(_ serverID: ServerID, _ order: DrainOrder, by actor: String, at: WallTime)
    throws(StoreError)
  {
    try check()
    try base.drainServer(serverID, order, by: actor, at: at)
  }
  func undrainServer(_ serverID: ServerID, by actor: String, at: WallTime) throws(StoreError) {
    try check()
    try base.undrainServer(serverID, by: actor, at: at)
  }
  func noteDrain(_ drain: ServerDrain, of serverID: ServerID) throws(StoreError) {
    try check()
    try base.noteDrain(drain, of: serverID)
  }
  func task(_ taskID: TaskID) throws(StoreError) -> TaskRecord? {
    try check()
    return try base.task(taskID)
  }
  func unexpiredTasks(at: WallTime) throws(StoreError) -> [TaskRecord] {
    try check()
    return try base.unexpiredTasks(at: at)
  }
  func targets(ofTask taskID: TaskID) throws(StoreError) -> [TargetRecord] {
    try check()
    return try base.targets(ofTask: taskID)
  }
  func answeredTargets(ofTask taskID: TaskID) throws(StoreError) -> [ResourceID] {
    try check()
    return try base.answeredTargets(ofTask: taskID)
  }
  func importPresence(_ header: ReportHeader, _ records: [PresenceRecord], at: WallTime)
    throws(StoreError) -> ImportResult
  {
    try check()
    let result = try base.importPresence(header, records, at: at)
    afterImport(header)
    return result
  }
  func importOutcomes(
    _ reports: [OutcomeReport], at: WallTime
  ) throws(StoreError) -> [ImportResult] {
    try check()
    if let refused = refused.withLock({ $0 }),
      reports.contains(where: { $0.header.sequence == refused.sequence })
    {
      throw refused.error
    }
    let results = try base.importOutcomes(reports, at: at)
    for report in reports { afterImport(report.header) }
    return results
  }
  func requestFullReport(from serverID: ServerID) throws(StoreError) {
    try check()
    try base.requestFullReport(from: serverID)
  }
  func putPolicy(
    named name: String, collection: String, document: String, by actor: String, at: WallTime
  ) throws(StoreError) -> PolicyRecord {
    try check()
    return try base.putPolicy(
      named: name, collection: collection, document: document, by: actor, at: at)
  }
  func removePolicy(named name: String, by actor: String, at: WallTime) throws(StoreError) {
    try check()
    try base.removePolicy(named: name, by: actor, at: at)
  }
  func policies() throws(StoreError) -> [PolicyRecord] {
    try check()
    return try base.policies()
  }
  func effectivePolicy(of clientID: ClientID) throws(StoreError) -> EffectivePolicy {
    try check()
    return try base.effectivePolicy(of: clientID)
  }
  func policyTasks(of clientID: ClientID, at: WallTime) throws(StoreError) -> [TaskRecord] {
    try check()
    return try base.policyTasks(of: clientID, at: at)
  }
  func addStatusMessage(_ message: StatusMessage) throws(StoreError) {
    try check()
    try base.addStatusMessage(message)
  }
  func statusMessages(before cursor: Int64?, limit: Int) throws(StoreError) -> [StatusMessage] {
    try check()
    return try base.statusMessages(before: cursor, limit: limit)
  }
  func auditRecords(before cursor: Int64?, limit: Int) throws(StoreError) -> [AuditRecord] {
    try check()
    return try base.auditRecords(before: cursor, limit: limit)
  }
}
