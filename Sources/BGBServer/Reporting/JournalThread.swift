// The thread that owns the outcome journal. Letters that came together become one write and one
// sync, so that a storm of outcomes costs few syncs; a lone outcome costs one and waits for nobody.

import BGBModel
import Logging
import Reactor

/// What the loop asks of the journal.
enum JournalLetter: Sendable {
  /// Store these; they are numbered up to `upTo`.
  case append([OutcomeRecord], upTo: UInt64)
  /// Begin a new segment for the report with this sequence.
  case cut(sequence: UInt64)
  /// A report made the segments before this one superfluous.
  case release(before: UInt64)
  /// Sync and end.
  case end
}

/// The journal's thread.
struct JournalThread {
  /// How long to wait before storing is tried again after a failure.
  private static let retryMilliseconds: Int32 = 1_000

  private var journal: OutcomeJournal?
  private var unstored: [OutcomeRecord] = []
  private var upTo: UInt64 = 0
  private var isStalled = false
  private var pendingCuts: [UInt64] = []
  private let shard: Mailbox<ShardLetter>
  private let log: Logger

  /// Opens the journal and tells the shard what it held; a folder that cannot be used is fatal.
  ///
  /// Journals of workers that are not started any more are taken over.
  init(folder: String, adopting others: [String], shard: Mailbox<ShardLetter>, log: Logger) {
    self.shard = shard
    self.log = log
    var recovery = OutcomeJournal.Recovery()
    do {
      let journal = try OutcomeJournal(folder: folder, recovery: &recovery)
      for other in others { try journal.adopt(other, into: &recovery) }
      self.journal = journal
      shard.post(.recovered(recovery.records, damaged: recovery.damaged))
    } catch {
      shard.post(.fatal("the journal folder \(folder) cannot be used: \(error)"))
    }
  }

  /// Works on the letters that came.
  mutating func work(_ letters: [JournalLetter]) -> LetterThreadStep {
    var ends = false
    for letter in letters {
      switch letter {
      case .append(let records, let number):
        unstored.append(contentsOf: records)
        upTo = number
      case .cut(let sequence): pendingCuts.append(sequence)
      case .release(let segment): release(before: segment)
      case .end: ends = true
      }
      // What was appended before a cut must be in the segment before it.
      if !pendingCuts.isEmpty { storeAndCut() }
    }
    storeAndCut()
    if ends { return .end }
    return unstored.isEmpty && pendingCuts.isEmpty
      ? .wait : .waitAtMost(JournalThread.retryMilliseconds)
  }

  private mutating func storeAndCut() {
    guard store() else { return }
    for sequence in pendingCuts {
      do throws(Errno) {
        try journal?.rotate()
      } catch {
        log.error("journal segment not begun", metadata: ["error": "\(error)"])
        return
      }
      if let journal {
        shard.post(.journalCut(sequence: sequence, segment: journal.currentSegment))
      }
      pendingCuts.removeFirst()
    }
  }

  /// Makes everything durable that was not; after a failure the segment is dead and a new one gets
  /// all that was not confirmed, from memory.
  private mutating func store() -> Bool {
    guard let journal, !unstored.isEmpty else { return journal != nil }
    do throws(Errno) {
      if isStalled { try journal.rotate() }
      try journal.append(unstored)
      try journal.sync()
    } catch {
      if !isStalled {
        log.error("outcomes cannot be stored", metadata: ["error": "\(error)"])
        shard.post(.journalStalled(true))
      }
      isStalled = true
      return false
    }
    unstored.removeAll(keepingCapacity: unstored.count < 256)
    if isStalled {
      isStalled = false
      shard.post(.journalStalled(false))
      log.notice("outcomes are stored again")
    }
    shard.post(.outcomesDurable(upTo: upTo))
    return true
  }

  private func release(before segment: UInt64) {
    do throws(Errno) {
      try journal?.release(before: segment)
    } catch {
      // They are told again after the next start: harmless, and the disk shows it.
      log.warning("journal segments not removed", metadata: ["error": "\(error)"])
    }
  }
}
