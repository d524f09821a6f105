// What passes between the desk, which decides, and the runner, which does: an order and its result.

public import BGBModel
public import BGBWire

/// One task of one client.
public struct TaskKey: Hashable, Sendable {
  /// The client.
  public var client: ClientID
  /// The task.
  public var task: TaskID

  /// Joins the two.
  public init(client: ClientID, task: TaskID) {
    self.client = client
    self.task = task
  }
}

/// An action to be done now.
public struct ActionOrder: Equatable, Sendable {
  /// Whose and which task.
  public var key: TaskKey
  /// What to do.
  public var action: ClientAction
  /// Its values, checked.
  public var parameters: ActionParameters
  /// It is ended after this many milliseconds.
  public var runMilliseconds: UInt64

  /// Joins the parts.
  public init(
    key: TaskKey, action: ClientAction, parameters: ActionParameters, runMilliseconds: UInt64
  ) {
    self.key = key
    self.action = action
    self.parameters = parameters
    self.runMilliseconds = runMilliseconds
  }
}

/// A task that came with a policy and not by a push.
public struct PolicyTask: Equatable, Sendable {
  /// The signed statement.
  public var task: SignedTask
  /// This client's leaf.
  public var leafIndex: UInt32
  /// The Merkle path.
  public var path: MerklePath

  /// Joins the parts.
  public init(task: SignedTask, leafIndex: UInt32, path: MerklePath) {
    self.task = task
    self.leafIndex = leafIndex
    self.path = path
  }
}

/// How an action ended.
public struct ActionResult: Equatable, Sendable {
  /// `succeeded` or `failed`.
  public var state: TaskState
  /// An exit code or 0.
  public var code: Int32
  /// One line or a few for people; cut to `Limits.outcomeTextBytesMax`.
  public var text: String
  /// Facts that changed, told once.
  public var live: [LiveData.Value]
  /// Tasks that a policy brought.
  public var policyTasks: [PolicyTask]

  /// Joins the parts.
  public init(
    state: TaskState, code: Int32 = 0, text: String, live: [LiveData.Value] = [],
    policyTasks: [PolicyTask] = []
  ) {
    self.state = state
    self.code = code
    self.text = text
    self.live = live
    self.policyTasks = policyTasks
  }

  /// It worked.
  public static func succeeded(
    _ text: String, live: [LiveData.Value] = [], policyTasks: [PolicyTask] = []
  ) -> ActionResult {
    ActionResult(state: .succeeded, text: text, live: live, policyTasks: policyTasks)
  }

  /// It did not work.
  public static func failed(_ text: String, code: Int32 = 1) -> ActionResult {
    ActionResult(state: .failed, code: code, text: text)
  }
}

/// Actions of one client in one lane never run at the same time: they share a file or a program.
public enum ActionLane: Hashable, Sendable {
  /// Everything around the malware scanner.
  case scanner
  /// Policies.
  case policy
  /// Inventories and discovery.
  case inventory
  /// Logs and their level.
  case logs
  /// Restart.
  case restart
  /// One site-defined action by its name.
  case siteDefined(String)

  /// The lane of an order.
  public init(_ order: ActionOrder) {
    switch order.action {
    case .fullScan, .quickScan, .downloadDefinition, .excludePath, .allowThreat,
      .restoreQuarantinedItem:
      self = .scanner
    case .downloadComputerPolicy, .downloadUserPolicy: self = .policy
    case .collectDiscoveryData, .collectHardwareInventory, .collectSoftwareInventory:
      self = .inventory
    case .enableVerboseLogging, .disableVerboseLogging, .collectClientLogs: self = .logs
    case .restart: self = .restart
    case .siteDefined: self = .siteDefined(order.parameters["name"] ?? "")
    }
  }
}

extension ClientAction {
  /// Whether it usually ends within the hold of an acknowledgement, so that one frame can be both.
  var isBrief: Bool {
    switch self {
    case .downloadComputerPolicy, .downloadUserPolicy, .collectDiscoveryData,
      .collectHardwareInventory, .enableVerboseLogging, .disableVerboseLogging, .excludePath,
      .allowThreat:
      true
    case .fullScan, .quickScan, .downloadDefinition, .restoreQuarantinedItem, .restart,
      .collectSoftwareInventory, .collectClientLogs, .siteDefined:
      false
    }
  }
}
