// Newcomers: bounded accepts per turn, a pause at the limits, handshakes within a time budget.

import BGBModel
import Logging
import Reactor
import Transports

extension Shard {
  /// Accepts what waits at a listener, up to this turn's share.
  func acceptWaiting(_ number: Int) {
    guard life == .serving, listeners.indices.contains(number) else { return }
    let entry = listeners[number]
    for _ in 0..<settings.acceptsPerTurn {
      // At a limit of our own: the first death or finished handshake opens the door again.
      guard mayAccept else { return pauseAccepting(forMilliseconds: nil) }
      switch entry.listener.accept() {
      case .accepted(let descriptor, let address): admit(descriptor, address, entry.role)
      case .wouldBlock: return
      case .exhausted:
        counters.acceptExhausted += 1
        return pauseAccepting(forMilliseconds: 1_000)
      case .failed(let error):
        log.error("accept failed", metadata: ["error": "\(error)"])
        return pauseAccepting(forMilliseconds: 1_000)
      }
    }
  }

  private var mayAccept: Bool {
    newcomers < settings.parkedMax
      && connections.count - polledSessions < settings.connectionsMax + settings.parkedMax
  }

  private func admit(
    _ descriptor: consuming Descriptor, _ address: SocketAddress, _ role: ConnectionRole
  ) {
    let fd = descriptor.raw
    lull.stir(at: loop.now)
    // Options that a socket without them would still work with: a failure is not worth a refusal.
    try? StreamSocket.setNoDelay(fd)
    try? StreamSocket.setUserTimeout(fd, milliseconds: Int32(Limits.userTimeoutMilliseconds))
    counters.accepted += 1
    guard let token = connections.nextToken else { return }
    let channel = ByteChannel(
      .plain(PlainTransport(descriptor)), token: token, pool: pool,
      outboundBytesMax: role == .agent ? Limits.outboundBytesMax : Limits.responseBytesMax,
      now: loop.now)
    let connection = Connection(
      channel: channel, role: role, address: address, now: loop.now, isParked: role != .watch)
    let inserted = connections.insert(connection)
    precondition(inserted == token, "the table answers the token that it announced")
    armTimer(connection)
    guard role != .watch else { return settle(connection) }
    newcomers += 1
    // In a storm its first bytes came while it waited in the kernel: no turn is lost for them.
    park(connection)
  }

  func refuseHandshake(_ connection: Connection, _ error: TransportError) {
    counters.handshakesFailed += 1
    let refusal = CertificateRefusal(error)
    let peer = connection.channel.readRefusedPeer()
    log.notice(
      "connection refused",
      metadata: [
        "address": "\(connection.address)",
        "reason": "\(refusal.map { "\($0)" } ?? error.description)",
        "certificate": "\(peer?.commonName ?? "-")",
      ])
    condemn(connection, .protocolError)
  }

  /// Reads who the peer is; after every handshake, full or resumed, because OpenSSL checks neither
  /// names nor our deny list.
  func identify(_ connection: Connection, _ proof: PeerProof?) -> Bool {
    let seconds = wallNow.milliseconds / 1000
    noteProof(proof, connection)
    // Its names were read when it got the identity, and are sealed in there.
    if case .reconnect(let client?) = proof { return recognize(client, connection) }
    do throws(CertificateRefusal) {
      guard let peer = connection.channel.peer else { throw .noCertificate }
      let name = try peer.admit(
        for: .clientAuthentication, uriPrefix: ClientID.uriPrefix, now: seconds)
      guard let clientID = ClientID(name) else { throw .badName(.malformed) }
      connection.clientID = clientID
      noteExpiry(peer.notAfter, connection)
      connection.channel.forgetPeer()
    } catch {
      counters.handshakesFailed += 1
      log.notice(
        "connection refused",
        metadata: ["address": "\(connection.address)", "reason": "\(error)"])
      condemn(connection, .protocolError)
      return false
    }
    return true
  }

  /// Stops listening: at a limit, or without descriptors, which may come back from elsewhere and
  /// are asked for again after a time.
  func pauseAccepting(forMilliseconds milliseconds: UInt64?) {
    if let milliseconds, !isOwnArmed(.acceptAgain) {
      armOwn(.acceptAgain, afterMilliseconds: milliseconds)
    }
    guard !isAcceptingPaused else { return }
    isAcceptingPaused = true
    for (number, entry) in listeners.enumerated() where entry.role != .watch {
      try? loop.poller.modify(entry.listener.fd, ShardListener.token(number), [])
    }
  }

  /// Listens again once there is room.
  func resumeAccepting() {
    guard isAcceptingPaused, life == .serving, mayAccept, !isOwnArmed(.acceptAgain) else { return }
    isAcceptingPaused = false
    for (number, entry) in listeners.enumerated() {
      try? loop.poller.modify(entry.listener.fd, ShardListener.token(number), .readable)
    }
  }
}
