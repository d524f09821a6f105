// `bgb policy`: documents that the members of a collection follow.

import ArgumentParser
import HTTPClient

/// The noun.
struct PolicyCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "policy", abstract: "Assign documents to collections.",
    discussion: """
      Examples:
        bgb policy put scans --collection "All Systems" --file scans.json
        bgb policy list
        bgb policy remove scans
      """,
    subcommands: [PolicyPut.self, PolicyList.self, PolicyShow.self, PolicyRemove.self],
    aliases: ["policies"])

  /// The columns of policy lists.
  static let columns = [
    Column("name", field: "name"), Column("version", field: "version", isNumber: true),
    Column("collection", field: "collection"),
  ]

  /// The path of a policy.
  static func path(_ name: String) -> String { "/v1/policies/\(SiteClient.escape(name))" }
}

/// Adds or replaces a policy.
struct PolicyPut: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "put", abstract: "Add or replace a policy document (a JSON object).")

  /// Bytes of a document at most; the manager's own limit is the same.
  static let documentBytesMax = 65_536

  @Argument(help: "Its name.") var name: String
  @Option(help: "The collection whose members get it.") var collection: String
  @Option(help: "The document's file; - for the standard input.") var file: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let limit = PolicyPut.documentBytesMax
    let bytes = file == "-" ? console.input(limit) : Terminal.readFile(file, bytesMax: limit)
    guard let bytes else {
      throw ConsoleError(.usage, "\(file) cannot be read, or is larger than 64 KiB")
    }
    let document: JSONValue
    do { document = try JSONReader.read(bytes) } catch {
      throw ConsoleError(.usage, "\(file) is not JSON: it goes wrong at byte \(error.position)")
    }
    guard case .object = document else {
      throw ConsoleError(.usage, "\(file) must hold a JSON object")
    }
    let item = try site.client(console).send(
      .put, PolicyCommands.path(name),
      .members(["collection": .text(collection), "document": document]))
    output.print(
      Listing(columns: PolicyCommands.columns, items: [item]) { $0["name"].cell }, console)
    return .done
  }
}

/// Lists policies.
struct PolicyList: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List policies.", aliases: ["ls"])

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var list: ListOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try site.client(console).items("/v1/policies")
    output.print(
      Listing(columns: PolicyCommands.columns, items: items) { $0["name"].cell }, console)
    return list.status(items)
  }
}

/// Shows a policy.
struct PolicyShow: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show a policy with its document.")

  @Argument(help: "Its name.") var name: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let item = try site.client(console).send(.get, PolicyCommands.path(name))
    let fields = ["name", "version", "collection", "document"].map {
      (title: $0, text: item[$0].cell)
    }
    output.print(Sheet(fields: fields, item: item, name: name), console)
    return .done
  }
}

/// Removes a policy.
struct PolicyRemove: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove a policy.", aliases: ["rm"])

  @Argument(help: "Its name.") var name: String
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    _ = try site.client(console).send(.delete, PolicyCommands.path(name))
    console.say("policy \(TerminalText.shown(name)) is removed")
    return .done
  }
}
