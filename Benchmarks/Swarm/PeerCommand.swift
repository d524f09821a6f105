// The command lines of the laboratory's comparisons: a client of other systems, the bare floor, and
// a handshake without a network. scripts/peers drives them.

import ArgumentParser
import Reactor
import SwarmPeers

/// `bgb-swarm peer`: measures another server as bgb-server is measured.
struct PeerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peer",
    abstract: "Measures a server of another kind: MQTT, NATS, HTTP, or the bare floor.",
    discussion: """
      Connects so many clients by mutual TLS 1.3, and takes memory and CPU of the server's
      processes through each stage: connect, silence, keep-alives, one message to all and an
      acknowledgement from each, reconnect with kept sessions, all at once. All clients share one
      certificate. See scripts/peers.
      """)

  @Argument(help: "What the server speaks: mqtt, nats, http or floor.")
  var dialect: String

  @Option(help: "The server's name in the report.")
  var name = "server"

  @Option(help: "Where it listens, ADDRESS:PORT.")
  var address: String

  @Option(help: "Its processes, separated by commas.")
  var pids: String

  @Option(help: "Clients.")
  var connections = 500

  @Option(help: "Handshakes under way at once.")
  var underWay = 64

  @Option(help: "Messages published to all.")
  var publishes = 5

  @Option(help: "Clients that reconnect with a kept session.")
  var resumes = 2_000

  @Option(help: "Seconds in which nobody speaks.")
  var quietSeconds: UInt64 = 15

  @Flag(help: "Leave the storm out.")
  var noStorm = false

  @Flag(help: "Speak without TLS, as `floor --plain` does.")
  var plain = false

  @Option(help: "The most that a stage may last, in seconds; the default grows with the clients.")
  var patienceSeconds: UInt64?

  @Option(help: "Certificate that all clients share.")
  var cert: String

  @Option(help: "Its key.")
  var key: String

  @Option(help: "The authority of the server's certificate.")
  var ca: String

  @Option(help: "Write the figures here, as JSON.")
  var report: String?

  func run() throws {
    var plan = PeerPlan()
    plan.server = name
    plan.dialect = PeerDialect(rawValue: dialect) ?? .mqtt
    plan.address = address
    plan.processIDs = pids.split(separator: ",").compactMap { Int32($0) }
    plan.connections = connections
    plan.underWay = underWay
    plan.publishes = publishes
    plan.resumes = resumes
    plan.quietSeconds = quietSeconds
    plan.storms = !noStorm
    plan.isPlain = plain
    plan.patienceSeconds = patienceSeconds
    plan.certificateFile = cert
    plan.keyFile = key
    plan.authorityFile = ca
    var lab = try PeerLab(plan)
    let figures = try lab.run()
    for line in figures.lines { print(line) }
    StandardOutput.flush()
    if let report {
      try? Folder.remove(report)
      try AppendFile(path: report).append(Array(figures.json.utf8))
    }
  }

  func validate() throws {
    guard PeerDialect(rawValue: dialect) != nil else {
      throw ValidationError("\(dialect) is none of mqtt, nats, http, floor")
    }
    guard pids.split(separator: ",").allSatisfy({ Int32($0) != nil }), !pids.isEmpty else {
      throw ValidationError("--pids takes numbers separated by commas")
    }
    guard connections > 0, underWay > 0, publishes >= 0, resumes >= 0, patienceSeconds != 0 else {
      throw ValidationError("counts are not negative, and connections at least one")
    }
  }
}

/// `bgb-swarm peer-figures`: the names of all figures, for the script that makes a table of them.
struct PeerFiguresCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peer-figures", abstract: "Prints the figures that `peer` takes, NAME|WHAT.")

  func run() {
    for figure in PeerFigure.allCases { print("\(figure.rawValue)|\(figure.words)") }
  }
}

/// `bgb-swarm floor`: the bare floor, until it is ended.
struct FloorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "floor",
    abstract: "Serves without an application: what OpenSSL and the loop cost by themselves.")

  @Option(help: "Where to listen, ADDRESS:PORT.")
  var listen: String

  @Option(help: "Tickets given out after a full handshake.")
  var tickets = 0

  @Flag(help: "Go on without OpenSSL's object after the handshake.")
  var detach = false

  @Flag(help: "Speak without TLS.")
  var plain = false

  @OptionGroup var files: FloorFiles

  func run() throws {
    var plan = files.plan
    plan.address = listen
    plan.tickets = tickets
    plan.detaches = detach
    plan.isPlain = plain
    let floor = try FloorServer(plan)
    print(floor.address)
    StandardOutput.flush()
    try floor.run()
  }
}

/// `bgb-swarm handshakes`: what one costs the server without a network.
struct HandshakesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "handshakes",
    abstract: "Times the server's part of handshakes inside OpenSSL, without a network.")

  @OptionGroup var files: FloorFiles

  @Option(help: "The client's certificate.")
  var clientCert: String

  @Option(help: "The client's key.")
  var clientKey: String

  @Option(help: "Rounds of a hundred handshakes.")
  var rounds = 10

  @Option(help: "A folder for the Unix socket.")
  var folder = "/tmp"

  func run() throws {
    let cost = HandshakeCost(
      files.plan, clientCertificateFile: clientCert, clientKeyFile: clientKey, folder: folder)
    for row in try cost.run(rounds: rounds) { print(row.line) }
  }
}

/// The credentials of a server.
struct FloorFiles: ParsableArguments {
  @Option(help: "The server's certificate.")
  var cert: String

  @Option(help: "Its key.")
  var key: String

  @Option(help: "The authority of its clients.")
  var ca: String

  var plan: FloorPlan {
    var plan = FloorPlan()
    plan.certificateFile = cert
    plan.keyFile = key
    plan.authorityFile = ca
    return plan
  }
}
