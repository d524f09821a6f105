// An HTTPS listener that does what the test says: it holds polls, answers them when there is
// something to say, keeps every request, and can misbehave in all the ways of the world. It is
// turned by the test, on the test's thread, like the agent's loop.

import BGBModel
import BGBWire
import Reactor
import Transports

@testable import BGBAgent

final class FakePollServer {
  /// What it does with the next requests.
  enum Manner: Equatable {
    /// As the protocol says.
    case proper
    /// These bytes, whatever was asked.
    case raw([UInt8])
    /// These bytes, then the end of the connection.
    case cutAfter([UInt8])
    /// Nothing at all.
    case silent
  }

  /// One connection.
  private final class Line {
    let channel: ByteChannel
    var isOpen = false
    var requests = HTTPRequestReader()
    /// A poll is held here.
    var holds = false

    init(_ channel: ByteChannel) { self.channel = channel }
  }

  private let listener: Listener
  private let context: TLSContext
  private let pool = BlockPool(limit: 4_096)
  private var buffer = ReceiveBuffer()
  private var lines: [Line] = []
  private var stream: ByteChannel?
  private var reader = FrameReader()
  private(set) var session: UInt64 = 0
  /// Every request, over all connections.
  private(set) var requests: [HTTPRequest] = []
  /// Every message, over all sessions.
  private(set) var messages: [Message] = []
  private(set) var accepted = 0
  var manner = Manner.proper
  var pollSeconds: UInt32 = 300
  /// While false, connections are accepted and nothing is read.
  var reads = true

  var address: String { listener.boundAddress.description }
  var isHolding: Bool { lines.contains { $0.holds } }
  var openLines: Int { lines.count }

  init(_ site: TestSite, name: String = "mp1") throws {
    listener = try Listener(.loopback(port: 0))
    let files = try site.server(name)
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: 1)
    context = try TLSContext(
      role: .server, certificateChainFile: files.certificate, privateKeyFile: files.key,
      caFile: site.authorityFile, options: options)
  }

  /// Does what can be done without waiting.
  func turn() {
    while case .accepted(let socket, _) = listener.accept() {
      accepted += 1
      guard let tls = try? TLSTransport(socket, context: context) else { continue }
      lines.append(
        Line(
          ByteChannel(
            .tls(tls), token: Token(generation: 1, index: 1), pool: pool,
            outboundBytesMax: 1 << 20, now: .zero)))
    }
    guard reads else { return }
    for line in lines { turn(line) }
  }

  private func turn(_ line: Line) {
    if !line.isOpen {
      switch line.channel.handshake() {
      case .done: line.isOpen = true
      case .wouldBlock: return
      case .failed: return drop(line)
      }
    }
    while true {
      switch line.channel.receive(into: &buffer) {
      case .progressed: buffer.withBytes { line.requests.append($0) }
      case .wouldBlock:
        while let request = try? line.requests.next() { take(request, line) }
        _ = line.channel.flush(now: .zero)
        return
      case .ended, .failed:
        while let request = try? line.requests.next() { take(request, line) }
        return drop(line)
      }
    }
  }

  private func drop(_ line: Line) {
    line.channel.close(sendCloseNotify: false)
    lines.removeAll { $0 === line }
  }

  private func take(_ request: HTTPRequest, _ line: Line) {
    requests.append(request)
    switch manner {
    case .silent: return
    case .raw(let bytes): return put(bytes, line)
    case .cutAfter(let bytes):
      put(bytes, line)
      _ = line.channel.flush(now: .zero)
      return drop(line)
    case .proper: break
    }
    if line.holds { answer(line) }
    switch PollRoute(rawValue: request.path) {
    case .login: begin(request, line)
    case .goOn, .goodbye: goOn(request, line)
    default: put(HTTPResponse.text(404, "no such route").encoded(keepAlive: true), line)
    }
  }

  private func begin(_ request: HTTPRequest, _ line: Line) {
    session += 1
    reader = FrameReader()
    stream = ByteChannel(
      .polled(PolledTransport(window: 65_536)), token: Token(generation: 1, index: 2), pool: pool,
      outboundBytesMax: 1 << 20, now: .zero)
    _ = stream?.deliver(request.body, at: 0)
    read()
    let message = welcome()
    send(.welcome(message))
    answer(line)
  }

  private func goOn(_ request: HTTPRequest, _ line: Line) {
    guard let fields = PollRequestFields({ request[$0] }), fields.session == session, let stream,
      stream.confirm(upTo: fields.received), stream.deliver(request.body, at: fields.sent)
    else { return put(HTTPResponse.text(410, "log in").encoded(keepAlive: true), line) }
    read()
    for other in lines where other.holds { answer(other) }
    if request.path == PollRoute.goodbye.rawValue { return answer(line) }
    line.holds = true
    if !stream.unconfirmed.bytes.isEmpty { answer(line) }
  }

  private func read() {
    guard let stream else { return }
    while case .progressed = stream.receive(into: &buffer) {
      buffer.withBytes { reader.append($0) }
      while let message = (try? reader.next()) ?? nil { messages.append(message) }
    }
  }

  /// Answers with all that the agent has not confirmed, which may be nothing.
  private func answer(_ line: Line) {
    guard let stream else { return }
    line.holds = false
    let (offset, bytes) = stream.unconfirmed
    let fields = PollAnswerFields(
      session: session, sent: offset, received: stream.receivedCount, pollSeconds: pollSeconds)
    put(
      HTTPResponse(
        status: 200, headers: ["Content-Type: \(PollRoute.contentType)"] + fields.lines,
        body: bytes
      ).encoded(keepAlive: true), line)
  }

  private func put(_ bytes: [UInt8], _ line: Line) {
    _ = line.channel.enqueue(bytes.span, now: .zero)
    _ = line.channel.flush(now: .zero)
  }

  /// Queues a message and answers the held poll with it.
  func send(_ message: Message) {
    let frame = MessageCodec.encode(message)
    _ = stream?.enqueue(frame.span, now: .zero)
    _ = stream?.flush(now: .zero)
    if let line = lines.first(where: { $0.holds }) { answer(line) }
  }

  /// The held poll is over, without anything to say.
  func endPoll() {
    if let line = lines.first(where: { $0.holds }) { answer(line) }
  }

  /// Ends all connections as a cut would; the session stays.
  func cut() {
    for line in lines { line.channel.close(sendCloseNotify: false) }
    lines = []
  }

  /// Forgets the session, as a restart would.
  func forget() { stream = nil }

  var signIns: [SignIn] {
    messages.compactMap { if case .signIn(let one) = $0 { one } else { nil } }
  }
  var outcomes: [OutcomeReport] {
    messages.compactMap { if case .taskOutcome(let report) = $0 { report } else { nil } }
  }
}
