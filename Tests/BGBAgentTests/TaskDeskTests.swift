// The desk's promises: nothing acknowledged, begun or told before it is durable; each task begun at
// most once, whatever crashes and repeats; deadlines exact; cancels honest.

import BGBModel
import BGBSigning
import BGBWire
import Reactor
import Testing

@testable import BGBAgent

@Suite struct TaskDeskTests {
  let key: SigningKey
  let desk: TestDesk

  init() throws {
    key = try SigningKey.generate()
    desk = TestDesk(key: key)
    desk.welcome()
  }

  private func scan(_ low: UInt64 = 1) -> TaskWish {
    TaskWish(
      taskID: TaskID(Bits128(high: 7, low: low)), action: ClientAction.quickScan.rawValue)
  }

  @Test func `nothing happens before the record is durable`() {
    desk.push(scan())
    #expect(desk.sent.isEmpty)
    #expect(desk.begun.isEmpty)
    desk.sync()
    #expect(desk.acks.count == 1)
    #expect(desk.begun.count == 1)
    #expect(desk.outcomes.map(\.outcome.state) == [.started])
  }

  @Test func `an outcome is told only when it is durable`() {
    desk.push(scan())
    desk.sync()
    desk.desk.finished(desk.begun[0].key, .succeeded("ok"), at: desk.now)
    desk.collect()
    #expect(desk.outcomes.count == 1)
    desk.sync()
    #expect(desk.outcomes.map(\.outcome.state) == [.started, .succeeded])
  }

  @Test func `a known task is answered and never begun again`() {
    desk.push(scan(), pushID: 1)
    desk.push(scan(), pushID: 2)
    desk.sync()
    #expect(desk.acks.map(\.pushID) == [1, 2])
    desk.push(scan(), pushID: 3)
    desk.sync()
    #expect(desk.acks.map(\.pushID) == [1, 2, 3])
    #expect(desk.begun.count == 1)
    desk.finish()
    desk.push(scan(), pushID: 4)
    desk.sync()
    #expect(desk.begun.isEmpty)
    #expect(desk.outcomes.last?.pushID == 4)
    #expect(desk.outcomes.last?.outcome.state == .succeeded)
  }

  @Test func `the same id with other contents is refused as altered`() {
    desk.push(scan())
    desk.sync()
    var other = scan()
    other.runSeconds = 99
    desk.push(other, pushID: 9)
    desk.sync()
    #expect(desk.begun.count == 1)
    #expect(desk.outcomes.last?.outcome.code == TaskRejection.altered.rawValue)
    desk.finish()
    #expect(desk.outcomes.last?.outcome.state == .succeeded, "the real one is not disturbed")
  }

