// Coming back without the certificate: what a server of the site gave is kept, offered on the next
// connections over TCP, and dropped as soon as a server goes on with certificates instead. It is
// never offered over HTTPS, and never to another site.

import BGBModel
import BGBWire
import Reactor
import Transports

extension AgentLoop {
  /// Keeps what a server gave, in memory and beside the TLS sessions.
  func keepReconnect(_ message: ReconnectIdentity, of link: AgentLink) {
    guard configuration.takesReconnect else { return }
    let kept = KeptReconnect(
      message, site: configuration.site, client: link.identity.clientID, at: moment.wall)
    store(kept.bytes, of: link)
  }

  /// What to offer now, from memory or, at the first use, from the disk; nil if there is nothing
  /// that is good any more.
  func reconnectGrant(of link: AgentLink) -> ReconnectGrant? {
    guard configuration.takesReconnect else { return nil }
    let bytes = link.keptReconnect ?? readReconnect(of: link)
    link.keptReconnect = bytes
    guard !bytes.isEmpty else { return nil }
    let grant = KeptReconnect(bytes: bytes)?.grant(
      for: link.identity.clientID, at: configuration.site, now: moment.wall)
    if grant == nil { forgetReconnect(of: link) }
    return grant
  }

  private func readReconnect(of link: AgentLink) -> [UInt8] {
    guard let path = link.reconnectFile else { return [] }
    // A file that others may read is no secret any more.
    return ((try? SecretFile(path: path, bytesMax: KeptReconnect.bytesMax).load()) ?? nil) ?? []
  }

  /// Drops it, everywhere.
  func forgetReconnect(of link: AgentLink) {
    guard link.keptReconnect?.isEmpty != true else { return }
    store([], of: link)
  }

  private func store(_ bytes: [UInt8], of link: AgentLink) {
    link.keptReconnect = bytes
    if let path = link.reconnectFile { journal.post(file: path, bytes) }
  }

  /// Whether the peer of a finished handshake is not a notification server of our site.
  ///
  /// A server that has the key of our identity got it from the site's servers: that is its proof,
  /// and it shows no certificate. One that went on with certificates did not know the identity.
  func refusal(of channel: ByteChannel, _ link: AgentLink) -> CertificateRefusal? {
    if case .reconnect = channel.readProof() { return nil }
    if link.keptReconnect?.isEmpty == false { forgetReconnect(of: link) }
    return refusal(of: channel.peer)
  }

  /// A handshake failed: an identity that the server knows by another key would fail for ever.
  func reconnectFailed(_ link: AgentLink, _ error: TransportError) {
    switch error.kind {
    case .alertReceived, .protocolViolation, .setup: forgetReconnect(of: link)
    case .connectionReset, .system, .truncated, .certificateRefused, .limitExceeded, .closed,
      .keyChange:
      return
    }
  }
}
