// Deadlines. Each connection has one timer, armed for its nearest deadline; moving a deadline later
// writes a field and costs the wheel nothing, for the timer finds out when it fires.

import BGBModel
import BGBWire
import Logging
import Reactor
import Transports

extension Shard {
  private var keepAliveMilliseconds: UInt64 { UInt64(settings.keepAliveSeconds) * 1_000 }

  /// Arms a new connection's timer.
  func armTimer(_ connection: Connection) {
    let deadline = connection.deadline(keepAliveMilliseconds: keepAliveMilliseconds).at
    connection.timerDeadline = deadline
    connection.timer = loop.wheel.arm(
      deadline: deadline, payload: connection.channel.token.rawValue)
  }

  /// Moves a connection's timer forward if its nearest deadline is earlier than what is armed.
  func rearmTimer(_ connection: Connection) {
    let deadline = connection.deadline(keepAliveMilliseconds: keepAliveMilliseconds).at
    guard let timer = connection.timer, deadline < connection.timerDeadline else { return }
    connection.timerDeadline = deadline
    _ = loop.wheel.move(timer, to: deadline)
  }

  /// Works on every timer that this moment has reached.
  func expireTimers() {
    for _ in 0..<loop.gatherExpired() {
      guard let payload = loop.popExpired() else { continue }
      let token = Token(rawValue: payload)
      if token.isReserved {
        fire(token.reservedNumber)
      } else if let connection = connections[token] {
        expire(connection)
      }
    }
  }

  private func expire(_ connection: Connection) {
    connection.timer = nil
    connection.timerDeadline = .never
    guard connection.condemned == nil else { return }
    let (at, reason) = connection.deadline(keepAliveMilliseconds: keepAliveMilliseconds)
    guard loop.now >= at else { return armTimer(connection) }
    if connection.phase == .polling, loop.now >= connection.pollUntil {
      pollIsOver(connection)
      if connection.condemned == nil { armTimer(connection) }
      return
    }
    if reason == .slowReader { counters.slowReaders &+= 1 }
    guard connection.phase == .signedIn || connection.phase == .awaitingFirst,
      connection.role == .agent, reason != .slowReader, reason != .connectionLost
    else { return condemn(connection, reason) }
    // Tell why; the closing phase has a deadline of its own.
    refuse(connection, closeCode(for: reason))
    if connection.condemned == nil { armTimer(connection) }
  }

  private func closeCode(for reason: PresenceReason) -> CloseCode {
    switch reason {
    case .keepAliveExpired: .keepAliveExpired
    case .certificateExpired: .certificateExpired
    case .slowReader: .slowReader
    default: .handshakeTimeout
    }
  }

  // MARK: The shard's own timers

  /// Arms what a shard does by itself.
  func armOwnTimers() {
    // The first report is full; it waits until agents of an earlier life had time to come back, so
    // that our own restart paints nobody offline.
    let first = min(
      settings.presencePeriodMilliseconds, UInt64(settings.crashWindowSeconds) * 1_000)
    _ = armOwn(.presenceReport, afterMilliseconds: max(first, 1))
    _ = armOwn(.outcomeReport, afterMilliseconds: settings.outcomePeriodMilliseconds)
    _ = armOwn(.housekeeping, afterMilliseconds: 60_000)
  }

  /// Arms one of the shard's own timers.
  func armOwn(_ timer: OwnTimer, afterMilliseconds milliseconds: UInt64) -> TimerHandle {
    let handle = loop.arm(
      afterMilliseconds: milliseconds, payload: Token.reserved(timer.rawValue).rawValue)
    ownTimers[Int(timer.rawValue) - 200] = handle
    return handle
  }

  /// Whether one of the shard's own timers is running.
  func isOwnArmed(_ timer: OwnTimer) -> Bool {
    ownTimers[Int(timer.rawValue) - 200].map { loop.wheel.isArmed($0) } ?? false
  }

  private func fire(_ number: UInt8) {
    guard let timer = OwnTimer(rawValue: number) else { return }
    ownTimers[Int(number) - 200] = nil
    switch timer {
    case .presenceReport:
      writePresence()
      // A storm of sign-ins is told by now, and the report itself has left as much behind.
      giveMemoryBack()
      _ = armOwn(.presenceReport, afterMilliseconds: settings.presencePeriodMilliseconds)
    case .outcomeReport:
      writeOutcomes()
      _ = armOwn(.outcomeReport, afterMilliseconds: settings.outcomePeriodMilliseconds)
    case .housekeeping:
      keepHouse()
      _ = armOwn(.housekeeping, afterMilliseconds: 60_000)
    case .pacedPush, .acceptAgain, .admissionCheck, .outcomePost, .quietReport: return
    case .drainDeadline: life = .done
    case .drainTick: moveSome()
    }
  }

  /// Once a minute: follow the clock, forget what is over.
  private func keepHouse() {
    if let reconnectFile { site.post(.tendReconnectKeys(reconnectFile)) }
    let wall = WallTime(milliseconds: loop.time.wall())
    if let jump = clock.follow(wall: wall, ticks: loop.now) {
      log.warning(
        "the wall clock jumped; deadlines are judged without it",
        metadata: ["milliseconds": "\(jump)"])
    }
    _ = ledger.forgetExpired(at: wallNow)
    giveMemoryBack()
  }

  /// After a storm of handshakes or a wave of outcomes the allocator holds what they needed.
  ///
  /// Milliseconds of work, so not in the middle of either.
  private func giveMemoryBack() {
    let load =
      counters.handshakesFull &+ counters.handshakesResumed &+ counters.outcomes
    let isCalm = newcomers == 0 && outcomes.collected.isEmpty && outcomes.unstoredCount == 0
    guard isCalm, load &- loadAtTrim >= Shard.loadWorthTrim else { return }
    loadAtTrim = load
    ProcessMemory.giveBack()
  }
}
