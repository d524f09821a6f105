// Moving the agents away, as `bgb server drain` wants: no newcomers, and those that are here are
// told to come back, which they do at another worker or server; so many in each tick that the whole
// keeps its pace. What they have in hand goes with them: a task that was not answered is pushed
// again where they arrive. The server itself stays, empty, until it is told to serve again.

import BGBModel
import BGBWire
import Logging
import Reactor
import SiteDatabase

/// A drain under way, or done.
struct ShardDrain {
  /// What was asked for.
  var order: DrainOrder
  /// How many are to go by now.
  var pace: DrainPace
  /// Those who are to go next.
  var waiting: [Token] = []
  /// When the site was told last.
  var toldAt = Ticks.zero
  /// Whether everybody has gone.
  var isOver = false
  /// Where it listened.
  var closed: [ClosedListener] = []
}

/// A listener that was closed, to be opened again.
struct ClosedListener {
  let address: SocketAddress
  let role: ConnectionRole
  let isShared: Bool
}

extension Shard {
  /// Between two words to the site on how far it is.
  private static let tellMilliseconds: UInt64 = 1_000
  /// Agents come back at random within this time, so that they arrive as evenly as they left.
  private static let spreadMilliseconds = 1_000

  /// Whether the agents were moved away and nobody is taken.
  var hasMoved: Bool { moving?.isOver == true }

  /// Begins to move the agents away; a second order changes the pace of the first.
  func beginMoving(_ order: DrainOrder) {
    guard life == .serving else { return }
    let pace = DrainPace(order, total: registry.onlineCount, now: loop.now)
    var drain = ShardDrain(order: order, pace: pace)
    drain.closed = moving?.closed ?? closeListeners()
    moving = drain
    log.notice(
      "drain begins",
      metadata: [
        "online": "\(registry.onlineCount)", "within-seconds": "\(order.withinSeconds)",
        "rate": "\(order.ratePerSecond)", "stops": "\(order.stops)",
      ])
    tellSite(.drainBegun, "\(registry.onlineCount) agents are being moved away.")
    moveSome()
  }

  /// Takes agents again.
  func endMoving() {
    guard life == .serving, let drain = moving else { return tellDrain(ServerDrain()) }
    do throws(Errno) {
      var opened: [ShardListener] = []
      for closed in drain.closed {
        opened.append(
          try ShardListener.open(closed.address, for: closed.role, isShared: closed.isShared))
      }
      try exchangeListeners(opened + listeners.filter { $0.role == .watch })
    } catch {
      log.error("cannot listen again; the server stays empty", metadata: ["error": "\(error)"])
      tellSite(.listenerFailed, "Cannot listen again after a drain: \(error).")
      return
    }
    moving = nil
    isAcceptingPaused = false
    log.notice("agents are taken again")
    tellSite(.undrained, "Agents are taken again.")
    tellDrain(ServerDrain())
  }

  /// One tick of a drain: as many as are due are told to come back.
  func moveSome() {
    guard life == .serving, var drain = moving, !drain.isOver else { return }
    if drain.waiting.isEmpty { drain.waiting = signedInTokens() }
    var due = drain.pace.due(loop.now)
    var moved = 0
    while due > 0, let token = drain.waiting.popLast() {
      guard let connection = connections[token], connection.phase == .signedIn else { continue }
      let slot = (drain.pace.moved + moved) &* 7_919 % Shard.spreadMilliseconds
      send(
        .reconnect(
          Reconnect(
            address: "", afterMilliseconds: UInt32(truncatingIfNeeded: slot),
            reason: "the server is drained")),
        connection)
      close(connection, .serverStopped)
      due -= 1
      moved += 1
    }
    drain.pace.move(moved)
    // Those under way to their sign-in are waited for, and moved too.
    drain.isOver =
      registry.onlineCount == 0 && handshakesUnderWay == 0 && drain.waiting.isEmpty
    let isNews = drain.isOver || loop.now.since(drain.toldAt) >= Shard.tellMilliseconds
    if isNews { drain.toldAt = loop.now }
    moving = drain
    if isNews { tellProgress(drain) }
    if drain.isOver { return finishMoving(drain) }
    armOwn(.drainTick, afterMilliseconds: Limits.drainTickMilliseconds)
  }

  private func finishMoving(_ drain: ShardDrain) {
    let milliseconds = loop.now.since(drain.pace.startedAt)
    log.notice(
      "drained", metadata: ["moved": "\(drain.pace.moved)", "milliseconds": "\(milliseconds)"])
    tellSite(
      .drained, "\(drain.pace.moved) agents were moved away in \(milliseconds / 1_000) seconds.")
    // The site shall not count them here until the next period.
    writePresence()
    writeOutcomes()
    if drain.order.stops { beginDrain() }
  }

  private func signedInTokens() -> [Token] {
    guard registry.onlineCount > 0 else { return [] }
    var tokens: [Token] = []
    connections.forEach { token, connection in
      if connection.phase == .signedIn, connection.condemned == nil { tokens.append(token) }
    }
    return tokens
  }

  // MARK: Words

  private func tellProgress(_ drain: ShardDrain) {
    let left = registry.onlineCount
    tellDrain(
      ServerDrain(
        drain.isOver ? .drained : .draining, total: max(drain.pace.total, drain.pace.moved + left),
        left: left))
  }

  private func tellDrain(_ news: ServerDrain) { site.post(.drain(news)) }

  private func tellSite(_ status: StatusCatalogue, _ text: String) {
    site.post(.status(status.message(at: wallNow, text: text)))
  }

  // MARK: Listeners

  /// Closes the listeners for agents, so that the kernel sends newcomers to whoever else listens on
  /// the port; those who wait already are taken in first.
  func closeListeners() -> [ClosedListener] {
    let closing = listeners.filter { $0.role != .watch }
    if life == .serving {
      for number in listeners.indices where listeners[number].role != .watch {
        acceptWaiting(number)
      }
    }
    try? exchangeListeners(listeners.filter { $0.role == .watch })
    return closing.map {
      ClosedListener(
        address: $0.listener.boundAddress, role: $0.role, isShared: $0.isShared)
    }
  }

  /// Listeners are known by their numbers: all are watched anew, under their new ones.
  private func exchangeListeners(_ wanted: [ShardListener]) throws(Errno) {
    for entry in listeners {
      try? loop.poller.remove(entry.listener.fd)
      try? loop.stopHurrying(for: entry.listener.fd)
    }
    listeners = wanted
    try watchListeners()
  }

  /// Watches all listeners, under their numbers; newcomers end a pause for company.
  func watchListeners() throws(Errno) {
    for (number, entry) in listeners.enumerated() {
      try loop.poller.add(entry.listener.fd, ShardListener.token(number), .readable)
      try loop.hurry(for: entry.listener.fd)
    }
  }
}
