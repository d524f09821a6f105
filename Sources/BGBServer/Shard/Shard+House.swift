// What a shard does without being asked. Nothing of it wakes a server that nobody speaks to: what
// needs news to be of use is done when there are some, and the rest once in ten minutes.

import BGBModel
import Logging
import Reactor
import Transports

extension Shard {
  /// How long a shard to which nothing happens sleeps, and with it the other threads and processes
  /// of the server.
  static let quietMilliseconds: UInt64 = 600_000
  /// A shard that is awake anyway keeps house this often.
  static let houseMilliseconds: UInt64 = 60_000

  /// Arms timers for what this turn left to be done later.
  func planAhead() {
    if registry.dirtyCount > 0 || reports.wantsFull, !isOwnArmed(.presenceReport) {
      armOwn(
        .presenceReport,
        at: loop.now.next(inStepsOf: settings.presencePeriodMilliseconds, from: presenceBeat))
    }
    if !outcomes.collected.isEmpty, !isOwnArmed(.outcomeReport) {
      armOwn(
        .outcomeReport,
        at: loop.now.next(inStepsOf: settings.outcomePeriodMilliseconds, from: outcomeBeat))
    }
    if memoryTide.isWorthALook(load), !isOwnArmed(.memoryLook) {
      armOwn(.memoryLook, afterMilliseconds: MemoryTide.lookMilliseconds)
    }
  }

  // MARK: The house

  /// Follows the clock, forgets what is over, has the keys looked after.
  func keepHouse() {
    planHouse()
    let wall = WallTime(milliseconds: loop.time.wall())
    if let jump = clock.follow(wall: wall, ticks: loop.now) {
      log.warning(
        "the wall clock jumped; deadlines are judged without it",
        metadata: ["milliseconds": "\(jump)"])
    }
    if let reconnectFile { site.post(.tendReconnectKeys(reconnectFile)) }
    _ = ledger.forgetExpired(at: wallNow)
  }

  /// Says when house is kept next: in the first turn after a minute, and without one after ten, or
  /// when the current key is so old that it must be replaced.
  func planHouse() {
    houseDue = loop.now + Shard.houseMilliseconds
    let rotation = (reconnectFile?.rotationSeconds).map { UInt64(clamping: $0) &* 1_000 }
    let latest = min(Shard.quietMilliseconds, rotation ?? .max)
    armOwn(.housekeeping, at: loop.now + max(latest, Shard.houseMilliseconds))
  }

  // MARK: Memory

  /// All that was done which leaves memory behind.
  private var load: UInt64 {
    counters.handshakesFull &+ counters.handshakesResumed &+ counters.handshakesReconnect
      &+ counters.handshakesFailed &+ counters.outcomes &+ counters.presenceTold
  }

  /// Gives memory back if a flood is over.
  func lookAtMemory() {
    let isIdle =
      newcomers == 0 && outcomes.collected.isEmpty && outcomes.unstoredCount == 0 && reports.isIdle
    guard memoryTide.look(load, isIdle: isIdle) else { return }
    let began = MonotonicClock.nanoseconds()
    pool.releaseKept()
    HandshakeMemory.giveBack()
    ProcessMemory.giveBack()
    counters.memoryGivenBack &+= 1
    counters.givingBackNanoseconds &+= MonotonicClock.nanoseconds() &- began
  }
}

extension Ticks {
  /// The first moment behind this one that lies whole steps behind `beginning`, or `beginning`
  /// while that is to come.
  func next(inStepsOf step: UInt64, from beginning: Ticks) -> Ticks {
    guard self >= beginning else { return beginning }
    let step = max(step, 1)
    return beginning + (since(beginning) / step + 1) &* step
  }
}
