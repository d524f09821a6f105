// Does actions, for real, on the thread it is called on: the one switch from an action to its code.
// A new action is a case in ClientAction, a file beside this one, and a line here.

public import BGBModel
import Synchronization

/// What the actions of one client go by.
public struct ActionSettings: Sendable {
  /// Policies.
  public var policy: PolicySettings
  /// The malware scanner; nil when there is none.
  public var scanner: ScannerSettings?
  /// Where inventories and collected logs are stored.
  public var stateFolder: String
  /// The folder of this agent's own logs; nil when it logs to standard error.
  public var logFolder: String?
  /// What restarts the computer.
  public var restartCommand: [String]
  /// Site-defined actions.
  public var siteActions: [String: [String]]
  /// Changes the log's level: true for verbose.
  public var setVerbose: @Sendable (Bool) -> Void

  /// Joins the parts.
  public init(
    policy: PolicySettings, scanner: ScannerSettings?, stateFolder: String, logFolder: String?,
    restartCommand: [String], siteActions: [String: [String]],
    setVerbose: @escaping @Sendable (Bool) -> Void
  ) {
    self.policy = policy
    self.scanner = scanner
    self.stateFolder = stateFolder
    self.logFolder = logFolder
    self.restartCommand = restartCommand
    self.siteActions = siteActions
    self.setVerbose = setVerbose
  }

  /// Whether this computer allows an action: site-defined ones only by a name of its own settings.
  public func permits(_ action: ClientAction, _ parameters: ActionParameters) -> Bool {
    guard action == .siteDefined else { return true }
    return parameters["name"].flatMap { siteActions[$0] } != nil
  }
}

/// Does the actions of one client; may be used from any thread.
public final class ActionPerformer: Sendable {
  private let settings: ActionSettings
  private let locations: PolicyLocations
  private let policy: PolicyDownload

  /// Takes the settings and where policies are fetched.
  public init(_ settings: ActionSettings, locations: PolicyLocations) {
    self.settings = settings
    self.locations = locations
    policy = PolicyDownload(settings.policy)
  }

  /// Does one action to its end; blocks, within the order's time.
  public func perform(_ order: ActionOrder, stop: StopFlag) -> ActionResult {
    switch order.action {
    case .downloadComputerPolicy, .downloadUserPolicy:
      // Computer and user policies travel in one document; Linux has no separate user agent.
      return policy.fetch(from: locations[order.key.client], order, stop: stop)
    case .fullScan, .quickScan, .downloadDefinition, .excludePath, .allowThreat,
      .restoreQuarantinedItem:
      guard let scanner = settings.scanner else {
        return .failed("this computer's settings name no malware scanner")
      }
      return MalwareScanner(scanner).perform(order, stop: stop)
    case .collectDiscoveryData: return DiscoveryData.collect()
    case .collectHardwareInventory:
      return HardwareInventory.collect(into: "\(settings.stateFolder)/inventory")
    case .collectSoftwareInventory:
      return SoftwareInventory.collect(
        into: "\(settings.stateFolder)/inventory", order, stop: stop)
    case .enableVerboseLogging:
      settings.setVerbose(true)
      return .succeeded("the agent logs in detail from now on")
    case .disableVerboseLogging:
      settings.setVerbose(false)
      return .succeeded("the agent logs as usual from now on")
    case .collectClientLogs:
      return LogCollection.collect(
        from: settings.logFolder, into: "\(settings.stateFolder)/outbox", order, stop: stop)
    case .restart: return Restart.perform(order, command: settings.restartCommand, stop: stop)
    case .siteDefined: return siteDefined(order, stop: stop)
    }
  }

  private func siteDefined(_ order: ActionOrder, stop: StopFlag) -> ActionResult {
    guard let name = order.parameters["name"], let argv = settings.siteActions[name] else {
      return .failed("this computer's settings map no action of this name")
    }
    let run = ProcessRun.run(ProcessOrder(argv, milliseconds: order.runMilliseconds), stop: stop)
    return ActionResult(run, of: "the action \(name)")
  }
}

extension ActionResult {
  /// How a program ended, with the first lines of its output.
  init(_ run: ProcessResult, of what: String) {
    let text = run.text
    let output = text.isEmpty ? "" : "\n\(text)"
    switch run.end {
    case .exited(0):
      self = .succeeded(text.isEmpty ? "\(what) ran to its end" : text)
    case .exited(let status):
      self = .failed("\(what) failed: \(run.sentence)\(output)", code: status)
    case .signalled(let signal):
      self = .failed("\(what) failed: \(run.sentence)\(output)", code: 128 &+ signal)
    case .timedOut, .stopped, .notStarted:
      self = .failed("\(what) failed: \(run.sentence)\(output)", code: -1)
    }
  }
}

/// The performer of a running agent: used by the threads of actions, replaced by a reload.
///
/// An action that runs goes on under the settings it began with.
final class LivePerformer: Sendable {
  /// Where policies are fetched; the same for all settings.
  let locations = PolicyLocations()
  private let current: Mutex<(settings: ActionSettings, performer: ActionPerformer)>

  init(_ settings: ActionSettings) {
    current = Mutex((settings, ActionPerformer(settings, locations: locations)))
  }

  /// Takes new settings for the actions to come.
  func replace(_ settings: ActionSettings) {
    let performer = ActionPerformer(settings, locations: locations)
    current.withLock { $0 = (settings, performer) }
  }

  /// Whether this computer allows an action.
  func permits(_ action: ClientAction, _ parameters: ActionParameters) -> Bool {
    current.withLock { $0.settings }.permits(action, parameters)
  }

  /// Does one action to its end.
  func perform(_ order: ActionOrder, stop: StopFlag) -> ActionResult {
    current.withLock { $0.performer }.perform(order, stop: stop)
  }
}
