// Holds an operation's numbers against its rows: what `bgb op verify` shows. Nothing here trusts a
// counter; each check is computed anew from the tables and says what it found.

import BGBModel
import BGBSigning
import SiteDatabase

/// One check and its finding.
struct VerificationCheck: Hashable, Sendable {
  /// What was looked at.
  var name: String
  /// Whether it is as it must be.
  var isRight: Bool
  /// What was found.
  var detail: String

  var json: JSONValue {
    .members(["name": .text(name), "ok": .bool(isRight), "detail": .text(detail)])
  }
}

/// Computes the checks of one operation.
struct OperationVerification {
  let store: any SiteStore
  let clock: SiteClock

  /// All checks of an operation; nil when there is none of this number.
  func checks(of operationID: OperationID) throws(StoreError) -> [VerificationCheck]? {
    guard let summary = try store.operation(operationID) else { return nil }
    let targets = try store.targets(ofTask: summary.taskID)
    let rows = try allRows(of: operationID)
    var checks = [
      countsCheck(summary, targets: targets.count),
      rowsCheck(summary, recounted: try store.recount(operationID)),
      membershipCheck(rows: rows, targets: targets),
    ]
    checks += try signatureChecks(summary, targets: targets)
    checks.append(deadlineCheck(summary, rows: rows))
    return checks
  }

  private func allRows(of operationID: OperationID) throws(StoreError) -> [TargetOutcome] {
    var rows: [TargetOutcome] = []
    var cursor: ResourceID?
    while true {
      let page = try store.targets(of: operationID, in: nil, after: cursor, limit: 5_000)
      rows += page
      guard page.count == 5_000, let last = page.last else { return rows }
      cursor = last.resourceID
    }
  }

  private func countsCheck(_ summary: OperationSummary, targets: Int) -> VerificationCheck {
    VerificationCheck(
      name: "counts-sum-to-snapshot", isRight: summary.counts.total == targets,
      detail: "\(summary.counts.total) in the counters, \(targets) in the snapshot")
  }

  private func rowsCheck(
    _ summary: OperationSummary, recounted: OutcomeCounts
  ) -> VerificationCheck {
    let different = TaskState.allCases.filter { recounted[$0] != summary.counts[$0] }
    return VerificationCheck(
      name: "counts-equal-rows", isRight: different.isEmpty,
      detail: different.isEmpty
        ? "\(recounted.total) counted anew"
        : different.map { "\($0.name): \(summary.counts[$0]), counted anew \(recounted[$0])" }
          .joined(separator: "; "))
  }

  private func membershipCheck(
    rows: [TargetOutcome], targets: [TargetRecord]
  ) -> VerificationCheck {
    let members = Set(targets.map(\.resourceID))
    let strangers = rows.filter { !members.contains($0.resourceID) }
    let repeated = rows.count - Set(rows.map(\.resourceID)).count
    return VerificationCheck(
      name: "every-row-is-a-target", isRight: strangers.isEmpty && repeated == 0,
      detail: "\(strangers.count) rows of others, \(repeated) repeated")
  }

  private func signatureChecks(
    _ summary: OperationSummary, targets: [TargetRecord]
  ) throws(StoreError) -> [VerificationCheck] {
    guard let task = try store.task(summary.taskID) else {
      return [
        VerificationCheck(name: "signature", isRight: false, detail: "the task is not there")
      ]
    }
    let keys = try store.site().taskKeys.compactMap { PublicKey(rawValue: $0) }
    let statement: TaskStatement
    do { statement = try TaskSignature.verify(task.signed, keys: keys) } catch {
      return [VerificationCheck(name: "signature", isRight: false, detail: "refused: \(error)")]
    }
    let root = MerkleTree(leaves: targets.map(\.clientID)).root
    let isSame =
      statement.targetRoot == root && Int(statement.targetCount) == targets.count
      && statement.taskID == summary.taskID
    return [
      VerificationCheck(name: "signature", isRight: true, detail: "key \(statement.keyID)"),
      VerificationCheck(
        name: "merkle-root", isRight: isSame,
        detail: isSame
          ? "\(targets.count) targets" : "the stored targets are not the signed ones"),
    ]
  }

  /// Every target is final once validity and grace are over.
  private func deadlineCheck(
    _ summary: OperationSummary, rows: [TargetOutcome]
  ) -> VerificationCheck {
    let now = clock.now()
    let undelivered = rows.filter {
      !$0.outcome.state.isFinal && !$0.outcome.state.countsAsDelivered
    }
    let late = summary.expiresAt.adding(milliseconds: Limits.outcomeGraceMilliseconds) <= now
    return VerificationCheck(
      name: "final-by-deadline", isRight: !late || undelivered.isEmpty,
      detail: late
        ? "\(undelivered.count) undelivered after the deadline"
        : "the deadline has not come: \(summary.counts.total - summary.counts.final) open")
  }
}
