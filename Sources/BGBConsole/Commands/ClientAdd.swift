// `bgb client add`: one client or many, each with a folder that can be carried to its computer.

import ArgumentParser
import BGBModel
import HTTPClient

/// Adds clients.
struct ClientAdd: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Make clients' folders with keys, certificates and settings.",
    discussion: """
      The private keys are made here and never sent. Carry each folder to its computer, for its \
      owner's eyes only.

      Examples:
        bgb client add pc-17 --tag finance --management-point mp1.example.org:10123
        bgb client add lab --count 200 --tag lab      lab-0001 to lab-0200
        bgb client add pc --count 100000 --packed fleet/clients      one file, for bgb-swarm --fleet
      """)

  /// Clients in one request to the manager.
  static let batchClients = 200
  /// Clients in one command at most.
  static let countMax = 1_000_000

  @Argument(help: "The name: letters, digits, '.', '_' and '-'.") var name: String
  @Option(help: "A tag; may be repeated.") var tag: [String] = []
  @Option(help: "host:port of a notification server; may be repeated.")
  var managementPoint: [String] = []
  @Option(help: "host:port of a server's HTTPS listener; else the same hosts at its usual port.")
  var httpsPoint: [String] = []
  @Option(help: "Add so many clients, NAME-0001 and on.") var count: Int?
  @Option(help: "The folder to make, or with --count to make them in.") var out: String?
  @Option(help: "Write all clients to this one file instead of folders, for bgb-swarm --fleet.")
  var packed: String?
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard ParameterKind.word(bytesMax: count == nil ? 64 : 56).admits(name) else {
      throw ValidationError("a name has letters, digits, '.', '_' and '-', at most 64")
    }
    if let count, !(1...ClientAdd.countMax).contains(count) {
      throw ValidationError("--count must be from 1 to \(ClientAdd.countMax)")
    }
    if packed != nil, count == nil || out != nil {
      throw ValidationError("--packed FILE is for --count N, and takes the place of --out")
    }
  }

  /// The names to add.
  static func names(_ name: String, count: Int?) -> [String] {
    guard let count else { return [name] }
    let width = max(4, String(count).count)
    return (1...count).map { number in
      let digits = String(number)
      return "\(name)-" + String(repeating: "0", count: width - digits.count) + digits
    }
  }

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    if let packed {
      let packing = FleetPacking(path: packed, tags: tag, client: site.client(console))
      let added = try packing.add(ClientAdd.names(name, count: count), console)
      console.say("Next: bgb-swarm run --fleet \(packed) --management-point HOST:PORT")
      console.out(output.format == .table ? "\(added)\n" : "{\"added\":\(added)}\n")
      return .done
    }
    let base = out ?? site.folder(console).clients
    if out != nil, count != nil {
      let code = Folder.make(base, mode: 0o750)
      guard code == 0 else {
        throw ConsoleError(.failure, "the folder \(base) cannot be made: \(Folder.words(code))")
      }
    }
    let names = ClientAdd.names(name, count: count)
    var added: [JSONValue] = []
    for start in stride(from: 0, to: names.count, by: ClientAdd.batchClients) {
      let batch = names[start..<min(start + ClientAdd.batchClients, names.count)]
      added += try add(Array(batch), base: base, site.client(console))
      if names.count > ClientAdd.batchClients {
        console.say("\(NumberText.grouped(added.count))/\(NumberText.grouped(names.count)) added")
      }
    }
    if count == nil, let client = added.first {
      output.print(ClientCommands.sheet(client), console)
    } else {
      let columns = [
        Column("name", field: "name"), Column("client id", field: "clientID"),
        Column("tags", field: "tags"),
      ]
      output.print(Listing(columns: columns, items: added) { $0["name"].cell }, console)
    }
    console.say("Next: start bgb-agent run --config \(path(names[0], base: base))/agent.yaml")
    return .done
  }

  private func path(_ name: String, base: String) -> String {
    count == nil && out != nil ? base : "\(base)/\(name)"
  }

  private func add(
    _ names: [String], base: String, _ api: SiteClient
  ) throws(ConsoleError) -> [JSONValue] {
    var folders: [EnrolmentFolder] = []
    let answer: JSONValue
    do {
      for name in names {
        folders.append(
          try EnrolmentFolder(path: path(name, base: base), role: "client", name: name))
      }
      let items = zip(names, folders).map { name, folder in
        JSONValue.members([
          "name": .text(name), "tags": .texts(tag), "csr": .text(folder.request),
        ])
      }
      answer =
        count == nil
        ? .members(["items": .list([try api.send(.post, "/v1/clients", items[0])])])
        : try api.send(.post, "/v1/clients/batch", .members(["items": .list(items)]))
    } catch {
      // After a lost answer the clients may exist: their keys must then not be thrown away.
      if error.status != .unreachable || !(error.hint ?? "").contains("may have been done") {
        for folder in folders { folder.undo() }
      }
      throw error
    }
    let issued = answer["items"].items
    guard issued.count == folders.count else {
      throw ConsoleError(.failure, "the manager answered for \(issued.count) of \(folders.count)")
    }
    for (folder, item) in zip(folders, issued) { try finish(folder, item) }
    return issued.map { $0["client"] }
  }

  private func finish(_ folder: EnrolmentFolder, _ item: JSONValue) throws(ConsoleError) {
    try folder.write("client.crt", item["certificate"].cell)
    try folder.write("ca.pem", item["ca"].cell)
    try folder.write("task.pub", item["taskKeys"].cell)
    try folder.makeFolder("state")
    try folder.makeFolder("logs")
    let points = managementPoint.isEmpty ? ["localhost:10123"] : managementPoint
    try folder.write(
      "agent.yaml",
      SettingsText.agent(
        name: item["client"]["name"].cell, site: item["siteCode"].cell, managementPoints: points,
        httpsPoints: httpsPoint.isEmpty ? points.map(HTTPSPort.point) : httpsPoint))
  }
}
