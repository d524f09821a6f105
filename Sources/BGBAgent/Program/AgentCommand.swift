// The command line of bgb-agent: run, and check, which says whether run would start; doctor has a
// file of its own.

import ArgumentParser
import Reactor
import ServiceSettings

/// The program's entry.
public enum AgentProgram {
  /// Reads the command line and does what it says; does not return.
  public static func main() { AgentCommand.main() }
}

/// `bgb-agent`.
struct AgentCommand: ParsableCommand {
  /// The name and the help.
  static let configuration = CommandConfiguration(
    commandName: "bgb-agent",
    abstract: "The client notification agent: holds one connection and does what the site signs.",
    discussion: """
      EXAMPLES
        bgb-agent run --config clients/pc-17/agent.yaml
        bgb-agent check --config clients/pc-17/agent.yaml
        bgb-agent doctor --config clients/pc-17/agent.yaml
        bgb-agent explain scanner

      The folder with agent.yaml is made by 'bgb client add NAME'. SIGTERM ends the agent in order,
      SIGHUP reads certificate, keys and log level anew and reopens the log.
      Exit status: 0 ended in order, 2 the settings are wrong; doctor has more.
      """,
    version: DiscoveryData.agentVersion,
    subcommands: [Run.self, Check.self, DoctorCommand.self, Explain.self],
    defaultSubcommand: Run.self)

  /// What both subcommands take.
  struct Options: ParsableArguments {
    @Option(name: .long, help: "The settings, agent.yaml.")
    var config: String
  }

  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Connect, and stay connected until SIGTERM.")
    @OptionGroup var options: Options

    func run() throws {
      do throws(AgentError) {
        try AgentService.run(settingsFile: options.config)
      } catch {
        throw refusal(error)
      }
    }
  }

  struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Read the settings and every file they name, and say what is wrong.")
    @OptionGroup var options: Options

    func run() throws {
      do throws(AgentError) {
        print(try AgentService.check(settingsFile: options.config))
      } catch {
        throw refusal(error)
      }
    }
  }
}

/// `bgb-agent explain`.
struct Explain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Explain a key of the settings, a group of keys, or all of them.")
  @Argument(help: "The key, such as policy-interval.")
  var key: String?

  func run() throws {
    let prefix = AgentSettings.environmentPrefix
    guard
      let text = ServiceSettings.explain(AgentSettings.self, key: key, environmentPrefix: prefix)
    else { throw refusal(AgentError("there is no key '\(key ?? "")'")) }
    print(text)
  }
}

/// Says the sentence on standard error; settings that are wrong end a program with 2.
private func refusal(_ error: AgentError) -> ExitCode {
  StandardError.write("bgb-agent: \(error)\n")
  return ExitCode(2)
}
