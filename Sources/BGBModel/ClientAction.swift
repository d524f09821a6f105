// THE table of client actions. Codes are the original's operation type numbers, so that an
// administrator's scripts keep their meaning; everything else that differs between actions (words,
// permission, class, parameters) stands in one row here and nowhere else.

/// How much an action disturbs the person at the computer.
public enum ActionClass: String, Sendable, CaseIterable {
  /// Nothing that a person would notice.
  case light
  /// Noticeable load or changed behaviour.
  case disruptive
  /// Ends work in progress or removes something.
  case destructive
}

/// The right that an operator needs to start an action.
public enum ActionPermission: String, Sendable, CaseIterable {
  /// The original's *Notify Resource*.
  case notifyResource = "notify-resource"
  /// The original's *Enforce Security*.
  case enforceSecurity = "enforce-security"
}

/// What kind of value a parameter takes, with its bounds.
public enum ParameterKind: Sendable, Equatable {
  /// An absolute path without `..`, control characters or trailing slash; data only, never
  /// executed.
  case path
  /// Letters, digits, `.`, `_`, `-`, not beginning with `-` or `.`, of at most this many bytes.
  case word(bytesMax: Int)
  /// Printable text of at most this many bytes.
  case text(bytesMax: Int)
  /// A whole number in a range.
  case number(ClosedRange<Int64>)
}

/// One parameter that an action takes.
public struct ActionParameter: Sendable, Equatable {
  /// Its name, as an operator writes it before `=`.
  public let name: String
  /// Its type and bounds.
  public let kind: ParameterKind
  /// Whether the action makes no sense without it.
  public let isRequired: Bool
}

/// An operation that an agent can perform; the raw value is the code on the wire and in the
/// database.
public enum ClientAction: UInt16, Sendable, CaseIterable {
  /// Scan the whole computer for malware.
  case fullScan = 1
  /// Scan the places where malware usually is.
  case quickScan = 2
  /// Fetch the newest malware definitions.
  case downloadDefinition = 3
  /// Leave a path out of scans.
  case excludePath = 5
  /// Do not report a named threat any more.
  case allowThreat = 6
  /// Put a quarantined item back.
  case restoreQuarantinedItem = 7
  /// Fetch the computer's policy now.
  case downloadComputerPolicy = 8
  /// Fetch the policy for users now.
  case downloadUserPolicy = 9
  /// Tell name, operating system and addresses.
  case collectDiscoveryData = 10
  /// List the installed packages.
  case collectSoftwareInventory = 11
  /// List processor, memory, disks and network.
  case collectHardwareInventory = 12
  /// Restart the computer.
  case restart = 17
  /// Write detailed logs.
  case enableVerboseLogging = 20
  /// Write ordinary logs.
  case disableVerboseLogging = 21
  /// Send the agent's logs.
  case collectClientLogs = 22
  /// Run what the agent's own configuration maps a name to.
  case siteDefined = 1000

  /// The words an operator types and reads in lists.
  public var name: String { row.name }
  /// The words of a console's menu.
  public var title: String { row.title }
  /// The right an operator needs.
  public var permission: ActionPermission { row.permission }
  /// How much it disturbs.
  public var actionClass: ActionClass { row.actionClass }
  /// Whether it also travels by policy download: Endpoint Protection operations that are not scans.
  public var travelsByPolicy: Bool { row.travelsByPolicy }
  /// What it takes.
  public var parameters: [ActionParameter] { row.parameters }
  /// The original's name of it, accepted as an alias.
  public var originalName: String { row.originalName }

  /// Finds an action by its name or the original's name, without regard to case.
  public init?(named text: String) {
    let wanted = text.lowercased()
    for action in ClientAction.allCases {
      let row = action.row
      if row.name == wanted || row.originalName.lowercased() == wanted {
        self = action
        return
      }
    }
    return nil
  }

