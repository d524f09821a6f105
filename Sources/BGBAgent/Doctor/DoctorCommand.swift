// The command line of the doctor: the report on standard output, what is tried now on standard
// error if that is a terminal, and the exit code.

import ArgumentParser
import BGBModel
import Glibc
import Reactor
import ServiceSettings

/// `bgb-agent doctor`.
struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Say which hop fails on the way from this agent to its servers.",
    discussion: """
      Looks at settings and files, and then, for each management point and each
      HTTPS listener, at name, connection, proxy, TLS, certificates, the server's
      view of this client, clocks and long polls. It never signs in: an agent that
      runs is not disturbed. Run it as the agent's user and with its environment,
      or files and proxy variables are other ones.

      EXAMPLES
        bgb-agent doctor --config agent.yaml
        bgb-agent doctor --config agent.yaml --hold 300s   # as long as a poll
        bgb-agent doctor --config agent.yaml -o json | jq .summary

      Exit status: that of the first class that failed, in the order of the way;
      0 when none did, whatever the warnings; 64 for a wrong command line.
      \(help)
      """)

  /// How the report is written.
  enum Output: String, ExpressibleByArgument, CaseIterable {
    case table, json
  }

  @OptionGroup var options: AgentCommand.Options

  @Option(help: "How long the server is asked to hold a long poll; 0 leaves it out.")
  var hold = "5s"

  @Option(name: .shortAndLong, help: "How the report is written.")
  var output = Output.table

  @Option(help: "How long each hop may take.")
  var timeout = "10s"

  private static var help: String {
    DoctorFailure.allCases.map { failure in
      let code = "\(failure.rawValue)"
      return "  " + code + String(repeating: " ", count: 4 - code.count) + failure.meaning
    }.joined(separator: "\n")
  }

  func validate() throws {
    guard let hold = DurationSetting(setting: hold), hold.milliseconds % 1_000 == 0,
      hold.seconds <= Int64(Limits.pollSecondsMaximum)
    else {
      throw ValidationError(
        "--hold is whole seconds up to \(Limits.pollSecondsMaximum), such as 90s")
    }
    guard let timeout = DurationSetting(setting: timeout),
      (100...120_000).contains(timeout.milliseconds)
    else { throw ValidationError("--timeout is 100ms to 2m, such as 10s") }
  }

  func run() throws {
    var asked = DoctorOptions()
    if let hold = DurationSetting(setting: hold) {
      asked.holdSeconds = UInt32(clamping: hold.seconds)
    }
    if let timeout = DurationSetting(setting: timeout) {
      asked.timeoutMilliseconds = UInt64(timeout.milliseconds)
    }
    let isTerminal = isatty(2) == 1
    let doctor = Doctor(
      settingsFile: options.config, options: asked,
      environment: ProcessEnvironment.variables(),
      progress: { if isTerminal { StandardError.write("\r\u{1B}[K\(DoctorText.shown($0)) ...") } })
    let report = doctor.examine()
    if isTerminal { StandardError.write("\r\u{1B}[K") }
    print(output == .json ? report.json : report.table, terminator: "")
    StandardOutput.flush()
    throw ExitCode(report.exitCode)
  }
}
