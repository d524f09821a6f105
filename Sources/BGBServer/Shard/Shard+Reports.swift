// Reports: presence every period, outcomes every period or at once when a task's online targets
// have all answered or there are enough of them.

import BGBModel
import Logging
import Reactor

extension Shard {
  /// Writes a presence report: full, delta, or nothing when nothing changed.
  func writePresence() {
    let (tcp, https) = (
      registry.onlineByChannel[Int(ChannelKind.tcp.rawValue)],
      registry.onlineByChannel[Int(ChannelKind.https.rawValue)]
    )
    log.info(
      "Total online clients: \(registry.onlineCount) (TCP: \(tcp) HTTP: \(https))",
      metadata: ["changed": "\(registry.dirtyCount)"])
    guard reports.wantsFull || registry.dirtyCount > 0 else { return }
    let records = reports.wantsFull ? registry.takeEverybody() : registry.takeChanges()
    counters.presenceTold &+= UInt64(records.count)
    let header = reports.presenceHeader(at: wallNow)
    site.post(.report(Report(header: header, body: .presence(records)), segment: nil))
  }

  /// Begins a round of outcome reports, if there is something to tell and none is under way.
  func writeOutcomes() {
    guard isJournalReady, reports.mayCut, !outcomes.collected.isEmpty else { return }
    // What this turn brought must be in the segment that the cut closes.
    postOutcomes()
    let sequence = reports.beginOutcomes(outcomes.takeCollected(), at: wallNow)
    journal.post(.cut(sequence: sequence))
  }

  /// The journal was cut: the reports go to the site, the last one releases the segments.
  func handOverOutcomes(before segment: UInt64) {
    let round = reports.takeCut()
    for (position, report) in round.enumerated() {
      let isLast = position == round.count - 1
      site.post(.report(report, segment: isLast ? segment : nil))
    }
  }

  /// Does not wait for the period when waiting would teach nothing more, but for a moment since the
  /// last report: agents that come back tell one by one what another server knows.
  func cutReportsWhenQuiet() {
    guard !outcomes.collected.isEmpty, reports.mayCut else { return }
    if outcomes.collected.count >= Limits.outcomesPerReportMax { return writeOutcomes() }
    guard let last = outcomes.collected.last, ledger.isQuiet(last.outcome.taskID),
      last.outcome.state.isFinal, !isOwnArmed(.quietReport)
    else { return }
    writeOutcomes()
    armOwn(.quietReport, afterMilliseconds: Limits.quietReportMilliseconds)
  }
}
