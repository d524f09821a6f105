// One client behind a firewall that changes its mind, with operations all the time: the short form
// is a test, the long one a campaign.

import Foundation
import Testing

/// What a firewall run is made of.
struct FirewallRun {
  /// The walls, one after the other, each for so many seconds; the port is open in between.
  var walls: [Wall]
  var seconds: Double
  /// A new operation begins so often.
  var operationSeconds: Double
  /// Where sentences about the run go.
  var say: (String) -> Void

  /// What came of it.
  struct Result {
    var operations = 0
    var runs = 0
    var signIns = 0
    var takeovers = 0
    /// How often nobody was online, as seen from outside.
    var absences = 0
    var most = 0
    var onlineAtTheEnd = 0
    /// Seconds from the firewall's change until the server had the client over the other transport;
    /// nil when it changed again before.
    var falls: [(wall: Wall, seconds: Double?)] = []
    var climbs: [Double?] = []
  }

  /// The times at which the firewall changed.
  private struct Phase {
    var wall: Wall
    var begin: Date
    var end: Date
  }

  /// Runs it; throws when an operation is lost or done twice.
  func run() throws -> Result {
    let net = try NetworkNamespace()
    let stage = try Stage()
    try stage.listen(on: net.serverAddress)
    try stage.setServer(["keep-alive": "5s"])
    try stage.startServer()
    try stage.addClients(
      ["pc1"], yaml: "tcp-retry: 2s", tcp: "\(net.serverAddress):\(stage.port)",
      https: "\(net.serverAddress):\(stage.httpsPort)")
    try stage.startAgent("pc1", namespace: net.agent)
    try stage.waitConnected(1, over: "tcp")
    let watch = OnlineWatch(stage)
    var operations: [Int] = []
    var phases: [Phase] = []
    for wall in walls.flatMap({ [$0, .open] }) {
      try net.set(wall, port: stage.port)
      let begin = Date()
      while Date() < begin.addingTimeInterval(seconds) {
        let next = Date().addingTimeInterval(operationSeconds)
        operations.append(try stage.mark())
        while Date() < min(next, begin.addingTimeInterval(seconds)) { usleep(20_000) }
      }
      phases.append(Phase(wall: wall, begin: begin, end: Date()))
      tell(phases.last, watch)
    }
    // Everything must be done, by a client that is back where it belongs.
    try stage.waitConnected(1, over: "tcp", within: 400)
    try stage.expectDone(operations, ["pc1"], within: 120)
    try eventually("the site counts one") { try stage.onlineCount() == 1 }
    watch.stop()
    var result = Result()
    result.operations = operations.count
    result.runs = stage.runCount("pc1")
    result.signIns = try stage.metric("sign_ins_total")
    result.takeovers = try stage.metric("takeovers_total")
    result.absences = watch.changes.filter { $0.online == 0 }.count
    result.most = watch.most
    result.onlineAtTheEnd = try stage.onlineCount()
    for phase in phases {
      if phase.wall == .open {
        result.climbs.append(time(phase, watch))
      } else {
        result.falls.append((phase.wall, time(phase, watch)))
      }
    }
    return result
  }

  /// How long it took in a phase until the client was there over the transport that the phase
  /// leaves it; nil when it was not.
  private func time(_ phase: Phase, _ watch: OnlineWatch) -> Double? {
    let changes = watch.changes
    let isThere = { (change: OnlineWatch.Change) in
      phase.wall == .open ? change.tcp == 1 : change.https == 1 && change.tcp == 0
    }
    // It may be there from the phase before.
    if let before = changes.last(where: { $0.at <= phase.begin }), isThere(before) { return 0 }
    guard let first = changes.first(where: { $0.at > phase.begin && isThere($0) }),
      first.at <= phase.end
    else { return nil }
    return first.at.timeIntervalSince(phase.begin)
  }

  private func tell(_ phase: Phase?, _ watch: OnlineWatch) {
    guard let phase else { return }
    let taken = time(phase, watch).map { String(format: "%.1f s", $0) } ?? "not in this phase"
    let online = watch.changes.filter { $0.at >= phase.begin }.map { "\($0.tcp)+\($0.https)" }
    let way = phase.wall == .open ? "back on TCP" : "on HTTPS"
    say(
      "port \(phase.wall.rawValue): \(way) after \(taken); TCP+HTTPS then "
        + (online.isEmpty ? "unchanged" : online.joined(separator: " ")))
  }
}

extension FirewallRun.Result {
  /// What a run must hold, whatever the firewall did: what is broken, in sentences.
  var faults: [String] {
    var found: [String] = []
    if runs != operations { found.append("\(operations) operations ran \(runs) times") }
    if most != 1 { found.append("\(most) sessions of one client at once") }
    if onlineAtTheEnd != 1 { found.append("\(onlineAtTheEnd) online at the end") }
    // A sign-in either replaces a session or ends an absence; the first one ends the one before.
    if signIns - takeovers < absences {
      found.append("\(signIns) sign-ins, \(takeovers) takeovers, but \(absences) absences")
    }
    return found
  }
}
