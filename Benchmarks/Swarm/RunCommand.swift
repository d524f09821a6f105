// `bgb-swarm run`: what can be asked for.

import ArgumentParser
import BGBAgent
import HTTPClient
import Reactor
import SwarmKit

/// How a swarm's sessions connect.
enum SwarmTransport: String, ExpressibleByArgument, CaseIterable {
  case tcp, https, mixed
}

extension SpanOfTime {
  /// Reads an option's value.
  static func read(_ text: String) throws -> SpanOfTime {
    guard let span = SpanOfTime(text) else {
      throw ValidationError("'\(text)' is no length of time; write one as 90s, 15m or 1h")
    }
    return span
  }
}

extension SwarmCommand {
  /// `bgb-swarm run`.
  struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Connects and serves; with --scenario, tries the servers and judges them.",
      discussion: SwarmCommand.configuration.discussion)

    @OptionGroup(title: "Sessions") var session: SessionOptions

    @Option(help: "The folder that `bgb client add --count` wrote.")
    var clients: String?

    @Option(help: "How many of its clients to run; the default is all.")
    var sessions: Int?

    @Option(help: "Spread the connections over this many milliseconds.")
    var rampMilliseconds: UInt64 = 0

    @Option(help: "Write what was seen here, as JSON, at the end.")
    var report: String?

    @Option(help: "The journal; the default is a file beside the clients.")
    var journal: String?

    // MARK: One process

    @Option(help: "How sessions connect: all by one transport, or some by each.")
    var transport = SwarmTransport.tcp

    @Option(help: "A server's HTTPS listener, HOST:PORT; give it again for more.")
    var httpsPoint: [String] = []

    @Option(help: "With mixed: how many sessions use HTTPS; the default is half of them.")
    var httpsSessions: Int?

    @Option(help: "A proxy for some of the sessions over HTTPS, http://[USER:PASSWORD@]HOST:PORT.")
    var proxy: String?

    @Option(help: "How many sessions go through the proxy.")
    var proxiedSessions = 1

    @Flag(help: "Answer every action at once instead of doing it; always so with --scenario.")
    var instant = false

    @Flag(help: "Connect each session from an address of its own; always so with --scenario.")
    var spreadAddresses = false

    @Option(help: "End by itself after so many tasks were answered by every session.")
    var expectTasks: Int?

    @Flag(help: "Run until SIGTERM or SIGINT (the default without --expect-tasks).")
    var untilSignal = false

    // MARK: The laboratory

    @Option(help: "What to do: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).")
    var scenario: Scenario?

    @Option(
      help: "Sessions of one process at most; the default is one a processor, of 1,000 to 18,000."
    )
    var perProcess: Int?

    @Option(help: "A server's process, or a parent of servers, to sample; give it again for more.")
    var serverPid: [Int32] = []

    @Option(
      name: .customLong("for"), help: "How long to hold or to disturb: 90s, 15m, 1h.",
      transform: SpanOfTime.read)
    var hold = SpanOfTime(seconds: 30)

    @Option(help: "How many operations push and slow-readers start.")
    var operations = 3

    @Option(help: "The action that operations ask for.")
    var action = "collect-discovery-data"

    @Option(help: "The collection that they are for; its members must be this run's sessions.")
    var collection = "All Systems"

    @Option(help: "How long one operation is waited for.", transform: SpanOfTime.read)
    var operationTime = SpanOfTime(seconds: 120)

    @Option(help: "The console; the default is the bgb beside this program.")
    var bgb: String?

    @Option(
      name: .customLong("share"),
      help: "Percent of the sessions that a scenario touches (storm: 100, others: 1).")
    var shareOfSessions: Double?

    @Option(help: "churn, mixed: how many sessions leave in a second.")
    var rate = 50

    @Option(help: "churn, mixed: how long they stay away, in milliseconds.")
    var restMilliseconds: UInt64 = 2_000

    @Option(help: "storm: how sessions come back: all-at-once or slots.")
    var storm = StormManner.allAtOnce

    @Option(help: "storm: who ends the connections: cut (the swarm) or kill-workers.")
    var stormBy = StormCause.cut

    @Option(help: "storm, table: how many, one after the other.")
    var storms = 1

    @Flag(help: "storm: push in quiet, in its middle, and behind it; table: a storm with a push.")
    var pushDuring = false

    @Option(help: "table: how many sessions come back by each kind of handshake.")
    var resumes = 2_000

    @Option(
      help: "table: how often full handshakes beside all others are held against some alone.")
    var growthTurns = 0

    @Option(help: "table: a storm's attempts under way in a process; the default is no bound.")
    var stormConnecting = Int.max

    @Option(
      help: "table: how long to wait until the site knows of everybody, before the silence.",
      transform: SpanOfTime.read)
    var toldTime = SpanOfTime(seconds: 0)

    @Option(
      help: "table: how long to wait at the end before memory is read once more.",
      transform: SpanOfTime.read)
    var calm = SpanOfTime(seconds: 0)

    @Option(help: "How long to wait until everybody is online.", transform: SpanOfTime.read)
    var connectTime = SpanOfTime(seconds: 900)

    @Option(help: "How long to wait after that before the first mark, in milliseconds.")
    var settleMilliseconds: UInt64 = 2_000

    @Option(help: "How long a storm may last.", transform: SpanOfTime.read)
    var stormTime = SpanOfTime(seconds: 600)

    @Option(help: "A bound such as 'p99<2000ms' or 'sessionsLost=0'; give it again for more.")
    var bound: [String] = []

    @Flag(help: "Judge by --bound alone, without the scenario's own bounds.")
    var noDefaultBounds = false

    @Option(help: "Draw the times as an SVG file.")
    var plot: String?

    func validate() throws {
      guard (session.fleet == nil) != (clients == nil) else {
        throw ValidationError("name the clients by --fleet FILE or by --clients DIR")
      }
      if session.fleet != nil && scenario == nil {
        throw ValidationError("--fleet is for --scenario; folders are for one process")
      }
      if transport != .tcp && httpsPoint.isEmpty {
        throw ValidationError("--transport \(transport.rawValue) needs --https-point HOST:PORT")
      }
      if transport == .tcp && (proxy != nil || httpsSessions != nil) {
        throw ValidationError("--proxy and --https-sessions are for sessions over HTTPS")
      }
      if let proxy, ProxyServer(url: proxy) == nil {
        throw ValidationError("--proxy must be http://[USER:PASSWORD@]HOST:PORT")
      }
      if scenario != nil && transport != .tcp {
        throw ValidationError("--scenario is for sessions over TCP")
      }
      for text in bound where Bound(text) == nil {
        throw ValidationError("'\(text)' is no bound; write one as 'p99<2000ms'")
      }
      if stormBy == .killWorkers && serverPid.isEmpty {
        throw ValidationError("--storm-by kill-workers needs --server-pid of the workers' parent")
      }
      guard (0...100).contains(share), rate >= 0, operations >= 0, storms >= 0,
        resumes >= 0, growthTurns >= 0, stormConnecting > 0
      else {
        throw ValidationError("a share is from 0 to 100, a rate and a count not negative")
      }
    }

    func run() throws {
      do throws(SwarmError) {
        guard scenario != nil else { return try Swarm(options: self).run() }
        guard try Laboratory(self).run() else { throw SwarmError(description: "") }
      } catch {
        if !error.description.isEmpty { StandardError.write("bgb-swarm: \(error)\n") }
        throw ExitCode(1)
      }
    }
  }
}

