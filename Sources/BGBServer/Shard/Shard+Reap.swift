// The end of connections and of the shard. Condemning may happen at any time and only marks; here,
// once a turn, is the only place that closes.

import BGBModel
import BGBWire
import Logging
import Reactor
import Transports

extension Shard {
  /// Marks a connection for the reaper; the first reason stands.
  func condemn(_ connection: Connection, _ reason: PresenceReason) {
    guard connection.condemned == nil else { return }
    signOut(connection, reason)
    connection.condemned = reason
    countUnconfirmed(connection)
    detachPoll(connection)
    condemned.append(connection.channel.token)
  }

  /// Closes what was condemned.
  func reap() {
    guard !condemned.isEmpty else { return }
    let tokens = condemned
    condemned.removeAll(keepingCapacity: true)
    for token in tokens {
      guard let connection = connections.remove(token) else { continue }
      if connection.phase == .handshaking { handshakesUnderWay -= 1 }
      if connection.phase == .handshaking || connection.phase == .parked { newcomers -= 1 }
      if connection.polls != nil { polledSessions -= 1 }
      uncountHTTP(connection)
      if let timer = connection.timer { _ = loop.wheel.disarm(timer) }
      connection.channel.close(sendCloseNotify: connection.isTalking)
    }
  }

  /// Puts a connection on the list of those with output.
  func markDirty(_ connection: Connection) {
    guard !connection.isDirty else { return }
    connection.isDirty = true
    dirty.append(connection.channel.token)
  }

  /// Sends what was queued in this turn.
  func flushDirty() {
    guard !dirty.isEmpty else { return }
    let tokens = dirty
    dirty.removeAll(keepingCapacity: true)
    for token in tokens {
      guard let connection = connections[token], connection.condemned == nil else { continue }
      connection.isDirty = false
      flush(connection)
    }
  }

  private func flush(_ connection: Connection) {
    // Beyond the process's bound a session's output stays in its queue, where it counts as waiting.
    if connection.polls != nil, polledBytes >= Limits.outboundBytesPerProcessMax {
      answerPoll(of: connection)
      return rearmTimer(connection)
    }
    switch connection.channel.flush(now: loop.now) {
    case .progressed(let sent):
      if connection.polls == nil { counters.bytesOut &+= UInt64(sent) }
    case .wouldBlock: break
    case .ended: return condemn(connection, .connectionLost)
    case .failed(let error): return lose(connection, error)
    }
    if connection.polls != nil {
      countUnconfirmed(connection)
      answerPoll(of: connection)
    }
    if connection.channel.outboundCount == 0 { answersAreSent(connection) }
    if connection.channel.outboundCount > 0 {
      // The write deadline may be nearer than what the timer waits for.
      rearmTimer(connection)
    } else if connection.phase == .closing {
      return condemn(connection, .goodbye)
    } else if connection.hasOldTimer {
      leaveHandshakeBehind(connection)
    }
    settle(connection)
  }

  // MARK: The end of the shard

  /// Stops serving in order: nobody new, agents are sent away, the last reports are handed over.
  func beginDrain() {
    guard life == .serving else { return }
    life = .draining
    log.notice("stopping", metadata: ["online": "\(registry.onlineCount)"])
    _ = closeListeners()
    let window = max(1_000, returnWindowMilliseconds)
    var number: UInt32 = 0
    var tokens: [Token] = []
    connections.forEach { token, _ in tokens.append(token) }
    for token in tokens {
      guard let connection = connections[token], connection.phase == .signedIn else { continue }
      // Slots spread evenly over the window: nobody needs to draw lots.
      let slot = UInt32(truncatingIfNeeded: UInt64(number) &* 7_919 % window)
      number &+= 1
      send(
        .reconnect(Reconnect(address: "", afterMilliseconds: slot, reason: "the server stops")),
        connection)
      close(connection, .serverStopped)
    }
    writePresence()
    writeOutcomes()
    armOwn(.drainDeadline, afterMilliseconds: 10_000)
  }

  /// Ends the loop once nothing is left to send or to hand over.
  func endWhenDrained() {
    guard life == .draining, dirty.isEmpty, outcomes.unstoredCount == 0, reports.isIdle else {
      return
    }
    if !outcomes.collected.isEmpty { return writeOutcomes() }
    var waits = false
    connections.forEach { _, connection in
      if connection.channel.outboundCount > 0 { waits = true }
    }
    if !waits { life = .done }
  }
}