  @Test(arguments: [
    (-1, true), (0, false), (1, false),
  ])
  func `a task is taken iff the server's time is before its deadline`(
    _ offset: Int64, _ isTaken: Bool
  ) {
    // The agent's wall clock stands at 1970 and plays no part.
    desk.now.ticks = desk.now.ticks + UInt64(3_600_000 + offset)
    desk.push(scan())
    desk.sync()
    #expect(desk.begun.count == (isTaken ? 1 : 0))
    if !isTaken { #expect(desk.outcomes[0].outcome.code == TaskRejection.expired.rawValue) }
  }

  @Test(arguments: [
    (-1, true), (0, false), (1, false),
  ])
  func `a task that waited begins iff its start's deadline has not come`(
    _ offset: Int64, _ begins: Bool
  ) {
    for number in 1...4 {
      desk.push(
        TaskWish(
          action: ClientAction.siteDefined.rawValue,
          parameters: ActionParameters([
            ActionParameters.Value(name: "name", text: "n\(number)")
          ])))
    }
    var fifth = scan(5)
    fifth.startBefore = WallTime(milliseconds: 1_000_000 + 60_000)
    desk.push(fifth)
    desk.sync()
    #expect(desk.begun.count == 4, "four actions run at the same time")
    desk.advance(by: UInt64(60_000 + offset))
    desk.finish()
    #expect(desk.begun.contains { $0.action == .quickScan } == begins)
    let state = desk.outcomes.last { $0.outcome.taskID == fifth.taskID }?.outcome.state
    #expect(state == (begins ? .started : .expired))
  }

  @Test func `actions of one lane follow each other`() {
    desk.push(scan(1))
    desk.push(scan(2))
    desk.sync()
    #expect(desk.begun.count == 1)
    desk.finish()
    #expect(desk.begun.count == 1)
    desk.finish()
    #expect(desk.outcomes.filter { $0.outcome.state == .succeeded }.count == 2)
  }

  @Test func `a spread task begins at a random moment before its deadline`() {
    var delays: Set<UInt64> = []
    for number in 0..<40 {
      let desk = TestDesk(key: key)
      desk.desk.random = JitterRandom(seed: UInt64(number))
      desk.welcome()
      var wish = scan()
      wish.spreadSeconds = 600
      wish.startBefore = WallTime(milliseconds: 1_000_000 + 30_000)
      desk.push(wish)
      desk.sync()
      #expect(desk.acks.count == 1, "delivered now, begun later")
      guard desk.begun.isEmpty else { continue }
      let wait = desk.desk.deadline.since(desk.now.ticks)
      #expect(wait < 30_000)
      delays.insert(wait)
      desk.advance(by: wait)
      #expect(desk.begun.count == 1)
    }
    #expect(delays.count > 20)
  }

  @Test func `a cancel before the start withdraws and after it is too late`() {
    var wish = scan(1)
    wish.spreadSeconds = 3_000
    desk.push(wish)
    desk.push(scan(2))
    desk.sync()
    desk.desk.cancel(testClient, wish.taskID, at: desk.now)
    desk.desk.cancel(testClient, scan(2).taskID, at: desk.now)
    desk.sync()
    #expect(
      desk.outcomes.contains { $0.outcome.taskID == wish.taskID && $0.outcome.state == .cancelled })
    #expect(desk.told.contains(.cancelAsked(scan(2).taskID, tooLate: true)))
    desk.advance(by: 3_000_000)
    #expect(!desk.begun.contains { $0.key.task == wish.taskID })
    desk.finish()
    #expect(desk.outcomes.last?.outcome.state == .succeeded)
  }

  @Test func `a brief action that takes longer is acknowledged after the hold`() {
    desk.push(TaskWish(), pushID: 8)
    desk.sync()
    #expect(desk.acks.isEmpty)
    desk.advance(by: 151)
    #expect(desk.acks.map(\.pushID) == [8])
    #expect(desk.outcomes.map(\.outcome.state) == [.started])
    desk.finish()
    #expect(desk.outcomes.map(\.outcome.state) == [.started, .succeeded])
  }

  @Test func `only what was sent in this session can be stored`() {
    desk.push(TaskWish())
    desk.sync()
    desk.finish()
    #expect(desk.outcomes.count == 1)
    desk.desk.stored(testClient, upTo: .max)
    #expect(desk.desk.storedUpTo(of: testClient) == 1)
    desk.desk.disconnected(testClient)
    desk.push(TaskWish())
    desk.sync()
    desk.finish()
    desk.welcome()
    desk.desk.stored(testClient, upTo: 1)
    desk.sync()
    #expect(desk.outcomes.last?.sequence == 2)
  }

  // MARK: Crashes

  @Test func `a task that was received and not begun runs after the crash, once`() {
    var wish = scan()
    wish.spreadSeconds = 100
    desk.push(wish)
    desk.sync()
    #expect(desk.begun.isEmpty)
    let next = desk.crashed()
    #expect(next.begun.isEmpty, "not before a server told the time")
    next.welcome()
    next.advance(by: 100_000)
    #expect(next.begun.count == 1)
  }

