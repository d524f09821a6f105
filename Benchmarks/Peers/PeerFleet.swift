// All clients of one peer on one loop. The fleet does what it is told and notes what happens: the
// laboratory above it starts clients, turns the loop until a condition holds, and reads the notes.
import Reactor
import Transports

/// What a fleet connects to, and how.
struct PeerTarget {
  var dialect: PeerDialect
  var address: SocketAddress
  /// Clients at most, the publisher among them.
  var clientsMax: Int
  /// Whether there is no TLS.
  var isPlain = false
  /// Bytes of a push and of an ack.
  var pushBytes = 200
  var ackBytes = 100
  /// How long one attempt may take, from connecting to the end of the login.
  var attemptSeconds: UInt64 = 60
}

/// Many clients of one server; belongs to the thread that made it.
final class PeerFleet {
  let target: PeerTarget
  let loop: Loop
  private let context: TLSContext
  private let pool = BlockPool(limit: 100_000)
  private var buffer = ReceiveBuffer()
  private var connections: SlotTable<PeerConnection>
  private var tokens: [Token?]
  private var leftovers: [Token] = []
  private var lookedForTimeouts: UInt64 = 0

  /// The session that each client was given last, to offer the next time.
  private var sessions: [[UInt8]?]
  /// Whether kept sessions are offered.
  var offersSessions = false
  /// Attempts that have neither succeeded nor failed yet.
  private(set) var underWay = 0
  /// Clients that are logged in.
  private(set) var readyCount = 0
  /// Logins that resumed a session.
  private(set) var resumedCount = 0
  /// Clients whose attempt failed or whose connection was lost, since this was emptied last.
  var lost: [Int] = []
  /// Why, by kind.
  var failures: [String: Int] = [:]
  /// When each client was logged in last, in nanoseconds.
  private(set) var readyAt: [UInt64]
  /// Answered keep-alives of clients that were logged in.
  private(set) var keepAlivesAnswered = 0
  /// Clients that got a keep-alive's answer, since this was emptied last.
  var answered: [Int] = []
  /// The push that is under way.
  var fanOut: FanOut?

  /// One publish to all and what came of it.
  struct FanOut {
    let number: UInt64
    let publishedAt: UInt64
    /// What each of them answers; nothing if empty.
    let ack: [UInt8]
    /// Microseconds from publishing to each receipt.
    var latencies: [UInt32] = []
    var acks = 0
  }

  init(_ target: PeerTarget, context: TLSContext) throws(Errno) {
    self.target = target
    self.context = context
    loop = try Loop(sleepMaximumMilliseconds: 20)
    connections = SlotTable(limit: target.clientsMax, reserving: target.clientsMax)
    tokens = Array(repeating: nil, count: target.clientsMax)
    sessions = Array(repeating: nil, count: target.clientsMax)
    readyAt = Array(repeating: 0, count: target.clientsMax)
  }

  /// The client that publishes and is acknowledged to.
  var publisher: Int { target.clientsMax - 1 }

  // MARK: What the laboratory asks for

  /// Begins to connect a client.
  func start(_ number: Int) {
    guard tokens[number] == nil else { return }
    // One address for each thousand clients, so that ephemeral ports do not run out.
    let local = SocketAddress.ipv4(0x7F01_0001 &+ UInt32(number / 1_000), port: 0)
    do throws(Errno) {
      let socket = try StreamSocket.connect(to: target.address, from: local)
      try? StreamSocket.setNoDelay(socket.raw)
      // As agents do.
      try? StreamSocket.setCongestionControl(socket.raw, "reno")
      guard let token = connections.nextToken else { return }
      let raw = socket.raw
      let connection = PeerConnection(
        number: number, token: token, socket: socket,
        startedAt: MonotonicClock.nanoseconds())
      guard connections.insert(connection) == token else { return }
      tokens[number] = token
      underWay += 1
      try loop.poller.add(raw, token, .writable)
    } catch {
      fail(number, "connect: \(Self.kind(error))")
    }
  }

  /// Drops a client's connection without a word.
  func drop(_ number: Int) {
    guard let token = tokens[number], let connection = connections.remove(token) else { return }
    tokens[number] = nil
    if connection.phase == .ready { readyCount -= 1 } else { underWay -= 1 }
    connection.drop()
  }

  /// Sends bytes on a client's connection.
  func send(_ bytes: [UInt8], from number: Int) {
    guard let token = tokens[number], let connection = connections.peek(token) else { return }
    send(bytes, on: connection)
  }

