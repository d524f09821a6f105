// The manager put together: its parts are made once, given to each other, and run as services that
// stop in the order in which they depend on each other.

import BGBModel
import BGBReport
import BGBSigning
import Glibc
import Hummingbird
import HummingbirdCore
import HummingbirdCore
import Logging
import NIOPosix
import ServiceLifecycle
import ServiceLog
import ServiceSettings
import SiteDatabase
import UnixSignals

/// What a manager is made of: opened, checked, and not yet running.
struct ManagerParts: Sendable {
  var folder: SiteFolder
  var store: any SiteStore
  var site: SiteRecord
  var authority: CertificateAuthority
  var key: SigningKey
  var taskKeysPEM: String
  var inbox: DropBox
  var settings: LiveSettings
  var groupID: UInt32
  var clock: SiteClock
  var log: Logger
  var machine: String
}

/// A notification manager of one site.
struct NotificationManager: Sendable {
  /// Threads that may block on the database for the API.
  static let blockingThreads = 4
  /// Connections to the socket at one time, at most.
  static let connectionsMax = 512
  /// After this long a stop no longer waits for requests under way.
  static let stopSeconds: Int64 = 10

  let parts: ManagerParts
  let hub = ProgressHub()
  let gauges = ManagerGauges()
  let desk: StatusDesk
  let pool = NIOThreadPool(numberOfThreads: blockingThreads)

  /// Puts the parts together.
  init(_ parts: ManagerParts) {
    self.parts = parts
    desk = StatusDesk(
      store: parts.store, log: parts.log, machine: parts.machine, clock: parts.clock)
  }

  /// What the API offers.
  var administration: SiteAdministration {
    SiteAdministration(
      store: parts.store,
      tasks: TaskOffice(
        store: parts.store, site: parts.site.code, key: parts.key, clock: parts.clock),
      enrolment: EnrolmentOffice(
        store: parts.store, authority: parts.authority, taskKeysPEM: parts.taskKeysPEM,
        settings: parts.settings, clock: parts.clock, gauges: gauges),
      hub: hub, gauges: gauges, health: ManagerHealth(store: parts.store, gauges: gauges),
      clock: parts.clock)
  }

  /// The rounds, as they begin.
  func rounds() -> Rounds {
    Rounds(
      folder: parts.folder, store: parts.store, hub: hub, desk: desk, gauges: gauges,
      settings: parts.settings, clock: parts.clock, log: parts.log,
      intake: ReportIntake(
        inbox: parts.inbox, store: parts.store, site: parts.site.code, desk: desk, gauges: gauges,
        clock: parts.clock, log: parts.log))
  }

  /// Everything as one group; run it, or stop it with `triggerGracefulShutdown`.
  ///
  /// A group stops its services from the last to the first: the API first, so that nobody asks for
  /// what is no longer done; then the tickers, and the rounds last, after the report under way.
  /// `reload` is called at each SIGHUP; nil leaves that signal alone.
  func services(
    signals: [UnixSignal], reload: (@Sendable () -> Void)?
  ) throws -> ServiceGroup {
    pool.start()
    var services: [any Service] = [
      try RoundsService(inbox: parts.folder.inbox, log: parts.log) { rounds() },
      ProgressTicker(hub: hub, settings: parts.settings),
    ]
    if let reload { services.append(ReloadListener(reload: reload)) }
    services.append(application())
    var configuration = ServiceGroupConfiguration(
      services: services, gracefulShutdownSignals: signals, logger: quietLog)
    configuration.maximumGracefulShutdownDuration = .seconds(NotificationManager.stopSeconds)
    return ServiceGroup(configuration: configuration)
  }

  /// Ends what the services shared.
  func finish() async {
    hub.close()
    try? await pool.shutdownGracefully()
  }

  /// Frameworks speak only of what needs attention.
  private var quietLog: Logger {
    var log = parts.log
    log.logLevel = .warning
    return log
  }

  private func application() -> some Service {
    let server = APIServer(
      administration: administration,
      rule: CallerRule(ownUserID: geteuid(), groupID: parts.groupID), desk: desk, pool: pool,
      log: parts.log)
    let (parts, desk) = (parts, desk)
    return Application(
      router: server.router(),
      server: .http1(configuration: .init(idleTimeout: .seconds(120))),
      configuration: ApplicationConfiguration(
        address: .unixDomainSocket(path: parts.folder.socket),
        availableConnectionsDelegate: MaximumAvailableConnections(
          NotificationManager.connectionsMax)),
      onServerRunning: { _ in
        do {
          try SiteFiles.setGroup(parts.folder.socket, parts.groupID)
          try SiteFiles.setMode(parts.folder.socket, 0o660)
        } catch { parts.log.warning("Cannot give the socket to its group: \(error)") }
        parts.log.info("Listening for the console on \(parts.folder.socket)")
        desk.tell(.started(version: SiteAdministration.version, site: parts.site.code))
      },
      logger: quietLog)
  }
}

/// Wakes all progress streams now and then, for changes that other processes made.
private struct ProgressTicker: Service {
  let hub: ProgressHub
  let settings: LiveSettings

  func run() async throws {
    try? await cancelWhenGracefulShutdown {
      while true {
        try await Task.sleep(for: .milliseconds(settings.current.progressInterval.milliseconds))
        hub.touchAll()
      }
    }
  }
}

/// Reads the settings again at each SIGHUP.
private struct ReloadListener: Service {
  let reload: @Sendable () -> Void

  func run() async throws {
    for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
      reload()
    }
  }
}
