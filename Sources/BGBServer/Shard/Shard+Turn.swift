// The turn, on one screen. Nobody else waits, accepts, runs timers, flushes or frees connections.

import BGBModel
import Reactor
import Transports

extension Shard {
  /// One turn of the loop.
  ///
  /// The order matters where a reason stands beside it.
  func turn() throws(Errno) {
    let ready = try loop.wait(
      maySleep: !hasWorkInHand, atMost: isPushing ? settings.eventsWhilePushing : .max,
      companyMilliseconds: companyMilliseconds)
    lull.note(events: ready, at: loop.now)
    handshakes.beginTurn()
    // Before anything is judged by the clock, which it follows.
    if loop.now >= houseDue { keepHouse() }
    // Letters first: a task that arrived goes out in this turn, a blocked client is cut before its
    // bytes are read.
    readLetters()
    // Bytes inside OpenSSL wake nobody: they come before the sockets, and forbid sleeping above.
    serveLeftovers()
    for index in 0..<ready {
      foresee(from: index, below: ready) { loop.ready[$0].token }
      let event = loop.ready[index]
      serve(event.token, event.readiness)
    }
    // Established sessions were served; newcomers get what time is left, within a budget, so that a
    // reconnect storm delays a push by one budget and not by ten thousand handshakes.
    continueHandshakes()
    expireTimers()
    pushTasks()
    storeOutcomes()
    cutReportsWhenQuiet()
    // One flush a turn: all that a connection got in this turn leaves in one write.
    flushDirty()
    pushOn()
    // The only place where connections die: no token taken earlier in this turn dangles.
    reap()
    resumeAccepting()
    endWhenDrained()
    // Only what this turn left to be done later gets a timer: without news the next wait is long.
    planAhead()
  }

  /// Whether something waits that no descriptor and no timer will announce.
  var hasWorkInHand: Bool {
    !leftovers.isEmpty || canContinueHandshakes || !dirty.isEmpty || !condemned.isEmpty
      || isPushing
  }

  /// How long the next wait lets news come together.
  var companyMilliseconds: Int32 {
    life == .serving && newcomers == 0 ? lull.pauseMilliseconds(at: loop.now) : 0
  }

  private func serve(_ token: Token, _ readiness: Readiness) {
    if token == .bell { return }
    if token.isReserved {
      acceptWaiting(Int(token.reservedNumber) - 16)
      return
    }
    // A stale token is no error: the connection died earlier in this turn; the table counts it.
    guard let connection = connections[token], connection.condemned == nil else { return }
    if connection.phase == .parked { return park(connection) }
    if connection.phase == .handshaking {
      // Level-triggered readiness comes again each turn; a storm must not queue anybody twice.
      guard !connection.isHandshakeQueued else { return }
      connection.isHandshakeQueued = true
      admission.goOn(token)
      return
    }
    if connection.channel.mayFlush(on: readiness) { markDirty(connection) }
    if connection.channel.mayReceive(on: readiness) { receive(connection) }
    settle(connection)
  }

  /// Tells epoll what a connection waits for; a connection whose descriptor fails there is lost.
  func settle(_ connection: Connection) {
    guard connection.condemned == nil else { return }
    do throws(Errno) {
      try connection.channel.settle(loop.poller)
    } catch {
      condemn(connection, .connectionLost)
    }
  }
}
