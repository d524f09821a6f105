// The agent as a service: files into parts, parts into a loop, the loop until SIGTERM.

import BGBModel
import BGBSigning
import Glibc
import HTTPClient
import Logging
import Reactor
import ServiceLog
import ServiceSettings

/// Everything that the settings and their files say.
struct AgentParts {
  var settings: AgentSettings
  var identity: AgentIdentity
  var keys: [PublicKey]
  var site: SiteCode
  var proxy: ProxyChoice

  /// Reads the settings and the files they name.
  static func read(settingsFile: String) throws(AgentError) -> AgentParts {
    // Absolute, so that paths keep their meaning when the service leaves the folder it started in.
    guard let file = AgentFile.absolute(settingsFile) else {
      throw AgentError("there is no file \(settingsFile): 'bgb client add NAME' makes one")
    }
    let settings: AgentSettings
    do throws(SettingsError) {
      settings = try ServiceSettings.load(
        AgentSettings.self, file: file, environmentPrefix: AgentSettings.environmentPrefix,
        environment: ProcessEnvironment.variables())
    } catch {
      throw AgentError(error.description)
    }
    if let fault = settings.fault { throw AgentError("\(file): \(fault)") }
    guard let site = SiteCode(settings.site) else {
      throw AgentError("\(file): site '\(settings.site)' is not three of A-Z and 0-9")
    }
    let identity = AgentIdentity(
      clientID: try clientID(in: settings.certificate.path),
      certificateFile: settings.certificate.path, keyFile: settings.key.path,
      authorityFile: settings.ca.path, facts: DiscoveryData.facts(),
      sessionFolder: settings.state.path)
    _ = try AgentLoop.context(of: identity)
    return AgentParts(
      settings: settings, identity: identity, keys: try keys(in: settings.taskKeys.path),
      site: site,
      proxy: try settings.proxyChoice(environment: ProcessEnvironment.variables()))
  }

  static func clientID(in file: String) throws(AgentError) -> ClientID {
    guard let pem = AgentFile.text(file) else {
      throw AgentError("the certificate \(file) cannot be read")
    }
    guard let facts = try? CertificateFacts.read(pem: pem), let client = facts.clientID else {
      throw AgentError("the certificate \(file) names no client")
    }
    return client
  }

  /// The file may hold several keys, one after the other, while one replaces another.
  static func keys(in file: String) throws(AgentError) -> [PublicKey] {
    guard let text = AgentFile.text(file) else {
      throw AgentError("the task keys \(file) cannot be read")
    }
    var keys: [PublicKey] = []
    var block = ""
    for line in text.split(separator: "\n") {
      block += line + "\n"
      guard line.hasPrefix("-----END") else { continue }
      guard let key = try? PublicKey(pem: block) else {
        throw AgentError("\(file) holds something that is no Ed25519 public key")
      }
      keys.append(key)
      block = ""
    }
    guard !keys.isEmpty else { throw AgentError("\(file) holds no public key") }
    return keys
  }
}

/// The program's service.
enum AgentService {
  /// Whether `run` would start: a sentence that says so.
  static func check(settingsFile: String) throws(AgentError) -> String {
    let parts = try AgentParts.read(settingsFile: settingsFile)
    let servers = parts.settings.managementPoints.map(\.description).joined(separator: ", ")
    return "client \(parts.identity.clientID) of site \(parts.site) would connect to \(servers)"
  }

  /// Runs until SIGTERM or SIGINT.
  static func run(settingsFile: String) throws(AgentError) {
    // Before any thread starts, for threads inherit the mask.
    let signals: SignalDescriptor
    do throws(Errno) {
      signals = try SignalDescriptor([SIGTERM, SIGINT, SIGHUP])
    } catch {
      throw AgentError("signals cannot be received: \(error)")
    }
    let parts = try AgentParts.read(settingsFile: settingsFile)
    do throws(FileError) {
      try AgentFile.makeFolder(parts.settings.state.path)
    } catch {
      throw AgentError("the state folder: \(error)")
    }
    let log = try openLog(parts.settings)
    let reporter = AgentReporter(log.logger("agent"), clientID: parts.identity.clientID)
    let performer = LivePerformer(actionSettings(parts, log))
    let loop = try makeLoop(parts, performer, reporter)
    loop.observer = { client, _, event in reporter.note(client, event) }
    do throws(Errno) {
      guard let file = AgentFile.absolute(settingsFile) else { throw .notFound }
      try loop.watchSignals(signals) { [unowned loop] in
        reload(loop, file, performer, log, reporter)
      }
    } catch {
      throw AgentError("signals cannot be received: \(error)")
    }
    try loop.add(parts.identity)
    AgentFile.leaveFolder()
    reporter.started(parts.settings.managementPoints.map(\.description))
    do throws(Errno) {
      try loop.run()
    } catch {
      reporter.logger.critical("the loop ended", metadata: ["error": "\(error)"])
    }
    reporter.logger.notice("stopped")
  }