extension SwarmCommand.Run {
  /// Percent of the sessions that the scenario touches.
  var share: Double { shareOfSessions ?? (scenario == .storm ? 100 : 1) }
  var holdSeconds: UInt64 { hold.seconds }
  var connectSeconds: UInt64 { connectTime.seconds }
  var stormSeconds: UInt64 { stormTime.seconds }
  var operationSeconds: UInt64 { operationTime.seconds }

  /// The bounds, read.
  func bounds() -> [Bound] {
    let own = noDefaultBounds ? [] : scenario?.bounds ?? []
    let given = bound.compactMap { Bound($0) }
    // A bound of the caller's on the same figure takes the place of the scenario's.
    return own.compactMap { Bound($0) }.filter { one in
      !given.contains { $0.figure == one.figure }
    } + given
  }

  /// The console's file.
  func consolePath() -> String {
    if let bgb { return bgb }
    let own = ProcessClock.ownPath() ?? ""
    return own.lastIndex(of: "/").map { "\(own[..<$0])/bgb" } ?? "bgb"
  }

  /// What the console is started with, to follow an operation and to tell it as JSON.
  func operationArguments() -> [String] { startArguments() + ["-o", "json"] }

  /// What the console is started with to begin an operation.
  func startArguments() -> [String] {
    [
      "op", "start", action, "--collection", collection, "--yes", "--timeout",
      "\(operationSeconds)s",
    ]
  }

  /// The journal of one process.
  func journalPath(_ source: ClientSource, process number: Int) -> String {
    "\(journal ?? "\(source.folder)/swarm.journal").\(number)"
  }

  /// What the picture is called.
  func title(_ sessions: Int) -> String {
    "\(scenario?.rawValue ?? "run"), \(sessions) sessions"
  }

  /// What was asked for, for the report.
  var parameters: [(String, String)] {
    [
      ("for", "\(holdSeconds)s"), ("operations", "\(operations)"), ("action", action),
      ("share", NumberForm.short(share)), ("rate", "\(rate)"),
      ("restMilliseconds", "\(restMilliseconds)"), ("storm", storm.rawValue),
      ("stormBy", stormBy.rawValue), ("storms", "\(storms)"),
      ("pushDuring", pushDuring ? "yes" : "no"), ("resumes", "\(resumes)"),
      ("growthTurns", "\(growthTurns)"),
      ("connecting", "\(session.connecting)"),
      ("comeback", session.comeback.rawValue),
      ("detached", session.attached ? "no" : "yes"),
    ]
  }
}
