// Reconnect identities in a shard: who comes back with one, and who gets one. The judgement itself
// is made during the handshake, by the desk (ReconnectDesk of Transports); the deny list is looked
// at with the sign-in, as for certificates.

import BGBModel
import BGBWire
import Reactor
import Transports

extension Shard {
  /// Counts a handshake by what it cost.
  func count(_ proof: PeerProof?) {
    switch proof {
    case .reconnect: counters.handshakesReconnect &+= 1
    case .ticket: counters.handshakesResumed &+= 1
    case .certificate, nil: counters.handshakesFull &+= 1
    }
  }

  /// Takes over whom a finished handshake with an identity was for.
  func recognize(_ client: ProvenClient, _ connection: Connection) -> Bool {
    connection.clientID = ClientID(
      Bits128(
        high: UInt64(truncatingIfNeeded: client.subject >> 64),
        low: UInt64(truncatingIfNeeded: client.subject)))
    noteExpiry(client.notAfter, connection)
    return true
  }

  /// Notes when a connection must end because its client's certificate does.
  func noteExpiry(_ notAfter: Int64, _ connection: Connection) {
    let (milliseconds, overflow) = notAfter.multipliedReportingOverflow(by: 1000)
    let expiry = WallTime(milliseconds: overflow ? (notAfter > 0 ? .max : .min) : milliseconds)
    connection.certificateExpiry = clock.ticks(of: expiry, now: loop.now)
  }

  /// Notes when the certificate was shown, which an identity carries on.
  func noteProof(_ proof: PeerProof?, _ connection: Connection) {
    switch proof {
    case .certificate: connection.reconnect.noteShown(at: reconnects?.now)
    case .ticket(let shownAt): connection.reconnect.noteShown(at: shownAt)
    case .reconnect(let client): connection.reconnect.noteShown(at: client?.shownAt)
    case nil: return
    }
  }

  /// Gives a client that signed in over TCP what it can come back with, if it takes that.
  ///
  /// Not over long polls: their sockets come and go by themselves and keep their tickets.
  func giveReconnect(_ connection: Connection, for signIn: SignIn) {
    guard signIn.takesReconnect, connection.polls == nil, let reconnects else { return }
    give(reconnects, connection)
  }

  /// Gives a new one over a session that lasts, well before the old one ends.
  func renewReconnect(_ connection: Connection) {
    guard let reconnects,
      connection.reconnect.isDue(
        at: reconnects.now, lifeSeconds: reconnects.rules.lifeSeconds)
    else { return }
    give(reconnects, connection)
  }

  private func give(_ desk: ReconnectDesk, _ connection: Connection) {
    guard let clientID = connection.clientID else { return }
    connection.reconnect.noteGiven(at: desk.now)
    let bits = clientID.bits
    let client = ProvenClient(
      subject: UInt128(bits.high) << 64 | UInt128(bits.low),
      notAfter: clock.time(at: connection.certificateExpiry).milliseconds / 1000,
      shownAt: connection.reconnect.shownAt)
    guard let grant = desk.issue(for: client) else { return }
    send(
      .reconnectIdentity(
        ReconnectIdentity(
          identity: grant.identity, key: grant.key, lifeSeconds: grant.lifeSeconds)),
      connection)
  }
}
