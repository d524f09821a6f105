// When a report is due and which number it bears. One report of a kind is under way at a time; the
// journal is cut only for a report that takes everything collected, so that a released segment
// never holds an outcome that no report has told.

import BGBModel

/// The loop's side of reporting.
struct ReportDesk {
  private let identity: ReportIdentity
  private var presenceSequence: UInt64 = 0
  private var outcomeSequence: UInt64 = 0
  /// Whether the next presence report must be full.
  private(set) var wantsFull = true
  /// Outcome reports that wait for their journal cut, in order.
  private var uncutOutcomes: [Report] = []
  /// Outcome reports that are not durable at the site yet.
  private var pendingOutcomes: [UInt64] = []
  /// Presence reports handed over and not confirmed.
  private(set) var pendingPresence: [UInt64] = []

  init(identity: ReportIdentity) { self.identity = identity }

  /// The site asks for everything.
  mutating func requestFull() { wantsFull = true }

  /// The header of the next presence report.
  mutating func presenceHeader(at now: WallTime) -> ReportHeader {
    presenceSequence += 1
    let scope: ReportScope = wantsFull ? .full : .delta
    wantsFull = false
    pendingPresence.append(presenceSequence)
    return header(.presence, presenceSequence, scope, now)
  }

  /// Whether a cut may begin: one round is under way at a time.
  var mayCut: Bool { pendingOutcomes.isEmpty }

  /// Begins a round of outcome reports with everything collected; they are kept here until the
  /// journal was cut behind them.
  ///
  /// Returns the sequence of the last one, which names the cut.
  mutating func beginOutcomes(_ records: [OutcomeRecord], at now: WallTime) -> UInt64 {
    precondition(mayCut, "one round of outcome reports is under way at a time")
    var start = 0
    while start < records.count {
      let end = min(records.count, start + Limits.outcomesPerReportMax)
      outcomeSequence += 1
      let header = header(.outcomes, outcomeSequence, .delta, now)
      uncutOutcomes.append(Report(header: header, body: .outcomes(Array(records[start..<end]))))
      pendingOutcomes.append(outcomeSequence)
      start = end
    }
    return outcomeSequence
  }

  /// The journal was cut behind this round: the reports to hand over.
  mutating func takeCut() -> [Report] {
    defer { uncutOutcomes = [] }
    return uncutOutcomes
  }

  /// A report is durable at the site.
  mutating func delivered(_ kind: ReportKind, sequence: UInt64) {
    switch kind {
    case .presence: pendingPresence.removeAll { $0 == sequence }
    case .outcomes: pendingOutcomes.removeAll { $0 == sequence }
    }
  }

  /// Whether everything handed over is durable.
  var isIdle: Bool { pendingOutcomes.isEmpty && pendingPresence.isEmpty }

  private func header(
    _ kind: ReportKind, _ sequence: UInt64, _ scope: ReportScope, _ now: WallTime
  ) -> ReportHeader {
    ReportHeader(
      kind: kind, site: identity.site, serverID: identity.serverID, epoch: identity.epoch,
      sequence: sequence, scope: scope, writtenAt: now)
  }
}
