// The messages as values. Their bytes are in Messages/*.swift, one file a kind, each with a table
// row in docs/PROTOCOL.md and golden bytes in the tests.

public import BGBModel

/// One message, decoded.
public enum Message: Equatable, Sendable {
  /// See `SignIn`.
  case signIn(SignIn)
  /// See `Welcome`.
  case welcome(Welcome)
  /// See `KeepAlive`.
  case keepAlive(KeepAlive)
  /// See `ReconnectIdentity`.
  case reconnectIdentity(ReconnectIdentity)
  /// See `PushTask`.
  case pushTask(PushTask)
  /// See `TaskAck`.
  case taskAck(TaskAck)
  /// See `OutcomeReport`.
  case taskOutcome(OutcomeReport)
  /// See `OutcomeStored`.
  case outcomeStored(OutcomeStored)
  /// See `CancelTask`.
  case cancelTask(CancelTask)
  /// See `LiveData`.
  case liveData(LiveData)
  /// See `Goodbye`.
  case goodbye(Goodbye)
  /// See `Reconnect`.
  case reconnect(Reconnect)
  /// See `Refused`.
  case refused(Refused)

  /// The kind of this message.
  public var kind: MessageKind {
    switch self {
    case .signIn: .signIn
    case .welcome: .welcome
    case .keepAlive: .keepAlive
    case .reconnectIdentity: .reconnectIdentity
    case .pushTask: .pushTask
    case .taskAck: .taskAck
    case .taskOutcome: .taskOutcome
    case .outcomeStored: .outcomeStored
    case .cancelTask: .cancelTask
    case .liveData: .liveData
    case .goodbye: .goodbye
    case .reconnect: .reconnect
    case .refused: .refused
    }
  }
}

/// Agent to server: who I am and what I run.
///
/// The first message of every session.
public struct SignIn: Equatable, Sendable {
  /// The protocol version the agent speaks; see `ProtocolVersion`.
  public var version: UInt16
  /// Must equal the certificate's client id.
  public var clientID: ClientID
  /// Changes when the agent's journal is new: work of an earlier incarnation is not this machine's.
  public var incarnation: UInt64
  /// The session this one follows, or 0.
  public var previousSession: UInt64
  /// Highest outcome sequence that the agent knows to be stored, or 0.
  public var outcomesStored: UInt64
  /// The agent's wall clock.
  public var clock: WallTime
  /// What the client tells of itself.
  public var facts: ClientFacts
  /// Why the agent does not use the notification port.
  public var fallback: FallbackReason
  /// Whether the agent takes reconnect identities.
  public var takesReconnect: Bool
  /// The latest tasks that are over for this agent, at most ``Limits/endedTasksMax``: they need not
  /// be pushed by a server that has not heard of it.
  public var endedTasks: [TaskID]

  /// Joins the parts.
  public init(
    version: UInt16, clientID: ClientID, incarnation: UInt64, previousSession: UInt64,
    outcomesStored: UInt64, clock: WallTime, facts: ClientFacts, fallback: FallbackReason = .none,
    takesReconnect: Bool = false, endedTasks: [TaskID] = []
  ) {
    self.version = version
    self.clientID = clientID
    self.incarnation = incarnation
    self.previousSession = previousSession
    self.outcomesStored = outcomesStored
    self.clock = clock
    self.facts = facts
    self.fallback = fallback
    self.takesReconnect = takesReconnect
    self.endedTasks = endedTasks
  }
}

/// Server to agent: you are signed in, and these are the rules of this session.
public struct Welcome: Equatable, Sendable {
  /// The version spoken from here on.
  public var version: UInt16
  /// The server's number at the site.
  public var serverID: ServerID
  /// This session's number, greater than any earlier one of this client at this site.
  public var session: UInt64
  /// The server's wall clock, by which deadlines are judged.
  public var serverTime: WallTime
  /// Send something at least this often.
  public var keepAliveSeconds: UInt32
  /// If the server vanishes, come back at a random moment within this window.
  public var crashWindowSeconds: UInt32
  /// Where policies are fetched, as an `https` URL without trailing slash; empty for nowhere.
  public var policyURL: String

  /// Joins the parts.
  public init(
    version: UInt16, serverID: ServerID, session: UInt64, serverTime: WallTime,
    keepAliveSeconds: UInt32, crashWindowSeconds: UInt32, policyURL: String
  ) {
    self.version = version
    self.serverID = serverID
    self.session = session
    self.serverTime = serverTime
    self.keepAliveSeconds = keepAliveSeconds
    self.crashWindowSeconds = crashWindowSeconds
    self.policyURL = policyURL
  }
}

/// Both ways: alive.
///
/// The server answers each of the agent's with its time.
public struct KeepAlive: Equatable, Sendable {
  /// The sender's wall clock.
  public var clock: WallTime

  /// Takes the sender's clock.
  public init(clock: WallTime) { self.clock = clock }
}