  private static func openLog(_ settings: AgentSettings) throws(AgentError) -> LogHandle {
    if let file = settings.log.file {
      try? AgentFile.makeFolder(AgentFile.parent(of: file.path))
    }
    do throws(LogError) {
      return try ServiceLog.open(
        file: settings.log.file?.path, format: settings.log.format,
        level: settings.log.level.logger, component: "CcmNotificationAgent")
    } catch {
      throw AgentError(error.description)
    }
  }

  private static func makeLoop(
    _ parts: AgentParts, _ performer: LivePerformer, _ reporter: AgentReporter
  ) throws(AgentError) -> AgentLoop {
    let settings = parts.settings
    let journalPath = "\(settings.state.path)/journal"
    let boot = SystemFacts.boot()
    var rules = DeskRules(keys: parts.keys, site: parts.site, boot: boot) { action, parameters in
      performer.permits(action, parameters)
    }
    rules.runMillisecondsMax = UInt64(max(1_000, settings.actionDeadline.milliseconds))
    let desk = try openDesk(journalPath, rules, reporter)
    let interval = UInt64(max(0, settings.policyInterval.milliseconds))
    var configuration = AgentConfiguration(
      site: parts.site, managementPoints: settings.managementPoints.map(\.description),
      perform: { performer.perform($0, stop: $1) },
      policyIntervalMilliseconds: interval == 0 ? nil : interval)
    configuration.take(settings, proxy: parts.proxy)
    do throws(Errno) {
      return try AgentLoop(
        configuration, desk: desk, makeDisk: { JournalFile(path: journalPath) },
        policyLocations: performer.locations, linksMax: 8)
    } catch {
      throw AgentError("the loop cannot be made: \(error)")
    }
  }

  private static func openDesk(
    _ path: String, _ rules: DeskRules, _ reporter: AgentReporter
  ) throws(AgentError) -> TaskDesk {
    do throws(DiskError) {
      return try TaskDesk.open(
        JournalFile(path: path), rules: rules,
        now: WallTime(milliseconds: WallClock.nowMilliseconds()),
        random: JitterRandom(), remark: { reporter.logger.warning("\($0)") })
    } catch {
      throw AgentError("the journal \(path): \(error)")
    }
  }

  private static func actionSettings(_ parts: AgentParts, _ log: LogHandle) -> ActionSettings {
    let settings = parts.settings
    let state = settings.state.path
    let scanner: ScannerSettings? =
      settings.scanner.kind == .none
      ? nil
      : ScannerSettings(
        scan: settings.scanner.scan.path, update: settings.scanner.update.path,
        database: settings.scanner.database?.path, quickPaths: settings.scanner.quickPaths,
        fullPaths: settings.scanner.fullPaths, exclude: settings.scanner.exclude,
        folder: "\(state)/scanner")
    let usual = settings.log.level.logger
    return ActionSettings(
      policy: PolicySettings(
        certificateFile: settings.certificate.path, keyFile: settings.key.path,
        authorityFile: settings.ca.path, folder: "\(state)/policy",
        applyHook: settings.applyHook, proxy: parts.proxy),
      scanner: scanner, stateFolder: state,
      logFolder: settings.log.file.map { AgentFile.parent(of: $0.path) },
      restartCommand: settings.restartCommand, siteActions: settings.actions,
      setVerbose: { log.setLevel($0 ? .trace : usual) })
  }

  /// Takes what a reload may change without a new connection; a file that is wrong changes nothing.
  private static func reload(
    _ loop: AgentLoop, _ file: String, _ performer: LivePerformer, _ log: LogHandle,
    _ reporter: AgentReporter
  ) {
    do throws(AgentError) {
      let parts = try AgentParts.read(settingsFile: file)
      loop.desk.rules.keys = parts.keys
      performer.replace(actionSettings(parts, log))
      log.setLevel(parts.settings.log.level.logger)
      loop.renewCredentials()
      reporter.logger.notice("read the settings anew")
    } catch {
      reporter.logger.error("kept the old settings", metadata: ["error": "\(error)"])
    }
    do throws(LogError) {
      try log.reopen()
    } catch {
      reporter.logger.error("kept the old log", metadata: ["error": "\(error)"])
    }
  }
}

extension AgentSettings.LogLevel {
  var logger: Logger.Level {
    switch self {
    case .trace: .trace
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    case .critical: .critical
    }
  }
}
