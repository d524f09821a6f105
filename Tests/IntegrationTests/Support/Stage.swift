// A whole site in a folder of its own: manager, server, agents as real processes. Every test has
// its own; nothing is shared but the machine.

import Foundation
import Glibc

/// One site.
final class Stage {
  let folder: URL
  let port: UInt16
  let httpsPort: UInt16
  let healthPort: UInt16
  private(set) var manager: Child?
  private(set) var server: Child?
  private var agents: [String: Child] = [:]
  private var runs = 0

  init() throws {
    folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("bgb-\(UUID().uuidString.prefix(8))")
    (port, httpsPort, healthPort) = try (
      Sockets.freePort(), Sockets.freePort(), Sockets.freePort()
    )
    try bgb(["site", "init", "--code", "T01", "--name", "Test site"])
    try startManager()
    try bgb([
      "server", "add", "mp1", "--host", "127.0.0.1", "--host", "localhost", "--port", "\(port)",
      "--https-port", "\(httpsPort)",
    ])
    try setServer([
      "health-listen": "127.0.0.1:\(healthPort)", "presence-period": "300ms",
      "outcome-period": "300ms", "crash-window": "1s",
    ])
  }

  deinit {
    for child in agents.values where child.isRunning { child.crash() }
    for child in [server, manager] { if let child, child.isRunning { child.crash() } }
    try? FileManager.default.removeItem(at: folder)
  }

  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  // MARK: The console

  /// Runs `bgb` and expects it to end with one of these codes.
  @discardableResult
  func bgb(_ arguments: [String], codes: Set<Int32> = [0]) throws -> Finished {
    let finished = try run("bgb", arguments + ["--site", folder.path])
    guard codes.contains(finished.status) else {
      throw StageError.failed(
        "bgb \(arguments.joined(separator: " ")) ended with \(finished.status): \(finished.talk)")
    }
    return finished
  }

  /// Runs `bgb` and reads its JSON.
  func json(_ arguments: [String], codes: Set<Int32> = [0]) throws -> Any {
    let text = try bgb(arguments + ["-o", "json"], codes: codes).output
    guard let data = text.data(using: .utf8) else { throw StageError.failed("no text") }
    do {
      return try JSONSerialization.jsonObject(with: data, options: [.fragmentsAllowed])
    } catch {
      throw StageError.failed("not JSON: \(text)")
    }
  }

  /// Starts an operation and returns its number without waiting for it.
  func start(_ action: String, _ arguments: [String]) throws -> Int {
    let answer = try json(["op", "start", action, "--yes", "--detach"] + arguments)
    guard let operation = (answer as? [String: Any])?["operationID"] as? Int else {
      throw StageError.failed("no operation in \(answer)")
    }
    return operation
  }

  /// The counters of an operation by state.
  func counts(_ operation: Int) throws -> [String: Int] {
    let answer = try json(["op", "show", "\(operation)"])
    guard let counts = (answer as? [String: Any])?["counts"] as? [String: Int] else {
      throw StageError.failed("no counts in \(answer)")
    }
    return counts
  }

  func onlineCount() throws -> Int {
    let answer = try json(["online"])
    return (answer as? [String: Any])?["online"] as? Int ?? -1
  }

  // MARK: Programs

  private func log(_ name: String) -> URL {
    runs += 1
    return folder.appendingPathComponent("\(name)-\(runs).out")
  }

  func startManager() throws {
    manager = try Child("bgb-manager", ["--site", folder.path], log: log("manager"))
    try eventually("the manager answers") {
      guard manager?.isRunning == true else {
        throw StageError.failed("the manager ended: \(manager?.text ?? "")")
      }
      return try run("bgb", ["online", "--site", folder.path]).status == 0
    }
  }

  func crashManager() { manager?.crash() }

  /// Replaces or adds top-level keys of server.yaml.
  func setServer(_ values: [String: String]) throws {
    try set(values, in: folder.appendingPathComponent("servers/mp1/server.yaml"))
  }

