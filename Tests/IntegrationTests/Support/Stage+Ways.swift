// What a stage tells about the ways of its clients: transports, logs, operations over them.

import Foundation

extension Stage {
  /// What the site knows of a client's presence.
  func presence(_ name: String) throws -> [String: Any] {
    let answer = try json(["client", "show", name])
    return (answer as? [String: Any])?["presence"] as? [String: Any] ?? [:]
  }

  func agentLog(_ name: String) -> String {
    (try? String(
      contentsOfFile: path("clients/\(name)/logs/CcmNotificationAgent.log"), encoding: .utf8)) ?? ""
  }

  /// The server's log of HTTP clients.
  func httpsLog() -> String {
    (try? String(contentsOfFile: path("servers/mp1/logs/BgbHttpProxy.log"), encoding: .utf8)) ?? ""
  }

  /// Starts the action that counts its runs, on all clients.
  func mark(_ name: String = "mark") throws -> Int {
    try start("site-defined", ["--collection", "All Systems", "--param", "name=\(name)"])
  }

  /// Waits until everybody has done all these operations, and counts what really ran.
  func expectDone(_ operations: [Int], _ names: [String], within seconds: Double = 60) throws {
    for operation in operations {
      try eventually("everybody has done operation \(operation)", within: seconds) {
        try counts(operation)["succeeded"] == names.count
      }
      try verify(operation)
    }
    for name in names where runCount(name) != operations.count {
      throw StageError.failed(
        "\(name) ran \(runCount(name)) times for \(operations.count) operations")
    }
  }

  /// Lets the server listen on an address besides loopback; before it is started.
  func listen(on address: String) throws {
    try setServer([
      "listen": "[\"127.0.0.1:\(port)\", \"\(address):\(port)\"]",
      "https-listen": "[\"127.0.0.1:\(httpsPort)\", \"\(address):\(httpsPort)\"]",
    ])
  }

  /// Asks the server itself: the site learns a moment later.
  func waitConnected(_ count: Int, over transport: String, within seconds: Double = 60) throws {
    try eventually("\(count) clients are online over \(transport)", within: seconds) {
      try metric("online_clients_\(transport)") == count
    }
  }
}
