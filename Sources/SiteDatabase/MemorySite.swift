// What the memory store holds, as one value: the tables of a site as dictionaries, and the rules
// that keep them consistent. Texts are keys by their bytes, as in a database, not by Unicode
// equivalence.

import BGBModel

/// The tables of one site.
struct MemorySite {
  /// A text as a key: its bytes.
  typealias Key = [UInt8]

  /// A task with its targets and what is known of them.
  struct Task {
    var operationID: OperationID
    var request: OperationRequest
    var targetName: String
    var createdAt: WallTime
    var plan: TaskPlan
    var signed: SignedTask
    var targets: TargetSet
    var progress: TaskProgress
    var rows: [ResourceID: KnownOutcome] = [:]
    var steps: [ResourceID: [OutcomeStep]] = [:]
  }

  /// A message of the queue, for one server or for all.
  struct Message {
    var serverID: ServerID?
    var message: BrokerMessage
  }

  /// A server, and its last presence report.
  struct Server {
    var record: ServerRecord
    var presence: (epoch: UInt64, sequence: UInt64)?
  }

  /// A report that was imported.
  struct LedgerKey: Hashable {
    var serverID: ServerID
    var kind: ReportKind
    var epoch: UInt64
    var sequence: UInt64
  }

  /// A policy; a removed one keeps its version, so that it never says the same of something else.
  struct Policy {
    var record: PolicyRecord
    var isRemoved: Bool
  }

  let site: SiteRecord
  var clients: [ResourceID: ClientRecord] = [:]
  var resourceIDs: [ClientID: ResourceID] = [:]
  var clientNames: [Key: ResourceID] = [:]
  var collections: [Key: CollectionRecord] = [:]
  var lastCollectionID: Int64 = 1
  var tasks: [TaskID: Task] = [:]
  var taskIDs: [OperationID: TaskID] = [:]
  var idempotencyKeys: [Key: TaskID] = [:]
  var servers: [ServerID: Server] = [:]
  var queue: [Message] = []
  var lastMessageID: Int64 = 0
  var ledger: Set<LedgerKey> = []
  var policies: [Key: Policy] = [:]
  var statusMessages: [StatusMessage] = []
  var audit: [AuditRecord] = []

  init(site: SiteRecord) {
    self.site = site
    let all = CollectionRecord(
      collectionID: 1, name: CollectionRecord.allSystems, rules: [.everybody])
    collections[Key(all.name.utf8)] = all
  }

  /// Places a message in the queue.
  mutating func post(_ content: BrokerMessage.Content, to serverID: ServerID? = nil) {
    lastMessageID += 1
    let message = BrokerMessage(messageID: lastMessageID, content: content)
    queue.append(Message(serverID: serverID, message: message))
  }

  /// Writes an audit line.
  mutating func note(_ actor: String, _ action: String, _ detail: String, at: WallTime) {
    audit.append(
      AuditRecord(
        recordID: Int64(audit.count) + 1, at: at,
        actor: StoreChecks.bounded(actor, bytes: StoreChecks.nameBytesMax), action: action,
        detail: StoreChecks.bounded(detail)))
  }

  /// All clients by number.
  var orderedClients: [ClientRecord] {
    clients.values.sorted { $0.resourceID < $1.resourceID }
  }

  /// A client that must exist.
  func existing(_ clientID: ClientID) throws(StoreError) -> ClientRecord {
    guard let resourceID = resourceIDs[clientID], let client = clients[resourceID] else {
      throw .notFound("client \(clientID)")
    }
    return client
  }

  /// A collection that must exist.
  func existing(collection name: String) throws(StoreError) -> CollectionRecord {
    guard let collection = collections[Key(name.utf8)] else {
      throw .notFound("collection '\(name)'")
    }
    return collection
  }

  /// A server that must exist.
  func existing(_ serverID: ServerID) throws(StoreError) -> Server {
    guard let server = servers[serverID] else { throw .notFound("server \(serverID)") }
    return server
  }

  /// A task that must exist.
  func existing(_ taskID: TaskID) throws(StoreError) -> Task {
    guard let task = tasks[taskID] else { throw .notFound("task \(taskID)") }
    return task
  }

  /// An operation that must exist.
  func existing(_ operationID: OperationID) throws(StoreError) -> Task {
    guard let taskID = taskIDs[operationID] else { throw .notFound("operation \(operationID)") }
    return try existing(taskID)
  }

  /// The clients that a collection has at this moment.
  func members(ofCollection name: String) throws(StoreError) -> [ClientRecord] {
    let rules = try MembershipRule.ready(try existing(collection: name).rules)
    return orderedClients.filter { client in
      rules.contains { $0.takes(client, of: site.code) }
    }
  }

  /// The clients that a target means, and what it is called in lists.
  func resolve(
    _ target: OperationRequest.Target
  ) throws(StoreError) -> (clients: [ClientRecord], name: String) {
    switch target {
    case .collection(let name): return (try members(ofCollection: name), name)
    case .clients(let clientIDs):
      var found: [ResourceID: ClientRecord] = [:]
      for clientID in clientIDs {
        let client = try existing(clientID)
        found[client.resourceID] = client
      }
      let clients = found.values.sorted { $0.resourceID < $1.resourceID }
      return (clients, clients.count == 1 ? clients[0].name : "\(clients.count) clients")
    }
  }
}
