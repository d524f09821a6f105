// Notification servers: listing, and enrolment by command.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  /// Host names of one server at most.
  static let hostsMax = 32

  var serverRoutes: [Route] {
    [
      Route(.get, "/v1/servers") { _ throws(Refusal) in
        let servers = try asking { () throws(StoreError) in try store.servers() }
        return .json(200, .members(["items": .list(servers.map(\.json)), "next": .null]))
      },
      Route(.post, "/v1/servers") { call throws(Refusal) in try addServer(call) },
      Route(.post, "/v1/servers/{server}/drain") { call throws(Refusal) in try drain(call) },
      Route(.post, "/v1/servers/{server}/undrain") { call throws(Refusal) in try undrain(call) },
    ]
  }

  /// The longest time and the highest rate of a drain.
  private static let drainSecondsMax: Int64 = 86_400
  private static let drainRateMax: Int64 = 100_000

  private func drain(_ call: Call) throws(Refusal) -> Answer {
    let fields = try RequestFields(call.body, known: ["withinSeconds", "ratePerSecond", "stop"])
    let within = try fields.number(
      "withinSeconds", in: 1...SiteAdministration.drainSecondsMax,
      default: Int64(Limits.drainSeconds))
    let rate = try fields.number(
      "ratePerSecond", in: 0...SiteAdministration.drainRateMax, default: 0)
    let stops = fields.value("stop") == .bool(true)
    let servers = try workers(of: call.part("server"))
    // The rate is that of the whole server: each worker has its share, and never none.
    let share = rate == 0 ? 0 : max(1, rate / Int64(servers.count))
    let order = DrainOrder(
      withinSeconds: UInt32(clamping: within), ratePerSecond: UInt32(clamping: share),
      stops: stops)
    for server in servers {
      try asking { () throws(StoreError) in
        try store.drainServer(server.serverID, order, by: call.actor, at: clock.now())
      }
    }
    return try listing(servers)
  }

  private func undrain(_ call: Call) throws(Refusal) -> Answer {
    let servers = try workers(of: call.part("server"))
    for server in servers {
      try asking { () throws(StoreError) in
        try store.undrainServer(server.serverID, by: call.actor, at: clock.now())
      }
    }
    return try listing(servers)
  }

  private func listing(_ servers: [ServerRecord]) throws(Refusal) -> Answer {
    let numbers = Set(servers.map(\.serverID))
    let all = try asking { () throws(StoreError) in try store.servers() }
    let items = all.filter { numbers.contains($0.serverID) }.map(\.json)
    return .json(200, .members(["items": .list(items), "next": .null]))
  }

  /// The rows that a name means: a server with all its workers, or one worker of it.
  private func workers(of name: String) throws(Refusal) -> [ServerRecord] {
    let all = try asking { () throws(StoreError) in try store.servers() }
    // The first worker has the server's own name; alone it is called by its number.
    let exact = name.hasSuffix("#1") ? String(name.dropLast(2)) : name
    let found = all.filter { server in
      server.name == exact || !name.contains("#") && server.name.hasPrefix(name + "#")
    }
    guard !found.isEmpty else { throw .notFound("server '\(name.cut(toBytes: 64))'") }
    return found
  }

  private func addServer(_ call: Call) throws(Refusal) -> Answer {
    let fields = try RequestFields(
      call.body, known: ["name", "hosts", "csr", "reportKey", "workers"])
    let keyText = try fields.text("reportKey", bytesMax: 64)
    guard let key = Base64.decode(keyText) else {
      throw .outOfBounds("reportKey", bounds: "the 32 bytes of an Ed25519 key in base64")
    }
    let application = ServerApplication(
      name: try fields.text("name", bytesMax: 255),
      hosts: try fields.texts("hosts", countMax: SiteAdministration.hostsMax, bytesMax: 253),
      request: try fields.text("csr", bytesMax: SiteAdministration.requestBytesMax),
      reportKey: key,
      workers: Int(
        try fields.number("workers", in: 1...Int64(Limits.workersMax), default: 1)))
    guard !application.hosts.isEmpty else { throw .missingField("hosts") }
    return .json(201, try enrolment.admit(application, by: call.actor))
  }
}
