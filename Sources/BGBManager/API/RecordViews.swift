// How the rows of the site database look as JSON: one place for each, so that a client listed,
// fetched or enrolled is always the same object.

import BGBModel
import SiteDatabase

extension JSONValue {
  /// A moment as RFC 3339 text, or null.
  static func moment(_ time: WallTime?) -> JSONValue { .optional(time?.description) }

  /// A list of texts.
  static func texts(_ texts: [String]) -> JSONValue { .list(texts.map(JSONValue.text)) }
}

extension ClientRecord {
  var json: JSONValue {
    .members([
      "resourceID": .count(resourceID.rawValue), "clientID": .text("\(clientID)"),
      "name": .text(name), "tags": .texts(tags), "blocked": .bool(isBlocked),
      "createdAt": .moment(createdAt), "hostname": .text(facts.hostname),
      "operatingSystem": .text(facts.operatingSystem), "agentVersion": .text(facts.agentVersion),
      "addresses": .texts(facts.addresses), "presence": presence?.json ?? .null,
    ])
  }
}

extension ClientPresence {
  var json: JSONValue {
    .members([
      "online": .bool(isOnline), "serverID": .count(serverID.rawValue),
      "lastOnline": .moment(lastOnline), "lastOffline": .moment(lastOffline),
      "lastProof": .moment(lastProof), "reason": .text(reason.name), "channel": .text(channel.name),
      "fallback": .text(fallback.name), "channelSince": .moment(channelSince),
    ])
  }
}

extension ServerRecord {
  var json: JSONValue {
    .members([
      "serverID": .count(serverID.rawValue), "name": .text(name), "epoch": .count(epoch),
      "lastReport": .moment(lastReport), "onlineCount": .count(onlineCount),
      "state": .text(drain.state.name), "drainTotal": .count(drain.total),
      "drainLeft": .count(drain.left),
    ])
  }
}

extension CollectionRecord {
  var json: JSONValue {
    .members(["name": .text(name), "rules": .list(rules.map(\.json))])
  }
}

extension MembershipRule {
  var json: JSONValue {
    switch self {
    case .everybody: .members(["kind": "everybody"])
    case .direct(let clientID): .members(["kind": "direct", "clientID": .text("\(clientID)")])
    case .query(let expression):
      .members(["kind": "query", "expression": .text(expression)])
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral {
  init(stringLiteral text: String) { self = .text(text) }
}

extension OutcomeCounts {
  var json: JSONValue {
    .object(
      TaskState.allCases.map { JSONValue.Member(name: $0.name, value: .count(self[$0])) })
  }
}

extension OperationSummary {
  var json: JSONValue {
    let action = ClientAction(rawValue: actionCode)
    return .members([
      "operationID": .count(operationID.rawValue), "taskID": .text("\(taskID)"),
      "action": .text(action?.name ?? "code-\(actionCode)"),
      "title": .text(action?.title ?? "Action \(actionCode)"), "target": .text(targetName),
      "requestedBy": .text(requestedBy), "createdAt": .moment(createdAt),
      "expiresAt": .moment(expiresAt), "state": .text(state.name), "counts": counts.json,
      "total": .count(counts.total), "deliveredCount": .count(counts.delivered),
      "finalCount": .count(counts.final),
    ])
  }

  /// Whether nothing can change any more but by late news.
  var isOver: Bool { state != .active && counts.final == counts.total }
}

extension TargetOutcome {
  var json: JSONValue {
    .members([
      "resourceID": .count(resourceID.rawValue), "clientID": .text("\(clientID)"),
      "name": .text(name), "state": .text(outcome.state.name), "code": .count(outcome.code),
      "text": .text(outcome.text), "at": .moment(outcome.at), "pushes": .count(pushes),
    ])
  }
}

extension PolicyRecord {
  var json: JSONValue {
    .members([
      "name": .text(name), "version": .count(version), "collection": .text(collection),
      "document": .text(document),
    ])
  }
}

extension StatusMessage {
  var json: JSONValue {
    .members([
      "recordID": .count(recordID), "at": .moment(at), "component": .text(component),
      "machine": .text(machine), "messageID": .count(messageID),
      "severity": .text("\(severity)"), "text": .text(text),
    ])
  }
}

extension AuditRecord {
  var json: JSONValue {
    .members([
      "recordID": .count(recordID), "at": .moment(at), "actor": .text(actor),
      "action": .text(action), "detail": .text(detail),
    ])
  }
}

extension ClientAction {
  var json: JSONValue {
    .members([
      "action": .text(name), "title": .text(title), "code": .count(rawValue),
      "originalName": .text(originalName), "permission": .text(permission.rawValue),
      "class": .text(actionClass.rawValue), "travelsByPolicy": .bool(travelsByPolicy),
      "parameters": .list(
        parameters.map {
          .members([
            "name": .text($0.name), "kind": .text($0.kind.words), "required": .bool($0.isRequired),
          ])
        }),
    ])
  }
}

extension ParameterKind {
  /// The kind with its bounds, for people.
  var words: String {
    switch self {
    case .path: "absolute path"
    case .word(let bytesMax): "word of at most \(bytesMax) bytes"
    case .text(let bytesMax): "text of at most \(bytesMax) bytes"
    case .number(let range): "number from \(range.lowerBound) to \(range.upperBound)"
    }
  }
}
