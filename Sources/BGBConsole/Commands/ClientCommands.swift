// `bgb client`: managed computers. Adding has a file of its own.

import ArgumentParser
import BGBModel
import HTTPClient

/// The noun.
struct ClientCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "client", abstract: "Add, list, tag and block managed computers.",
    discussion: """
      Examples:
        bgb client add pc-17 --tag finance --management-point mp1.example.org:10123
        bgb client add lab --count 200 --tag lab
        bgb client list --online
        bgb client block pc-17 --reason stolen
      """,
    subcommands: [
      ClientAdd.self, ClientList.self, ClientShow.self, ClientBlock.self, ClientUnblock.self,
      ClientTag.self,
    ], aliases: ["clients"])

  /// The columns of client lists.
  static let columns = [
    Column("name", field: "name"), Column("online") { online($0) },
    Column("transport") { isOnline($0["presence"]) ? $0["presence"]["channel"].cell : "" },
    Column("hostname", field: "hostname"), Column("os", field: "operatingSystem"),
    Column("tags", field: "tags"), Column("blocked", field: "blocked"),
    Column("last proof") { $0["presence"]["lastProof"].cell },
    Column("client id", field: "clientID"),
  ]

  /// Whether a client is online: yes, no, or never seen.
  static func online(_ client: JSONValue) -> String {
    client["presence"]["online"] == .null ? "never" : client["presence"]["online"].cell
  }

  private static func isOnline(_ presence: JSONValue) -> Bool { presence["online"].bool == true }

  /// How a client is connected or was, why not over TCP, and since when.
  static func transport(_ presence: JSONValue) -> String {
    var text = presence["channel"].cell
    let reason = presence["fallback"].cell
    if reason == FallbackReason.configured.name {
      text += " (\(reason))"
    } else if !reason.isEmpty, reason != FallbackReason.none.name {
      text += " (tcp \(reason))"
    }
    if isOnline(presence), let since = presence["channelSince"].text { text += " since \(since)" }
    return text
  }

  /// A client, one line a field.
  static func sheet(_ client: JSONValue) -> Sheet {
    let presence = client["presence"]
    var fields: [(title: String, text: String)] = [
      ("name", client["name"].cell), ("client id", client["clientID"].cell),
      ("resource id", client["resourceID"].cell), ("tags", client["tags"].cell),
      ("blocked", client["blocked"].cell), ("added", client["createdAt"].cell),
      ("hostname", client["hostname"].cell), ("os", client["operatingSystem"].cell),
      ("agent", client["agentVersion"].cell), ("addresses", client["addresses"].cell),
      ("online", online(client)),
    ]
    if presence != .null {
      fields += [
        ("server", presence["serverID"].cell), ("transport", transport(presence)),
        ("reason", presence["reason"].cell), ("last online", presence["lastOnline"].cell),
        ("last offline", presence["lastOffline"].cell), ("last proof", presence["lastProof"].cell),
      ]
    }
    return Sheet(fields: fields, item: client, name: client["name"].cell)
  }
}

/// Lists clients.
struct ClientList: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List clients.", aliases: ["ls"])

  @Flag(help: "Only those that are online.") var online = false
  @Option(help: "Only those with this tag; may be repeated.") var tag: [String] = []
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var list: ListOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let all = try site.client(console).items(
      "/v1/clients", query: online ? [("online", "true")] : [])
    let items = all.filter { client in
      tag.allSatisfy { client["tags"].items.contains(.text($0)) }
    }
    output.print(
      Listing(columns: ClientCommands.columns, items: items) { $0["name"].cell }, console)
    return list.status(items)
  }
}

/// Shows a client.
struct ClientShow: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show one client and its presence.")

  @Argument(help: "The client's name or id.") var client: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let item = try site.client(console).send(.get, "/v1/clients/\(SiteClient.escape(client))")
    output.print(ClientCommands.sheet(item), console)
    return .done
  }
}

/// Blocks clients.
struct ClientBlock: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "block", abstract: "Refuse clients; their connections end within seconds.")

  @Argument(help: "Names or ids.") var clients: [String]
  @Option(help: "Why, for the audit.") var reason: String?
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    for name in clients {
      let body: JSONValue = reason.map { .members(["reason": .text($0)]) } ?? .object([])
      _ = try site.client(console).send(
        .post, "/v1/clients/\(SiteClient.escape(name))/block", body)
      console.say("\(TerminalText.shown(name)) is blocked")
    }
    return .done
  }
}

/// Unblocks clients.
struct ClientUnblock: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "unblock", abstract: "Admit blocked clients again.")

  @Argument(help: "Names or ids.") var clients: [String]
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    for name in clients {
      _ = try site.client(console).send(
        .post, "/v1/clients/\(SiteClient.escape(name))/unblock", .object([]))
      console.say("\(TerminalText.shown(name)) is admitted")
    }
    return .done
  }
}

/// Changes tags.
struct ClientTag: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "tag", abstract: "Set, add or remove a client's tags.",
    discussion: """
      Examples:
        bgb client tag pc-17 finance laptop        these and no others
        bgb client tag pc-17 --add vip --remove lab
      """)

  @Argument(help: "The client's name or id.") var client: String
  @Argument(help: "The tags; given, they replace all others.") var tags: [String] = []
  @Option(help: "Add a tag; may be repeated.") var add: [String] = []
  @Option(help: "Remove a tag; may be repeated.") var remove: [String] = []
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    if tags.isEmpty == (add.isEmpty && remove.isEmpty) {
      throw ValidationError("give either the tags, or --add and --remove")
    }
  }

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let api = site.client(console)
    let path = "/v1/clients/\(SiteClient.escape(client))"
    var wanted = tags
    if tags.isEmpty {
      let present = try api.send(.get, path)["tags"].items.compactMap(\.text)
      wanted = present.filter { !remove.contains($0) }
      wanted += add.filter { !wanted.contains($0) }
    }
    let item = try api.send(.put, path + "/tags", .members(["tags": .texts(wanted)]))
    output.print(ClientCommands.sheet(item), console)
    return .done
  }
}
