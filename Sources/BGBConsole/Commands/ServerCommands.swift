// `bgb server`: notification servers.

import ArgumentParser
import BGBModel
import BGBSigning
import HTTPClient

/// The noun.
struct ServerCommands: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server", abstract: "Add, list and drain notification servers.",
    discussion: """
      Examples:
        bgb server add mp1
        bgb server add mp1 --host mp1.example.org --port 10123
        bgb server list
        bgb server drain mp1 --within 5m
      """,
    subcommands: [ServerAdd.self, ServerList.self, ServerDrain.self, ServerUndrain.self],
    aliases: ["servers"])
}

/// Adds a server.
struct ServerAdd: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "add", abstract: "Make a notification server's folder with keys and settings.",
    discussion: """
      Without --host the server is for this machine only: localhost and 127.0.0.1.

      Examples:
        bgb server add mp1
        bgb server add mp1 --host mp1.example.org --host 192.0.2.7 --listen 0.0.0.0
        bgb server add mp1 --host mp1.example.org --workers 6
      """)

  @Argument(help: "Its name: letters, digits, '.', '_' and '-'.") var name: String
  @Option(help: "A name or address under which agents reach it; may be repeated.")
  var host: [String] = []
  @Option(help: "The port for agents.") var port: UInt16 = 10123
  @Option(help: "The port of HTTPS, for agents that need it and policies; else 443, not root 8443.")
  var httpsPort: UInt16?
  @Option(help: "The loopback port of /healthz, /readyz and /metrics; 0 lets the kernel choose.")
  var healthPort: UInt16 = 0
  @Option(help: "The address to listen on; loopback when all hosts are, else all addresses.")
  var listen: String?
  @Option(help: "Processes that serve side by side on the same ports; listed as NAME, NAME#2, ...")
  var workers = 1
  @Option(help: "The folder to make; otherwise servers/NAME in the site's folder.")
  var out: String?
  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard ParameterKind.word(bytesMax: 64).admits(name) else {
      throw ValidationError("a name has letters, digits, '.', '_' and '-', at most 64")
    }
    guard (1...Limits.workersMax).contains(workers) else {
      throw ValidationError("--workers is a number from 1 to \(Limits.workersMax)")
    }
    guard workers == 1 || port != 0 && httpsPort != 0 else {
      throw ValidationError("workers share a port, so it must be named and not 0")
    }
  }

  /// The address to listen on for some hosts.
  static func listenAddress(_ hosts: [String]) -> String {
    let isLocal = hosts.allSatisfy { host in
      host == "localhost" || host.hasPrefix("127.") || host == "::1"
    }
    return isLocal ? "127.0.0.1" : "0.0.0.0"
  }

  /// A host in front of a port.
  static func endpoint(_ host: String, _ port: UInt16) -> String {
    host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    console.isQuiet = output.quiet
    let hosts = host.isEmpty ? ["localhost", "127.0.0.1"] : host
    let path = out ?? "\(site.folder(console).servers)/\(name)"
    let folder = try EnrolmentFolder(path: path, role: "server", name: name)
    let answer: JSONValue
    do { answer = try ask(folder, hosts: hosts, site.client(console)) } catch {
      folder.undo()
      throw error
    }
    let address = listen ?? ServerAdd.listenAddress(hosts)
    let https = httpsPort ?? HTTPSPort.usual
    try folder.write("server.crt", answer["certificate"].cell)
    try folder.write("ca.pem", answer["ca"].cell)
    try folder.makeFolder("logs")
    try folder.makeFolder("journal")
    try folder.write(
      "server.yaml",
      SettingsText.server(
        name: name, listen: ServerAdd.endpoint(address, port),
        httpsListen: ServerAdd.endpoint(address, https),
        httpsURL: "https://" + ServerAdd.endpoint(hosts[0], https),
        health: ServerAdd.endpoint("127.0.0.1", healthPort), workers: workers))
    let server = answer["server"]
    let fields: [(title: String, text: String)] = [
      ("name", name), ("server id", server["serverID"].cell), ("folder", path),
    ]
    output.print(Sheet(fields: fields, item: server, name: name), console)
    console.say("Next: start bgb-server --config \(path)/server.yaml")
    return .done
  }
}

extension ServerAdd {
  /// Makes the key that signs reports, and asks for the certificate.
  private func ask(
    _ folder: EnrolmentFolder, hosts: [String], _ api: SiteClient
  ) throws(ConsoleError) -> JSONValue {
    let key: String
    do {
      let reportKey = try SigningKey.generate()
      try reportKey.save(to: "\(folder.path)/report.key")
      key = reportKey.publicKey.base64
    } catch { throw ConsoleError(.failure, "the report key cannot be made: \(error)") }
    return try api.send(
      .post, "/v1/servers",
      .members([
        "name": .text(name), "hosts": .texts(hosts), "csr": .text(folder.request),
        "reportKey": .text(key), "workers": .integer(Int64(workers)),
      ]))
  }
}

/// Lists servers.
struct ServerList: ConsoleCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List notification servers.", aliases: ["ls"])

  @OptionGroup var site: SiteOptions
  @OptionGroup var output: OutputOptions
  @OptionGroup var list: ListOptions

  func run(in console: Console) throws(ConsoleError) -> ExitStatus {
    let items = try site.client(console).items("/v1/servers")
    let columns = [
      Column("id", field: "serverID", isNumber: true), Column("name", field: "name"),
      Column("epoch", field: "epoch", isNumber: true),
      Column("online", field: "onlineCount", isNumber: true),
      Column("state") { ServerDrainProgress.stateText($0) },
      Column("last report", field: "lastReport"),
    ]
    output.print(Listing(columns: columns, items: items) { $0["name"].cell }, console)
    return list.status(items)
  }
}
