// A notification server that does what the test says: it accepts, shakes hands, notes every message
// and sends what it is told. It is turned by the test, on the test's thread, like the agent's loop.

import BGBModel
import BGBWire
import Reactor
import Transports

@testable import BGBAgent

final class FakeServer {
  private let listener: Listener
  private let context: TLSContext
  /// Takes reconnect identities, and gives them out if it is told to.
  private(set) var desk: ReconnectDesk?
  var givesIdentities = false
  /// How each handshake was proved.
  private(set) var proofs: [PeerProof] = []
  private let pool = BlockPool(limit: 4_096)
  private var buffer = ReceiveBuffer()
  private(set) var channel: ByteChannel?
  private var isOpen = false
  private var reader = FrameReader()
  /// How many connections were accepted.
  private(set) var accepted = 0
  /// Whether the last handshake was a resumed one.
  private(set) var wasResumed = false
  /// Every message that came, over all connections.
  private(set) var messages: [Message] = []
  /// What answers a sign-in; nil leaves it unanswered.
  var answer: ((SignIn) -> Message?)?

  var address: String { listener.boundAddress.description }

  init(_ site: TestSite, name: String = "mp1", asClient: ClientID? = nil, tickets: Int = 1) throws {
    listener = try Listener(.loopback(port: 0))
    let files = try asClient.map { try site.client($0) } ?? site.server(name)
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: 1)
    options.ticketsPerHandshake = tickets
    let now = site.now.milliseconds / 1_000
    let desk = ReconnectDesk(
      keys: try ReconnectKeys.fresh(now: now),
      rules: ReconnectRules(lifeSeconds: 86_400, proofSeconds: 604_800), audience: "S01",
      wall: { now })
    self.desk = desk
    context = try TLSContext(
      role: .server, certificateChainFile: files.certificate, privateKeyFile: files.key,
      caFile: site.authorityFile, options: options, reconnects: desk)
  }

  /// Does what can be done without waiting.
  func turn() {
    if case .accepted(let socket, _) = listener.accept() {
      accepted += 1
      isOpen = false
      reader = FrameReader()
      guard let tls = try? TLSTransport(socket, context: context) else { return }
      channel = ByteChannel(
        .tls(tls), token: Token(generation: 1, index: 1), pool: pool,
        outboundBytesMax: 1 << 20, now: .zero)
    }
    guard let channel else { return }
    if !isOpen {
      switch channel.handshake() {
      case .done:
        isOpen = true
        wasResumed = channel.resumed
        if let proof = channel.readProof() { proofs.append(proof) }
      case .wouldBlock: return
      case .failed: return hangUp()
      }
    }
    while case .progressed = channel.receive(into: &buffer) {
      buffer.withBytes { reader.append($0) }
      while let message = (try? reader.next()) ?? nil {
        messages.append(message)
        if case .signIn(let signIn) = message, let reply = answer?(signIn) {
          send(reply)
          if givesIdentities && signIn.takesReconnect { giveIdentity(to: signIn.clientID) }
        }
      }
    }
    _ = channel.flush(now: .zero)
  }

  func send(_ message: Message) {
    let frame = MessageCodec.encode(message)
    _ = channel?.enqueue(frame.span, now: .zero)
    _ = channel?.flush(now: .zero)
  }

  private func giveIdentity(to client: ClientID) {
    guard let desk else { return }
    let proven = ProvenClient(
      subject: UInt128(client.bits.high) << 64 | UInt128(client.bits.low), notAfter: .max,
      shownAt: desk.now)
    guard let grant = desk.issue(for: proven) else { return }
    send(
      .reconnectIdentity(
        ReconnectIdentity(
          identity: grant.identity, key: grant.key, lifeSeconds: grant.lifeSeconds)))
  }

  /// Whether the last handshake was one with an identity.
  var lastProofIsIdentity: Bool {
    if case .reconnect(_?) = proofs.last { true } else { false }
  }

  func sendRaw(_ bytes: [UInt8]) {
    _ = channel?.enqueue(bytes.span, now: .zero)
    _ = channel?.flush(now: .zero)
  }

  /// Closes as a crash would.
  func hangUp() {
    channel?.close(sendCloseNotify: false)
    channel = nil
    isOpen = false
  }

  /// The messages of one kind, in order.
  var acks: [TaskAck] {
    messages.compactMap { if case .taskAck(let ack) = $0 { ack } else { nil } }
  }
  var outcomes: [OutcomeReport] {
    messages.compactMap { if case .taskOutcome(let report) = $0 { report } else { nil } }
  }
  var signIns: [SignIn] {
    messages.compactMap { if case .signIn(let one) = $0 { one } else { nil } }
  }
  var liveData: [LiveData] {
    messages.compactMap { if case .liveData(let data) = $0 { data } else { nil } }
  }
}

func welcome(
  keepAliveSeconds: UInt32 = 900, crashWindowSeconds: UInt32 = 60,
  serverTime: WallTime = WallTime(milliseconds: 1_000_000), policyURL: String = ""
) -> Welcome {
  Welcome(
    version: 1, serverID: ServerID(1), session: 77, serverTime: serverTime,
    keepAliveSeconds: keepAliveSeconds, crashWindowSeconds: crashWindowSeconds,
    policyURL: policyURL)
}
