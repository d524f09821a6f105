// Operations: preview, start, list, progress, cancel, verification, and the story of one task.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  /// Bytes of an idempotency key at most.
  static let idempotencyKeyBytesMax = 128
  /// The longest spread: a day.
  static let spreadSecondsMax: Int64 = 86_400
  /// The highest rate worth naming.
  static let rateMax: Int64 = 1_000_000

  var operationRoutes: [Route] {
    [
      Route(.post, "/v1/operations/preview") { call throws(Refusal) in try preview(call) },
      Route(.post, "/v1/operations") { call throws(Refusal) in try start(call) },
      Route(.get, "/v1/operations") { call throws(Refusal) in try listOperations(call) },
      Route(.get, "/v1/operations/{operation}") { call throws(Refusal) in
        .json(200, try operation(call.part("operation")).json)
      },
      Route(.post, "/v1/operations/{operation}/cancel") { call throws(Refusal) in
        try cancel(call)
      },
      Route(.get, "/v1/operations/{operation}/targets") { call throws(Refusal) in
        try listTargets(call)
      },
      Route(.get, "/v1/operations/{operation}/events") { call throws(Refusal) in
        .progress(try operation(call.part("operation")).operationID)
      },
      Route(.get, "/v1/operations/{operation}/verify") { call throws(Refusal) in
        try verify(call)
      },
    ]
  }

  private func preview(_ call: Call) throws(Refusal) -> Answer {
    let fields = try RequestFields(call.body, known: ["target"])
    let target = try target(fields.value("target"))
    let count = try asking { () throws(StoreError) in try store.onlineCount(among: target) }
    return .json(
      200, .members(["targets": .count(count.targets), "online": .count(count.online)]))
  }

  private func start(_ call: Call) throws(Refusal) -> Answer {
    let started = try tasks.start(try operationRequest(call))
    if started.isNew {
      gauges.add(.operationsStarted, 1)
      hub.touch([started.summary.operationID])
    }
    return .json(started.isNew ? 201 : 200, started.summary.json)
  }

  private func operationRequest(_ call: Call) throws(Refusal) -> OperationRequest {
    let fields = try RequestFields(
      call.body,
      known: [
        "action", "parameters", "target", "validitySeconds", "spreadSeconds", "ratePerSecond",
      ])
    let name = try fields.text("action", bytesMax: 128)
    guard let action = ClientAction(named: name) else { throw .unknownAction(name) }
    let bounds =
      Limits.validityMinimumMilliseconds / 1000...Limits.validityMaximumMilliseconds / 1000
    let validity = try fields.number(
      "validitySeconds", in: bounds, default: Limits.validityDefaultMilliseconds / 1000)
    let spread = try fields.number(
      "spreadSeconds", in: 0...SiteAdministration.spreadSecondsMax, default: 0)
    let rate = try fields.number("ratePerSecond", in: 0...SiteAdministration.rateMax, default: 0)
    if let key = call.idempotencyKey {
      guard !key.isEmpty, key.utf8.count <= SiteAdministration.idempotencyKeyBytesMax,
        key.isPrintable
      else { throw .outOfBounds("Idempotency-Key", bounds: "1 to 128 printable bytes") }
    }
    return OperationRequest(
      action: action, parameters: try parameters(fields.value("parameters")),
      target: try target(fields.value("target")), validityMilliseconds: validity * 1000,
      spreadSeconds: UInt32(spread), ratePerSecond: UInt32(rate), requestedBy: call.actor,
      idempotencyKey: call.idempotencyKey)
  }

  private func parameters(_ value: JSONValue?) throws(Refusal) -> ActionParameters {
    guard let value else { return .none }
    guard case .object(let members) = value else {
      throw .wrongKind("parameters", wanted: "an object of texts")
    }
    guard members.count <= Limits.parametersMax else {
      throw .outOfBounds("parameters", bounds: "at most \(Limits.parametersMax)")
    }
    var values: [ActionParameters.Value] = []
    for member in members {
      let text: String
      switch member.value {
      case .text(let given): text = given
      case .integer(let number): text = String(number)
      case .null, .bool, .number, .list, .object:
        throw .wrongKind("parameters.\(member.name.cut(toBytes: 64))", wanted: "a text")
      }
      values.append(ActionParameters.Value(name: member.name, text: text))
    }
    return ActionParameters(values)
  }

  private func listOperations(_ call: Call) throws(Refusal) -> Answer {
    let limit = try call.pageLimit()
    let before = try call.cursor("before").map { OperationID($0) }
    let operations = try asking { () throws(StoreError) in
      try store.operations(before: before, limit: limit)
    }
    return .page(operations, limit: limit, cursor: { "\($0.operationID)" }, json: \.json)
  }

  private func cancel(_ call: Call) throws(Refusal) -> Answer {
    let found = try operation(call.part("operation"))
    let summary = try asking { () throws(StoreError) in
      try store.cancelOperation(found.operationID, by: call.actor, at: clock.now())
    }
    gauges.add(.operationsCancelled, 1)
    hub.touch([summary.operationID])
    return .json(200, summary.json)
  }

  private func listTargets(_ call: Call) throws(Refusal) -> Answer {
    let found = try operation(call.part("operation"))
    let limit = try call.pageLimit()
    let cursor = try call.resourceCursor()
    var state: TaskState?
    if let word = call.query["state"] {
      guard let wanted = TaskState(named: word) else {
        let words = TaskState.allCases.map(\.name).joined(separator: ", ")
        throw .outOfBounds("state", bounds: "one of \(words)")
      }
      state = wanted
    }
    let targets = try asking { () throws(StoreError) in
      try store.targets(of: found.operationID, in: state, after: cursor, limit: limit)
    }
    return .page(targets, limit: limit, cursor: { "\($0.resourceID)" }, json: \.json)
  }

  private func verify(_ call: Call) throws(Refusal) -> Answer {
    let found = try operation(call.part("operation"))
    let checks = try asking { () throws(StoreError) in
      try OperationVerification(store: store, clock: clock).checks(of: found.operationID)
    }
    guard let checks else { throw .notFound("operation \(found.operationID)") }
    return .json(
      200,
      .members([
        "ok": .bool(checks.allSatisfy(\.isRight)), "checks": .list(checks.map(\.json)),
      ]))
  }
}
