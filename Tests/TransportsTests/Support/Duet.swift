// Two channels that talk to each other over a wire, plain or with TLS, driven step by step by the
// test.
import Reactor
import Testing

@testable import Transports

/// The transports that the contract holds for.
enum TransportKind: CaseIterable, CustomTestStringConvertible {
  case plain, tls, detachedServer, detachedClient, detached, kernelServer, kernel, returned,
    kernelReturned

  var testDescription: String {
    switch self {
    case .plain: "plain"
    case .tls: "TLS"
    case .detachedServer: "TLS, the server detached"
    case .detachedClient: "TLS, the client detached"
    case .detached: "TLS, both detached"
    case .kernelServer: "TLS, the server's records in a kernel"
    case .kernel: "TLS, both ends' records in kernels"
    case .returned: "TLS, the client came back without OpenSSL at the server"
    case .kernelReturned: "TLS, the same with the server's records in a kernel"
    }
  }

  var detachesServer: Bool {
    switch self {
    case .plain, .tls, .detachedClient: false
    case .detachedServer, .detached, .kernelServer, .kernel, .returned, .kernelReturned: true
    }
  }

  /// Whether the client comes back with a reconnect identity, which the server answers by itself.
  var returns: Bool { self == .returned || self == .kernelReturned }

  var detachesClient: Bool { self == .detachedClient || self == .detached || self == .kernel }

  /// A kernel for each end that has its records in one.
  var kernels: (server: FakeKernel?, client: FakeKernel?) {
    switch self {
    case .kernelServer, .kernelReturned: (FakeKernel(), nil)
    case .kernel: (FakeKernel(), FakeKernel())
    case .plain, .tls, .detachedServer, .detachedClient, .detached, .returned: (nil, nil)
    }
  }
}

/// Both ends' tables; which are used depends on the kind.
struct DetachedTables {
  let server: DetachedTable
  let client: DetachedTable

  private let kernels: (server: KernelTLS?, client: KernelTLS?)

