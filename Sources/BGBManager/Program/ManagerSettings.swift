// The settings of the manager, with the table that gives their defaults and explains them.

import ServiceLog
import ServiceSettings
import Synchronization

/// What `manager.yaml` may hold.
struct ManagerSettings: DescribedSettings, Hashable, Sendable {
  /// Where and how the log is written.
  struct Log: Decodable, Hashable, Sendable {
    /// The file, relative to the folder of the settings; nil stands for the site's own.
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

  /// The log.
  var log: Log
  /// The group whose members may administer the site; nil stands for the manager's own group.
  var group: String?
  /// How often the inbox is looked at even when nothing was announced.
  var sweepInterval: DurationSetting
  /// How often overdue targets are ended.
  var overdueInterval: DurationSetting
  /// How often open progress streams look for changes that other processes made.
  var progressInterval: DurationSetting
  /// For how many days a client's certificate is valid.
  var clientCertificateDays: Int
  /// For how many days a server's certificate is valid.
  var serverCertificateDays: Int
  /// How many days before its end a certificate is complained about.
  var certificateWarningDays: Int

  static let environmentPrefix = "BGB_MANAGER"

  static let descriptions = [
    SettingDescription(
      "log.file", "path", "The log file; the site's logs/bgbmgr.log if not given."),
    SettingDescription(
      "log.format", "text, cmtrace or json", default: "text", "How log lines are spelled."),
    SettingDescription(
      "log.level", "level", default: "info", "What is logged from this level on."),
    SettingDescription(
      "group", "group name",
      "The local group whose members may administer; the manager's own if not given."),
    SettingDescription(
      "sweep-interval", "duration", default: "5s",
      "How often the inbox is looked at even when no file was announced."),
    SettingDescription(
      "overdue-interval", "duration", default: "2s", "How often overdue targets are ended."),
    SettingDescription(
      "progress-interval", "duration", default: "2s",
      "How often progress streams look for changes that other processes made."),
    SettingDescription(
      "client-certificate-days", "days, 1 to 3650", default: "365",
      "For how long the certificates of clients are valid."),
    SettingDescription(
      "server-certificate-days", "days, 1 to 3650", default: "365",
      "For how long the certificates of notification servers are valid."),
    SettingDescription(
      "certificate-warning-days", "days", default: "30",
      "How long before its end a certificate is complained about."),
  ]

  /// What the reader cannot check by type.
  var fault: String? {
    let terms = [clientCertificateDays, serverCertificateDays]
    guard terms.allSatisfy((1...3_650).contains) else {
      return "certificate days must be 1 to 3650"
    }
    guard (1...3_650).contains(certificateWarningDays) else {
      return "certificate-warning-days must be 1 to 3650"
    }
    let intervals = [sweepInterval, overdueInterval, progressInterval]
    guard intervals.allSatisfy({ (100...3_600_000).contains($0.milliseconds) }) else {
      return "intervals must be 100ms to 1h"
    }
    return nil
  }
}

/// The settings of a running manager: read from any thread, replaced by a reload.
final class LiveSettings: Sendable {
  private let settings: Mutex<ManagerSettings>

  init(_ settings: ManagerSettings) { self.settings = Mutex(settings) }

  /// The settings now.
  var current: ManagerSettings { settings.withLock { $0 } }

  /// Replaces them.
  func replace(_ new: ManagerSettings) { settings.withLock { $0 = new } }
}
