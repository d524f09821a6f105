// Detaching as a channel's owner asks for it: when the handshake is done and the peer is admitted,
// with the ticket sent before, since only OpenSSL can make one.
import Reactor

extension ByteChannel {
  /// Takes the connection from OpenSSL into the loop's table, which frees OpenSSL's memory of it;
  /// to the owner the channel is the same as before.
  ///
  /// A session that has arrived and was not fetched is lost: call ``takeNewSession()`` first. After
  /// ``DetachOutcome/notYet`` ask again after the next receive or flush.
  public func detach(into table: DetachedTable) -> DetachOutcome {
    let outcome = line.transport.detach(into: table)
    line.gate.tellsWhatIsLeft = line.transport.tellsWhatIsLeft
    return outcome
  }

  /// Whether the connection was detached.
  public var isDetached: Bool { line.transport.isDetached }

  /// Sends the peer of a server's connection one session ticket; only before detaching.
  ///
  /// - Returns: `progressed(0)` once it is sent; after ``IOStep/wouldBlock(_:)`` call again.
  public func sendTicket() -> IOStep { line.transport.sendTicket() }
}
