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
    guard deadline < connection.timerDeadline else { return }
    moveTimer(connection, to: deadline)
  }

  private func moveTimer(_ connection: Connection, to deadline: Ticks) {
    guard let timer = connection.timer else { return }
    connection.timerDeadline = deadline
    _ = loop.wheel.move(timer, to: deadline)
  }

  /// Moves the timer of a client that has its Welcome behind the deadline of its handshake, which
  /// would else wake the loop for nothing: once for each that connects, ten seconds later.
  func leaveHandshakeBehind(_ connection: Connection) {
    connection.hasOldTimer = false
    moveTimer(
      connection, to: connection.deadline(keepAliveMilliseconds: keepAliveMilliseconds).at)
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
    presenceBeat = loop.now + max(first, 1)
    outcomeBeat = loop.now
    armOwn(.presenceReport, at: presenceBeat)
    planHouse()
  }

  /// Arms one of the shard's own timers.
  func armOwn(_ timer: OwnTimer, afterMilliseconds milliseconds: UInt64) {
    armOwn(timer, at: loop.now + milliseconds)
  }

  /// Arms one of the shard's own timers; one that was armed before no longer counts.
  func armOwn(_ timer: OwnTimer, at deadline: Ticks) {
    let place = Int(timer.rawValue) - 200
    if let armed = ownTimers[place] { loop.wheel.disarm(armed) }
    ownTimers[place] = loop.wheel.arm(
      deadline: deadline, payload: Token.reserved(timer.rawValue).rawValue)
  }

  /// Whether one of the shard's own timers is running.
  func isOwnArmed(_ timer: OwnTimer) -> Bool {
    ownTimers[Int(timer.rawValue) - 200].map { loop.wheel.isArmed($0) } ?? false
  }

  private func fire(_ number: UInt8) {
    guard let timer = OwnTimer(rawValue: number) else { return }
    ownTimers[Int(number) - 200] = nil
    switch timer {
    case .presenceReport: writePresence()
    case .outcomeReport: writeOutcomes()
    case .memoryLook: lookAtMemory()
    // What these wake for, the turn does by itself.
    case .housekeeping, .pacedPush, .acceptAgain, .admissionCheck, .outcomePost, .quietReport:
      return
    case .drainDeadline: life = .done
    case .drainTick: moveSome()
    }
  }
}