/// Server to agent: with this you can come back for a while, without showing your certificate.
public struct ReconnectIdentity: Equatable, Sendable {
  /// The identity of an external PSK of TLS 1.3, as it is offered in clear.
  public var identity: [UInt8]
  /// Its key, 32 bytes; as secret as a private key.
  public var key: [UInt8]
  /// How many seconds it is good for, from now.
  public var lifeSeconds: UInt32

  /// Joins the parts.
  public init(identity: [UInt8], key: [UInt8], lifeSeconds: UInt32) {
    self.identity = identity
    self.key = key
    self.lifeSeconds = lifeSeconds
  }
}

/// Server to agent: a task for you, with the proof that you are a target.
public struct PushTask: Equatable, Sendable {
  /// The server's number of this push attempt.
  public var pushID: UInt64
  /// The server's wall clock when it pushed.
  public var serverTime: WallTime
  /// The statement's bytes and the site's signature.
  public var task: SignedTask
  /// This client's leaf in the Merkle tree.
  public var leafIndex: UInt32
  /// The hashes from the leaf's sibling up to below the root, 32 bytes each.
  public var path: MerklePath

  /// Joins the parts.
  public init(
    pushID: UInt64, serverTime: WallTime, task: SignedTask, leafIndex: UInt32, path: MerklePath
  ) {
    self.pushID = pushID
    self.serverTime = serverTime
    self.task = task
    self.leafIndex = leafIndex
    self.path = path
  }
}

/// Agent to server: the task is in my journal and survives my crash.
public struct TaskAck: Equatable, Sendable {
  /// The push that is acknowledged.
  public var pushID: UInt64
  /// The task.
  public var taskID: TaskID

  /// Joins the parts.
  public init(pushID: UInt64, taskID: TaskID) {
    self.pushID = pushID
    self.taskID = taskID
  }
}

/// Agent to server: what became of a task (the message TaskOutcome).
public struct OutcomeReport: Equatable, Sendable {
  /// The push it answers, or 0; a first outcome of a push is its acknowledgement too.
  public var pushID: UInt64
  /// The agent's number of this news, ascending by one through its journal's life.
  public var sequence: UInt64
  /// The news.
  public var outcome: TaskOutcome

  /// Joins the parts.
  public init(pushID: UInt64, sequence: UInt64, outcome: TaskOutcome) {
    self.pushID = pushID
    self.sequence = sequence
    self.outcome = outcome
  }
}

/// Server to agent: every outcome of this session up to this sequence is durable here.
public struct OutcomeStored: Equatable, Sendable {
  /// The highest sequence below which nothing is missing.
  public var upTo: UInt64

  /// Takes the sequence.
  public init(upTo: UInt64) { self.upTo = upTo }
}

/// Server to agent: do not begin this task.
public struct CancelTask: Equatable, Sendable {
  /// The task.
  public var taskID: TaskID

  /// Takes the task.
  public init(taskID: TaskID) { self.taskID = taskID }
}

/// Agent to server: facts that changed while connected, as names and values.
public struct LiveData: Equatable, Sendable {
  /// One name and its value.
  public struct Value: Equatable, Sendable {
    /// The name.
    public var name: String
    /// The value.
    public var text: String

    /// Joins the two.
    public init(name: String, text: String) {
      self.name = name
      self.text = text
    }
  }

  /// The values.
  public var values: [Value]

  /// Takes the values.
  public init(_ values: [Value]) { self.values = values }
}

/// Both ways: I end this session in order.
public struct Goodbye: Equatable, Sendable {
  /// Why, for people.
  public var reason: String

  /// Takes the reason.
  public init(reason: String) { self.reason = reason }
}

/// Server to agent: leave, and come again as told.
public struct Reconnect: Equatable, Sendable {
  /// `host:port` to go to, or empty for the same place.
  public var address: String
  /// Not earlier than after this many milliseconds.
  public var afterMilliseconds: UInt32
  /// Why, for people.
  public var reason: String

  /// Joins the parts.
  public init(address: String, afterMilliseconds: UInt32, reason: String) {
    self.address = address
    self.afterMilliseconds = afterMilliseconds
    self.reason = reason
  }
}

/// Server to agent: no, with a code and when to try again.
public struct Refused: Equatable, Sendable {
  /// The `CloseCode`, as a number so that an older agent can show a newer one.
  public var code: UInt16
  /// Not earlier than after this many milliseconds.
  public var retryAfterMilliseconds: UInt32
  /// Why, for people.
  public var reason: String

  /// Joins the parts.
  public init(code: UInt16, retryAfterMilliseconds: UInt32, reason: String) {
    self.code = code
    self.retryAfterMilliseconds = retryAfterMilliseconds
    self.reason = reason
  }
}

/// The versions of the protocol that this code speaks.
public enum ProtocolVersion {
  /// The only version so far.
  public static let current: UInt16 = 1
  /// The oldest version that is served; older ones are refused, never spoken.
  public static let minimum: UInt16 = 1
}
