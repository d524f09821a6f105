// `bgb op`: list, show, watch, cancel, verify, targets. Starting has a file of its own.

import ArgumentParser
import BGBModel
import HTTPClient

/// The noun.
struct OperationCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "op", abstract: "Start operations, follow and cancel them.",
    discussion: """
      Examples:
        bgb op start quick-scan --collection "All Systems" --yes
        bgb op list
        bgb op watch 7
        bgb op targets 7 --state failed -o name
        bgb op cancel 7
      """,
    subcommands: [
      OperationStart.self, OperationList.self, OperationShow.self, OperationWatchCommand.self,
      OperationCancel.self, OperationVerify.self, OperationTargets.self,
    ], aliases: ["operation"])
}

/// Lists operations.
struct OperationList: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List operations, newest first.", aliases: ["ls"])

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var history: HistoryOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try history.items("/v1/operations", site.client(console))
    let columns = [
      Column("id", field: "operationID", isNumber: true), Column("action", field: "action"),
      Column("target", field: "target"), Column("state", field: "state"),
      Column("targets", field: "total", isNumber: true),
      Column("delivered", field: "deliveredCount", isNumber: true),
      Column("succeeded", isNumber: true) { $0["counts"]["succeeded"].cell },
      Column("failed", isNumber: true) { item in
        OperationStatus(item).map { String($0.failedCount) } ?? ""
      },
      Column("started", field: "createdAt"), Column("by", field: "requestedBy"),
    ]
    output.print(
      Listing(columns: columns, items: items) { $0["operationID"].cell }, console)
    return .done
  }
}

/// Shows an operation.
struct OperationShow: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one operation with its counts.")

  @Argument(help: "The operation's number.") var operation: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let client = site.client(console)
    let item = try client.send(.get, "/v1/operations/\(SiteClient.escape(operation))")
    try OperationOutput(client: client, console: console, output: output).show(item)
    return .done
  }
}

/// Follows an operation.
struct OperationWatchCommand: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch", abstract: "Follow an operation until it is over.",
    discussion: """
      Ctrl-C stops watching, not the operation.

      Examples:
        bgb op watch 7
        bgb op watch 7 --wait delivered --timeout 5m
        bgb op watch 7 -o jsonl
      """)

  @Argument(help: "The operation's number.") var operation: String
  @OptionGroup var waiting: WaitOptions
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    return try OperationOutput(client: site.client(console), console: console, output: output)
      .follow(operation, waiting)
  }
}

/// Cancels an operation.
struct OperationCancel: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Withdraw an operation from clients that have not begun it.",
    discussion: "Clients that already do it finish it; their outcome is still counted.")

  @Argument(help: "The operation's number.") var operation: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    let client = site.client(console)
    let item = try client.send(
      .post, "/v1/operations/\(SiteClient.escape(operation))/cancel", .object([]))
    console.say(
      "operation \(operation) is cancelled; follow the rest with: bgb op watch \(operation)")
    try OperationOutput(client: client, console: console, output: output).show(item)
    return .done
  }
}

/// Checks an operation's records.
struct OperationVerify: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check an operation's records: counts, targets, signature.",
    discussion: "Exits with 1 when a check does not hold.")

  @Argument(help: "The operation's number.") var operation: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let answer = try site.client(console).send(
      .get, "/v1/operations/\(SiteClient.escape(operation))/verify")
    if output.format == .json {
      console.out(answer.encoded + "\n")
    } else {
      let columns = [
        Column("check", field: "name"), Column("holds", field: "ok"),
        Column("detail", field: "detail"),
      ]
      output.print(
        Listing(columns: columns, items: answer["checks"].items) { $0["name"].cell }, console)
    }
    return answer["ok"].bool == true ? .done : .failure
  }
}

/// Lists targets.
struct OperationTargets: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "targets", abstract: "List the targets of an operation and what became of them.",
    discussion: """
      Examples:
        bgb op targets 7
        bgb op targets 7 --state failed -o csv
        bgb op targets 7 --state expired -o name
      """)

  @Argument(help: "The operation's number.") var operation: String
  @Option(help: "Only targets in this state, such as queued, succeeded, failed or expired.")
  var state: String?
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var list: ListOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try site.client(console).items(
      "/v1/operations/\(SiteClient.escape(operation))/targets",
      query: state.map { [("state", $0)] } ?? [])
    let columns = [
      Column("name", field: "name"), Column("state", field: "state"),
      Column("code", field: "code", isNumber: true), Column("at", field: "at"),
      Column("pushes", field: "pushes", isNumber: true), Column("text", field: "text"),
    ]
    output.print(Listing(columns: columns, items: items) { $0["name"].cell }, console)
    return list.status(items)
  }
}
