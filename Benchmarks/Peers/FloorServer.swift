// The bare floor: the least that a server on our reactor and OpenSSL can be. It accepts, shakes
// hands, echoes keep-alives, sends each push to all others and passes acks on to the last
// publisher. No identity, no limits, no deadline, no application: what any of those costs shows
// against it.
import Reactor
import Transports

/// How the floor is set up.
public struct FloorPlan: Sendable {
  /// Where it listens.
  public var address = "127.0.0.1:0"
  /// Whether it speaks without TLS; all that follows is then of no meaning.
  public var isPlain = false
  /// Tickets that it gives out after a full handshake.
  public var tickets = 0
  /// Whether connections go on without OpenSSL's object after the handshake.
  public var detaches = false
  /// Its certificate.
  public var certificateFile = ""
  /// The certificate's key.
  public var keyFile = ""
  /// The authority of its clients.
  public var authorityFile = ""

  /// Makes the defaults.
  public init() {}
}

/// The bare floor; belongs to the thread that runs it.
public final class FloorServer {
  private final class Connection {
    let token: Token
    /// Until the handshake is done; the channel takes it over.
    var transport: Transport?
    var channel: ByteChannel?
    var partial: [UInt8] = []

    init(_ token: Token, _ transport: consuming Transport) {
      self.token = token
      self.transport = consume transport
    }
  }

  private let loop: Loop
  private let listener: Listener
  /// Nil without TLS.
  private let context: TLSContext?
  private let detached: DetachedTable?
  private let pool = BlockPool(limit: 100_000)
  private var buffer = ReceiveBuffer()
  private var connections = SlotTable<Connection>(limit: 1 << 20)
  private var leftovers: [Token] = []
  private var publisher: Token?
  private var acks: [UInt8] = []

  /// Where it listens.
  public var address: String { listener.boundAddress.description }

  /// Listens.
  public init(_ plan: FloorPlan) throws(PeerLabError) {
    guard let address = SocketAddress(plan.address) else {
      throw PeerLabError("\(plan.address) is no address with a port")
    }
    do {
      _ = try ProcessLimits.raiseOpenFiles()
      var options = TLSOptions()
      // OpenSSL as every other server has it.
      options.algorithms = .all
      options.detaches = plan.detaches
      detached = plan.detaches ? DetachedTable(limit: 1 << 20) : nil
      if plan.tickets > 0 {
        options.ticketKeys = try .fresh(now: WallClock.nowMilliseconds() / 1_000)
        options.ticketsPerHandshake = plan.tickets
      }
      context =
        plan.isPlain
        ? nil
        : try TLSContext(
          role: .server, certificateChainFile: plan.certificateFile, privateKeyFile: plan.keyFile,
          caFile: plan.authorityFile, options: options)
      loop = try Loop()
      listener = try Listener(address, backlog: 65_535)
      try loop.poller.add(listener.fd, .listener, .readable)
    } catch {
      throw PeerLabError("\(error)")
    }
  }

  /// Serves until the process is ended.
  public func run() throws(PeerLabError) {
    do throws(Errno) {
      while true { try turn() }
    } catch {
      throw PeerLabError("\(error)")
    }
  }

  private func turn() throws(Errno) {
    let ready = try loop.wait(maySleep: leftovers.isEmpty)
    var waiting: [Token] = []
    swap(&waiting, &leftovers)
    for token in waiting {
      if let connection = connections.peek(token) { receive(connection) }
    }
    for index in 0..<ready {
      let (token, readiness) = loop.ready[index]
      if token == .listener {
        accept()
      } else if let connection = connections.peek(token) {
        serve(connection, readiness)
      }
    }
    passAcksOn()
  }