  init(heldBytesMax: Int = 1 << 20, kernels: (server: KernelTLS?, client: KernelTLS?)) throws {
    self.kernels = kernels
    server = try #require(
      DetachedTable(limit: 16, heldBytesMax: heldBytesMax, kernel: kernels.server))
    client = try #require(
      DetachedTable(limit: 16, heldBytesMax: heldBytesMax, kernel: kernels.client))
  }

  /// Detaches what the kind says, after the handshake.
  func detach(_ kind: TransportKind, client near: ByteChannel, server far: ByteChannel) {
    if kind.detachesServer { #expect(far.detach(into: server) == .detached) }
    if kind.detachesClient { #expect(near.detach(into: client) == .detached) }
    if kernels.server is FakeKernel { #expect(server.inKernel == 1) }
    if kernels.client is FakeKernel { #expect(client.inKernel == 1) }
  }

  /// What a kernel does by itself meanwhile.
  func work() {
    for kernel in [kernels.server, kernels.client] { (kernel as? FakeKernel)?.work() }
  }
}

/// What both ends of one connection are made with; it keeps their files.
final class TLSEnds {
  private let kind: TransportKind
  private let site: Site
  private let stage: DeskStage
  private var serverOptions: TLSOptions
  private var clientOptions: TLSOptions

  init(_ kind: TransportKind, server: TLSOptions, client: TLSOptions) throws {
    self.kind = kind
    site = Site()
    stage = try DeskStage()
    serverOptions = server
    serverOptions.detaches = kind.detachesServer
    clientOptions = client
    clientOptions.detaches = kind.detachesClient
  }

  func client(on socket: consuming Descriptor) throws -> Transport {
    if kind == .plain { return .plain(PlainTransport(socket)) }
    return .tls(
      try TLSTransport(
        socket, context: try site.clientContext(clientOptions), serverName: "mp.test",
        reconnect: kind.returns ? stage.desk.issue(for: stage.client()) : nil))
  }

  func server(on socket: consuming Descriptor, _ table: DetachedTable) throws -> Transport {
    if kind == .plain { return .plain(PlainTransport(socket)) }
    let context = try site.serverContext(serverOptions, reconnects: stage.desk)
    guard kind.returns, let rules = context.returns else {
      return .tls(try TLSTransport(socket, context: context))
    }
    return .returning(ReturningTransport(socket, context: context, rules, table))
  }
}

/// A client and a server, connected by a ``Wire``.
final class Duet {
  let wire: Wire
  let client: ByteChannel
  let server: ByteChannel
  let pool = BlockPool(limit: 4096)
  let now = Ticks(milliseconds: 1000)
  let tables: DetachedTables
  private let kind: TransportKind
  private let ends: TLSEnds
  private var buffer: ReceiveBuffer

  init(
    _ kind: TransportKind, outboundBytesMax: Int = 4 << 20, receiveBytes: Int = 65536,
    serverOptions: TLSOptions = TLSOptions(), clientOptions: TLSOptions = TLSOptions(),
    heldBytesMax: Int = 1 << 20, kernels: (server: KernelTLS?, client: KernelTLS?)? = nil
  ) throws {
    self.kind = kind
    tables = try DetachedTables(heldBytesMax: heldBytesMax, kernels: kernels ?? kind.kernels)
    let (wire, clientSocket, serverSocket) = Wire.make()
    self.wire = wire
    let clientEnd = Descriptor(owning: clientSocket)
    let serverEnd = Descriptor(owning: serverSocket)
    let ends = try TLSEnds(kind, server: serverOptions, client: clientOptions)
    self.ends = ends
    client = ByteChannel(
      try ends.client(on: clientEnd), token: Token(generation: 1, index: 1), pool: pool,
      outboundBytesMax: outboundBytesMax, now: now)
    server = ByteChannel(
      try ends.server(on: serverEnd, tables.server), token: Token(generation: 1, index: 2),
      pool: pool,
      outboundBytesMax: outboundBytesMax, now: now)
    buffer = ReceiveBuffer(capacity: receiveBytes)
  }

  /// Takes both handshakes to their end, carrying at most so many bytes at a time.
  func shakeHands(bytesAtATime: Int = .max) throws {
    var clientStep = HandshakeStep.wouldBlock(.readable)
    var serverStep = clientStep
    for _ in 0..<100_000 {
      clientStep = client.handshake()
      serverStep = server.handshake()
      if clientStep == .done && serverStep == .done {
        // In pieces the hello is OpenSSL's to read.
        if bytesAtATime == .max { #expect(server.isDetached == kind.returns) }
        tables.detach(kind, client: client, server: server)
        return
      }
      if case .failed(let error) = clientStep { throw error }
      if case .failed(let error) = serverStep { throw error }
      wire.carry(.toServer, atMost: bytesAtATime)
      wire.carry(.toClient, atMost: bytesAtATime)
    }
    Issue.record("the handshake does not end: client \(clientStep), server \(serverStep)")
  }

  /// Sends all of the bytes from one channel to the other and returns what arrived, in pieces.
  func send(
    _ bytes: [UInt8], from sender: ByteChannel, bytesAtATime: Int = .max
  ) -> [UInt8] {
    #expect(sender.enqueue(bytes.span, now: now) == .stored)
    let receiver = sender === client ? server : client
    let way: Wire.Way = sender === client ? .toServer : .toClient
    var arrived: [UInt8] = []
    for _ in 0..<1_000_000 where arrived.count < bytes.count {
      if case .failed(let error) = sender.flush(now: now) {
        Issue.record("flush: \(error)")
        return arrived
      }
      wire.carry(way, atMost: bytesAtATime)
      guard case .progressed = receive(on: receiver, appendingTo: &arrived) else { continue }
    }
    return arrived
  }

  /// Receives once.
  @discardableResult
  func receive(on channel: ByteChannel, appendingTo arrived: inout [UInt8]) -> IOStep {
    tables.work()
    let step = channel.receive(into: &buffer)
    buffer.withBytes { bytes in
      for index in 0..<bytes.count { arrived.append(bytes[index]) }
    }
    return step
  }

  /// Receives once and expects no bytes.
  func receive(on channel: ByteChannel) -> IOStep {
    var arrived: [UInt8] = []
    return receive(on: channel, appendingTo: &arrived)
  }
}

/// Bytes that differ at every place where a mistake would shift them.
func pattern(_ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}
