// The settings of an agent, with the table that gives their defaults and explains them.

import ServiceLog
import ServiceSettings

/// What `agent.yaml` may hold.
struct AgentSettings: DescribedSettings, Hashable, Sendable {
  /// Where and how the log is written.
  struct Log: Decodable, Hashable, Sendable {
    /// The file; relative to the folder of the settings.
    var file: RelativePath?
    /// The spelling of the lines.
    var format: LogFormat
    /// What is written from this level on.
    var level: LogLevel
  }

  /// The levels of the log, by the words of swift-log.
  enum LogLevel: String, Decodable, Sendable {
    case trace, debug, info, notice, warning, error, critical
  }

  /// The malware scanner.
  struct Scanner: Decodable, Hashable, Sendable {
    /// Its kind; `clamav` is the only one, `none` switches the actions off.
    var kind: Kind
    /// The program that scans.
    var scan: RelativePath
    /// The program that fetches definitions.
    var update: RelativePath
    /// The folder of definitions; the scanner's own if not given.
    var database: RelativePath?
    /// What a quick scan looks at.
    var quickPaths: [String]
    /// What a full scan looks at.
    var fullPaths: [String]
    /// What no scan looks at.
    var exclude: [String]

    /// The kinds of scanners.
    enum Kind: String, Decodable, Sendable {
      case clamav, none
    }
  }

  /// The servers, `host:port` each.
  var managementPoints: [AddressSetting]
  /// Their HTTPS listeners; nil is port 443 of the same hosts.
  var httpsManagementPoints: [AddressSetting]?
  /// Which transports may be used.
  var transport: Way
  /// How often TCP is tried again while on HTTPS.
  var tcpRetry: DurationSetting
  /// The oldest TLS version over HTTPS.
  var httpsTls: HTTPSVersion
  /// The proxy on the way to HTTPS listeners.
  var proxy: Proxy
  /// The client's certificate.
  var certificate: RelativePath
  /// Its key.
  var key: RelativePath
  /// The site's authority.
  var ca: RelativePath
  /// The keys that may sign tasks.
  var taskKeys: RelativePath
  /// The site's code.
  var site: String
  /// Where the agent keeps what it must remember.
  var state: RelativePath
  /// The log.
  var log: Log
  /// How often policies are fetched without being told to.
  var policyInterval: DurationSetting
  /// Run after the policy changed.
  var applyHook: [String]
  /// The malware scanner.
  var scanner: Scanner
  /// What restarts the computer.
  var restartCommand: [String]
  /// Site-defined actions: a name and the program it stands for.
  var actions: [String: [String]]
  /// How long an action may run, if its task does not say less.
  var actionDeadline: DurationSetting

  static let environmentPrefix = "BGB_AGENT"

  static let descriptions = ownDescriptions + wayDescriptions

  private static let ownDescriptions = [
    SettingDescription(
      "management-points", "list of host:port", "The servers to connect to, tried in turn."),
    SettingDescription(
      "certificate", "path", default: "client.crt", "The client's certificate, PEM."),
    SettingDescription("key", "path", default: "client.key", "The certificate's key, PEM."),
    SettingDescription("ca", "path", default: "ca.pem", "The site's authority, PEM."),
    SettingDescription(
      "task-keys", "path", default: "task.pub", "The public keys that may sign tasks, PEM."),
    SettingDescription("site", "site code", "The site's three characters, such as S01."),
    SettingDescription(
      "state", "path", default: "state", "The folder for the journal, quarantine and inventories."),
    SettingDescription("log.file", "path", "The log file; standard error if not given."),
    SettingDescription(
      "log.format", "text, cmtrace or json", default: "text", "How log lines are spelled."),
    SettingDescription(
      "log.level", "level", default: "info", "What is logged from this level on."),
    SettingDescription(
      "policy-interval", "duration", default: "60m",
      "How often policies are fetched without being told to."),
    SettingDescription(
      "apply-hook", "argv", default: "[]", "Run after the policy changed, with its file's path."),
    SettingDescription(
      "scanner.kind", "clamav or none", default: "clamav", "The malware scanner."),
    SettingDescription(
      "scanner.scan", "path", default: "/usr/bin/clamscan", "The program that scans."),
    SettingDescription(
      "scanner.update", "path", default: "/usr/bin/freshclam",
      "The program that fetches definitions."),
    SettingDescription(
      "scanner.database", "path", "The folder of definitions; the scanner's own if not given."),
    SettingDescription(
      "scanner.quick-paths", "list of paths", default: "[/tmp, /var/tmp, /home]",
      "What a quick scan looks at."),
    SettingDescription(
      "scanner.full-paths", "list of paths", default: "[/]", "What a full scan looks at."),
    SettingDescription(
      "scanner.exclude", "list of paths", default: "[/proc, /sys, /dev, /run]",
      "What no scan looks at."),
    SettingDescription(
      "restart-command", "argv", default: "[/sbin/shutdown, -r, now]",
      "What restarts the computer."),
    SettingDescription(
      "actions", "name: argv", default: "{}", "Site-defined actions and what they run."),
    SettingDescription(
      "action-deadline", "duration", default: "30m",
      "How long an action may run, if its task does not say less."),
  ]

  /// What the reader cannot check by type: a sentence, or nil.
  var fault: String? {
    if managementPoints.isEmpty { return "management-points names no server" }
    for argv in [applyHook, restartCommand] + actions.values where !argv.isEmpty {
      if argv.first?.hasPrefix("/") != true {
        return "'\(argv.joined(separator: " "))' must begin with an absolute path"
      }
    }
    if actions.values.contains([]) { return "an action without a program makes no sense" }
    for path in scanner.quickPaths + scanner.fullPaths + scanner.exclude
    where !path.hasPrefix("/") {
      return "the scanner's path '\(path)' must be absolute"
    }
    guard (1_000...7 * 86_400_000).contains(actionDeadline.milliseconds) else {
      return "action-deadline must be 1s to 7d"
    }
    guard policyInterval.milliseconds == 0 || policyInterval.milliseconds >= 1_000 else {
      return "policy-interval must be 0 (never) or at least 1s"
    }
    return wayFault
  }
}
