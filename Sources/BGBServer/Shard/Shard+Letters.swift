// Letters of other threads, all that are there, in order.

import BGBModel
import BGBWire
import Logging
import Reactor
import SiteDatabase
import Transports

extension Shard {
  /// Works on every letter that has come.
  func readLetters() {
    guard mailbox.takeAll(into: &letters) > 0 else { return }
    lull.stir(at: loop.now)
    for letter in letters { read(letter) }
    // The loop may sleep long, and what a letter holds is read.
    letters.removeAll(keepingCapacity: true)
  }

  private func read(_ letter: ShardLetter) {
    switch letter {
    case .task(let plan): take(plan)
    case .taskCancelled(let taskID): cancel(taskID)
    case .denyList(let blocked): apply(denyList: blocked)
    case .fullReportWanted:
      reports.requestFull()
      writePresence()
    case .siteReachable(let reachable): isSiteReachable = reachable
    case .recovered(let records, let damaged): recover(records, damaged)
    case .fatal(let sentence):
      fatal = sentence
      life = .done
    case .stop: beginDrain()
    case .drain(let order): beginMoving(order)
    case .undrain: endMoving()
    case .outcomesDurable(let number): confirm(upTo: number)
    case .journalStalled(let stalled): noteJournal(stalled)
    case .journalCut(_, let segment): handOverOutcomes(before: segment)
    case .reportDelivered(let kind, let sequence):
      counters.reportsDelivered &+= 1
      reports.delivered(kind, sequence: sequence)
    case .reconnectKeys(let keys): reconnects?.keys = keys
    case .answer(let token, let response):
      if let connection = connections[token] { answer(response, connection) }
    }
  }

  private func recover(_ records: [OutcomeRecord], _ damaged: Int) {
    isJournalReady = true
    outcomes.recover(records)
    if !records.isEmpty {
      log.notice("outcomes recovered from the journal", metadata: ["records": "\(records.count)"])
    }
    if damaged > 0 {
      let text = "\(damaged) records of the outcome journal were damaged and are lost."
      log.error("journal damaged", metadata: ["records": "\(damaged)"])
      site.post(.status(StatusCatalogue.journalDamaged.message(at: wallNow, text: text)))
    }
  }

  /// Cuts everybody who is blocked now, also those connected since long.
  private func apply(denyList blocked: Set<ClientID>) {
    let added = blocked.subtracting(denied)
    denied = blocked
    for clientID in added {
      guard let token = registry.token(of: clientID), let connection = connections[token] else {
        continue
      }
      refuse(connection, .blocked)
    }
  }

  private func noteJournal(_ stalled: Bool) {
    guard stalled else { return }
    site.post(
      .status(
        StatusCatalogue.journalStalled.message(
          at: wallNow, text: "Outcomes cannot be stored; agents keep them until they can.")))
  }
}
