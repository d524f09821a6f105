// `bgb collection`: named sets of clients, by list or by query.

import ArgumentParser
import BGBModel
import HTTPClient

/// The noun.
struct CollectionCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "collection", abstract: "Name sets of clients, by list or by query.",
    discussion: """
      Examples:
        bgb collection add Finance --query 'tag == "finance"'
        bgb collection add Pilots --client pc-17 --client pc-18
        bgb collection members Finance
        bgb collection remove Pilots
      """,
    subcommands: [
      CollectionAdd.self, CollectionSet.self, CollectionList.self, CollectionShow.self,
      CollectionRemove.self, CollectionMembers.self,
    ], aliases: ["collections"])

  /// The path of a collection.
  static func path(_ name: String) -> String { "/v1/collections/\(SiteClient.escape(name))" }

  /// A rule in words.
  static func words(_ rule: JSONValue) -> String {
    switch rule["kind"].text {
    case "direct": "client \(rule["clientID"].cell)"
    case "query": rule["expression"].cell
    default: rule["kind"].cell
    }
  }

  /// The columns of collection lists.
  static let columns = [
    Column("name", field: "name"),
    Column("rules") { item in
      let rules = item["rules"].items
      return rules.count > 3 ? "\(rules.count) rules" : rules.map(words).joined(separator: "; ")
    },
  ]
}

/// The rules on a command line.
struct RuleOptions: ParsableArguments {
  @Option(help: "Clients that this query takes; may be repeated.") var query: [String] = []
  @Option(help: "This client, by name or id; may be repeated.") var client: [String] = []
  @Flag(help: "Everybody.") var everybody = false

  func validate() throws {
    if query.isEmpty, client.isEmpty, !everybody {
      throw ValidationError("give at least one of --query, --client and --everybody")
    }
  }

  /// The rules as the API takes them; names are turned into ids.
  func rules(_ api: SiteClient) throws(ConsoleError) -> JSONValue {
    var rules: [JSONValue] = everybody ? [.members(["kind": .text("everybody")])] : []
    for name in client {
      var id = name
      if ClientID(name) == nil {
        id = try api.send(.get, "/v1/clients/\(SiteClient.escape(name))")["clientID"].cell
      }
      rules.append(.members(["kind": .text("direct"), "clientID": .text(id)]))
    }
    rules += query.map { .members(["kind": .text("query"), "expression": .text($0)]) }
    return .list(rules)
  }
}

/// Adds a collection.
struct CollectionAdd: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Make a collection.",
    discussion: """
      Queries ask for hostname, name, os, agent, site, tag and address with ==, != and =~ (with * \
      and ?), joined by &&, || and !.

      Examples:
        bgb collection add Debian --query 'os =~ "Debian*" && !(tag == "kiosk")'
        bgb collection add Pilots --client pc-17 --client pc-18
      """)

  @Argument(help: "Its name.") var name: String
  @OptionGroup var rules: RuleOptions
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let api = site.client(console)
    let body: JSONValue = .members(["name": .text(name), "rules": try rules.rules(api)])
    let item = try api.send(.post, "/v1/collections", body)
    output.print(
      Listing(columns: CollectionCommands.columns, items: [item]) { $0["name"].cell }, console)
    return .done
  }
}

/// Replaces a collection's rules.
struct CollectionSet: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Replace the rules of a collection.")

  @Argument(help: "Its name.") var name: String
  @OptionGroup var rules: RuleOptions
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let api = site.client(console)
    let item = try api.send(
      .put, CollectionCommands.path(name), .members(["rules": try rules.rules(api)]))
    output.print(
      Listing(columns: CollectionCommands.columns, items: [item]) { $0["name"].cell }, console)
    return .done
  }
}

/// Lists collections.
struct CollectionList: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List collections.", aliases: ["ls"])

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var list: ListOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try site.client(console).items("/v1/collections")
    output.print(
      Listing(columns: CollectionCommands.columns, items: items) { $0["name"].cell }, console)
    return list.status(items)
  }
}

/// Shows a collection.
struct CollectionShow: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a collection's rules.")

  @Argument(help: "Its name.") var name: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let item = try site.client(console).send(.get, CollectionCommands.path(name))
    let rules = item["rules"].items.map {
      (title: $0["kind"].cell, text: CollectionCommands.words($0))
    }
    output.print(
      Sheet(fields: [(title: "name", text: item["name"].cell)] + rules, item: item, name: name),
      console)
    return .done
  }
}

/// Removes a collection.
struct CollectionRemove: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove a collection; its clients stay.", aliases: ["rm"])

  @Argument(help: "Its name.") var name: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    _ = try site.client(console).send(.delete, CollectionCommands.path(name))
    console.say("collection \(TerminalText.shown(name)) is removed")
    return .done
  }
}

/// Lists members.
struct CollectionMembers: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "members", abstract: "List who is in a collection now.")

  @Argument(help: "Its name.") var name: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var list: ListOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try site.client(console).items(CollectionCommands.path(name) + "/members")
    output.print(
      Listing(columns: ClientCommands.columns, items: items) { $0["name"].cell }, console)
    return list.status(items)
  }
}
