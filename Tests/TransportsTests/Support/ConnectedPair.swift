// Two channels on one TCP connection of the loopback, for what only a real kernel does: resets,
// full buffers, readiness.
import Reactor
import Testing

@testable import Transports

/// A connected client and server.
final class ConnectedPair {
  let client: ByteChannel
  let server: ByteChannel
  let pool = BlockPool(limit: 1024)
  private let tables: DetachedTables
  private let site: Site?

  init(_ kind: TransportKind) throws {
    tables = try DetachedTables()
    let (nearNumber, farNumber) = try tcpPair()
    let near = Descriptor(owning: nearNumber)
    let far = Descriptor(owning: farNumber)
    switch kind {
    case .plain:
      site = nil
      client = channel(.plain(PlainTransport(near)), pool)
      server = channel(.plain(PlainTransport(far)), pool)
    case .tls, .detachedServer, .detachedClient, .detached:
      let site = Site()
      self.site = site
      var options = TLSOptions()
      options.detaches = true
      client = channel(
        .tls(
          try TLSTransport(near, context: try site.clientContext(options), serverName: "mp.test")),
        pool)
      server = channel(.tls(try TLSTransport(far, context: try site.serverContext(options))), pool)
    }
    try connect(client, server)
    tables.detach(kind, client: client, server: server)
  }
}

private func channel(_ transport: consuming Transport, _ pool: BlockPool) -> ByteChannel {
  ByteChannel(
    transport, token: Token(generation: 1, index: 1), pool: pool, outboundBytesMax: 1 << 20,
    now: .zero)
}

/// Takes both ends through their handshakes over real sockets.
func connect(_ client: ByteChannel, _ server: ByteChannel) throws {
  for _ in 0..<100 {
    let clientStep = client.handshake()
    let serverStep = server.handshake()
    switch (clientStep, serverStep) {
    case (.done, .done): return
    case (.done, .wouldBlock(let needed)): try awaitReady((server.descriptor, needed))
    case (.wouldBlock(let needed), .done): try awaitReady((client.descriptor, needed))
    case (.wouldBlock(let near), .wouldBlock(let far)):
      try awaitReady((client.descriptor, near), (server.descriptor, far))
    case (.failed(let error), _), (_, .failed(let error)): throw error
    }
  }
  Issue.record("the handshake does not end")
}
