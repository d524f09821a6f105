// From an accepted socket to a peer with a name: parked first, then a handshake in bounded time,
// then the certificate. The lines and their order are Admission's; here is the work.

import BGBModel
import Logging
import Reactor
import Transports

extension Shard {
  /// Looks at what a newcomer has sent and puts it into its line.
  func park(_ connection: Connection) {
    switch connection.channel.greeting(using: &scratch) {
    case .none: settle(connection)
    case .gone: condemn(connection, .connectionLost)
    case .resumption: park(connection, resumes: true)
    case .handshake: park(connection, resumes: false)
    }
  }

  private func park(_ connection: Connection, resumes: Bool) {
    // Its bytes stay in the kernel, which would report them in each turn until its place is free.
    connection.channel.receives = false
    settle(connection)
    admission.park(connection.channel.token, resumes: resumes)
  }

  /// Whether there is a handshake to go on with, or one to begin and a place for it.
  var canContinueHandshakes: Bool {
    admission.hasBegun
      || (admission.hasParked && handshakesUnderWay < settings.handshakesMax)
  }

  /// Takes handshakes as far as they go, within this turn's budget; the rest waits for the next
  /// turn.
  func continueHandshakes() {
    while handshakes.mayContinue, let connection = nextHandshake() {
      connection.isHandshakeQueued = false
      let began = MonotonicClock.nanoseconds()
      handshakes.start(now: began)
      let step = connection.channel.handshake()
      let ended = MonotonicClock.nanoseconds()
      handshakes.stop(now: ended)
      meter.spend(ended > began ? ended - began : 0)
      finishStep(step, connection)
    }
    if admission.hasParked, handshakesUnderWay >= settings.handshakesMax { makePlaces() }
  }

  private func nextHandshake() -> Connection? {
    while let token = admission.nextBegun() {
      if let connection = connections.peek(token), connection.phase == .handshaking,
        connection.condemned == nil
      {
        return connection
      }
    }
    while handshakesUnderWay < settings.handshakesMax, let token = admission.nextParked() {
      if let connection = connections.peek(token), connection.phase == .parked,
        connection.condemned == nil, begin(connection)
      {
        return connection
      }
    }
    return nil
  }

  private func begin(_ connection: Connection) -> Bool {
    do throws(TransportError) {
      try connection.channel.startTLS(
        connection.role == .agent ? agentTLS : httpsTLS, detachingInto: detached)
    } catch {
      counters.handshakesFailed += 1
      condemn(connection, .protocolError)
      return false
    }
    connection.channel.receives = true
    connection.phase = .handshaking
    connection.startedAt = loop.now
    handshakesUnderWay += 1
    // Who is over by now leaves the line with this question.
    _ = oldestHandshake()
    admission.began(connection.channel.token)
    rearmTimer(connection)
    return true
  }

  /// Gives up the handshakes that have kept their places too long while others wait.
  ///
  /// An honest peer answers within a round trip; whoever fills the places with halves of handshakes
  /// must not keep them for the whole deadline.
  private func makePlaces() {
    while handshakesUnderWay >= settings.handshakesMax {
      guard let oldest = oldestHandshake(), let connection = connections.peek(oldest) else {
        return
      }
      let end = connection.startedAt + settings.handshakePatienceMilliseconds
      guard loop.now >= end else {
        if !isOwnArmed(.admissionCheck) {
          armOwn(.admissionCheck, afterMilliseconds: end.since(loop.now))
        }
        return
      }
      counters.handshakesCut += 1
      handshakesUnderWay -= 1
      newcomers -= 1
      // Its place is free at once; the reaper must not free it again.
      connection.phase = .closing
      condemn(connection, .protocolError)
    }
  }

  private func oldestHandshake() -> Token? {
    admission.oldest { token in
      guard let connection = connections.peek(token) else { return false }
      return connection.phase == .handshaking && connection.condemned == nil
    }
  }

  private func finishStep(_ step: HandshakeStep, _ connection: Connection) {
    switch step {
    case .wouldBlock: settle(connection)
    case .failed(let error): refuseHandshake(connection, error)
    case .done:
      handshakesUnderWay -= 1
      newcomers -= 1
      meter.finish()
      connection.phase = .awaitingFirst
      if connection.role == .https { connection.requestSince = loop.now }
      let proof = connection.channel.readProof()
      count(proof)
      guard identify(connection, proof) else { return }
      countHTTP(connection)
      if connection.role == .https { letGoOfTLS(connection) }
      // What came with the last flight may be inside OpenSSL already.
      receive(connection)
      settle(connection)
    }
  }

  /// Milliseconds over which this server's agents come back without harm when they lose it: what
  /// the settings say, or longer if handshakes turned out to cost more.
  var returnWindowMilliseconds: UInt64 {
    max(UInt64(settings.crashWindowSeconds) * 1_000, meter.window(for: registry.onlineCount))
  }
}
