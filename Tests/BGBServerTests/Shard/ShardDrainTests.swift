// `bgb server drain` at the shard: the pace under a clock that the test moves, closed ports, agents
// told when to come back, words to the site, and the way back.

import BGBModel
import BGBWire
import Reactor
import SiteDatabase
import Testing
import Transports

@testable import BGBServer

@Suite struct ShardDrainTests {
  // MARK: DrainPace

  /// Runs a pace tick by tick; how many were due in each.
  private func run(_ order: DrainOrder, total: Int, ticks: Int) -> [Int] {
    let begun = Ticks(milliseconds: 5_000)
    var pace = DrainPace(order, total: total, now: begun)
    return (0..<ticks).map { tick in
      let left = total - pace.moved
      let due = min(left, pace.due(begun + UInt64(tick) * Limits.drainTickMilliseconds))
      pace.move(due)
      return due
    }
  }

  @Test func aTimeIsFilledEvenly() {
    let due = run(DrainOrder(withinSeconds: 10), total: 1_000, ticks: 100)
    #expect(due.reduce(0, +) == 1_000)
    #expect(due.allSatisfy { $0 == 10 })
  }

  @Test func aRateIsKeptHoweverLongItTakes() {
    let due = run(DrainOrder(withinSeconds: 1, ratePerSecond: 25), total: 100, ticks: 40)
    #expect(due.prefix(40).reduce(0, +) == 100)
    for second in 0..<4 { #expect(due[(second * 10)..<(second * 10 + 10)].reduce(0, +) == 25) }
  }

  @Test func fewAgentsDoNotWaitForAWholeOne() {
    #expect(run(DrainOrder(withinSeconds: 60), total: 1, ticks: 1) == [1])
    let slow = run(DrainOrder(withinSeconds: 1, ratePerSecond: 1), total: 3, ticks: 30)
    #expect(slow.indices.filter { slow[$0] == 1 } == [0, 10, 20])
  }

  @Test func latecomersGoAtOnceWhenTheTimeIsOver() {
    let begun = Ticks(milliseconds: 1)
    let pace = DrainPace(DrainOrder(withinSeconds: 2), total: 0, now: begun)
    #expect(pace.due(begun) == 0)
    #expect(pace.due(begun + 2_000) == .max)
    let rate = DrainPace(
      DrainOrder(withinSeconds: 2, ratePerSecond: 100_000), total: .max, now: begun)
    #expect(rate.due(.never) == 8_640_010_000)
  }

  // MARK: The shard

  private func connect(to port: SocketAddress) throws(Errno) {
    let socket = try StreamSocket.connect(to: port)
    // On loopback the answer is there at once.
    try StreamSocket.finishConnect(socket.raw)
  }

  private func reconnects(_ agents: [TestAgent]) -> [Reconnect] {
    agents.flatMap(\.received).compactMap { message in
      if case .reconnect(let advice) = message { advice } else { nil }
    }
  }

  @Test func agentsGoEvenlyAndThePortsAreClosed() throws {
    let harness = try ShardHarness()
    let port = harness.shard.listeners[0].listener.boundAddress
    let agents = try (1...10).map { try harness.signedIn($0) }
    // The first report is full and told that they are there; the next one tells the change.
    try harness.pass(60_000, with: agents)
    harness.shardBox.post(.drain(DrainOrder(withinSeconds: 1)))
    try harness.settle(with: agents)
    #expect(reconnects(agents).count == 1)
    #expect(harness.shard.listeners.map(\.role) == [.watch])
    #expect(harness.shard.workerState == .draining)
    #expect(throws: Errno.connectionRefused) { try connect(to: port) }
    for moved in 2...10 {
      try harness.pass(Limits.drainTickMilliseconds, with: agents)
      #expect(reconnects(agents).count == moved)
    }
    try harness.turn("empty", with: agents) { agents.allSatisfy(\.isClosed) }
    try harness.pass(Limits.drainTickMilliseconds, with: agents)
    #expect(harness.shard.workerState == .drained)
    #expect(harness.drains.last == ServerDrain(.drained, total: 10, left: 0))
    #expect(harness.drains.first == ServerDrain(.draining, total: 10, left: 9))
    #expect(reconnects(agents).allSatisfy { $0.address.isEmpty && $0.afterMilliseconds < 1_000 })
    // The site learns of it now and not with the next period.
    let records = harness.presenceReports().last?.records ?? []
    #expect(records.count == 10 && records.allSatisfy { !$0.isOnline })
    #expect(harness.statuses.map(\.messageID).suffix(2) == [9809, 9810])
    #expect(harness.shard.life == .serving, "it stays up")
  }

  @Test func aDrainedServerServesAgainWhenTold() throws {
    let harness = try ShardHarness()
    let old = try harness.signedIn(1)
    harness.shardBox.post(.drain(DrainOrder(withinSeconds: 1)))
    try harness.turn("empty", with: [old]) { harness.shard.hasMoved || old.isClosed }
    try harness.pass(1_000, with: [old])
    #expect(harness.shard.hasMoved)
    harness.shardBox.post(.undrain)
    try harness.settle()
    #expect(harness.shard.listeners.map(\.role) == [.agent, .https, .watch])
    for entry in harness.shard.listeners {
      #expect(throws: Errno.exists, "hurried for again") {
        try harness.shard.loop.hurry(for: entry.listener.fd)
      }
    }
    #expect(harness.drains.last == ServerDrain())
    #expect(harness.shard.workerState == .ready)
    let new = try harness.signedIn(1)
    #expect(!new.isClosed)
    // Once more is harmless, and says so to whoever asked.
    harness.shardBox.post(.undrain)
    try harness.settle(with: [new])
    #expect(harness.drains.count { $0 == ServerDrain() } == 2)
  }

