// Policies: JSON documents that the members of a collection follow.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  /// Bytes of one policy document at most.
  static let policyBytesMax = 65_536

  var policyRoutes: [Route] {
    [
      Route(.get, "/v1/policies") { _ throws(Refusal) in
        let all = try asking { () throws(StoreError) in try store.policies() }
        return .json(200, .members(["items": .list(all.map(\.json)), "next": .null]))
      },
      Route(.get, "/v1/policies/{name}") { call throws(Refusal) in
        let name = call.part("name")
        let all = try asking { () throws(StoreError) in try store.policies() }
        guard let found = all.first(where: { $0.name == name }) else {
          throw .notFound("policy '\(name.cut(toBytes: 64))'")
        }
        return .json(200, found.json)
      },
      Route(.put, "/v1/policies/{name}") { call throws(Refusal) in try putPolicy(call) },
      Route(.delete, "/v1/policies/{name}") { call throws(Refusal) in
        try asking { () throws(StoreError) in
          try store.removePolicy(named: call.part("name"), by: call.actor, at: clock.now())
        }
        return .done
      },
    ]
  }

  private func putPolicy(_ call: Call) throws(Refusal) -> Answer {
    let name = call.part("name")
    guard ParameterKind.word(bytesMax: 64).admits(name) else {
      throw .badName(name, hint: "Use letters, digits, '.', '_' and '-', at most 64.")
    }
    let fields = try RequestFields(call.body, known: ["collection", "document"])
    let collection = try collection(try fields.text("collection", bytesMax: 255)).name
    guard let given = fields.value("document") else { throw .missingField("document") }
    // A document may come as an object or as the text of one; it is kept as text either way.
    let document: String
    switch given {
    case .object: document = given.encoded
    case .text(let text):
      do {
        guard case .object = try JSONReader.read(Array(text.utf8)) else {
          throw Refusal.wrongKind("document", wanted: "a JSON object")
        }
      } catch let error as JSONError {
        throw .badJSON(error)
      } catch let error as Refusal {
        throw error
      } catch { throw .internal("\(error)") }
      document = text
    case .null, .bool, .integer, .number, .list:
      throw .wrongKind("document", wanted: "a JSON object")
    }
    guard document.utf8.count <= SiteAdministration.policyBytesMax else {
      throw .outOfBounds(
        "document", bounds: "at most \(SiteAdministration.policyBytesMax) bytes long")
    }
    let kept = try asking { () throws(StoreError) in
      try store.putPolicy(
        named: name, collection: collection, document: document, by: call.actor, at: clock.now())
    }
    return .json(200, kept.json)
  }
}
