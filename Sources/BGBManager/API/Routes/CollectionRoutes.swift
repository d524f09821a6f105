// Collections: named sets of clients by rules, and who belongs to them now.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  /// Rules of one collection at most; larger sets are a query over tags.
  static let rulesMax = 10_000
  /// Bytes of a query at most.
  static let queryBytesMax = 4_096

  var collectionRoutes: [Route] {
    [
      Route(.get, "/v1/collections") { _ throws(Refusal) in
        let all = try asking { () throws(StoreError) in try store.collections() }
        return .json(200, .members(["items": .list(all.map(\.json)), "next": .null]))
      },
      Route(.post, "/v1/collections") { call throws(Refusal) in try addCollection(call) },
      Route(.get, "/v1/collections/{name}") { call throws(Refusal) in
        .json(200, try collection(call.part("name")).json)
      },
      Route(.put, "/v1/collections/{name}") { call throws(Refusal) in try setRules(call) },
      Route(.delete, "/v1/collections/{name}") { call throws(Refusal) in
        try asking { () throws(StoreError) in
          try store.removeCollection(named: call.part("name"), by: call.actor, at: clock.now())
        }
        return .done
      },
      Route(.get, "/v1/collections/{name}/members") { call throws(Refusal) in
        try listMembers(call)
      },
    ]
  }

  private func addCollection(_ call: Call) throws(Refusal) -> Answer {
    let fields = try RequestFields(call.body, known: ["name", "rules"])
    let name = try fields.text("name", bytesMax: 255)
    guard name.isPrintable, !name.contains("/") else {
      throw .badName(name, hint: "Use printable characters without '/'.")
    }
    let rules = try rules(fields)
    let made = try asking { () throws(StoreError) in
      try store.addCollection(named: name, rules: rules, by: call.actor, at: clock.now())
    }
    return .json(201, made.json)
  }

  private func setRules(_ call: Call) throws(Refusal) -> Answer {
    let fields = try RequestFields(call.body, known: ["rules"])
    let name = call.part("name")
    let rules = try rules(fields)
    try asking { () throws(StoreError) in
      try store.setRules(rules, of: name, by: call.actor, at: clock.now())
    }
    return .json(200, try collection(name).json)
  }

  private func rules(_ fields: RequestFields) throws(Refusal) -> [MembershipRule] {
    var rules: [MembershipRule] = []
    for element in try fields.list("rules", countMax: SiteAdministration.rulesMax) {
      let rule = try RequestFields(element, known: ["kind", "clientID", "expression"])
      switch try rule.text("kind", bytesMax: 16) {
      case "everybody": rules.append(.everybody)
      case "direct":
        rules.append(.direct(try client(try rule.text("clientID", bytesMax: 255)).clientID))
      case "query":
        rules.append(
          .query(try rule.text("expression", bytesMax: SiteAdministration.queryBytesMax)))
      default: throw .outOfBounds("kind", bounds: "everybody, direct or query")
      }
    }
    return rules
  }

  private func listMembers(_ call: Call) throws(Refusal) -> Answer {
    let limit = try call.pageLimit()
    let cursor = try call.resourceCursor()
    let members = try asking { () throws(StoreError) in
      try store.members(ofCollection: call.part("name"))
    }
    let start = cursor.map { after in
      members.firstIndex { $0.resourceID > after } ?? members.endIndex
    }
    var page: [ClientRecord] = []
    for member in members[(start ?? members.startIndex)...].prefix(limit) {
      // Gone between the two looks: no member any more.
      let found = try asking { () throws(StoreError) in try store.client(member.clientID) }
      if let found { page.append(found) }
    }
    return .page(page, limit: limit, cursor: { "\($0.resourceID)" }, json: \.json)
  }
}
