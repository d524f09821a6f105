// The command line of bgb-swarm: thousands of real agent sessions in one process.

import ArgumentParser
import BGBAgent
import BGBModel
import BGBSigning
import Glibc
import HTTPClient
import Reactor

/// How a swarm's sessions connect.
enum SwarmTransport: String, ExpressibleByArgument, CaseIterable {
  case tcp, https, mixed
}

/// `bgb-swarm`: many agents in one process, for load and for demonstration.
struct SwarmCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bgb-swarm",
    abstract: "Runs many real agent sessions in one process and reports what they saw.",
    discussion: """
      Examples:
        bgb client add --count 200 --name pc --out .bgb/swarm
        bgb-swarm run --management-point 127.0.0.1:10123 --clients .bgb/swarm --sessions 200
        bgb-swarm run ... --instant --expect-tasks 1 --report swarm.json
        bgb-swarm run ... --transport mixed --https-point 127.0.0.1:8443 --https-sessions 40

      Each session is the agent's own code: TLS with its certificate, sign-in, signature check,
      journal, answers. Without --instant, policy downloads are really made, four at a time.
      """,
    subcommands: [
      Run.self, PeerCommand.self, FloorCommand.self, HandshakesCommand.self,
      PeerFiguresCommand.self,
    ], defaultSubcommand: Run.self)

  /// `bgb-swarm run`.
  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Connects and serves.")

    @Option(help: "A server, HOST:PORT; give it again for more.")
    var managementPoint: [String]

    @Option(help: "A server's HTTPS listener, HOST:PORT; give it again for more.")
    var httpsPoint: [String] = []

    @Option(help: "How sessions connect: all by one transport, or some by each.")
    var transport = SwarmTransport.tcp

    @Option(help: "With mixed: how many sessions use HTTPS; the default is half of them.")
    var httpsSessions: Int?

    @Option(help: "A proxy for some of the sessions over HTTPS, http://[USER:PASSWORD@]HOST:PORT.")
    var proxy: String?

    @Option(help: "How many sessions go through the proxy.")
    var proxiedSessions = 1

    @Option(help: "The folder that `bgb client add --count` wrote.")
    var clients: String

    @Option(help: "How many of its clients to run; the default is all.")
    var sessions: Int?

    @Option(help: "Spread the connections over this many milliseconds.")
    var rampMilliseconds: UInt64 = 0

    @Option(help: "Write what was seen here, as JSON, at the end.")
    var report: String?

    @Option(help: "The journal; the default is a file in the clients' folder.")
    var journal: String?

    @Flag(help: "Answer every action at once instead of doing it.")
    var instant = false

    @Flag(help: "Connect each session from an address of its own in 127.0.0.0/8.")
    var spreadAddresses = false

    @Option(help: "End by itself after so many tasks were answered by every session.")
    var expectTasks: Int?

    @Flag(help: "Run until SIGTERM or SIGINT (the default without --expect-tasks).")
    var untilSignal = false

    func validate() throws {
      if transport != .tcp && httpsPoint.isEmpty {
        throw ValidationError("--transport \(transport.rawValue) needs --https-point HOST:PORT")
      }
      if transport == .tcp && (proxy != nil || httpsSessions != nil) {
        throw ValidationError("--proxy and --https-sessions are for sessions over HTTPS")
      }
      if let proxy, ProxyServer(url: proxy) == nil {
        throw ValidationError("--proxy must be http://[USER:PASSWORD@]HOST:PORT")
      }
    }

    func run() throws {
      do throws(SwarmError) {
        try Swarm(options: self).run()
      } catch {
        StandardError.write("bgb-swarm: \(error)\n")
        throw ExitCode(1)
      }
    }
  }
}

/// Why the swarm could not run.
struct SwarmError: Error, CustomStringConvertible {
  let description: String
}