  func isReady(_ number: Int) -> Bool {
    tokens[number].flatMap { connections.peek($0) }?.phase == .ready
  }

  func forgetSessions() { sessions = Array(repeating: nil, count: sessions.count) }

  func forgetResumed() { resumedCount = 0 }

  /// One turn of the loop; returns after 20 ms at the latest.
  func turn() throws(Errno) {
    let ready = try loop.wait(maySleep: leftovers.isEmpty)
    var waiting: [Token] = []
    swap(&waiting, &leftovers)
    for token in waiting {
      if let connection = connections.peek(token) { receive(connection) }
    }
    for index in 0..<ready {
      let (token, readiness) = loop.ready[index]
      if let connection = connections.peek(token) { serve(connection, readiness) }
    }
    let now = MonotonicClock.nanoseconds()
    if underWay > 0 && now - lookedForTimeouts > 1_000_000_000 {
      lookedForTimeouts = now
      endLateAttempts(now)
    }
  }

  // MARK: One connection

  private func serve(_ connection: PeerConnection, _ readiness: Readiness) {
    switch connection.phase {
    case .connecting: finishConnect(connection)
    case .greeting: readGreeting(connection)
    case .handshaking: shakeHands(connection)
    case .login, .ready:
      guard let channel = connection.channel else { return }
      if channel.mayFlush(on: readiness) { flush(connection) }
      if channel.mayReceive(on: readiness) { receive(connection) }
    }
  }

  private func finishConnect(_ connection: PeerConnection) {
    guard let raw = connection.socket?.raw else { return }
    do throws(Errno) {
      try StreamSocket.finishConnect(raw)
      if target.dialect.greetsInClear {
        connection.phase = .greeting
        try loop.poller.modify(raw, connection.token, .readable)
      } else {
        try loop.poller.remove(raw)
        if target.isPlain { beginPlain(connection) } else { beginTLS(connection) }
      }
    } catch {
      end(connection, "connect: \(Self.kind(error))")
    }
  }

  private func readGreeting(_ connection: PeerConnection) {
    guard let raw = connection.socket?.raw else { return }
    var room = [UInt8](repeating: 0, count: 4_096)
    switch StreamSocket.read(raw, into: &room) {
    case .moved(let count): connection.partial += room[..<count]
    case .wouldBlock: return
    case .ended: return end(connection, "greeting: closed")
    case .failed(let error): return end(connection, "greeting: \(Self.kind(error))")
    }
    switch target.dialect.next(in: connection.partial.span) {
    case .needsMore: return
    case .event(.greeted, let bytes) where bytes == connection.partial.count:
      connection.partial = []
      do throws(Errno) {
        try loop.poller.remove(raw)
        beginTLS(connection)
      } catch {
        end(connection, "greeting: \(Self.kind(error))")
      }
    case .event, .malformed: end(connection, "greeting: malformed")
    }
  }

  private func beginPlain(_ connection: PeerConnection) {
    guard let socket = connection.socket.take() else { return }
    connection.channel = ByteChannel(
      .plain(PlainTransport(socket)), token: connection.token, pool: pool,
      outboundBytesMax: 1 << 20, now: loop.now)
    logIn(connection)
  }

  private func beginTLS(_ connection: PeerConnection) {
    guard let socket = connection.socket.take() else { return }
    connection.phase = .handshaking
    do throws(TransportError) {
      let tls = try TLSTransport(
        socket, context: context, session: offersSessions ? sessions[connection.number] : nil)
      connection.channel = ByteChannel(
        .tls(tls), token: connection.token, pool: pool, outboundBytesMax: 1 << 20, now: loop.now)
      shakeHands(connection)
    } catch {
      end(connection, "handshake: \(error.kind)")
    }
  }

  private func shakeHands(_ connection: PeerConnection) {
    guard let channel = connection.channel else { return }
    switch channel.handshake() {
    case .wouldBlock: settle(connection)
    case .failed(let error): end(connection, "handshake: \(error.kind)")
    case .done:
      channel.forgetPeer()
      logIn(connection)
      if channel.hasLeftovers { leftovers.append(connection.token) }
    }
  }

  private func logIn(_ connection: PeerConnection) {
    connection.phase = .login
    send(
      target.dialect.hello(
        number: connection.number, listeningTo: connection.number == publisher ? .ack : .push),
      on: connection)
  }

  private func send(_ bytes: [UInt8], on connection: PeerConnection) {
    guard let channel = connection.channel else { return }
    guard channel.enqueue(bytes.span, now: loop.now) == .stored else {
      return end(connection, "sending: the queue is full")
    }
    flush(connection)
  }

