// An operation as the API tells it: what progress lines, summaries and exit codes are made of.

import BGBModel

/// How an operation stands.
struct OperationStatus: Hashable, Sendable {
  var operationID: String
  var taskID: String
  var action: String
  var title: String
  var target: String
  var state: String
  var createdAt: WallTime?
  var expiresAt: WallTime?
  var total: Int64
  var deliveredCount: Int64
  var finalCount: Int64
  /// The JSON it was read from.
  var item: JSONValue

  /// Reads an operation; nil when it is none.
  init?(_ item: JSONValue) {
    guard case .object = item, item["operationID"] != .null, item["counts"] != .null else {
      return nil
    }
    operationID = item["operationID"].cell
    taskID = item["taskID"].cell
    action = item["action"].cell
    title = item["title"].text ?? item["action"].cell
    target = item["target"].cell
    state = item["state"].cell
    createdAt = item["createdAt"].text.flatMap { WallTime(rfc3339: $0) }
    expiresAt = item["expiresAt"].text.flatMap { WallTime(rfc3339: $0) }
    total = item["total"].integer ?? 0
    deliveredCount = item["deliveredCount"].integer ?? 0
    finalCount = item["finalCount"].integer ?? 0
    self.item = item
  }

  /// How many targets are in a state.
  subscript(state: TaskState) -> Int64 { item["counts"][state.name].integer ?? 0 }

  /// Targets that got the task and did not do it: failed, refused, or never heard of again.
  var failedCount: Int64 { self[.failed] + self[.rejected] + self[.unknown] }

  /// Targets that do not have the task and may still get it.
  var waitingCount: Int64 { self[.queued] + self[.pushed] }

  /// Whether nothing can change any more.
  var isOver: Bool { state != "active" && finalCount >= total }

  /// Whether every target has the task or can never get it.
  var isDelivered: Bool { waitingCount == 0 }
}
