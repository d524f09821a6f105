// The rows of the site database as values, one type per idea.

public import BGBModel

/// The site itself.
public struct SiteRecord: Hashable, Sendable {
  /// Its code.
  public var code: SiteCode
  /// Its name for people.
  public var name: String
  /// Ed25519 public keys that sign its tasks, 32 bytes each, the current one first.
  public var taskKeys: [[UInt8]]

  /// Joins the parts.
  public init(code: SiteCode, name: String, taskKeys: [[UInt8]]) {
    self.code = code
    self.name = name
    self.taskKeys = taskKeys
  }
}

/// A managed computer as the site knows it.
public struct ClientRecord: Hashable, Sendable {
  /// Its number in this database.
  public var resourceID: ResourceID
  /// Its identity.
  public var clientID: ClientID
  /// The name an administrator gave it; unique.
  public var name: String
  /// Words by which query rules find it.
  public var tags: [String]
  /// Whether it is refused.
  public var isBlocked: Bool
  /// When it was added.
  public var createdAt: WallTime
  /// What it told last.
  public var facts: ClientFacts
  /// Whether it is online, and since when; nil when no server ever reported it.
  public var presence: ClientPresence?

  /// Joins the parts.
  public init(
    resourceID: ResourceID, clientID: ClientID, name: String, tags: [String], isBlocked: Bool,
    createdAt: WallTime, facts: ClientFacts, presence: ClientPresence?
  ) {
    self.resourceID = resourceID
    self.clientID = clientID
    self.name = name
    self.tags = tags
    self.isBlocked = isBlocked
    self.createdAt = createdAt
    self.facts = facts
    self.presence = presence
  }
}

/// A client that shall be added.
public struct NewClient: Hashable, Sendable {
  /// Its identity.
  public var clientID: ClientID
  /// Its name; unique.
  public var name: String
  /// Words by which query rules find it.
  public var tags: [String]

  /// Joins the parts.
  public init(clientID: ClientID, name: String, tags: [String]) {
    self.clientID = clientID
    self.name = name
    self.tags = tags
  }
}

/// Presence of one client in the database (`BGB_ResStatus`).
public struct ClientPresence: Hashable, Sendable {
  /// Whether it is connected.
  public var isOnline: Bool
  /// The server it is or was connected to.
  public var serverID: ServerID
  /// When it came online last.
  public var lastOnline: WallTime?
  /// When it went offline last.
  public var lastOffline: WallTime?
  /// When the last message proved it, as of the last report.
  public var lastProof: WallTime
  /// Why it is as it is.
  public var reason: PresenceReason
  /// Over which channel.
  public var channel: ChannelKind
  /// Why not over TCP.
  public var fallback: FallbackReason
  /// Since when over this channel; nil for what was stored before that was kept.
  public var channelSince: WallTime?
  /// The session's number.
  public var session: UInt64

  /// Joins the parts.
  public init(
    isOnline: Bool, serverID: ServerID, lastOnline: WallTime?, lastOffline: WallTime?,
    lastProof: WallTime, reason: PresenceReason, channel: ChannelKind, fallback: FallbackReason,
    channelSince: WallTime?, session: UInt64
  ) {
    self.isOnline = isOnline
    self.serverID = serverID
    self.lastOnline = lastOnline
    self.lastOffline = lastOffline
    self.lastProof = lastProof
    self.reason = reason
    self.channel = channel
    self.fallback = fallback
    self.channelSince = channelSince
    self.session = session
  }
}

/// How many clients are online over one channel for one reason.
public struct ChannelCount: Hashable, Sendable {
  /// The channel.
  public var channel: ChannelKind
  /// Why they do not use TCP.
  public var fallback: FallbackReason
  /// How many.
  public var online: Int

  /// Joins the parts.
  public init(channel: ChannelKind, fallback: FallbackReason, online: Int) {
    self.channel = channel
    self.fallback = fallback
    self.online = online
  }
}

/// A notification server as the site knows it (`BGB_Server`).
public struct ServerRecord: Hashable, Sendable {
  /// Its number.
  public var serverID: ServerID
  /// Its name; unique.
  public var name: String
  /// Ed25519 public key that signs its reports, 32 bytes.
  public var reportKey: [UInt8]
  /// Counts its starts.
  public var epoch: UInt64
  /// The last broker message it has taken over.
  public var cursor: Int64
  /// When it was last heard of: a registration or a report.
  public var lastReport: WallTime?
  /// Clients online through it, as of its last report.
  public var onlineCount: Int
  /// Whether it moves its agents away.
  public var drain: ServerDrain

  /// Joins the parts.
  public init(
    serverID: ServerID, name: String, reportKey: [UInt8], epoch: UInt64, cursor: Int64,
    lastReport: WallTime?, onlineCount: Int, drain: ServerDrain = ServerDrain()
  ) {
    self.serverID = serverID
    self.name = name
    self.reportKey = reportKey
    self.epoch = epoch
    self.cursor = cursor
    self.lastReport = lastReport
    self.onlineCount = onlineCount
    self.drain = drain
  }

