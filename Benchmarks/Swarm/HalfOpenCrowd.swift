// Connections that stop half way, as a hostile or broken peer makes them: a third opens TCP and says
// nothing, a third sends the beginning of a handshake, a third finishes the handshake and never
// signs in. The crowd stands on a thread of its own; what the server ends is opened anew.

import BGBAgent
import BGBModel
import Reactor
import Synchronization
import Transports

/// A crowd of half-open connections.
final class HalfOpenCrowd: Sendable {
  private let orders: Mailbox<Int>
  private let standing = Atomic<Int>(0)
  private let ended = Atomic<Int>(0)

  /// Starts the thread; nothing is opened yet.
  init(points: [SocketAddress], first: Int, clients: Int, fleet: AgentFleet) throws(Errno) {
    let orders = try Mailbox<Int>()
    self.orders = orders
    _ = try KernelThread.start(name: "half-open") { [self] in
      guard
        let work = try? HalfOpenLoop(points, first: first, clients: clients, fleet: fleet, orders)
      else { return }
      work.run { open, over in
        standing.store(open, ordering: .relaxed)
        ended.store(over, ordering: .relaxed)
      }
    }
  }

  /// Keeps so many open from now on.
  func hold(_ count: Int) { orders.post(count) }

  /// How many stand, and how many the server has ended.
  var counts: (standing: Int, ended: Int) {
    (standing.load(ordering: .relaxed), ended.load(ordering: .relaxed))
  }
}

/// The thread of a crowd.
private final class HalfOpenLoop {
  private enum Kind { case silent, halfHello, unsigned }

  private final class Peer {
    let channel: ByteChannel
    let kind: Kind
    init(_ channel: ByteChannel, _ kind: Kind) {
      self.channel = channel
      self.kind = kind
    }
  }

  /// The first bytes of a ClientHello that never goes on: a record of 512 bytes is announced.
  private static let halfHello: [UInt8] = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]

  private let points: [SocketAddress]
  private let first: Int
  private let clients: Int
  private let fleet: AgentFleet
  private let orders: Mailbox<Int>
  private let loop: Loop
  private let pool: BlockPool
  private let context: TLSContext
  private var peers = SlotTable<Peer>(limit: 1 << 20)
  private var buffer = ReceiveBuffer(capacity: 16_384)
  private var wanted = 0
  private var made = 0
  private var ended = 0

  init(
    _ points: [SocketAddress], first: Int, clients: Int, fleet: AgentFleet, _ orders: Mailbox<Int>
  ) throws {
    guard !points.isEmpty else { throw SwarmError(description: "no numeric management point") }
    self.points = points
    self.first = first
    self.clients = clients
    self.fleet = fleet
    self.orders = orders
    loop = try Loop()
    pool = BlockPool(limit: 65_536)
    context = try TLSContext(
      role: .client, certificateChainFile: nil, privateKeyFile: nil, caFile: fleet.authorityFile)
    try loop.poller.add(orders.bell.fd, .bell, .readable)
  }

  func run(_ tell: (_ open: Int, _ ended: Int) -> Void) {
    var letters: [Int] = []
    while true {
      guard let ready = try? loop.wait(maySleep: true) else { return }
      letters.removeAll(keepingCapacity: true)
      if orders.takeAll(into: &letters) > 0 { wanted = letters.last ?? wanted }
      for index in 0..<ready { serve(loop.ready[index].token, loop.ready[index].readiness) }
      for _ in 0..<loop.gatherExpired() { _ = loop.popExpired() }
      fill()
      tell(peers.count, ended)
    }
  }

  /// Opens some of what is missing, in a pace that a whole crowd of real peers would have.
  private func fill() {
    if peers.count > wanted { shrink() }
    var steps = 0
    while peers.count < wanted, steps < 50 {
      steps += 1
      open()
    }
    if peers.count < wanted { _ = loop.arm(afterMilliseconds: 20, payload: 0) }
  }

  private func shrink() {
    var extra: [Token] = []
    peers.forEach { token, _ in if extra.count < peers.count - wanted { extra.append(token) } }
    for token in extra { peers.remove(token)?.channel.close(sendCloseNotify: false) }
  }

  private func open() {
    let number = made
    made += 1
    let kind: Kind = [.silent, .halfHello, .unsigned][number % 3]
    // Addresses above those of the sessions: 127.224.0.0 and up.
    let local = SocketAddress.ipv4(
      0x7FE0_0000 &+ UInt32(truncatingIfNeeded: (first &+ number) & 0xF_FFFF), port: 0)
    guard
      let socket = try? StreamSocket.connect(to: points[number % points.count], from: local),
      let transport = transport(socket, kind, number)
    else { return }
    add(transport, kind)
  }

  private func transport(
    _ socket: consuming Descriptor, _ kind: Kind, _ number: Int
  ) -> Transport? {
    guard kind == .unsigned else { return .plain(PlainTransport(socket)) }
    guard let bytes = fleet.credentials(UInt32(clamping: first + number % max(1, clients))),
      let credentials = try? TLSCredentials(certificate: bytes.certificate, privateKey: bytes.key),
      let tls = try? TLSTransport(socket, context: context, credentials: credentials)
    else { return nil }
    return .tls(tls)
  }

  private func add(_ transport: consuming Transport, _ kind: Kind) {
    // The token is part of the channel, so its slot is taken first by a channel that is nothing.
    let place = Peer(
      ByteChannel(
        .closed, token: Token(generation: 0, index: 0), pool: pool, outboundBytesMax: 1,
        now: loop.now), kind)
    guard let token = peers.insert(place) else { return }
    let channel = ByteChannel(
      transport, token: token, pool: pool, outboundBytesMax: 4_096, now: loop.now)
    let peer = Peer(channel, kind)
    peers.update(token) { $0 = peer }
    if kind == .halfHello { _ = channel.enqueue(HalfOpenLoop.halfHello.span, now: loop.now) }
    step(peer, token)
  }

  private func serve(_ token: Token, _ readiness: Readiness) {
    guard token != .bell, let peer = peers[token] else { return }
    if peer.channel.mayReceive(on: readiness) {
      if peer.channel.isShakingHands { return step(peer, token) }
      switch peer.channel.receive(into: &buffer) {
      case .progressed, .wouldBlock: break
      case .ended, .failed: return over(token)
      }
    }
    step(peer, token)
  }

  private func step(_ peer: Peer, _ token: Token) {
    if peer.kind == .unsigned, peer.channel.isShakingHands {
      if case .failed = peer.channel.handshake() { return over(token) }
    } else if case .failed = peer.channel.flush(now: loop.now) {
      // A socket that is not connected yet says so by EAGAIN, so this is an end.
      return over(token)
    }
    do throws(Errno) {
      try peer.channel.settle(loop.poller)
    } catch {
      over(token)
    }
  }

  private func over(_ token: Token) {
    peers.remove(token)?.channel.close(sendCloseNotify: false)
    ended += 1
  }
}