  /// Replaces or adds top-level keys of a client's agent.yaml.
  func setAgent(_ name: String, _ values: [String: String]) throws {
    try set(values, in: folder.appendingPathComponent("clients/\(name)/agent.yaml"))
  }

  private func set(_ values: [String: String], in file: URL) throws {
    var lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
    for (key, value) in values {
      lines.removeAll { $0.hasPrefix("\(key):") }
      lines.insert("\(key): \(value)", at: 0)
    }
    try lines.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
  }

  func startServer() throws {
    server = try Child(
      "bgb-server", ["--config", path("servers/mp1/server.yaml")], log: log("server"))
    try eventually("the server is ready") {
      guard server?.isRunning == true else {
        throw StageError.failed("the server ended: \(server?.text ?? "")")
      }
      return try run(
        "/usr/bin/curl", ["-sf", "-o", "/dev/null", "http://127.0.0.1:\(healthPort)/readyz"]
      ).status == 0
    }
  }

  func crashServer() { server?.crash() }

  func serverLog() throws -> String {
    try String(contentsOfFile: path("servers/mp1/logs/BGBServer.log"), encoding: .utf8)
  }

  /// A metric of the server.
  func metric(_ name: String) throws -> Int {
    Metrics.read(healthPort)["bgb_\(name)"] ?? -1
  }

  // MARK: Agents

  /// Adds clients with an action `mark` that appends a line to a file each time it really runs, and
  /// others that take their time: `slow` never ends by itself, `busy` marks after some seconds.
  func addClients(
    _ names: [String], yaml: String = "", tcp: String? = nil, https: String? = nil
  ) throws {
    for name in names {
      try bgb([
        "client", "add", name, "--management-point", tcp ?? "localhost:\(port)", "--https-point",
        https ?? "localhost:\(httpsPort)",
      ])
      let script = path("\(name).sh")
      try "#!/bin/sh\necho run >> \(path("\(name).runs"))\n".write(
        toFile: script, atomically: true, encoding: .utf8)
      let slow = path("\(name)-slow.sh")
      try "#!/bin/sh\necho begun >> \(path("\(name).begun"))\nexec sleep 30\n".write(
        toFile: slow, atomically: true, encoding: .utf8)
      let busy = path("\(name)-busy.sh")
      try """
      #!/bin/sh
      echo begun >> \(path("\(name).begun"))
      sleep 4
      echo run >> \(path("\(name).runs"))

      """.write(toFile: busy, atomically: true, encoding: .utf8)
      for file in [script, slow, busy] { chmod(file, 0o755) }
      let settings = folder.appendingPathComponent("clients/\(name)/agent.yaml")
      var text = try String(contentsOf: settings, encoding: .utf8)
      text += "\nactions:\n  mark: [\(script)]\n  slow: [\(slow)]\n  busy: [\(busy)]\n\(yaml)\n"
      try text.write(to: settings, atomically: true, encoding: .utf8)
    }
  }

  func startAgent(_ name: String, namespace: String? = nil) throws {
    agents[name] = try Child(
      "bgb-agent", ["run", "--config", path("clients/\(name)/agent.yaml")], log: log(name),
      namespace: namespace)
  }

  func agent(_ name: String) -> Child? { agents[name] }

  func waitOnline(_ count: Int) throws {
    try eventually("\(count) clients are online") { try onlineCount() == count }
  }

  /// How often the action `mark` really ran on a client.
  func runCount(_ name: String, _ file: String = "runs") -> Int {
    let text = (try? String(contentsOfFile: path("\(name).\(file)"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").count
  }

  /// Every operation must be consistent by the console's own check.
  func verify(_ operation: Int) throws {
    let answer = try json(["op", "verify", "\(operation)"])
    guard (answer as? [String: Any])?["ok"] as? Bool == true else {
      throw StageError.failed("op verify \(operation): \(answer)")
    }
  }
}