  @Test func `a task that was received runs no more when it is late after the crash`() {
    var wish = scan()
    wish.spreadSeconds = 100
    desk.push(wish)
    desk.sync()
    let next = desk.crashed()
    next.welcome(1_000_000 + 3_600_000)
    next.sync()
    next.advance(by: 200_000)
    #expect(next.begun.isEmpty)
    #expect(next.outcomes.last?.outcome.state == .expired)
  }

  @Test func `a task that was begun at the crash ends as unknown and never runs again`() {
    desk.push(scan())
    desk.sync()
    let next = desk.crashed()
    next.welcome()
    next.sync()
    #expect(next.outcomes.last?.outcome.state == .unknown)
    #expect(next.outcomes.last?.outcome.text == "the agent died while doing it")
    next.push(scan(), pushID: 5)
    next.sync()
    #expect(next.begun.isEmpty)
    #expect(next.outcomes.last?.pushID == 5)
  }

  @Test func `a restart that took the agent with it succeeded`() {
    desk.push(
      TaskWish(
        taskID: TaskID(Bits128(high: 7, low: 1)), action: ClientAction.restart.rawValue))
    desk.sync()
    let sameBoot = desk.crashed(boot: 1)
    sameBoot.welcome()
    #expect(sameBoot.outcomes.last?.outcome.state == .unknown)
    let nextBoot = desk.crashed(boot: 2)
    nextBoot.welcome()
    #expect(nextBoot.outcomes.last?.outcome.state == .succeeded)
  }

  @Test func `an outcome that was not stored is told again after a crash`() {
    desk.push(scan())
    desk.sync()
    desk.finish()
    let next = desk.crashed()
    next.welcome()
    #expect(next.outcomes.map(\.outcome.state) == [.started, .succeeded])
    #expect(next.outcomes.map(\.sequence) == [1, 2])
  }