  /// The name of a server's n-th worker: the first one has the server's own.
  ///
  /// The sign in it is in no name that an administrator may give, so it cannot be taken already.
  public static func workerName(_ server: String, _ number: Int) -> String {
    number > 1 ? "\(server)#\(number)" : server
  }
}

/// A named set of clients.
public struct CollectionRecord: Hashable, Sendable {
  /// The built-in collection of every client.
  public static let allSystems = "All Systems"
  /// Its number.
  public var collectionID: Int64
  /// Its name; unique.
  public var name: String
  /// How membership is decided; a client belongs if any rule takes it.
  public var rules: [MembershipRule]

  /// Joins the parts.
  public init(collectionID: Int64, name: String, rules: [MembershipRule]) {
    self.collectionID = collectionID
    self.name = name
    self.rules = rules
  }
}

/// One reason to belong to a collection.
public enum MembershipRule: Hashable, Sendable {
  /// Everybody.
  case everybody
  /// This client.
  case direct(ClientID)
  /// Clients that a query takes; see `SiteQuery`.
  case query(String)
}

/// A message of the broker queue: what servers must know, in order (`BGB_Queue`).
public struct BrokerMessage: Hashable, Sendable {
  /// What it says.
  public enum Content: Hashable, Sendable {
    /// A task was placed.
    case push(TaskID)
    /// A task was withdrawn.
    case cancel(TaskID)
    /// The deny list changed.
    case denyListChanged
    /// This server shall write a full online report.
    case fullReportWanted
    /// Policies changed.
    case policyChanged
    /// This server shall move its agents away.
    case drain(DrainOrder)
    /// This server shall take agents again.
    case undrain
  }

  /// Its place in the order, ascending with gaps.
  public var messageID: Int64
  /// What it says.
  public var content: Content

  /// Joins the two.
  public init(messageID: Int64, content: Content) {
    self.messageID = messageID
    self.content = content
  }
}

/// A task as servers need it.
public struct TaskRecord: Hashable, Sendable {
  /// The operation it belongs to.
  public var operationID: OperationID
  /// The task.
  public var taskID: TaskID
  /// The signed bytes.
  public var signed: SignedTask
  /// Valid for delivery strictly before this moment.
  public var deliverBefore: WallTime
  /// Pushes a second at most, or 0 for as fast as it goes.
  public var ratePerSecond: UInt32
  /// Whether it was withdrawn.
  public var isCancelled: Bool

  /// Joins the parts.
  public init(
    operationID: OperationID, taskID: TaskID, signed: SignedTask, deliverBefore: WallTime,
    ratePerSecond: UInt32, isCancelled: Bool
  ) {
    self.operationID = operationID
    self.taskID = taskID
    self.signed = signed
    self.deliverBefore = deliverBefore
    self.ratePerSecond = ratePerSecond
    self.isCancelled = isCancelled
  }
}

/// One target of a task: both of its names.
public struct TargetRecord: Hashable, Sendable {
  /// Its number.
  public var resourceID: ResourceID
  /// Its identity.
  public var clientID: ClientID

  /// Joins the two.
  public init(resourceID: ResourceID, clientID: ClientID) {
    self.resourceID = resourceID
    self.clientID = clientID
  }
}

/// What an operator asks for, checked but not yet signed.
public struct OperationRequest: Hashable, Sendable {
  /// The targets.
  public enum Target: Hashable, Sendable {
    /// The members of a collection at this moment, by its name.
    case collection(String)
    /// These clients.
    case clients([ClientID])
  }

  /// The action.
  public var action: ClientAction
  /// Its values.
  public var parameters: ActionParameters
  /// On whom.
  public var target: Target
  /// For how long it may be delivered.
  public var validityMilliseconds: Int64
  /// Agents start at random within this time.
  public var spreadSeconds: UInt32
  /// Pushes a second at most, or 0.
  public var ratePerSecond: UInt32
  /// Who asks, as the audit names them.
  public var requestedBy: String
  /// Given twice, the first operation is returned and nothing new begins.
  public var idempotencyKey: String?

  /// Joins the parts.
  public init(
    action: ClientAction, parameters: ActionParameters, target: Target,
    validityMilliseconds: Int64, spreadSeconds: UInt32, ratePerSecond: UInt32,
    requestedBy: String, idempotencyKey: String?
  ) {
    self.action = action
    self.parameters = parameters
    self.target = target
    self.validityMilliseconds = validityMilliseconds
    self.spreadSeconds = spreadSeconds
    self.ratePerSecond = ratePerSecond
    self.requestedBy = requestedBy
    self.idempotencyKey = idempotencyKey
  }
}

