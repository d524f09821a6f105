// What can be looked up: who is online, what the components say, who did what, one task's story,
// and the table of actions.

import ArgumentParser
import BGBModel
import HTTPClient

/// Who is online.
struct OnlineCommand: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "online", abstract: "How many clients are online, and through which servers.",
    discussion: """
      Presence is as of each server's last report; its age is shown. When clients come over HTTP,
      the reasons why they do not use TCP are counted.

      Examples:
        bgb online
        bgb online -o json
        bgb client list --online -o name
      """)

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    let item = try site.client(console).send(.get, "/v1/presence")
    switch output.format {
    case .json, .jsonl: console.out(item.encoded + "\n")
    case .name: console.out("\(item["online"].integer ?? 0)\n")
    case .table, .csv:
      let columns = [
        Column("server", field: "name"), Column("online", field: "online", isNumber: true),
        Column("last report", field: "lastReport"),
        Column("age") { server in
          server["ageSeconds"].integer.map { NumberText.duration(seconds: $0) } ?? "never"
        },
      ]
      let headline = OnlineCommand.headline(item)
      // A table is for people and begins with it; the lines of CSV are all data.
      if output.format == .table { console.out(headline) } else { console.talk(headline) }
      output.print(
        Listing(columns: columns, items: item["servers"].items) { $0["name"].cell }, console)
    }
    return .done
  }

  /// The totals in the original's words, and why clients do not use TCP if some do not.
  static func headline(_ presence: JSONValue) -> String {
    let tcp = presence["channels"]["tcp"].integer ?? 0
    let https = presence["channels"]["https"].integer ?? 0
    let total = NumberText.grouped(presence["total"].integer ?? 0)
    var text =
      "Total online clients: \(NumberText.grouped(tcp + https)) "
      + "(TCP: \(NumberText.grouped(tcp)) HTTP: \(NumberText.grouped(https))) of \(total)\n"
    if case .object(let reasons) = presence["fallbacks"], !reasons.isEmpty {
      let shown = reasons.map { "\($0.name) \(NumberText.grouped($0.value.integer ?? 0))" }
      text += "Not over TCP: \(TerminalText.shown(shown.joined(separator: ", ")))\n"
    }
    return text
  }
}

/// The noun of component status.
struct StatusCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "What the site's components say.",
    subcommands: [StatusMessages.self])
}

/// Lists status messages.
struct StatusMessages: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "messages", abstract: "List status messages, newest first.")

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var history: HistoryOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try history.items("/v1/status-messages", site.client(console))
    let columns = [
      Column("at", field: "at"), Column("severity", field: "severity"),
      Column("id", field: "messageID", isNumber: true), Column("component", field: "component"),
      Column("machine", field: "machine"), Column("text", field: "text"),
    ]
    output.print(Listing(columns: columns, items: items) { $0["messageID"].cell }, console)
    return .done
  }
}

/// The noun of the audit.
struct AuditCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit", abstract: "Who did what.", subcommands: [AuditList.self])
}

/// Lists audit lines.
struct AuditList: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List audit lines, newest first.", aliases: ["ls"])

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var history: HistoryOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try history.items("/v1/audit", site.client(console))
    let columns = [
      Column("at", field: "at"), Column("actor", field: "actor"),
      Column("action", field: "action"), Column("detail", field: "detail"),
    ]
    output.print(Listing(columns: columns, items: items) { $0["recordID"].cell }, console)
    return .done
  }
}

/// One task's story.
struct TraceCommand: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace", abstract: "Tell one task's story on one client.",
    discussion: """
      Examples:
        bgb trace 7@pc-17
        bgb trace 0b1c0f3e-8f0e-4c2e-9a53-2d8a35c9f001@pc-17
      """)

  @Argument(help: "TASK@CLIENT: an operation's number or a task's id, and a client's name or id.")
  var subject: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  /// The two halves; a client's name may hold an @, a task may not.
  static func parts(_ subject: String) -> (task: String, client: String)? {
    guard let sign = subject.firstIndex(of: "@") else { return nil }
    let task = String(subject[..<sign])
    let client = String(subject[subject.index(after: sign)...])
    return task.isEmpty || client.isEmpty ? nil : (task, client)
  }

  func validate() throws {
    if TraceCommand.parts(subject) == nil {
      throw ValidationError("give TASK@CLIENT, such as 7@pc-17")
    }
  }

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    guard var (task, client) = TraceCommand.parts(subject) else { return .usage }
    let api = site.client(console)
    if TaskID(task) == nil {
      task = try api.send(.get, "/v1/operations/\(SiteClient.escape(task))")["taskID"].cell
    }
    if ClientID(client) == nil {
      client = try api.send(.get, "/v1/clients/\(SiteClient.escape(client))")["clientID"].cell
    }
    let answer = try api.send(
      .get, "/v1/trace?task=\(SiteClient.escape(task))&client=\(SiteClient.escape(client))")
    if output.format == .json {
      console.out(answer.encoded + "\n")
      return .done
    }
    let columns = [
      Column("at", field: "at"),
      Column("after", isNumber: true) { step in
        step["sincePreviousMilliseconds"].integer.map { "\(NumberText.grouped($0)) ms" } ?? ""
      },
      Column("component", field: "component"), Column("what", field: "what"),
      Column("detail", field: "detail"),
    ]
    output.print(
      Listing(columns: columns, items: answer["steps"].items) { $0["what"].cell }, console)
    return .done
  }
}

/// The table of actions, known without a manager.
struct ActionsCommand: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "actions", abstract: "List what can be started on clients.")

  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = ClientAction.allCases.map { action in
      JSONValue.members([
        "action": .text(action.name), "title": .text(action.title),
        "class": .text(action.actionClass.rawValue),
        "permission": .text(action.permission.rawValue), "code": .integer(Int64(action.rawValue)),
        "parameters": .texts(action.parameters.map { $0.name + ($0.isRequired ? "" : "?") }),
        "originalName": .text(action.originalName),
      ])
    }
    let columns = ["action", "title", "class", "parameters"].map { Column($0, field: $0) }
    output.print(
      Listing(
        columns: columns + [
          Column("code", field: "code", isNumber: true),
          Column("original name", field: "originalName"),
        ], items: items
      ) { $0["action"].cell }, console)
    return .done
  }
}
