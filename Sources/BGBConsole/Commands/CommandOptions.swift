// The options that every command shares, and the way from a parsed command to its surroundings.

import ArgumentParser
import BGBModel
import HTTPClient

/// A command that runs in given surroundings.
protocol ConsoleCommand: ParsableCommand {
  /// Does what the command says; data goes to `console.out`.
  func run(in console: Console) throws(ConsoleError) -> ExitStatus
}

extension ConsoleCommand {
  /// The library's own entry; the program goes through `ConsoleProgram`.
  func run() throws { throw ExitCode(try run(in: Console()).rawValue) }
}

/// Where the site is.
struct SiteOptions: ParsableArguments {
  @Option(help: "The site's folder; otherwise BGB_SITE, otherwise ./.bgb.")
  var site: String?

  /// The folder.
  func folder(_ console: Console) -> SitePaths {
    SitePaths(folder: site ?? console.environment["BGB_SITE"] ?? "./.bgb")
  }

  /// The manager's API.
  func client(_ console: Console) -> SiteClient {
    SiteClient(socket: folder(console).socket, console: console)
  }
}

/// How data is printed.
struct OutputOptions: ParsableArguments {
  @Option(name: [.short, .long], help: "The form of the output: table, json, jsonl, csv or name.")
  var output: OutputFormat = .table

  @Flag(help: "No heading line in tables and CSV.")
  var noHeaders = false

  @Flag(name: [.short, .long], help: "Names or ids only, and no talk but errors.")
  var quiet = false

  /// The form, with `--quiet` applied.
  var format: OutputFormat { quiet ? .name : output }

  /// Prints a list.
  func print(_ listing: Listing, _ console: Console) {
    console.out(listing.text(format, headers: !noHeaders))
  }

  /// Prints one thing.
  func print(_ sheet: Sheet, _ console: Console) {
    console.out(sheet.text(format, headers: !noHeaders))
  }
}

/// How much of a list is asked for.
struct ListOptions: ParsableArguments {
  @Flag(help: "Exit with 3 when the list is empty.")
  var failEmpty = false

  /// The exit status of a list.
  func status(_ items: [JSONValue]) -> ExitStatus {
    failEmpty && items.isEmpty ? .noTarget : .done
  }
}

/// How much of a history is asked for.
struct HistoryOptions: ParsableArguments {
  @Option(help: "The newest so many; 0 for all.")
  var limit = 50

  func validate() throws {
    guard limit >= 0 else { throw ValidationError("--limit must not be negative") }
  }

  /// The items of a route that lists the newest first.
  func items(_ path: String, _ client: SiteClient) throws(ConsoleError) -> [JSONValue] {
    try client.items(path, cursor: "before", limit: limit == 0 ? nil : limit)
  }
}

/// The paths inside a site's folder.
struct SitePaths: Hashable {
  var folder: String

  init(folder: String) {
    var folder = folder
    while folder.utf8.count > 1, folder.hasSuffix("/") { folder.removeLast() }
    self.folder = folder
  }

  var socket: String { folder + "/run/manager.sock" }
  var database: String { folder + "/site.db" }
  var settings: String { folder + "/site.yaml" }
  var authority: String { folder + "/ca" }
  var taskKey: String { folder + "/keys/task.key" }
  var taskPublicKey: String { folder + "/keys/task.pub" }
  var servers: String { folder + "/servers" }
  var clients: String { folder + "/clients" }
}