  @Test func `a crash at any byte of the journal never begins a task twice`() {
    // Everything that could be on disk at a crash: each prefix of what was appended after opening.
    let start = desk.durableBytes.count
    desk.push(scan(1))
    desk.sync()
    desk.finish()
    desk.push(scan(2))
    desk.sync()
    let begun: Set<TaskID> = [scan(1).taskID, scan(2).taskID]
    let whole = desk.durableBytes
    for count in start...whole.count {
      let next = TestDesk(key: key, durableBytes: Array(whole[..<count]))
      next.welcome()
      next.sync()
      for again in next.begun where begun.contains(again.key.task) {
        // It runs only when the record of its beginning is not in the file; then it had not begun.
        let replay = JournalReplay(Array(whole[..<count]))
        #expect(
          !replay.records.contains {
            if case .started(_, again.key.task, _) = $0 { true } else { false }
          }, "\(count) bytes")
      }
    }
  }

  // MARK: A failing disk

  @Test func `a failed write leads to a new file and then goes on`() {
    desk.push(scan())
    desk.collect()
    _ = desk.desk.takeBatch()
    desk.desk.journalFailed(at: desk.now)
    desk.collect()
    #expect(desk.rewritesAsked == 1)
    #expect(desk.acks.isEmpty)
    let batch = desk.desk.rewrite()
    #expect(batch.replacesFile)
    desk.durableBytes = batch.bytes
    desk.desk.durable(through: batch.ticket, at: desk.now)
    desk.sync()
    #expect(desk.acks.count == 1)
    #expect(desk.begun.count == 1)
    #expect(desk.crashed().desk.book[testClient].tasks.count == 1)
  }

  @Test func `a disk that stays broken refuses tasks and recovers by itself`() {
    desk.push(scan(1), pushID: 1)
    desk.collect()
    _ = desk.desk.takeBatch()
    desk.desk.journalFailed(at: desk.now)
    _ = desk.desk.rewrite()
    desk.desk.journalFailed(at: desk.now)
    desk.collect()
    #expect(desk.acks.isEmpty)
    #expect(desk.begun.isEmpty)
    #expect(desk.outcomes.map(\.outcome.code) == [TaskRejection.journalFailed.rawValue])
    desk.push(scan(2), pushID: 2)
    desk.sync()
    #expect(desk.outcomes.count == 2)
    #expect(desk.begun.isEmpty)
    // Five seconds later the whole is written anew.
    let asked = desk.rewritesAsked
    desk.advance(by: 5_000)
    #expect(desk.rewritesAsked == asked + 1)
    let batch = desk.desk.rewrite()
    desk.desk.durable(through: batch.ticket, at: desk.now)
    desk.push(scan(3), pushID: 3)
    desk.sync()
    #expect(desk.begun.map(\.key.task) == [scan(3).taskID])
  }

  @Test func `an outcome waits for the disk and is not lost`() {
    desk.push(scan())
    desk.sync()
    desk.desk.finished(desk.begun[0].key, .succeeded("ok"), at: desk.now)
    desk.collect()
    _ = desk.desk.takeBatch()
    desk.desk.journalFailed(at: desk.now)
    _ = desk.desk.rewrite()
    desk.desk.journalFailed(at: desk.now)
    desk.collect()
    #expect(desk.outcomes.count == 1)
    let batch = desk.desk.rewrite()
    desk.desk.durable(through: batch.ticket, at: desk.now)
    desk.collect()
    #expect(desk.outcomes.map(\.outcome.state) == [.started, .succeeded])
  }

  @Test func `the journal is compacted and remembers what it must`() {
    let desk = TestDesk(key: key) { $0.compactBytes = 2_000 }
    desk.welcome()
    for number in 1...30 {
      desk.push(scan(UInt64(number)))
      desk.sync()
      desk.finish()
      desk.desk.stored(testClient, upTo: .max)
    }
    desk.sync(evenLazy: true)
    #expect(desk.durableBytes.count < 16_000)
    let next = desk.crashed()
    next.welcome()
    #expect(next.outcomes.isEmpty)
    next.push(scan(1), pushID: 3)
    next.sync()
    #expect(next.begun.isEmpty)
    #expect(next.outcomes.last?.outcome.state == .succeeded)
    #expect(next.desk.book[testClient].nextSequence == desk.desk.book[testClient].nextSequence)
  }

  @Test func `a push is named by the outcome that answers it, once`() {
    var pushes = AnsweredPushes()
    #expect(pushes.take(1) == nil)
    pushes.set(10, for: 1)
    pushes.set(11, for: 1)
    pushes.set(20, for: 2)
    pushes.set(30, for: 3)
    pushes.set(31, for: 3)
    #expect(pushes.take(3) == 31)
    #expect(pushes.take(1) == 11)
    #expect(pushes.take(1) == nil)
    pushes.set(40, for: 4)
    #expect(pushes.take(2) == 20)
    #expect(pushes.take(4) == 40)
    #expect(pushes.take(2) == nil)
  }

  @Test func `the book after a replay is the book before the crash`() {
    desk.push(scan(1))
    desk.sync()
    desk.finish(.failed("no", code: 3))
    desk.push(TaskWish(action: 4_711))
    desk.sync()
    let next = desk.crashed()
    #expect(next.desk.book == desk.desk.book)
  }

  @Test func `what is done at once is one record, known and told again after a crash`() throws {
    desk.desk.rules.instant = { _ in .succeeded("at once") }
    let before = desk.durableBytes.count
    desk.push(scan(), pushID: 5)
    #expect(desk.outcomes.isEmpty, "nothing is told before it is durable")
    desk.sync()
    #expect(desk.outcomes.map(\.pushID) == [5])
    let report = try #require(desk.outcomes.first)
    #expect(report.outcome.state == .succeeded)
    #expect(report.outcome.text == "at once")
    let written = JournalReplay(Array(desk.durableBytes[before...])).records
    guard case .done(testClient, _, _, _, sequence: 1, report.outcome) = try #require(written.first)
    else { throw Unexpected("the first record is \(written)") }
    #expect(written.count == 1)

    let next = desk.crashed()
    #expect(next.desk.book == desk.desk.book)
    #expect(next.desk.book.endedTasks(of: testClient) == [report.outcome.taskID])
    next.welcome()
    #expect(next.outcomes.map(\.outcome) == [report.outcome], "nobody said that it is stored")
    next.push(scan(), pushID: 6)
    next.sync()
    #expect(next.begun.isEmpty, "it is known to be over")
    next.push(scan(), pushID: 7)
    #expect(next.outcomes.last?.outcome == report.outcome)
    var other = scan()
    other.spreadSeconds = 60
    next.push(other)
    #expect(next.told.contains(.refused(report.outcome.taskID, .altered)))
  }

  @Test func `one record says what two would`() throws {
    let plain = TestDesk(key: key)
    plain.welcome()
    let push = key.push(scan(), pushID: 5)
    plain.desk.push(testClient, push, at: plain.now)
    desk.desk.rules.instant = { _ in .succeeded("at once") }
    desk.desk.push(testClient, push, at: desk.now)
    plain.sync()
    plain.desk.finished(plain.begun[0].key, .succeeded("at once"), at: plain.now)
    let (one, two) = (desk.desk.book[testClient], plain.desk.book[testClient])
    #expect(one.signedFloor == two.signedFloor)
    #expect(one.tasks.mapValues(\.digest) == two.tasks.mapValues(\.digest))
    #expect(one.tasks.mapValues(\.forgetAt) == two.tasks.mapValues(\.forgetAt))
    // The other had told of its beginning, which is news of its own.
    #expect(one.unstored.map(\.outcome) == two.unstored.dropFirst().map(\.outcome))
    #expect((one.nextSequence, two.nextSequence) == (2, 3))
  }
}

