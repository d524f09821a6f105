// What is told at the end of an operation: every group of targets with its number, and the command
// that lists it.

import BGBModel

/// The closing block.
enum OperationReport {
  /// Failure reasons shown at most.
  static let reasonsMax = 10

  /// One reason and how often it was given.
  struct Reason: Hashable {
    var state: String
    var code: String
    var text: String
    var count: Int
  }

  /// The states in the order in which people ask for them, and their words here.
  ///
  /// "Delivered" is the sum of all that have the task; those who have it and do nothing yet are
  /// called so.
  private static let rows: [(state: TaskState, word: String)] = [
    (.succeeded, "succeeded"), (.failed, "failed"), (.rejected, "rejected"),
    (.unknown, "unknown"), (.deferred, "deferred"), (.started, "started"),
    (.delivered, "not begun"), (.pushed, "pushed"), (.queued, "queued"),
    (.cancelled, "cancelled"), (.expired, "expired"),
  ]

  /// The block as text.
  ///
  /// `elapsed` is how long the operation took, in seconds, for whoever watched it.
  static func text(_ operation: OperationStatus, reasons: [Reason], elapsed: Int64?) -> String {
    var title = "\(operation.title) on \(operation.target), operation \(operation.operationID): "
    title += operation.state == "active" ? "still active" : operation.state
    if let elapsed { title += " after " + NumberText.duration(seconds: elapsed) }
    var rows: [(String, Int64, String)] = [
      ("targeted", operation.total, "bgb op targets \(operation.operationID)"),
      ("delivered", operation.deliveredCount, ""),
    ]
    for (state, word) in OperationReport.rows {
      let count = operation[state]
      let isAlwaysShown = state == .succeeded || state == .failed || state == .expired
      guard count > 0 || isAlwaysShown else { continue }
      let command =
        count > 0 ? "bgb op targets \(operation.operationID) --state \(state.name)" : ""
      rows.append((word, count, command))
    }
    let width = rows.map { NumberText.grouped($0.1).count }.max() ?? 0
    var lines = [TerminalText.shown(title)]
    for (word, count, command) in rows {
      let number = NumberText.grouped(count)
      let left = word + String(repeating: " ", count: max(0, 10 - word.count))
      let line =
        "  \(left)  \(String(repeating: " ", count: width - number.count))\(number)"
      lines.append(command.isEmpty ? line : line + "  " + command)
      for reason in reasons where reason.state == word {
        let why = "code \(reason.code)" + (reason.text.isEmpty ? "" : ": \(reason.text)")
        lines.append("    \(NumberText.grouped(reason.count)) × \(TerminalText.shown(why))")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// The commonest reasons among targets that failed.
  static func reasons(of targets: [JSONValue]) -> [Reason] {
    var counts: [Reason: Int] = [:]
    for target in targets {
      let text = target["text"].cell.split(separator: "\n").first.map(String.init) ?? ""
      let key = Reason(
        state: target["state"].cell, code: target["code"].cell,
        text: String(text.cut(toBytes: 100)), count: 0)
      counts[key, default: 0] += 1
    }
    let sorted = counts.sorted { ($1.value, $0.key.code) < ($0.value, $1.key.code) }
    return sorted.prefix(reasonsMax).map { key, count in
      Reason(state: key.state, code: key.code, text: key.text, count: count)
    }
  }
}
