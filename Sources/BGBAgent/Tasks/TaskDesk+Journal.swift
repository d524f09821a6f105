// The desk's dealings with its journal: batches out, tickets back, and what happens when the disk
// fails.

import BGBModel
import BGBSigning
import BGBWire
import Reactor

/// Bytes for the journal's thread.
public struct JournalBatch: Equatable, Sendable {
  /// Comes back when the bytes are durable, or are not.
  public var ticket: UInt64
  /// What to append, or the whole new file.
  public var bytes: [UInt8]
  /// Whether the bytes replace the file.
  public var replacesFile: Bool
}

extension TaskDesk {
  /// The records since the last batch; nil when there are none that anything waits for.
  ///
  /// `evenLazy` also gives what nothing waits for, such as confirmations: for the end of the
  /// process.
  public func takeBatch(evenLazy: Bool = false) -> JournalBatch? {
    guard health == .sound else { return nil }
    guard batchIsUrgent || (evenLazy && !batch.bytes.isEmpty) || batch.bytes.count > 65_536
    else { return nil }
    appendedBytes += batch.bytes.count
    if appendedBytes > max(rules.compactBytes, 2 * snapshotBytes) { return rewrite() }
    defer {
      batch = ByteWriter(capacity: 0)
      batchIsUrgent = false
      ticket &+= 1
    }
    return JournalBatch(ticket: ticket, bytes: batch.bytes, replacesFile: false)
  }

  /// The whole journal as it should stand, which takes the place of everything written before.
  public func rewrite() -> JournalBatch {
    appendedBytes = 0
    book.forgetOld()
    let records = book.snapshot(boot: rules.boot)
    var writer = ByteWriter(capacity: snapshotBytes)
    var number: UInt64 = 0
    for record in records {
      number &+= 1
      record.encode(number: number, into: &writer)
    }
    nextRecordNumber = number &+ 1
    snapshotBytes = writer.bytes.count
    batch = ByteWriter(capacity: 0)
    batchIsUrgent = false
    defer { ticket &+= 1 }
    return JournalBatch(ticket: ticket, bytes: writer.bytes, replacesFile: true)
  }

  /// Everything up to a ticket is durable: what waited for it goes on.
  public func durable(through ticket: UInt64, at now: Moment) {
    if health != .sound {
      health = .sound
      if let one = clients.keys.first { announce(one, .journalRepaired) }
    }
    var done = 0
    while done < line.count, line[done].ticket <= ticket {
      if done + 8 < line.count {
        Foresight.bring(at: line[done + 8].place, bytes: ClientDesk.bytesInUse)
      }
      release(line[done].waiting, of: line[done].desk, at: now)
      done += 1
    }
    line.removeFirst(done)
    advance(at: now)
  }

  /// A write failed: first the whole journal is written anew, from memory into a new file; when
  /// that fails too, new tasks are refused until it works again.
  public func journalFailed(at now: Moment) {
    switch health {
    case .sound:
      health = .repairing
      orders.append(.rewriteJournal)
    case .repairing, .broken:
      if health == .repairing {
        if let one = clients.keys.first { announce(one, .journalFailed) }
      }
      health = .broken(retryAt: now.ticks + rules.journalRetryMilliseconds)
      giveUpUnwritten(at: now)
    }
  }

  /// Takes a fact into the memory and the batch.
  func note(_ record: JournalRecord, isUrgent: Bool = true) {
    book.apply(record)
    write(record, isUrgent: isUrgent)
  }

  /// Takes the task that was verified just now into the memory and the batch: its bytes were read
  /// and digested then, and all clients of the process remember the same copy of them.
  func noteReceived(
    _ client: ClientID, _ statement: TaskStatement, at moment: WallTime, startAfter: WallTime
  ) {
    let (bytes, digest) = proven.last
    book.receive(
      client, statement, bytes: bytes, digest: TaskBook.digest(sha256: digest), at: moment,
      startAfter: startAfter)
    write(.received(client, statement: bytes, at: moment, startAfter: startAfter), isUrgent: true)
  }