private struct Unexpected: Error {
  let what: String
  init(_ what: String) { self.what = what }
}

@Suite struct StartPlanTests {
  private func task(_ number: UInt64, at start: UInt64) -> WaitingTask {
    WaitingTask(
      order: ActionOrder(
        key: TaskKey(client: testClient, task: TaskID(Bits128(high: 0, low: number))),
        action: .quickScan, parameters: .none, runMilliseconds: 1),
      startBefore: WallTime(milliseconds: Int64(start)), startAt: Ticks(milliseconds: start))
  }

  @Test func `tasks become ready in the order of their moments`() {
    var random = JitterRandom(seed: 4)
    for _ in 0..<50 {
      var plan = StartPlan(limit: 200)
      let starts = (0..<200).map { _ in UInt64.random(in: 0..<1_000, using: &random) }
      for (number, start) in starts.enumerated() {
        let isPlanned = plan.add(task(UInt64(number), at: start))
        #expect(isPlanned)
      }
      let isTooMany = !plan.add(task(999, at: 1))
      #expect(isTooMany, "the limit holds")
      let removed = Set((0..<200).filter { _ in Bool.random(using: &random) })
      for number in removed {
        let key = task(UInt64(number), at: 0).order.key
        let (first, second) = (plan.remove(key), plan.remove(key))
        #expect(first?.order.key == key)
        #expect(second == nil)
      }
      for now in stride(from: 0, to: 1_001, by: 50) {
        plan.advance(to: Ticks(milliseconds: UInt64(now))) { $0.startAt + 10 }
        #expect(plan.nextStart.map { $0 > Ticks(milliseconds: UInt64(now)) } ?? true)
        #expect(plan.ready.allSatisfy { $0.startAt + 10 >= plan.nextExpiry })
      }
      let left = starts.enumerated().filter { !removed.contains($0.offset) }.map(\.element)
      #expect(plan.ready.map(\.startAt.milliseconds) == left.sorted())
      #expect(plan.count == left.count)
    }
  }
}
