// Everything that the API can be asked, in one value: what the handlers need, and the table of
// routes. No handler knows HTTP or a socket; each takes a call and gives an answer, and may block
// on the database.

import BGBModel
import SiteDatabase

/// The administration of one site, as the API offers it.
struct SiteAdministration: Sendable {
  /// The version of the program, as `GET /v1/site` tells it.
  static let version = "0.1.0"

  let store: any SiteStore
  let tasks: TaskOffice
  let enrolment: EnrolmentOffice
  let hub: ProgressHub
  let gauges: ManagerGauges
  let health: ManagerHealth
  let clock: SiteClock

  /// Every route, in the order of the manual.
  var routes: [Route] {
    siteRoutes + clientRoutes + serverRoutes + collectionRoutes + operationRoutes + policyRoutes
      + recordRoutes + healthRoutes
  }

  /// A client by its identity or its name.
  func client(_ text: String) throws(Refusal) -> ClientRecord {
    let found = try asking { () throws(StoreError) in
      if let clientID = ClientID(text.lowercased()) { return try store.client(clientID) }
      return try store.client(named: text)
    }
    guard let found else { throw .notFound("client '\(text.cut(toBytes: 64))'") }
    return found
  }

  /// An operation by the number in a path.
  func operation(_ text: String) throws(Refusal) -> OperationSummary {
    guard let number = Int64(text), number > 0 else {
      throw .notFound("operation '\(text.cut(toBytes: 64))'")
    }
    let found = try asking { () throws(StoreError) in try store.operation(OperationID(number)) }
    guard let found else { throw .notFound("operation \(number)") }
    return found
  }

  /// A collection by its name.
  func collection(_ name: String) throws(Refusal) -> CollectionRecord {
    let all = try asking { () throws(StoreError) in try store.collections() }
    guard let found = all.first(where: { $0.name == name }) else {
      throw .notFound("collection '\(name.cut(toBytes: 64))'")
    }
    return found
  }

  /// The targets that a request names: a collection, or clients by identity or name.
  func target(_ value: JSONValue?) throws(Refusal) -> OperationRequest.Target {
    guard let value else { throw .missingField("target") }
    let fields = try RequestFields(value, known: ["collection", "clients"])
    let collection = try fields.optionalText("collection", bytesMax: 255)
    let clients = try fields.texts("clients", countMax: 10_000, bytesMax: 255)
    switch (collection, clients.isEmpty) {
    case (.some(let name), true): return .collection(name)
    case (.none, false):
      var identities: [ClientID] = []
      for text in clients { identities.append(try client(text).clientID) }
      return .clients(identities)
    case (.some, false), (.none, true):
      throw .invalid("a target is either a collection or a list of clients")
    }
  }
}