/// One target of an operation as lists show it.
public struct TargetOutcome: Hashable, Sendable {
  /// The client.
  public var resourceID: ResourceID
  /// Its identity.
  public var clientID: ClientID
  /// Its name.
  public var name: String
  /// Push attempts known so far.
  public var pushes: UInt32
  /// What became of the task.
  public var outcome: TaskOutcome

  /// Joins the parts.
  public init(
    resourceID: ResourceID, clientID: ClientID, name: String, pushes: UInt32, outcome: TaskOutcome
  ) {
    self.resourceID = resourceID
    self.clientID = clientID
    self.name = name
    self.pushes = pushes
    self.outcome = outcome
  }
}

/// One step of what happened to one target.
public struct OutcomeStep: Hashable, Sendable {
  /// The news: state, code, text, and when by the clock of who says it.
  public var outcome: TaskOutcome
  /// The server that reported it; nil for what the site concluded from time or a cancel.
  public var serverID: ServerID?
  /// When that server wrote the report.
  public var reportedAt: WallTime?
  /// When the report was imported.
  public var importedAt: WallTime?

  /// Joins the parts.
  public init(
    outcome: TaskOutcome, serverID: ServerID?, reportedAt: WallTime?, importedAt: WallTime?
  ) {
    self.outcome = outcome
    self.serverID = serverID
    self.reportedAt = reportedAt
    self.importedAt = importedAt
  }
}

/// A policy document assigned to a collection.
public struct PolicyRecord: Hashable, Sendable {
  /// Its name; unique.
  public var name: String
  /// Counts its changes.
  public var version: Int64
  /// The collection whose members get it.
  public var collection: String
  /// The document, JSON.
  public var document: String

  /// Joins the parts.
  public init(name: String, version: Int64, collection: String, document: String) {
    self.name = name
    self.version = version
    self.collection = collection
    self.document = document
  }
}

/// What one client must follow now: its policy documents, in the order of their names.
public struct EffectivePolicy: Hashable, Sendable {
  /// Changes exactly when the contents change; made of the documents' names and versions.
  public var entityTag: String
  /// The documents.
  public var documents: [PolicyRecord]

  /// Joins the two.
  public init(entityTag: String, documents: [PolicyRecord]) {
    self.entityTag = entityTag
    self.documents = documents
  }
}

/// A numbered message of a component, for the site's people.
public struct StatusMessage: Hashable, Sendable {
  /// How bad it is.
  public enum Severity: UInt8, Sendable, CaseIterable {
    /// For the record.
    case information = 0
    /// Somebody should look.
    case warning = 1
    /// Something does not work.
    case error = 2
  }

  /// Its place in the list; 0 before it is stored.
  public var recordID: Int64
  /// When it happened.
  public var at: WallTime
  /// `SMS_NOTIFICATION_SERVER` or `SMS_NOTIFICATION_MANAGER`.
  public var component: String
  /// The host or server name.
  public var machine: String
  /// Its number in the catalogue.
  public var messageID: UInt32
  /// How bad it is.
  public var severity: Severity
  /// The sentence.
  public var text: String

  /// Joins the parts.
  public init(
    recordID: Int64 = 0, at: WallTime, component: String, machine: String, messageID: UInt32,
    severity: Severity, text: String
  ) {
    self.recordID = recordID
    self.at = at
    self.component = component
    self.machine = machine
    self.messageID = messageID
    self.severity = severity
    self.text = text
  }
}

/// A line of the audit: who did what.
public struct AuditRecord: Hashable, Sendable {
  /// Its place in the list; 0 before it is stored.
  public var recordID: Int64
  /// When.
  public var at: WallTime
  /// Who, as the interface verified them.
  public var actor: String
  /// What, as a word such as `operation.start`.
  public var action: String
  /// On what, and with what values.
  public var detail: String

  /// Joins the parts.
  public init(recordID: Int64 = 0, at: WallTime, actor: String, action: String, detail: String) {
    self.recordID = recordID
    self.at = at
    self.actor = actor
    self.action = action
    self.detail = detail
  }
}

/// One task-status report, read and believed.
public struct OutcomeReport: Hashable, Sendable {
  /// Whose, and which.
  public var header: ReportHeader
  /// What it tells.
  public var records: [OutcomeRecord]

  /// Joins the two.
  public init(header: ReportHeader, records: [OutcomeRecord]) {
    self.header = header
    self.records = records
  }
}

/// What became of one report file.
public enum ImportResult: Hashable, Sendable {
  /// Its records are in the database; the operations they touched.
  case imported(records: Int, operations: [OperationID])
  /// It was imported before; nothing changed.
  case duplicate
  /// Of an epoch or sequence that newer reports have overtaken; nothing changed.
  case stale
  /// A report before it is missing: nothing changed, and its server was asked for a full one.
  case gap(expected: UInt64)
}
