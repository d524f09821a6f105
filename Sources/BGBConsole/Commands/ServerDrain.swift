// `bgb server drain` and `undrain`: a server's agents are moved to its siblings, at a pace that
// those can bear, before it is worked on; and back.

import ArgumentParser
import BGBModel
import HTTPClient

/// Moves a server's agents away.
struct ServerDrain: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain", abstract: "Move a server's agents away; it stays up, empty.",
    discussion: """
      The server closes its ports for agents, tells those it has to come back elsewhere, evenly \
      over the time or at the rate, and says so when it is empty. What they have in hand is done \
      once all the same. It stays empty until `bgb server undrain NAME` or its next start. NAME \
      means all workers of a server; mp1#2 is one of them, mp1#1 the first one alone.

      With --rate the pace is the rate's, whatever --within says; --within is then how long the \
      command waits. Exit codes: 0 empty, 1 not empty in time or no answer, \
      6 stopped waiting by Ctrl-C while the drain goes on.

      Examples:
        bgb server drain mp1 --within 60s
        bgb server drain mp1 --rate 200/s
        bgb server drain mp1#2 --stop
      """)

  @Argument(help: "The server's name, or one of its workers.") var name: String
  @Option(help: "Within this time, evenly, such as 90s, 10m or 1h30m; by default 60s.")
  var within: String?
  @Option(help: "So many agents a second and no more, such as 200/s, however long it takes.")
  var rate: String?
  @Flag(help: "End the process once it is empty.") var stop = false
  @Flag(help: "Do not wait for the end.") var detach = false
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if let within, ServerDrain.seconds(within) == nil {
      throw ValidationError("--within must be a duration from 1s to 24h such as 90s or 10m")
    }
    if let rate, ServerDrain.rate(rate) == nil {
      throw ValidationError("--rate must be agents a second from 1/s to 100000/s")
    }
  }

  /// The seconds of `--within`.
  static func seconds(_ text: String) -> Int64? {
    NumberText.seconds(of: text).flatMap { (1...86_400).contains($0) ? $0 : nil }
  }

  /// The number of `--rate`, with or without its unit.
  static func rate(_ text: String) -> Int64? {
    let digits = text.hasSuffix("/s") ? text.dropLast(2) : text[...]
    return Int64(digits).flatMap { (1...100_000).contains($0) ? $0 : nil }
  }

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    let client = site.client(console)
    let seconds = within.flatMap { ServerDrain.seconds($0) } ?? Int64(Limits.drainSeconds)
    let rate = rate.flatMap { ServerDrain.rate($0) } ?? 0
    let asked = try client.send(
      .post, "/v1/servers/\(SiteClient.escape(name))/drain",
      .members([
        "withinSeconds": .integer(seconds), "ratePerSecond": .integer(rate), "stop": .bool(stop),
      ]))
    let items = asked["items"].items
    if detach {
      console.say("\(TerminalText.shown(name)) moves its agents away")
      return .done
    }
    let online = items.reduce(Int64(0)) { $0 + ($1["onlineCount"].integer ?? 0) }
    // By the site's count, which may be some minutes old: twice that, before anybody is told off.
    let expected = rate > 0 && within == nil ? 2 * (online / rate) + 1 : seconds
    let watch = DrainWatch(
      client: client, console: console, names: items.map { $0["name"].cell },
      patienceSeconds: expected + DrainWatch.graceSeconds)
    let (progress, ending) = try watch.run()
    if output.output != .table || output.quiet {
      let columns = [
        Column("name", field: "name"), Column("state", field: "state"),
        Column("left", field: "drainLeft", isNumber: true),
      ]
      output.print(Listing(columns: columns, items: progress.items) { $0["name"].cell }, console)
    }
    switch ending {
    case .empty:
      console.say("\(TerminalText.shown(name)) is empty; \(progress.text)")
      return .done
    case .interrupted:
      console.say("not waiting any more; the drain goes on. `bgb server list` shows it.")
      return .stoppedWaiting
    case .late:
      throw ConsoleError(
        .failure, "\(TerminalText.shown(name)) is not empty: \(progress.text)",
        hint: progress.silent.isEmpty
          ? "The drain goes on; `bgb server list` shows it."
          : "Does \(progress.silent.joined(separator: ", ")) run? It has not answered.")
    }
  }
}

/// Lets a server take agents again.
struct ServerUndrain: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "undrain", abstract: "Let a drained server take agents again.",
    discussion: """
      Also ends a drain that is under way. Agents come as they connect: those that are well \
      elsewhere stay there.

      Example:
        bgb server undrain mp1
      """)

  @Argument(help: "The server's name, or one of its workers.") var name: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    _ = try site.client(console).send(
      .post, "/v1/servers/\(SiteClient.escape(name))/undrain", .object([]))
    console.say("\(TerminalText.shown(name)) takes agents again")
    return .done
  }
}