  private func flush(_ connection: PeerConnection) {
    guard let channel = connection.channel else { return }
    switch channel.flush(now: loop.now) {
    case .progressed, .wouldBlock: settle(connection)
    case .ended: end(connection, "sending: closed")
    case .failed(let error): end(connection, "sending: \(error.kind)")
    }
  }

  private func settle(_ connection: PeerConnection) {
    do throws(Errno) {
      try connection.channel?.settle(loop.poller)
    } catch {
      end(connection, "epoll: \(Self.kind(error))")
    }
  }

  private func receive(_ connection: PeerConnection) {
    guard let channel = connection.channel else { return }
    let step = channel.receive(into: &buffer)
    if let session = channel.takeNewSession() { sessions[connection.number] = session }
    switch step {
    case .wouldBlock: break
    case .ended: return end(connection, "closed by the server")
    case .failed(let error): return end(connection, "receiving: \(error.kind)")
    case .progressed:
      guard takeReceived(connection) else { return end(connection, "malformed bytes") }
    }
    guard connections.peek(connection.token) != nil else { return }
    if channel.hasLeftovers { leftovers.append(connection.token) }
    settle(connection)
  }

  /// Reads what arrived; false for what is not the dialect.
  private func takeReceived(_ connection: PeerConnection) -> Bool {
    var arrived: [UInt8] = []
    buffer.withBytes { bytes in
      arrived.reserveCapacity(connection.partial.count + bytes.count)
      arrived += connection.partial
      for index in bytes.indices { arrived.append(bytes[index]) }
    }
    connection.partial = []
    var place = 0
    while place < arrived.count {
      switch target.dialect.next(in: arrived.span.extracting(place..<arrived.count)) {
      case .needsMore:
        connection.partial = Array(arrived[place...])
        return connection.partial.count <= 1 << 20
      case .malformed: return false
      case .event(let event, let bytes):
        place += bytes
        note(event, on: connection)
      }
      guard connections.peek(connection.token) != nil else { return true }
    }
    return true
  }

  private func note(_ event: PeerEvent, on connection: PeerConnection) {
    switch event {
    case .subscribed, .keepAliveAnswered:
      if connection.phase == .login { return becomeReady(connection) }
      keepAlivesAnswered += 1
      answered.append(connection.number)
    case .keepAliveAsked: send(target.dialect.keepAliveAnswer, on: connection)
    case .delivered(.push, let number):
      guard var current = fanOut, current.number == number else { return }
      fanOut = nil
      let microseconds = (MonotonicClock.nanoseconds() - current.publishedAt) / 1_000
      current.latencies.append(UInt32(clamping: microseconds))
      fanOut = current
      if !current.ack.isEmpty { send(current.ack, on: connection) }
    case .delivered(.ack, let number):
      if fanOut?.number == number { fanOut?.acks += 1 }
    case .refused(let why): end(connection, "refused: \(why)")
    case .greeted, .ignored: return
    }
  }

  private func becomeReady(_ connection: PeerConnection) {
    connection.phase = .ready
    underWay -= 1
    readyCount += 1
    if connection.channel?.resumed == true { resumedCount += 1 }
    readyAt[connection.number] = MonotonicClock.nanoseconds()
  }

  // MARK: Ends

  private func end(_ connection: PeerConnection, _ why: String) {
    guard connections.remove(connection.token) != nil else { return }
    tokens[connection.number] = nil
    if connection.phase == .ready { readyCount -= 1 } else { underWay -= 1 }
    fail(connection.number, why)
    connection.drop()
  }

  private func fail(_ number: Int, _ why: String) {
    lost.append(number)
    failures[why, default: 0] += 1
  }

  private func endLateAttempts(_ now: UInt64) {
    var late: [PeerConnection] = []
    connections.forEach { _, connection in
      let age = now &- connection.startedAt
      if connection.phase != .ready && age > target.attemptSeconds * 1_000_000_000 {
        late.append(connection)
      }
    }
    for connection in late { end(connection, "timeout while \(connection.phase)") }
  }

  private static func kind(_ error: Errno) -> String {
    switch error {
    case .connectionRefused: "refused"
    case .connectionReset: "reset"
    case .timedOut: "timed out"
    case .addressNotAvailable: "no local port"
    case .processFilesExhausted: "no descriptor"
    default: "errno \(error.rawValue)"
    }
  }
}

@available(*, unavailable)
extension PeerFleet: Sendable {}
