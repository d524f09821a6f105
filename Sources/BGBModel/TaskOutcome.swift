// What became of one (task, client) pair. The set of states is closed, they only move forward, and
// every pair ends; the counters of an operation are sums over these states and nothing else.

/// The state of one (task, client) pair; the raw value is what reports and the database hold.
public enum TaskState: UInt8, Sendable, CaseIterable {
  /// Waits for the client to be online.
  case queued = 0
  /// Sent to the client, no answer yet.
  case pushed = 1
  /// The agent has it in its journal.
  case delivered = 2
  /// The agent is doing it.
  case started = 3
  /// The agent does it later, within the validity.
  case deferred = 4
  /// Done.
  case succeeded = 5
  /// Tried; code and text say why it failed.
  case failed = 6
  /// The client did not get it, or did not start it, in time.
  case expired = 7
  /// Withdrawn before it was started.
  case cancelled = 8
  /// The agent refused it; the code is a `TaskRejection`.
  case rejected = 9
  /// Delivered, but silent past the grace, or the agent died while doing it.
  case unknown = 10

  /// Whether nothing can follow, except a late result after `unknown`.
  public var isFinal: Bool {
    switch self {
    case .queued, .pushed, .delivered, .started, .deferred: false
    case .succeeded, .failed, .expired, .cancelled, .rejected, .unknown: true
    }
  }

  /// Whether the task reached the client: what the original's *Success* column counts.
  public var countsAsDelivered: Bool {
    switch self {
    case .queued, .pushed, .expired, .cancelled: false
    case .delivered, .started, .deferred, .succeeded, .failed, .rejected, .unknown: true
    }
  }

  /// Whether this state may replace another one, so that late and repeated news change nothing.
  ///
  /// Open states move forward only. A final state stands, with two exceptions that new knowledge
  /// forces: `unknown` and `expired` are what the site assumed, and a real result from the agent
  /// replaces the assumption.
  public func replaces(_ old: TaskState) -> Bool {
    switch old {
    case .succeeded, .failed, .cancelled, .rejected: false
    case .unknown: isFinal && self != .unknown && self != .expired
    case .expired: self == .succeeded || self == .failed || self == .rejected
    case .queued, .pushed, .delivered, .started, .deferred: isFinal || rawValue > old.rawValue
    }
  }

  /// The word shown to people.
  public var name: String { TaskState.names[Int(rawValue)] }

  /// Finds a state by its word.
  public init?(named text: some StringProtocol) {
    guard let index = TaskState.names.firstIndex(where: { $0 == text }) else { return nil }
    self = TaskState.allCases[index]
  }

  /// Finds a state by the bytes of its word.
  public init?(named text: borrowing Span<UInt8>) {
    guard let index = WordList.index(of: text, in: TaskState.names) else { return nil }
    self = TaskState.allCases[index]
  }

  /// The words, made once: asking the runtime for a case's name costs as much as a whole frame.
  private static let names = allCases.map { "\($0)" }
}

/// Why an agent refuses a task; the raw value travels as the outcome's code.
public enum TaskRejection: Int32, Error, Sendable, CaseIterable {
  /// The frame or the statement cannot be read.
  case malformed = 1
  /// There is no signature.
  case unsigned = 2
  /// The signing key is not one this agent trusts.
  case unknownKey = 3
  /// The signature does not belong to the statement.
  case badSignature = 4
  /// The task is of another site.
  case foreignSite = 5
  /// This client is not in the signed target set.
  case notTarget = 6
  /// The task came at or after its deadline.
  case expired = 7
  /// The task's time has not come.
  case notYetValid = 8
  /// The action is not one this agent knows.
  case unknownAction = 9
  /// The parameters break the action's bounds.
  case badParameters = 10
  /// The agent's own configuration forbids it or does not map its name.
  case localPolicy = 11
  /// The same task id came with other contents.
  case altered = 12
  /// The agent cannot write its journal, so it must not begin.
  case journalFailed = 13
}

/// News of one (task, client) pair, from an agent or from a server's own knowledge.
public struct TaskOutcome: Hashable, Sendable {
  /// The task.
  public var taskID: TaskID
  /// What became of it.
  public var state: TaskState
  /// An exit code, a `TaskRejection`, or 0.
  public var code: Int32
  /// A short text for people, at most `Limits.outcomeTextBytesMax` bytes.
  public var text: String
  /// When it became so, by the clock of who says it.
  public var at: WallTime

  /// Joins the parts.
  public init(taskID: TaskID, state: TaskState, code: Int32 = 0, text: String = "", at: WallTime) {
    self.taskID = taskID
    self.state = state
    self.code = code
    self.text = text
    self.at = at
  }
}

// Messages and agents' journals have an outcome in the same bytes: sequence 8, task id 16, state 1,
// code 4, when 8, text.

extension ByteWriter {
  /// An outcome behind its sequence; the text is cut at its limit.
  public mutating func numbered(_ outcome: TaskOutcome, _ sequence: UInt64) {
    integer(sequence)
    bits128(outcome.taskID.bits)
    integer(outcome.state.rawValue)
    signed32(outcome.code)
    wallTime(outcome.at)
    text(outcome.text, limit: Limits.outcomeTextBytesMax)
  }
}

extension ByteReader {
  /// An outcome behind its sequence.
  public mutating func numberedOutcome() throws(CodingError) -> (
    sequence: UInt64, outcome: TaskOutcome
  ) {
    let sequence: UInt64 = try integer()
    let taskID = TaskID(try bits128())
    guard let state = TaskState(rawValue: try integer()) else { throw .badValue }
    let code = try signed32()
    let at = try wallTime()
    let text = try text(limit: Limits.outcomeTextBytesMax)
    return (sequence, TaskOutcome(taskID: taskID, state: state, code: code, text: text, at: at))
  }
}
