// The program around the manager: flags, log, start, stop, and the exit code.

import ArgumentParser
import Glibc
import Logging
import Reactor
import ServiceLifecycle
import ServiceLog
import ServiceSettings
import UnixSignals

/// The program `bgb-manager`.
public enum ManagerProgram {
  /// Runs the program to its end and returns its exit code: 0 after a stop in order, 2 when it
  /// could not start, 1 when it failed while running, 64 for wrong flags.
  public static func run(_ arguments: [String]) async -> Int32 {
    await run(arguments, environment: ProcessEnvironment.variables())
  }

  static func run(_ arguments: [String], environment: [String: String]) async -> Int32 {
    let flags: Flags
    do { flags = try Flags.parse(arguments) } catch {
      let code = Flags.exitCode(for: error)
      let text = Flags.fullMessage(for: error)
      say(text, isError: code != .success)
      return code.rawValue
    }
    do {
      return try await work(flags, environment)
    } catch let fault as StartFault {
      say("bgb-manager: \(fault)", isError: true)
      return 2
    } catch {
      say("bgb-manager: \(error)", isError: true)
      return 1
    }
  }

  private static func work(_ flags: Flags, _ environment: [String: String]) async throws -> Int32 {
    // Sockets and folders that the manager makes are for it and its group.
    umask(0o007)
    let opening = SiteOpening(
      folder: SiteFolder.find(flag: flags.site, environment: environment),
      settingsFile: flags.config, environment: environment)
    let settings = try opening.settings()
    try opening.checkFolder()
    if flags.check {
      _ = try opening.parts(settings: settings, log: Logger(label: "check"))
      say("The site \(opening.folder.path) is ready for a manager.", isError: false)
      return 0
    }
    let lock = try opening.lock()
    let handle = try openLog(opening.folder, settings)
    let parts = try opening.parts(settings: settings, log: Logger(label: StatusDesk.component))
    defer { withExtendedLifetime(lock) {} }
    return try await serve(NotificationManager(parts), handle, opening)
  }

  private static func openLog(
    _ folder: SiteFolder, _ settings: ManagerSettings
  ) throws(StartFault) -> LogHandle {
    do {
      try SiteFiles.makeFolder(folder.logs, mode: 0o770)
      return try ServiceLog.bootstrap(
        file: settings.log.file?.path ?? folder.log, format: settings.log.format,
        level: settings.log.level.level, component: StatusDesk.component)
    } catch { throw StartFault("the log cannot be written: \(error)") }
  }

  private static func serve(
    _ manager: NotificationManager, _ log: LogHandle, _ opening: SiteOpening
  ) async throws -> Int32 {
    manager.parts.log.info("Beginning main thread of the notification manager")
    do {
      let group = try manager.services(signals: [.sigterm, .sigint]) {
        reload(manager, log, opening)
      }
      try await group.run()
    } catch {
      await manager.finish()
      manager.parts.log.critical("The manager cannot serve: \(error)")
      throw StartFault("the manager cannot serve on \(opening.folder.socket): \(error)")
    }
    manager.desk.tell(.stopped)
    await manager.finish()
    return 0
  }

  private static func reload(
    _ manager: NotificationManager, _ log: LogHandle, _ opening: SiteOpening
  ) {
    do {
      let settings = try opening.settings()
      manager.parts.settings.replace(settings)
      log.setLevel(settings.log.level.level)
      try log.reopen()
      manager.desk.tell(.settingsReloaded)
    } catch { manager.desk.tell(.settingsRefused(reason: "\(error)")) }
  }
}

extension ManagerSettings.LogLevel {
  /// The level as swift-log has it.
  var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}

/// The flags of `bgb-manager`.
struct Flags: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bgb-manager",
    abstract: "The notification manager of a BGB site.",
    discussion: """
      Loads the reports of notification servers, starts and signs operations, issues \
      certificates, and answers 'bgb' on the socket run/manager.sock of the site's folder.

      Examples:
        bgb-manager                               the site in $BGB_SITE, or in .bgb
        bgb-manager --site /var/lib/bgb           a site elsewhere
        bgb-manager --site /var/lib/bgb --check   only see whether it could start
        kill -HUP PID                             read the settings again, open the log anew

      It ends with 0 after a stop in order, 2 when it cannot start, 1 when it fails, 64 for \
      wrong flags.
      """,
    version: SiteAdministration.version)

  @Option(help: ArgumentHelp("The site's folder.", valueName: "dir"))
  var site: String?

  @Option(help: ArgumentHelp("The settings file instead of DIR/manager.yaml.", valueName: "file"))
  var config: String?

  @Flag(help: "Check settings, database, keys and folders, and do nothing else.")
  var check = false
}
