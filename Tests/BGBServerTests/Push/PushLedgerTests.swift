// Whom to push to and when: the first round, the re-push, the one-hour rule to the millisecond.

import BGBModel
import Reactor
import Testing

@testable import BGBServer

struct PushLedgerTests {
  private let start = Sample.start

  private func everyone(_: ClientID) -> Bool { true }

  /// The connection of a client that is online.
  private func token(_ client: ClientID) -> Token {
    Token(generation: 7, index: UInt32(truncatingIfNeeded: client.bits.low))
  }

  private func after(_ milliseconds: Int64) -> WallTime { start.adding(milliseconds: milliseconds) }

  /// Takes all orders of the first round in turns of a few looks.
  private func fanOut(
    _ ledger: inout PushLedger, at now: WallTime, isOnline: (ClientID) -> Bool
  ) -> [PushOrder] {
    var all: [PushOrder] = []
    while ledger.hasFanOutWork(at: now) {
      let orders = ledger.fanOut(at: now, lookMax: 7, pushMax: 3) { client in
        isOnline(client) ? token(client) : nil
      }
      #expect(orders.count <= 3)
      for (order, connection) in orders {
        #expect(connection == token(order.clientID))
        ledger.pushed(order)
        all.append(order)
      }
    }
    return all
  }

  @Test func firstRoundReachesEveryOnlineTargetOnce() throws {
    var ledger = PushLedger()
    let answer1 = ledger.add(try Sample.plan(targets: 100))
    #expect(answer1)
    let even: (ClientID) -> Bool = { $0.bits.low % 2 == 0 }
    let orders = fanOut(&ledger, at: start, isOnline: even)
    #expect(orders.map(\.clientID.bits.low) == Array(stride(from: 2, through: 100, by: 2)))
    #expect(!ledger.hasFanOutWork(at: start))
  }

  @Test func aTaskIsTakenOverOnce() throws {
    var ledger = PushLedger()
    let plan = try Sample.plan(targets: 2)
    let answer2 = ledger.add(plan)
    #expect(answer2)
    let answer3 = ledger.add(plan)
    #expect(!answer3)
  }

