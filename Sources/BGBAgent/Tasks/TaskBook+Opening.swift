// Opening a journal: read, judge, and write anew without the damage. What was begun when the
// process died ends here as unknown and is never begun again; what might have been begun, because a
// fact is missing, too.

public import BGBModel

/// What opening a journal found.
public struct JournalOpening: Sendable {
  /// The memory.
  public var book: TaskBook
  /// Sentences for the log: damage found, tasks given up.
  public var remarks: [String]
}

extension TaskBook {
  /// Rebuilds the memory from a file's bytes.
  ///
  /// - Parameters:
  ///   - bytes: the file; nil when there is none yet.
  ///   - boot: which boot of the computer this is.
  ///   - now: the agent's wall clock, for the time of what is decided here.
  ///   - freshIncarnation: the mark of a new journal's life.
  public static func open(
    _ bytes: [UInt8]?, boot: Bits128, now: WallTime, freshIncarnation: UInt64
  ) -> JournalOpening {
    let replay = JournalReplay(bytes ?? [])
    var book = TaskBook()
    var remarks: [String] = []
    for record in replay.records { book.apply(record) }
    if book.incarnation == 0 { book.apply(.opened(incarnation: freshIncarnation, boot: boot)) }
    if replay.tornBytes > 0 {
      remarks.append(
        "the journal ends in \(replay.tornBytes) bytes of an unfinished record: cut off")
    }
    for damage in replay.damage {
      remarks.append(
        "the journal is damaged: \(damage.count) bytes at \(damage.offset) are no record"
      )
    }
    if replay.hasGap { remarks.append("the journal misses records between whole ones") }
    remarks += book.closeBegun(boot: boot, now: now, isDamaged: replay.isDamaged)
    return JournalOpening(book: book, remarks: remarks)
  }

  private mutating func closeBegun(
    boot: Bits128, now: WallTime, isDamaged: Bool
  ) -> [String] {
    var remarks: [String] = []
    for (client, book) in clients {
      for (task, entry) in book.tasks.sorted(by: { $0.key < $1.key }) {
        guard let end = TaskBook.end(of: entry, boot: boot, isDamaged: isDamaged) else { continue }
        let outcome = TaskOutcome(
          taskID: task, state: end.state, code: 0, text: end.text, at: now)
        let sequence = self[client].nextSequence
        apply(.outcome(client, sequence: sequence, outcome))
        remarks.append("task \(task): \(end.text)")
      }
    }
    return remarks
  }

  /// How a task ends that was open when the process died; nil when it may still be begun.
  private static func end(
    of entry: TaskEntry, boot: Bits128, isDamaged: Bool
  ) -> (state: TaskState, text: String)? {
    switch entry.phase {
    case .ended: return nil
    case .received:
      guard isDamaged else { return nil }
      return (.unknown, "the journal was damaged: the task may have been begun, so it is not run")
    case .started(let statement, let startedAtBoot):
      let code = (try? TaskStatement(decoding: statement))?.actionCode
      if code == ClientAction.restart.rawValue, startedAtBoot != boot {
        return (.succeeded, "the computer was restarted")
      }
      return (.unknown, "the agent died while doing it")
    }
  }
}

extension TaskDesk {
  /// Opens a journal's disk: reads it, sets damaged bytes aside, writes it anew without them and
  /// begins.
  ///
  /// Blocks; for the start of a process.
  public static func open(
    _ disk: any JournalDisk, rules: DeskRules, now: WallTime, random: JitterRandom,
    remark: (String) -> Void
  ) throws(DiskError) -> TaskDesk {
    let bytes = try disk.load()
    let opening = TaskBook.open(
      bytes, boot: rules.boot, now: now, freshIncarnation: UInt64.random(in: 1 ... .max))
    for sentence in opening.remarks { remark(sentence) }
    if let bytes, JournalReplay(bytes).isDamaged { disk.quarantine(bytes) }
    var book = opening.book
    book.forgetOld()
    let desk = TaskDesk(book: book, recordCount: 0, rules: rules, random: random)
    try disk.replace(with: desk.rewrite().bytes)
    return desk
  }
}
