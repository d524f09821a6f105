// Letting go of OpenSSL's object once nothing but records is left to do: 23 KB of every idle
// connection. What stays is in the loop's DetachedTable.

import BGBWire
import Transports

extension Connection {
  /// Whether its peer proved itself with a reconnect identity; only before it is detached.
  fileprivate var cameByIdentity: Bool {
    if case .reconnect = channel.readProof() { true } else { false }
  }
}

extension Shard {
  /// An agent was admitted: whoever cannot come back with an identity gets a ticket now, for only
  /// OpenSSL can make one; then its object is not needed any more.
  func letGoOfTLS(_ connection: Connection, for signIn: SignIn) {
    // Who came back by itself never had an object.
    guard connection.polls == nil, !connection.channel.isDetached else { return }
    // After a reconnect no certificate was shown, and a ticket without one is not taken.
    if reconnects != nil, !signIn.takesReconnect, !connection.cameByIdentity {
      // A ticket that does not go at once goes with the next write, by OpenSSL, which then stays.
      guard connection.channel.sendTicket() == .progressed(0) else { return }
    }
    letGoOfTLS(connection)
  }

  /// Detaches a connection as soon as nothing of it is left inside OpenSSL.
  func letGoOfTLS(_ connection: Connection) {
    guard let detached else { return }
    connection.wantsDetach = connection.channel.detach(into: detached) == .notYet
  }
}
