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
  let tables: DetachedTables
  private let ends: TLSEnds

  init(
    _ kind: TransportKind, kernels: (server: KernelTLS?, client: KernelTLS?)? = nil,
    suites: String? = nil
  ) throws {
    tables = try DetachedTables(kernels: kernels ?? kind.kernels)
    let (nearNumber, farNumber) = try tcpPair()
    let near = Descriptor(owning: nearNumber)
    let far = Descriptor(owning: farNumber)
    var options = TLSOptions()
    if let suites { options.cipherSuites = suites }
    ends = try TLSEnds(kind, server: options, client: options)
    client = channel(try ends.client(on: near), pool)
    server = channel(try ends.server(on: far, tables.server), pool)
    try connect(client, server)
    tables.detach(kind, client: client, server: server)
  }

  /// Sends bytes over the loopback and expects them at the other end.
  func carry(
    _ bytes: [UInt8], from sender: ByteChannel, to receiver: ByteChannel
  ) throws(TransportError) {
    #expect(sender.enqueue(bytes.span, now: .zero) == .stored)
    var buffer = ReceiveBuffer(capacity: 20_000)
    var arrived: [UInt8] = []
    while arrived.count < bytes.count {
      if case .failed(let error) = sender.flush(now: .zero) { throw error }
      tables.work()
      switch receiver.receive(into: &buffer) {
      case .progressed: arrived += buffer.slice
      case .wouldBlock:
        guard (try? awaitReady((receiver.descriptor, .readable))) != nil else { return }
      case .ended: break
      case .failed(let error): throw error
      }
    }
    #expect(arrived == bytes)
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