  @Test func whoArrivesDuringTheDrainIsMovedToo() throws {
    let harness = try ShardHarness()
    // Two, so that the drain is not over with the first one, which goes at once.
    let there = [try harness.signedIn(1), try harness.signedIn(3)]
    let late = try harness.agent(2)
    try harness.turn("its connection waits") { harness.shard.newcomers == 1 }
    harness.shardBox.post(.drain(DrainOrder(withinSeconds: 1)))
    late.send(.signIn(Sample.signIn(late.clientID)))
    let all = there + [late]
    try harness.turn("welcome", with: all) { late.welcome != nil }
    for _ in 0..<30 where !all.allSatisfy(\.isClosed) {
      try harness.pass(Limits.drainTickMilliseconds, with: all)
    }
    try harness.pass(Limits.drainTickMilliseconds, with: all)
    #expect(reconnects(all).count == 3)
    #expect(harness.drains.last == ServerDrain(.drained, total: 3, left: 0))
  }

  @Test func aNewOrderChangesThePace() throws {
    let harness = try ShardHarness()
    let agents = try (1...4).map { try harness.signedIn($0) }
    harness.shardBox.post(.drain(DrainOrder(withinSeconds: 3_600)))
    try harness.settle(with: agents)
    #expect(reconnects(agents).count == 1)
    try harness.pass(1_000, with: agents)
    #expect(reconnects(agents).count == 1)
    harness.shardBox.post(.drain(DrainOrder(withinSeconds: 3_600, ratePerSecond: 1_000)))
    try harness.turn("all left", with: agents) { agents.allSatisfy(\.isClosed) }
    try harness.pass(Limits.drainTickMilliseconds, with: agents)
    #expect(harness.shard.hasMoved)
    harness.shardBox.post(.undrain)
    try harness.settle()
    #expect(harness.shard.listeners.count == 3, "they were closed once and are known")
  }

  @Test func aServerThatIsToldToEndsWhenItIsEmpty() throws {
    let harness = try ShardHarness()
    let agent = try harness.signedIn(1)
    harness.shardBox.post(.drain(DrainOrder(withinSeconds: 1, stops: true)))
    try harness.turn("left", with: [agent]) { agent.isClosed }
    try harness.pass(1_000, with: [agent])
    #expect(harness.shard.workerState == .leaving)
    try harness.turn("ended") { harness.shard.life == .done }
    #expect(harness.drains.last?.state == .drained)
  }

  @Test func readinessSaysThatItIsDrained() throws {
    let harness = try ShardHarness()
    harness.shardBox.post(.drain(DrainOrder(withinSeconds: 1)))
    try harness.settle()
    #expect(harness.shard.hasMoved, "nobody had to go")
    #expect(harness.shard.workerState == .drained)
    harness.shardBox.post(.stop)
    try harness.turn("ended") { harness.shard.life == .done }
  }
}
