// The command line of bgb-server.

import ArgumentParser
import Logging
import Reactor
import ServiceLog
import ServiceSettings

/// The program's entry.
public enum ServerProgram {
  /// Reads the command line, runs, and ends the process with its exit code.
  public static func main() { ServerCommand.main() }
}

/// `bgb-server`: the notification server.
struct ServerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bgb-server",
    abstract: "The notification server: holds the agents' connections and pushes tasks to them.",
    discussion: """
      Examples:
        bgb-server --config .bgb/servers/mp1/server.yaml
        bgb-server --config server.yaml --workers 6
        bgb-server --config server.yaml --check
        bgb-server --explain keep-alive

      With --workers, or the setting `workers`, a supervisor runs that many servers side by side on
      the same ports, starts a dead one again at once and sums health and metrics.

      Signals: TERM and INT stop in order, HUP reads the settings and certificates anew
      without dropping anybody, USR1 reopens the log; to a supervisor, USR2 replaces the workers one
      by one, for a new version of the program. Exit codes: 0 stopped in order, 1 ended by a
      failure, 2 bad settings.
      """)

  @Option(help: "The settings file; `bgb server add` writes one.")
  var config: String?

  @Option(help: "Processes that serve side by side; instead of the setting `workers`.")
  var workers: Int?

  @Option(help: ArgumentHelp("The number of this worker.", visibility: .hidden))
  var worker: Int?

  @Flag(help: "Read the settings, say whether they are good, and end.")
  var check = false

  @Option(help: "Explain a setting, or all of them with the word 'all', and end.")
  var explain: String?

  /// Runs until the server is told to stop.
  func run() throws {
    if let explain { return try printExplanation(explain == "all" ? nil : explain) }
    guard let config else { throw ValidationError("--config FILE is needed; see --help") }
    var settings: ServerSettings
    do throws(SettingsError) {
      settings = try ServerSettings.load(config)
    } catch {
      fail("\(error)")
      throw ExitCode(2)
    }
    if let workers { settings.workers = workers }
    if let fault = settings.workerFault {
      fail(fault)
      throw ExitCode(2)
    }
    if check {
      print("\(config): good")
      return
    }
    try serve(settings, config)
  }

  private func serve(_ settings: ServerSettings, _ file: String) throws {
    guard let level = Logger.Level(rawValue: settings.log.level) else {
      fail("log.level: \(settings.log.level) is no level")
      throw ExitCode(2)
    }
    do {
      let handle = try ServiceLog.bootstrap(
        file: settings.log.file?.path, format: settings.log.format, level: level,
        component: "SMS_NOTIFICATION_SERVER")
      if worker == nil, settings.workers > 1 { return try supervise(settings, file, handle) }
      let httpHandle = try ServiceLog.open(
        file: settings.httpsLogFile, format: settings.log.format, level: level,
        component: "BgbHttpProxy")
      let server = Server(
        settings: worker.map { settings.worker($0) } ?? settings, settingsFile: file,
        worker: worker, logHandle: handle, httpLogHandle: httpHandle)
      try server.run { addresses in
        for address in addresses { print("listening: \(address)") }
        StandardOutput.flush()
      }
    } catch let code as ExitCode {
      throw code
    } catch {
      fail("\(error)")
      throw ExitCode(1)
    }
  }

  private func supervise(
    _ settings: ServerSettings, _ file: String, _ handle: LogHandle
  ) throws {
    let supervisor = try Supervisor(settings: settings, settingsFile: file, logHandle: handle)
    let status = try supervisor.run { line in
      print(line)
      StandardOutput.flush()
    }
    if let sentence = supervisor.failure { fail(sentence) }
    guard status == 0 else { throw ExitCode(status) }
  }

  private func printExplanation(_ key: String?) throws {
    guard let text = ServiceSettings.explain(ServerSettings.self, key: key) else {
      fail("no setting begins with '\(key ?? "")'")
      throw ExitCode(2)
    }
    print(text)
  }

  private func fail(_ sentence: String) { StandardError.write("bgb-server: \(sentence)\n") }
}
