// The question before an operation starts: how many clients, how many of them online now. A
// destructive action on more than a few clients wants the number typed, because "y" is typed
// without reading.

import BGBModel

/// Decides whether a start needs a question, and which.
enum StartConfirmation {
  /// Targets of a destructive action that `--yes` covers without the number.
  static let destructiveTargetsMax = 10

  /// What must happen before the start.
  enum Demand: Hashable {
    /// Nothing: go on.
    case nothing
    /// A yes.
    case yes(question: String)
    /// The number of targets, typed.
    case number(Int64, question: String)
    /// Nobody can be asked, and the flags do not say enough.
    case refuse(message: String, hint: String)
  }

  /// What to do.
  /// - Parameters:
  ///   - yes: `--yes` was given.
  ///   - confirmed: the number that `--confirm-targets` gave.
  static func demand(
    title: String, actionClass: ActionClass, target: String, targets: Int64, online: Int64,
    yes: Bool, confirmed: Int64?, canAsk: Bool
  ) -> Demand {
    let facts =
      "\(NumberText.grouped(online)) online now of \(NumberText.grouped(targets)) "
      + (targets == 1 ? "target" : "targets")
    if actionClass == .destructive, targets > destructiveTargetsMax {
      if confirmed == targets { return .nothing }
      if let confirmed {
        return .refuse(
          message: "--confirm-targets says \(confirmed), but there are \(targets) targets",
          hint: "Look at the collection's members, then start again with the right number.")
      }
      guard canAsk else {
        return .refuse(
          message: "\(title) is destructive and has \(targets) targets",
          hint: "Give --confirm-targets \(targets) to start it without a question.")
      }
      return .number(
        targets,
        question: "\(title) on \(target): \(facts). This ends work in progress.\n"
          + "Type the number of targets to start: ")
    }
    if yes || confirmed == targets { return .nothing }
    guard canAsk else {
      return .refuse(
        message: "\(title) on \(target) was not started: \(facts), and nobody can be asked",
        hint: "Give --yes to start without a question.")
    }
    return .yes(question: "\(title) on \(target): \(facts). Start? [y/N] ")
  }

  /// Whether an answer meets a demand.
  static func isMet(_ demand: Demand, by answer: String?) -> Bool {
    let word = (answer ?? "").filter { !$0.isWhitespace }.lowercased()
    switch demand {
    case .nothing: return true
    case .yes: return word == "y" || word == "yes"
    case .number(let targets, _):
      return word == String(targets) || word == NumberText.grouped(targets)
    case .refuse: return false
    }
  }
}
