// The settings of bgb-server as its file spells them. `bgb server add` writes a file that works.

import BGBModel
import Reactor
import ServiceLog
import ServiceSettings
import Transports

/// What server.yaml says.
struct ServerSettings: DescribedSettings {
  /// The server's name at the site.
  var name: String
  /// The site's folder.
  var site: RelativePath
  /// Where agents connect.
  var listen: [AddressSetting]
  /// Where agents poll when the port above is closed to them, and where policies are downloaded.
  var httpsListen: [AddressSetting]
  /// What agents are told as the place of policies.
  var httpsUrl: String
  /// The oldest TLS version that the HTTPS listener takes.
  var httpsTls: HTTPSVersion
  /// Who seals and opens records after the handshake.
  var tlsRecords: RecordLayer
  var tlsAlgorithms: TLSAlgorithms
  /// How long a poll is held at most.
  var pollLength: DurationSetting
  /// Where health and metrics are served.
  var healthListen: AddressSetting?
  /// The server's certificate, PEM.
  var certificate: RelativePath
  /// Its key, PEM.
  var key: RelativePath
  /// The authorities that agents' certificates must come from, PEM.
  var ca: RelativePath
  /// The Ed25519 key that signs reports, PEM.
  var reportKey: RelativePath
  /// Keys of session tickets, shared by the servers of a site.
  var ticketKeys: RelativePath
  /// Keys of reconnect identities, shared by the servers that trust each other.
  var reconnectKeys: RelativePath
  /// How long a reconnect identity is good for; none are given out for 0.
  var reconnectLife: DurationSetting
  /// How long an agent may come back without showing its certificate.
  var reconnectProof: DurationSetting
  /// The age at which the key of reconnect identities is replaced.
  var reconnectRotation: DurationSetting
  /// The folder of the outcome journal.
  var journal: RelativePath
  /// Keep-alive interval that agents are told.
  var keepAlive: DurationSetting
  /// Period of online reports.
  var presencePeriod: DurationSetting
  /// Period of task-status reports.
  var outcomePeriod: DurationSetting
  /// Window over which agents come back after a crash.
  var crashWindow: DurationSetting
  /// Processes that serve side by side.
  var workers: Int
  /// How often each worker must show that its loop turns.
  var workerPulse: DurationSetting
  /// Connections at most.
  var connectionsMax: Int
  /// TLS handshakes under way at most.
  var handshakesMax: Int
  /// The log.
  var log: LogSettings
  /// What HTTP clients do; beside the log if not given.
  var httpsLog: RelativePath?

  /// TLS versions that the HTTPS listener may be told to take.
  enum HTTPSVersion: String, Decodable, Sendable {
    case tls13 = "1.3"
    case tls12 = "1.2"
  }

  /// The log's settings.
  struct LogSettings: Decodable {
    /// The file; none means the standard error stream.
    var file: RelativePath?
    /// How lines are spelled.
    var format: LogFormat
    /// What is written from this level on.
    var level: String
  }

  /// Who seals and opens the records of established connections.
  enum RecordLayer: String, Decodable {
    /// This server, with the keys that the handshake agreed upon: some 200 bytes a connection.
    case detached
    /// The kernel, with the same keys; this server where the kernel has no TLS.
    case kernel
    /// OpenSSL's objects: some 23 KB a connection.
    case openssl

    /// Who it is in this process, by what its kernel answers to TLS (nil if it has it).
    func inUse(_ refusal: Errno?) -> RecordLayer {
      self == .kernel && refusal != nil ? .detached : self
    }
  }

  static var descriptions: [SettingDescription] { places + rules }

  /// Who it is, where it listens, and its files.
  private static var places: [SettingDescription] {
    [
      SettingDescription("name", "text", "The server's name, as `bgb server add` was told."),
      SettingDescription("site", "path", default: "../..", "The site's folder."),
      SettingDescription(
        "listen", "addresses", default: "127.0.0.1:10123", "Where agents connect."),
      SettingDescription(
        "https-listen", "addresses", default: "[]",
        "Where agents poll over HTTPS when they cannot reach listen, and fetch policies."),
      SettingDescription(
        "https-url", "URL", default: "", "What agents are told as the place of policies."),
      SettingDescription(
        "https-tls", "1.3|1.2", default: "\"1.3\"",
        "The oldest TLS version of the HTTPS listener; 1.2 for paths that break 1.3."),
      SettingDescription(
        "tls-records", "detached|kernel|openssl", default: "detached",
        "Who seals and opens records after the handshake: this server, the kernel, or OpenSSL."),
      SettingDescription(
        "tls-algorithms", "narrow|all", default: "narrow",
        "Which of OpenSSL's algorithms TLS may use: those that agents need, or all."),
      SettingDescription(
        "poll-length", "duration", default: "5m",
        "How long a poll is held at most; learned shorter where a path cuts earlier."),
      SettingDescription(
        "health-listen", "address", "Where /healthz, /readyz and /metrics are; keep it on loopback."
      ),
      SettingDescription("certificate", "path", default: "server.crt", "The server's certificate."),
      SettingDescription("key", "path", default: "server.key", "Its private key."),
      SettingDescription("ca", "path", default: "ca.pem", "The site's certificate authority."),
      SettingDescription(
        "report-key", "path", default: "report.key", "The Ed25519 key that signs reports."),
      SettingDescription(
        "ticket-keys", "path", default: "tickets.keys", "Keys of TLS session tickets."),
      SettingDescription(
        "reconnect-keys", "path", default: "reconnect.keys",
        "Keys of reconnect identities; shared by servers that trust each other, by no others."),
      SettingDescription(
        "reconnect-life", "duration", default: "24h",
        "How long an agent can come back with one identity; 0 gives none out."),
      SettingDescription(
        "reconnect-proof", "duration", default: "7d",
        "How long an agent may come back without showing its certificate."),
      SettingDescription(
        "reconnect-rotation", "duration", default: "24h",
        "The age at which the key of reconnect identities is replaced."),
      SettingDescription(
        "journal", "path", default: "journal", "The folder of outcomes not told yet."),
    ]
  }

