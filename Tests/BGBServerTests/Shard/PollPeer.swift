// The other end of the HTTPS listener: sends requests as the test says, notes each answer, and
// keeps the two streams' places like an agent, unless the test wants otherwise.

import BGBModel
import BGBWire
import Reactor
import Testing
import Transports

@testable import BGBServer

/// One HTTPS connection of a client.
final class PollPeer {
  let clientID: ClientID
  private let channel: ByteChannel
  private let pool = BlockPool(blockSize: 4096, limit: 1_024)
  private var buffer = ReceiveBuffer()
  private var reader = HTTPAnswerReader(limits: PollPeer.limits)
  /// While false, nothing is read from the socket.
  var reads = true
  private var isSecure = false
  private var waiting: [UInt8] = []
  private(set) var answers: [HTTPAnswer] = []
  private(set) var isClosed = false

  /// Policies may be long.
  private static let limits: HTTPLimits = {
    var limits = HTTPLimits()
    limits.bodyBytesMax = 1 << 20
    return limits
  }()

  init(_ harness: ShardHarness, _ clientID: ClientID, context: TLSContext? = nil) throws {
    self.clientID = clientID
    let listener = try #require(harness.shard.listeners.first { $0.role == .https }).listener
    let socket = try StreamSocket.connect(to: listener.boundAddress)
    // Or the kernel keeps a small request back until the last one is acknowledged.
    try StreamSocket.setNoDelay(socket.raw)
    let context = try context ?? harness.site.clientContext(clientID)
    channel = ByteChannel(
      .tls(try TLSTransport(socket, context: context, serverName: "localhost")),
      token: Token(generation: 1, index: 0), pool: pool, outboundBytesMax: 1 << 21, now: .zero)
  }

  func send(_ bytes: [UInt8]) { waiting += bytes }

  func post(_ path: String, _ lines: [String] = [], body: [UInt8] = []) {
    var head = "POST \(path) HTTP/1.1\r\nHost: mp\r\nContent-Length: \(body.count)\r\n"
    for line in lines { head += line + "\r\n" }
    send(Array((head + "\r\n").utf8) + body)
  }

  func get(_ target: String) { send(Array("GET \(target) HTTP/1.1\r\nHost: mp\r\n\r\n".utf8)) }

  func turn() {
    guard !isClosed else { return }
    if !isSecure {
      switch channel.handshake() {
      case .done: isSecure = true
      case .wouldBlock: return
      case .failed:
        isClosed = true
        return
      }
    }
    if !waiting.isEmpty {
      _ = channel.enqueue(waiting.span, now: .zero)
      waiting = []
    }
    _ = channel.flush(now: .zero)
    guard reads else { return }
    while true {
      switch channel.receive(into: &buffer) {
      case .progressed: reader.append(buffer.bytes)
      case .wouldBlock: return take()
      case .ended, .failed:
        take()
        isClosed = true
        return
      }
    }
  }

  private func take() {
    while let answer = try? reader.next() { answers.append(answer) }
  }

  /// Ends the connection as a cut would.
  func cut() {
    channel.close(sendCloseNotify: false)
    isClosed = true
  }
}

/// A client's session over long polls, over one connection or several.
final class PollSession {
  let harness: ShardHarness
  let clientID: ClientID
  private(set) var peer: PollPeer
  private(set) var number: UInt64 = 0
  /// Bytes of our stream that were sent.
  var sent: UInt64 = 0
  /// Bytes of the server's stream that we have.
  var received: UInt64 = 0
  private(set) var pollSeconds: UInt32 = 0
  private(set) var messages: [Message] = []
  private var frames = FrameReader()
  /// Answers of the present connection that were taken.
  private var taken = 0

  /// Logs in and takes the answer.
  init(
    _ harness: ShardHarness, _ client: UInt64, lines: [String] = [], fallback: [Message] = [],
    takesReconnect: Bool = false
  ) throws {
    self.harness = harness
    clientID = Sample.client(client)
    peer = try PollPeer(harness, clientID)
    var signIn = Sample.signIn(clientID)
    signIn.takesReconnect = takesReconnect
    var body = MessageCodec.encode(.signIn(signIn))
    for message in fallback { body += MessageCodec.encode(message) }
    peer.post("/bgb/login", lines, body: body)
    sent = UInt64(body.count)
    try take(await: "the login's answer")
  }

  /// Sends a poll with these messages.
  func poll(_ messages: [Message] = [], lines: [String] = []) {
    let body = messages.flatMap { MessageCodec.encode($0) }
    peer.post("/bgb/continue", fields(sent) + lines, body: body)
    sent += UInt64(body.count)
  }

  /// The fields of a request whose body begins at a place.
  func fields(_ sent: UInt64) -> [String] {
    PollRequestFields(session: number, sent: sent, received: received).lines
  }

  /// Another connection for the same session.
  func reconnect(cut: Bool = true) throws {
    if cut { peer.cut() }
    taken = 0
    peer = try PollPeer(harness, clientID)
  }

  /// Waits for one more answer and takes it.
  @discardableResult
  func take(await what: String) throws -> HTTPAnswer {
    try harness.turn(what) {
      peer.turn()
      return peer.answers.count > taken
    }
    taken += 1
    return try note(peer.answers[taken - 1])
  }

  /// Takes an answer as an agent does.
  @discardableResult
  func note(_ answer: HTTPAnswer) throws -> HTTPAnswer {
    guard answer.status == 200, let fields = PollAnswerFields({ answer[$0] }) else { return answer }
    number = fields.session
    pollSeconds = fields.pollSeconds
    #expect(fields.sent <= received, "no gap")
    let known = Int(received - fields.sent)
    let news = Array(answer.body.dropFirst(known))
    received = max(received, fields.sent + UInt64(answer.body.count))
    frames.append(news.span)
    while let message = try frames.next() { messages.append(message) }
    return answer
  }

  /// Turns a while; says how many answers came without taking them.
  func settle() throws -> Int {
    let before = peer.answers.count
    for _ in 0..<30 {
      try harness.turn()
      peer.turn()
    }
    return peer.answers.count - before
  }

  var pushes: [PushTask] {
    messages.compactMap { if case .pushTask(let push) = $0 { push } else { nil } }
  }

  var refusals: [CloseCode] {
    messages.compactMap {
      if case .refused(let refused) = $0 { CloseCode(rawValue: refused.code) } else { nil }
    }
  }

  var isOnline: Bool { harness.shard.registry.token(of: clientID) != nil }
}