  /// Takes the task that was verified just now as one that is over already.
  func noteDone(
    _ order: ActionOrder, _ statement: TaskStatement, _ result: ActionResult, pushID: UInt64,
    clock: WallTime, at now: Moment
  ) {
    let client = order.key.client
    let outcome = outcome(
      of: order.key, result.state, code: result.code, text: result.text, at: now)
    announce(client, .ended(outcome))
    let digest = TaskBook.digest(sha256: proven.last.digest)
    tell(client, pushID: pushID) { sequence in
      .done(
        client, digest: digest, at: clock, notBefore: statement.notBefore, sequence: sequence,
        outcome)
    }
  }

  private func write(_ record: JournalRecord, isUrgent: Bool) {
    // While the journal is broken its next form is written from memory.
    guard health == .sound else { return }
    record.encode(number: nextRecordNumber, into: &batch)
    nextRecordNumber &+= 1
    if isUrgent { batchIsUrgent = true }
  }

  /// Lets something wait for the batch that is being filled.
  func lineUp(_ waiting: Waiting, of client: ClientID) {
    guard let desk = desk(of: client) else { return }
    line.append(
      InLine(ticket: ticket, desk: desk, waiting: waiting, place: Foresight.place(of: desk)))
  }

  private func release(_ waiting: Waiting, of desk: ClientDesk, at now: Moment) {
    expect(desk)
    switch waiting {
    case .admitted(let key, let pushID), .acknowledge(let key, let pushID):
      acknowledge(key, pushID: pushID, at: now)
    case .begin(let order):
      orders.append(.begin(order))
    case .news(let sequence):
      desk.durable = max(desk.durable, sequence)
      orders.append(.news(desk.client, mark: desk.mark))
    }
  }

  /// Acknowledges now, or holds it back when the outcome will soon stand in its place.
  private func acknowledge(_ key: TaskKey, pushID: UInt64, at now: Moment) {
    guard pushID != 0, desk(of: key.client)?.isConnected == true else { return }
    switch book.entry(of: key)?.phase {
    case .started where running[key] != nil && held[key] == nil && isBrief(key):
      held[key] = Held(pushID: pushID, deadline: now.ticks + rules.holdMilliseconds)
    case .received, .started:
      orders.append(.send(key.client, .taskAck(TaskAck(pushID: pushID, taskID: key.task))))
    case .ended, nil:
      break  // Its outcome, which is durable too, is the acknowledgement.
    }
  }

  private func isBrief(_ key: TaskKey) -> Bool {
    guard case .started(let statement, _) = book.entry(of: key)?.phase,
      let code = (try? TaskStatement(decoding: statement))?.actionCode
    else { return false }
    return ClientAction(rawValue: code)?.isBrief ?? false
  }

  /// Undoes what waits in line and could not be written: new tasks are refused and forgotten, those
  /// that were about to begin wait again; news keep waiting.
  private func giveUpUnwritten(at now: Moment) {
    var kept: [InLine] = []
    for entry in line {
      switch entry.waiting {
      case .admitted(let key, let pushID):
        _ = plan.remove(key)
        running[key] = nil
        book.forget(key.task, of: key.client)
        announce(key.client, .refused(key.task, .journalFailed))
        answerUnwritten(key, .journalFailed, pushID: pushID, at: now)
      case .begin(let order):
        running[order.key] = nil
        guard let entry = book.entry(of: order.key),
          case .started(let statement, _) = entry.phase,
          let startBefore = (try? TaskStatement(decoding: statement))?.startBefore
        else { continue }
        book.returnToReceived(order.key)
        _ = plan.add(
          WaitingTask(order: order, startBefore: startBefore, startAt: now.ticks))
      case .acknowledge: break
      case .news(let sequence):
        let unstored = book[entry.desk.client].unstored
        if unstored.contains(where: { $0.sequence == sequence }) { kept.append(entry) }
      }
    }
    line = kept
  }

  /// Refuses a task with an answer that is not journalled.
  func answerUnwritten(
    _ key: TaskKey, _ rejection: TaskRejection, pushID: UInt64, at now: Moment
  ) {
    guard pushID != 0 else { return }
    let outcome = TaskOutcome(
      taskID: key.task, state: .rejected, code: rejection.rawValue, text: rejection.sentence,
      at: time(of: key.client, at: now))
    let sequence = book.spendSequence(of: key.client)
    let report = OutcomeReport(pushID: pushID, sequence: sequence, outcome: outcome)
    orders.append(.send(key.client, .taskOutcome(report)))
  }
}
