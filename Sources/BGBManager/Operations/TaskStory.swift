// One task on one client, told in the order of time: what the site made, what its server pushed,
// what the agent said, when it was reported and when it was loaded.

import BGBModel
import SiteDatabase

/// Makes the story that `bgb trace` tells.
enum TaskStory {
  /// One step.
  struct Step: Hashable, Sendable {
    /// When, by the clock of the component.
    var at: WallTime
    /// Who: site, server or agent.
    var component: String
    /// What happened.
    var what: String
    /// With what values.
    var detail: String
  }

  /// The steps in the order of time; steps of one moment stay in the order of their cause.
  static func steps(
    of summary: OperationSummary, history: [OutcomeStep], serverNames: [ServerID: String]
  ) -> [Step] {
    var steps = [
      Step(
        at: summary.createdAt, component: "site", what: "created",
        detail: "operation \(summary.operationID) by \(summary.requestedBy)")
    ]
    var reported: Set<WallTime> = []
    for entry in history {
      let server = entry.serverID.map { serverNames[$0] ?? "server \($0)" }
      steps.append(
        Step(
          at: entry.outcome.at, component: component(of: entry, server: server),
          what: entry.outcome.state.name, detail: detail(of: entry.outcome)))
      // One report may carry several states: written and loaded once.
      if let written = entry.reportedAt, let server, reported.insert(written).inserted {
        steps.append(Step(at: written, component: server, what: "reported", detail: ""))
        if let loaded = entry.importedAt {
          steps.append(Step(at: loaded, component: "manager", what: "imported", detail: ""))
        }
      }
    }
    return steps.enumerated().sorted { left, right in
      (left.element.at, left.offset) < (right.element.at, right.offset)
    }.map(\.element)
  }

  /// The steps as the API shows them, each with the time since the one before.
  static func json(_ steps: [Step]) -> [JSONValue] {
    var previous: WallTime?
    return steps.map { step in
      defer { previous = step.at }
      return .members([
        "at": .moment(step.at), "component": .text(step.component), "what": .text(step.what),
        "detail": .text(step.detail),
        "sincePreviousMilliseconds": previous.map { .count(step.at.since($0)) } ?? .count(0),
      ])
    }
  }

  private static func component(of step: OutcomeStep, server: String?) -> String {
    guard let server else { return "site" }
    return step.outcome.state == .pushed ? server : "agent"
  }

  private static func detail(of outcome: TaskOutcome) -> String {
    if outcome.state == .rejected, let reason = TaskRejection(rawValue: outcome.code) {
      return outcome.text.isEmpty ? "\(reason)" : "\(reason): \(outcome.text)"
    }
    guard outcome.code != 0 else { return outcome.text }
    return outcome.text.isEmpty ? "code \(outcome.code)" : "code \(outcome.code): \(outcome.text)"
  }
}