  private struct Row {
    var name: String
    var title: String
    var originalName: String
    var permission = ActionPermission.notifyResource
    var actionClass = ActionClass.light
    var travelsByPolicy = false
    var parameters: [ActionParameter] = []
  }

  private var row: Row {
    switch self {
    case .fullScan:
      Row(
        name: "full-scan", title: "Full Scan", originalName: "EndpointProtectionFullScan",
        permission: .enforceSecurity, actionClass: .disruptive)
    case .quickScan:
      Row(
        name: "quick-scan", title: "Quick Scan", originalName: "EndpointProtectionQuickScan",
        permission: .enforceSecurity)
    case .downloadDefinition:
      Row(
        name: "download-definition", title: "Download Definition",
        originalName: "EndpointProtectionDownloadDefinition", permission: .enforceSecurity,
        travelsByPolicy: true)
    case .excludePath:
      Row(
        name: "exclude-path", title: "Exclude Path",
        originalName: "EndpointProtectionExcludeScanPaths", permission: .enforceSecurity,
        travelsByPolicy: true,
        parameters: [ActionParameter(name: "path", kind: .path, isRequired: true)])
    case .allowThreat:
      Row(
        name: "allow-threat", title: "Allow Threat", originalName: "EndpointProtectionAllowThreat",
        permission: .enforceSecurity, travelsByPolicy: true,
        parameters: [
          ActionParameter(name: "threat", kind: .word(bytesMax: 255), isRequired: true)
        ])
    case .restoreQuarantinedItem:
      Row(
        name: "restore-quarantined-item", title: "Restore Quarantined Item",
        originalName: "EndpointProtectionRestoreQuarantinedItems", permission: .enforceSecurity,
        actionClass: .disruptive, travelsByPolicy: true,
        parameters: [ActionParameter(name: "item", kind: .word(bytesMax: 255), isRequired: true)])
    case .restart:
      Row(
        name: "restart", title: "Restart", originalName: "ClientNotificationRebootMachine",
        actionClass: .destructive,
        parameters: [
          ActionParameter(name: "delay-seconds", kind: .number(0...86_400), isRequired: false),
          ActionParameter(name: "message", kind: .text(bytesMax: 512), isRequired: false),
        ])
    case .siteDefined:
      Row(
        name: "site-defined", title: "Site-defined Action", originalName: "BGBSiteDefinedAction",
        actionClass: .disruptive,
        parameters: [ActionParameter(name: "name", kind: .word(bytesMax: 64), isRequired: true)])
    default: lightRow
    }
  }

  /// The rows of light actions without parameters.
  private var lightRow: Row {
    switch self {
    case .downloadComputerPolicy:
      Row(
        name: "download-computer-policy", title: "Download Computer Policy",
        originalName: "ClientNotificationRequestMachinePolicyNow")
    case .downloadUserPolicy:
      Row(
        name: "download-user-policy", title: "Download User Policy",
        originalName: "ClientNotificationRequestUsersPolicyNow")
    case .collectDiscoveryData:
      Row(
        name: "collect-discovery-data", title: "Collect Discovery Data",
        originalName: "ClientNotificationRequestDDRNow")
    case .collectSoftwareInventory:
      Row(
        name: "collect-software-inventory", title: "Collect Software Inventory",
        originalName: "ClientNotificationRequestSWInvNow")
    case .collectHardwareInventory:
      Row(
        name: "collect-hardware-inventory", title: "Collect Hardware Inventory",
        originalName: "ClientNotificationRequestHWInvNow")
    case .enableVerboseLogging:
      Row(
        name: "enable-verbose-logging", title: "Enable Verbose Logging",
        originalName: "DiagnosticsEnableVerboseLogging")
    case .disableVerboseLogging:
      Row(
        name: "disable-verbose-logging", title: "Disable Verbose Logging",
        originalName: "DiagnosticsDisableVerboseLogging")
    default:
      Row(
        name: "collect-client-logs", title: "Collect Client Logs",
        originalName: "DiagnosticsCollectFiles")
    }
  }
}
