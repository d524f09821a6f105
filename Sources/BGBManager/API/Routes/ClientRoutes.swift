// Clients: listing, enrolment by command, blocking, tags.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  /// Clients of one batch at most.
  static let batchMax = 500
  /// Tags of one client, and bytes of one tag, at most.
  static let tagsMax = 64
  static let tagBytesMax = 64
  /// Bytes of a certificate request at most.
  static let requestBytesMax = 16_384

  var clientRoutes: [Route] {
    [
      Route(.get, "/v1/clients") { call throws(Refusal) in try listClients(call) },
      Route(.post, "/v1/clients") { call throws(Refusal) in
        let application = try application(call.body)
        let answers = try enrolment.admit([application], by: call.actor)
        return .json(201, answers.first ?? .null)
      },
      Route(.post, "/v1/clients/batch") { call throws(Refusal) in try addBatch(call) },
      Route(.get, "/v1/clients/{client}") { call throws(Refusal) in
        .json(200, try client(call.part("client")).json)
      },
      Route(.post, "/v1/clients/{client}/block") { call throws(Refusal) in
        try setBlocked(true, call)
      },
      Route(.post, "/v1/clients/{client}/unblock") { call throws(Refusal) in
        try setBlocked(false, call)
      },
      Route(.put, "/v1/clients/{client}/tags") { call throws(Refusal) in try setTags(call) },
    ]
  }

  private func listClients(_ call: Call) throws(Refusal) -> Answer {
    let limit = try call.pageLimit()
    let cursor = try call.resourceCursor()
    let onlyOnline: Bool
    switch call.query["online"] {
    case nil, "false": onlyOnline = false
    case "true": onlyOnline = true
    default: throw .outOfBounds("online", bounds: "true or false")
    }
    let clients = try asking { () throws(StoreError) in
      try store.clients(after: cursor, limit: limit, onlyOnline: onlyOnline)
    }
    return .page(clients, limit: limit, cursor: { "\($0.resourceID)" }, json: \.json)
  }

  private func application(_ value: JSONValue?) throws(Refusal) -> ClientApplication {
    let fields = try RequestFields(value, known: ["name", "tags", "csr"])
    return ClientApplication(
      name: try fields.text("name", bytesMax: 255), tags: try tags(fields),
      request: try fields.text("csr", bytesMax: SiteAdministration.requestBytesMax))
  }

  private func tags(_ fields: RequestFields) throws(Refusal) -> [String] {
    try fields.texts(
      "tags", countMax: SiteAdministration.tagsMax, bytesMax: SiteAdministration.tagBytesMax)
  }

  private func addBatch(_ call: Call) throws(Refusal) -> Answer {
    let fields = try RequestFields(call.body, known: ["items"])
    var applications: [ClientApplication] = []
    for item in try fields.list("items", countMax: SiteAdministration.batchMax) {
      applications.append(try application(item))
    }
    guard !applications.isEmpty else { throw .missingField("items") }
    let answers = try enrolment.admit(applications, by: call.actor)
    return .json(201, .members(["items": .list(answers)]))
  }

  private func setBlocked(_ blocked: Bool, _ call: Call) throws(Refusal) -> Answer {
    let found = try client(call.part("client"))
    if call.body != nil {
      // The reason is taken for the caller's convenience; the audit has who and when.
      let fields = try RequestFields(call.body, known: ["reason"])
      _ = try fields.optionalText("reason", bytesMax: Limits.reasonBytesMax)
    }
    try asking { () throws(StoreError) in
      try store.setBlocked(blocked, found.clientID, by: call.actor, at: clock.now())
    }
    return .json(200, try client("\(found.clientID)").json)
  }

  private func setTags(_ call: Call) throws(Refusal) -> Answer {
    let found = try client(call.part("client"))
    let fields = try RequestFields(call.body, known: ["tags"])
    guard fields.value("tags") != nil else { throw .missingField("tags") }
    let tags = try tags(fields)
    try asking { () throws(StoreError) in
      try store.setTags(tags, of: found.clientID, by: call.actor, at: clock.now())
    }
    return .json(200, try client("\(found.clientID)").json)
  }
}