  private func accept() {
    for _ in 0..<64 {
      guard case .accepted(let socket, _) = listener.accept() else { return }
      try? StreamSocket.setNoDelay(socket.raw)
      let raw = socket.raw
      guard let token = connections.nextToken else { continue }
      if let context {
        guard let tls = try? TLSTransport(socket, context: context) else { continue }
        guard connections.insert(Connection(token, .tls(tls))) == token else { continue }
        try? loop.poller.add(raw, token, .readable)
      } else {
        let connection = Connection(token, .plain(PlainTransport(socket)))
        guard connections.insert(connection) == token else { continue }
        try? loop.poller.add(raw, token, .readable)
        shakeHands(connection)
      }
    }
  }

  private func serve(_ connection: Connection, _ readiness: Readiness) {
    if connection.channel == nil { return shakeHands(connection) }
    guard let channel = connection.channel else { return }
    if channel.mayFlush(on: readiness) { flush(connection) }
    if channel.mayReceive(on: readiness) { receive(connection) }
  }

  private func shakeHands(_ connection: Connection) {
    guard var transport = connection.transport.take() else { return }
    let step = transport.handshake()
    switch step {
    case .wouldBlock:
      connection.transport = consume transport
    case .failed:
      connections.remove(connection.token)
    case .done:
      let raw = transport.descriptor
      let channel = ByteChannel(
        transport, token: connection.token, pool: pool, outboundBytesMax: 16 << 20, now: loop.now)
      connection.channel = channel
      try? loop.poller.remove(raw)
      detach(channel)
      try? channel.settle(loop.poller)
      if channel.hasLeftovers { leftovers.append(connection.token) }
    }
  }

  /// Frees OpenSSL's object, as soon as nothing lies in it any more.
  private func detach(_ channel: ByteChannel) {
    guard let detached, !channel.isDetached else { return }
    _ = channel.detach(into: detached)
  }

  private func receive(_ connection: Connection) {
    guard let channel = connection.channel else { return }
    switch channel.receive(into: &buffer) {
    case .wouldBlock: break
    case .ended, .failed: return close(connection)
    case .progressed:
      var arrived = connection.partial
      buffer.withBytes { bytes in
        for index in bytes.indices { arrived.append(bytes[index]) }
      }
      guard let taken = take(arrived, on: connection) else { return close(connection) }
      connection.partial = taken == arrived.count ? [] : Array(arrived[taken...])
    }
    guard connections.peek(connection.token) != nil else { return }
    detach(channel)
    if channel.hasLeftovers { leftovers.append(connection.token) }
    try? channel.settle(loop.poller)
  }

  /// Acts on whole frames and says how many bytes they had; nil for what is no frame.
  private func take(_ bytes: [UInt8], on connection: Connection) -> Int? {
    var place = 0
    while place < bytes.count {
      guard let head = FloorFrame.head(in: bytes.span.extracting(place..<bytes.count)) else {
        return nil
      }
      guard let count = head.bytes else { return place }
      let frame = Array(bytes[place..<place + count])
      switch head.kind {
      case .keepAlive: send(frame, on: connection)
      case .push:
        publisher = connection.token
        connections.forEach { token, other in
          if token != connection.token { send(frame, on: other) }
        }
      case .ack: acks += frame
      }
      place += count
    }
    return place
  }

  private func passAcksOn() {
    guard !acks.isEmpty else { return }
    if let publisher, let connection = connections.peek(publisher) { send(acks, on: connection) }
    acks.removeAll(keepingCapacity: true)
  }

  private func send(_ bytes: [UInt8], on connection: Connection) {
    guard let channel = connection.channel else { return }
    guard channel.enqueue(bytes.span, now: loop.now) == .stored else { return close(connection) }
    flush(connection)
  }

  private func flush(_ connection: Connection) {
    guard let channel = connection.channel else { return }
    if case .failed = channel.flush(now: loop.now) { return close(connection) }
    try? channel.settle(loop.poller)
  }

  private func close(_ connection: Connection) {
    guard connections.remove(connection.token) != nil else { return }
    connection.channel?.close(sendCloseNotify: false)
  }
}

@available(*, unavailable)
extension FloorServer: Sendable {}
