// The two small HTTP services of a shard: policy download with a client certificate, health and
// metrics in the clear; whole-request deadlines in virtual time.

import BGBModel
import Reactor
import Testing
import Transports

@testable import BGBServer

/// A peer that sends text and keeps what it gets.
private final class TextPeer {
  private let channel: ByteChannel
  private let pool = BlockPool(blockSize: 4096, limit: 64)
  private var buffer = ReceiveBuffer()
  private var isSecure: Bool
  private var waiting: [UInt8] = []
  private(set) var text = ""
  private(set) var isClosed = false

  init(_ address: SocketAddress, site: TestSite?, client: ClientID?) throws {
    let socket = try StreamSocket.connect(to: address)
    var transport = Transport.closed
    if let site, let client {
      let context = try site.clientContext(client)
      transport = .tls(try TLSTransport(socket, context: context, serverName: "localhost"))
      isSecure = false
    } else {
      transport = .plain(PlainTransport(socket))
      isSecure = true
    }
    channel = ByteChannel(
      transport, token: Token(generation: 1, index: 0), pool: pool, outboundBytesMax: 1 << 16,
      now: .zero)
  }

  func send(_ text: String) { waiting += Array(text.utf8) }

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
    while true {
      switch channel.receive(into: &buffer) {
      case .progressed:
        var bytes: [UInt8] = []
        for index in buffer.bytes.indices { bytes.append(buffer.bytes[index]) }
        text += String(decoding: bytes, as: UTF8.self)
      case .wouldBlock: return
      case .ended, .failed:
        isClosed = true
        return
      }
    }
  }
}

struct ShardHTTPTests {
  private func address(_ harness: ShardHarness, _ role: ConnectionRole) throws -> SocketAddress {
    try #require(harness.shard.listeners.first { $0.role == role }).listener.boundAddress
  }

  private func turn(
    _ harness: ShardHarness, _ peer: TextPeer, _ what: String, until condition: () -> Bool
  ) throws {
    try harness.turn(what) {
      peer.turn()
      return condition()
    }
  }

  private func ask(_ harness: ShardHarness, _ path: String) throws -> String {
    let peer = try TextPeer(try address(harness, .watch), site: nil, client: nil)
    peer.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
    try turn(harness, peer, "an answer to \(path)") { peer.isClosed }
    return peer.text
  }

  @Test func healthReadinessAndMetricsAreServed() throws {
    let harness = try ShardHarness()
    try harness.settle()
    #expect(try ask(harness, "/healthz").hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(try ask(harness, "/readyz").hasPrefix("HTTP/1.1 200 OK\r\n"))
    #expect(try ask(harness, "/metrics").contains("\nbgb_online_clients 0\n"))
    #expect(try ask(harness, "/bgb/policy").hasPrefix("HTTP/1.1 404 "))
    harness.shardBox.post(.siteReachable(false))
    try harness.settle()
    #expect(try ask(harness, "/readyz").hasPrefix("HTTP/1.1 503 "))
  }

  @Test func everyMetricHasItsHelpAndType() throws {
    let harness = try ShardHarness()
    try harness.settle()
    let lines = harness.shard.metricsText().split(separator: "\n")
    let values = lines.filter { !$0.hasPrefix("#") }
    #expect(lines.count == values.count * 3)
    #expect(Set(values.map { $0.split(separator: " ")[0] }).count == values.count)
  }

  @Test func policyIsAskedForTheCertificatesClient() throws {
    let harness = try ShardHarness()
    try harness.settle()
    let me = Sample.client(4)
    let peer = try TextPeer(try address(harness, .https), site: harness.site, client: me)
    peer.send("GET /bgb/policy HTTP/1.1\r\nHost: mp\r\nIf-None-Match: \"x\"\r\n\r\n")
    try turn(harness, peer, "the question") { !harness.policyQuestions.isEmpty }
    let question = try #require(harness.policyQuestions.first)
    #expect(question.client == me)
    #expect(question.entityTag == "\"x\"")
    harness.shardBox.post(
      .answer(
        question.token, HTTPResponse(status: 200, headers: ["ETag: \"y\""], body: [0x7B, 0x7D])))
    try turn(harness, peer, "the answer") { peer.text.hasSuffix("{}") }
    #expect(peer.text.hasPrefix("HTTP/1.1 200 OK\r\nETag: \"y\"\r\n"))
    #expect(!peer.isClosed, "a further request may come")
    #expect(peer.text.hasSuffix("\r\n\r\n{}"))
  }

  @Test(arguments: [
    ("GET /other HTTP/1.1\r\nHost: mp\r\n\r\n", "HTTP/1.1 404 "),
    ("POST /bgb/policy HTTP/1.1\r\nHost: mp\r\n\r\n", "HTTP/1.1 405 "),
    ("GET /bgb/policy HTTP/1.0\r\n\r\n", "HTTP/1.1 505 "),
    ("GET /bgb/policy HTTP/1.1\r\nHost: mp\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 501 "),
    ("nonsense\r\n\r\n", "HTTP/1.1 400 "),
  ])
  func otherRequestsAreRefused(_ request: String, _ answer: String) throws {
    let harness = try ShardHarness()
    try harness.settle()
    let peer = try TextPeer(
      try address(harness, .https), site: harness.site, client: Sample.client(1))
    peer.send(request)
    try turn(harness, peer, "a refusal") { peer.isClosed }
    #expect(peer.text.hasPrefix(answer))
    #expect(harness.policyQuestions.isEmpty)
  }

  @Test func aBlockedClientGetsNoPolicy() throws {
    let harness = try ShardHarness()
    harness.shardBox.post(.denyList([Sample.client(1)]))
    try harness.settle()
    let peer = try TextPeer(
      try address(harness, .https), site: harness.site, client: Sample.client(1))
    peer.send("GET /bgb/policy HTTP/1.1\r\nHost: mp\r\n\r\n")
    try turn(harness, peer, "a refusal") { peer.isClosed }
    #expect(peer.text.hasPrefix("HTTP/1.1 403 "))
  }

  @Test func aTricklingRequestEndsAtItsDeadlineWhateverItSends() throws {
    let harness = try ShardHarness()
    try harness.settle()
    let peer = try TextPeer(try address(harness, .watch), site: nil, client: nil)
    try turn(harness, peer, "accept") { harness.shard.connections.count == 1 }
    for second in 1...9 {
      peer.send("X")
      try harness.pass(1_000)
      peer.turn()
      try harness.settle()
      #expect(!peer.isClosed, "second \(second)")
    }
    try harness.pass(999)
    peer.turn()
    #expect(harness.shard.connections.count == 1)
    try harness.pass(1)
    peer.turn()
    #expect(harness.shard.connections.count == 0)
  }
}