  /// Times, limits and logs.
  private static var rules: [SettingDescription] {
    [
      SettingDescription(
        "keep-alive", "duration", default: "15m", "How often agents must say something."),
      SettingDescription(
        "presence-period", "duration", default: "5m", "How often online reports are written."),
      SettingDescription(
        "outcome-period", "duration", default: "10s", "How often task-status reports are written."),
      SettingDescription(
        "crash-window", "duration", default: "50s",
        "Over how long agents spread their return after a crash of this server."),
      SettingDescription(
        "workers", "number", default: "1",
        "Processes that serve side by side on the same ports; a crash of one costs one part."),
      SettingDescription(
        "worker-pulse", "duration", default: "60s",
        "How often a worker must show that it does not hang, or is killed and started anew; or 0."),
      SettingDescription(
        "connections-max", "number", default: "18000",
        "Connections of each worker at most; needs as many files in each."),
      SettingDescription(
        "handshakes-max", "number", default: "128", "TLS handshakes under way at most."),
      SettingDescription("log.file", "path", "The log; without it, the standard error stream."),
      SettingDescription(
        "log.format", "text|cmtrace|json", default: "text", "How lines are spelled."),
      SettingDescription(
        "log.level", "trace|debug|info|notice|warning|error", default: "info",
        "What is written from this level on."),
      SettingDescription(
        "https-log", "path",
        "What HTTP clients do; if not given, BgbHttpProxy.log beside log.file."),
    ]
  }

  /// Reads a file, with the environment over it.
  static func load(_ file: String) throws(SettingsError) -> ServerSettings {
    try ServiceSettings.load(
      ServerSettings.self, file: file, environmentPrefix: "BGB_SERVER",
      environment: ProcessEnvironment.variables())
  }

  /// The keys whose change takes a new start.
  func needsRestart(insteadOf running: ServerSettings) -> [String] {
    var keys: [String] = []
    if name != running.name { keys.append("name") }
    if site != running.site { keys.append("site") }
    if listen != running.listen { keys.append("listen") }
    if httpsListen != running.httpsListen { keys.append("https-listen") }
    if healthListen != running.healthListen { keys.append("health-listen") }
    if reportKey != running.reportKey { keys.append("report-key") }
    if journal != running.journal { keys.append("journal") }
    if connectionsMax != running.connectionsMax { keys.append("connections-max") }
    if tlsRecords != running.tlsRecords { keys.append("tls-records") }
    if tlsAlgorithms != running.tlsAlgorithms { keys.append("tls-algorithms") }
    if workers != running.workers { keys.append("workers") }
    if workerPulse != running.workerPulse { keys.append("worker-pulse") }
    return keys
  }

  /// The file of what HTTP clients do; nil for the log's own stream.
  var httpsLogFile: String? {
    if let httpsLog { return httpsLog.path }
    guard let file = log.file?.path, let slash = file.lastIndex(of: "/") else { return nil }
    return file[...slash] + "BgbHttpProxy.log"
  }

  /// The numbers that rule the shard.
  var shard: ShardSettings {
    var shard = ShardSettings()
    shard.connectionsMax = connectionsMax
    shard.handshakesMax = handshakesMax
    shard.detaches = tlsRecords != .openssl
    shard.keepAliveSeconds = max(
      Limits.keepAliveSecondsMinimum, UInt32(clamping: keepAlive.seconds))
    shard.crashWindowSeconds = UInt32(clamping: crashWindow.seconds)
    shard.presencePeriodMilliseconds = max(100, UInt64(clamping: presencePeriod.milliseconds))
    shard.outcomePeriodMilliseconds = max(100, UInt64(clamping: outcomePeriod.milliseconds))
    shard.policyURL = httpsUrl
    let seconds = max(Limits.pollSecondsMinimum, UInt32(clamping: pollLength.seconds))
    shard.pollSeconds = min(Limits.pollSecondsMaximum, seconds)
    return shard
  }
}