  @Test(arguments: [(-1 as Int64, 1), (0, 0), (1, 0)])
  func validIffNowIsBeforeTheDeadline(_ offset: Int64, _ expected: Int) throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 1))
    let now = after(Sample.hour + offset)
    #expect(ledger.ordersForArrival(of: Sample.client(1), at: now).count == expected)
    let orders = ledger.fanOut(at: now, lookMax: 10, pushMax: 10, connection: token)
    #expect(orders.count == expected)
  }

  @Test func nothingIsPushedBeforeItsTime() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 1))
    #expect(ledger.ordersForArrival(of: Sample.client(1), at: after(-1)).isEmpty)
    #expect(ledger.ordersForArrival(of: Sample.client(1), at: start).count == 1)
  }

  @Test func unansweredIsPushedAgainOnArrivalAndAnsweredIsNot() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 2))
    for order in fanOut(&ledger, at: start, isOnline: everyone) { #expect(order.leaf < 2) }
    #expect(ledger.ordersForArrival(of: Sample.client(1), at: after(1000)).count == 1)
    let effect = ledger.answer(Sample.task(1), from: Sample.client(1), state: .delivered)
    #expect(effect == .news(pushes: 1))
    #expect(ledger.ordersForArrival(of: Sample.client(1), at: after(1000)).isEmpty)
    #expect(ledger.ordersForArrival(of: Sample.client(2), at: after(1000)).count == 1)
    #expect(ledger.ordersForArrival(of: Sample.client(3), at: after(1000)).isEmpty)
  }

  @Test func targetsThatHadAnsweredBeforeARestartAreLeftAlone() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 3, answered: [2]))
    let orders = fanOut(&ledger, at: start, isOnline: everyone)
    #expect(orders.map(\.clientID) == [Sample.client(1), Sample.client(3)])
  }

  @Test func answersMoveForwardOnly() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 1))
    let task = Sample.task(1)
    let me = Sample.client(1)
    let answer4 = ledger.answer(task, from: me, state: .succeeded)
    #expect(answer4 == .news(pushes: 0))
    let answer5 = ledger.answer(task, from: me, state: .delivered)
    #expect(answer5 == .repeated(.succeeded))
    let answer6 = ledger.answer(task, from: me, state: .succeeded)
    #expect(answer6 == .repeated(.succeeded))
    let answer7 = ledger.answer(task, from: Sample.client(9), state: .succeeded)
    #expect(answer7 == .notTarget)
    let answer8 = ledger.answer(Sample.task(5), from: me, state: .succeeded)
    #expect(answer8 == .unknownTask)
  }

  @Test func whatIsOverForAClientIsNotPushedToItAgain() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 3))
    _ = fanOut(&ledger, at: start) { $0 == Sample.client(1) }
    let strangers = [Sample.task(7), Sample.task(1)]
    ledger.noteEnded(strangers, for: Sample.client(1))
    ledger.noteEnded(strangers, for: Sample.client(2))
    ledger.noteEnded(strangers, for: Sample.client(9))
    #expect(ledger.ordersForArrival(of: Sample.client(1), at: start).isEmpty)
    #expect(ledger.ordersForArrival(of: Sample.client(2), at: start).isEmpty)
    #expect(ledger.ordersForArrival(of: Sample.client(3), at: start).count == 1)
    #expect(ledger.isQuiet(Sample.task(1)), "the first one's answer is not waited for")
    // Its outcome may still be news here, and counts once.
    let told = ledger.answer(Sample.task(1), from: Sample.client(1), state: .failed)
    #expect(told == .news(pushes: 1))
    ledger.noteEnded(strangers, for: Sample.client(1))
    let again = ledger.answer(Sample.task(1), from: Sample.client(1), state: .failed)
    #expect(again == .repeated(.failed))
    #expect(ledger.isQuiet(Sample.task(1)))
  }

  @Test func quietMeansRoundOverAndEveryPushAnswered() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 2))
    #expect(!ledger.isQuiet(Sample.task(1)))
    _ = fanOut(&ledger, at: start) { $0 == Sample.client(1) }
    #expect(!ledger.isQuiet(Sample.task(1)))
    _ = ledger.answer(Sample.task(1), from: Sample.client(1), state: .succeeded)
    #expect(ledger.isQuiet(Sample.task(1)), "an offline target keeps nobody waiting")
  }

  @Test func aWithdrawnTaskIsNotPushedAndItsHoldersAreTold() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 4))
    _ = fanOut(&ledger, at: start) { $0.bits.low <= 3 }
    _ = ledger.answer(Sample.task(1), from: Sample.client(1), state: .succeeded)
    _ = ledger.answer(Sample.task(1), from: Sample.client(2), state: .delivered)
    let holders = ledger.cancel(Sample.task(1))
    #expect(Set(holders) == [Sample.client(2), Sample.client(3)])
    #expect(ledger.ordersForArrival(of: Sample.client(4), at: start).isEmpty)
    let answer9 = ledger.cancel(Sample.task(1))
    #expect(answer9.isEmpty, "told once")
  }

  @Test func paceIsKept() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 100, rate: 10))
    var pushed = 0
    var now = start
    for _ in 0..<30 {
      let orders = ledger.fanOut(at: now, lookMax: 1000, pushMax: 1000, connection: token)
      for (order, _) in orders { ledger.pushed(order) }
      pushed += orders.count
      now = now.adding(milliseconds: 100)
    }
    // Ten a second over three seconds, and the second's worth that may go at once.
    #expect(pushed >= 30)
    #expect(pushed <= 41)
    let next = try #require(ledger.nextPush(at: now.adding(milliseconds: -100)))
    #expect(next > now.adding(milliseconds: -100))
  }

  @Test func tasksAreForgottenAfterValidityAndGraceOnly() throws {
    var ledger = PushLedger()
    _ = ledger.add(try Sample.plan(targets: 1))
    let end = Sample.hour + Limits.outcomeGraceMilliseconds
    let answer10 = ledger.forgetExpired(at: after(end - 1))
    #expect(answer10 == 0)
    let answer11 = ledger.answer(Sample.task(1), from: Sample.client(1), state: .succeeded)
    #expect(
      answer11
        == .news(pushes: 0), "a result of a task begun in time still counts")
    let answer12 = ledger.forgetExpired(at: after(end))
    #expect(answer12 == 1)
    #expect(ledger.taskCount == 0)
  }
}
