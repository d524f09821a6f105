// What is written down about the site: status messages and the audit, newest first; and one task's
// story.

import BGBModel
import SiteDatabase

extension SiteAdministration {
  var recordRoutes: [Route] {
    [
      Route(.get, "/v1/status-messages") { call throws(Refusal) in
        let limit = try call.pageLimit()
        let before = try call.cursor("before")
        let messages = try asking { () throws(StoreError) in
          try store.statusMessages(before: before, limit: limit)
        }
        return .page(messages, limit: limit, cursor: { "\($0.recordID)" }, json: \.json)
      },
      Route(.get, "/v1/audit") { call throws(Refusal) in
        let limit = try call.pageLimit()
        let before = try call.cursor("before")
        let records = try asking { () throws(StoreError) in
          try store.auditRecords(before: before, limit: limit)
        }
        return .page(records, limit: limit, cursor: { "\($0.recordID)" }, json: \.json)
      },
      Route(.get, "/v1/trace") { call throws(Refusal) in try trace(call) },
    ]
  }

  private func trace(_ call: Call) throws(Refusal) -> Answer {
    guard let taskText = call.query["task"] else { throw .missingField("task") }
    guard let clientText = call.query["client"] else { throw .missingField("client") }
    let client = try client(clientText)
    let summary: OperationSummary
    if let taskID = TaskID(taskText.lowercased()) {
      let found = try asking { () throws(StoreError) in try store.operation(ofTask: taskID) }
      guard let found else { throw .notFound("task \(taskID)") }
      summary = found
    } else {
      // People know the operation's number, scripts the task's.
      summary = try operation(taskText)
    }
    let history = try asking { () throws(StoreError) in
      try store.history(ofTask: summary.taskID, client: client.clientID)
    }
    let servers = try asking { () throws(StoreError) in try store.servers() }
    let targets = try asking { () throws(StoreError) in
      try store.targets(ofTask: summary.taskID)
    }
    guard targets.contains(where: { $0.clientID == client.clientID }) else {
      throw .notFound("target '\(client.name)' of the operation \(summary.operationID)")
    }
    let steps = TaskStory.steps(
      of: summary, history: history,
      serverNames: Dictionary(servers.map { ($0.serverID, $0.name) }) { first, _ in first })
    return .json(200, .members(["steps": .list(TaskStory.json(steps))]))
  }
}
