// The part of TLS that readiness makes hard: an operation that waits for the other direction, bytes
// that epoll does not know of, and a peer that stops anywhere in a handshake.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("TLS and readiness")
struct TLSReadinessTests {
  /// A server channel of ours and a raw client, connected by a wire.
  final class Stage {
    let site = Site()
    let wire: Wire
    let server: ByteChannel
    let client: RawPeer
    let context: TLSContext
    let pool = BlockPool(limit: 1024)
    private let clientEnd: Descriptor
    private var buffer = ReceiveBuffer()

    init(withCertificate: Bool = true) throws {
      let (wire, clientNumber, serverNumber) = Wire.make()
      self.wire = wire
      clientEnd = Descriptor(owning: clientNumber)
      let serverEnd = Descriptor(owning: serverNumber)
      context = try site.serverContext()
      server = ByteChannel(
        .tls(try TLSTransport(serverEnd, context: context)),
        token: Token(generation: 1, index: 1), pool: pool, outboundBytesMax: 1 << 20, now: .zero)
      client = RawPeer(.client, withCertificate ? site.client : nil, fd: clientEnd.raw)
    }

    func shakeHands() { client.shakeHands(with: server, over: wire) }

    func receive() -> (step: IOStep, bytes: [UInt8]) { server.receiveBytes(by: &buffer) }

    /// Fills the kernel's buffer from the server to the wire with bytes that the wire will lose.
    func stuffServerSocket() {
      let junk = [UInt8](repeating: 0, count: 4096)
      while case .moved = StreamSocket.write(server.descriptor, junk.span) {}
    }
  }

  @Test("A handshake that cannot write waits for room")
  func handshakeWantsWrite() throws {
    let stage = try Stage()
    stage.stuffServerSocket()
    #expect(!stage.client.handshake())
    stage.wire.carry(.toServer)
    #expect(stage.server.handshake() == .wouldBlock(.writable))
    #expect(stage.server.mayReceive(on: .writable))
    #expect(!stage.server.mayReceive(on: .readable))
    stage.wire.drop(.toClient)
    stage.shakeHands()
    #expect(stage.server.peer?.commonName == "client-1")
  }

  @Test("A key update that must be answered makes flush and receive wait for room")
  func keyUpdateWantsWrite() throws {
    let stage = try Stage()
    stage.shakeHands()
    #expect(stage.receive().step == .wouldBlock(.readable))
    #expect(stage.client.demandKeyUpdate())
    #expect(stage.client.write([1, 2, 3]))
    stage.wire.carry(.toServer)
    stage.stuffServerSocket()
    // OpenSSL puts its answer off to the next write.
    #expect(stage.receive().bytes == [1, 2, 3])
    #expect(stage.server.enqueue([9].span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .wouldBlock(.writable))
    #expect(stage.client.write([4]))
    stage.wire.carry(.toServer)
    // The half-sent answer must go first: here reading waits for writing.
    #expect(stage.receive().step == .wouldBlock(.writable))
    #expect(stage.server.mayReceive(on: .writable))
    #expect(!stage.server.mayReceive(on: .readable))
    #expect(!stage.server.hasLeftovers)
    let poller = try Poller()
    let ready = ReadyList(capacity: 4)
    try stage.server.settle(poller)
    // Readable, but that is not what anybody waits for: it must not keep the loop awake.
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
    stage.wire.drop(.toClient)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    #expect(stage.server.mayFlush(on: ready[0].readiness))
    #expect(stage.server.mayReceive(on: ready[0].readiness))
    #expect(stage.receive().bytes == [4])
    #expect(stage.server.flush(now: .zero) == .progressed(1))
    stage.wire.carry(.toClient)
    #expect(stage.client.read() == [9])
  }

  @Test("A flush into a full socket goes on where it was, between receives")
  func flushWantsWrite() throws {
    let stage = try Stage()
    stage.shakeHands()
    stage.stuffServerSocket()
    #expect(stage.server.enqueue(pattern(3000).span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .wouldBlock(.writable))
    #expect(stage.client.write([5, 6]))
    stage.wire.carry(.toServer)
    #expect(stage.receive().bytes == [5, 6])
    #expect(stage.server.mayFlush(on: .writable))
    stage.wire.drop(.toClient)
    #expect(stage.server.flush(now: .zero) == .progressed(3000))
    stage.wire.carry(.toClient)
    #expect(stage.client.read() == pattern(3000))
  }

  @Test("An end that cannot be written waits for room")
  func finishWantsWrite() throws {
    let stage = try Stage()
    stage.shakeHands()
    stage.stuffServerSocket()
    #expect(stage.server.finishSending() == .wouldBlock(.writable))
    stage.wire.drop(.toClient)
    #expect(stage.server.finishSending() == .progressed(0))
    stage.wire.carry(.toClient)
    #expect(stage.client.read().isEmpty)
    #expect(SSL_get_shutdown(stage.client.ssl) & SSL_RECEIVED_SHUTDOWN != 0)
  }

  @Test("Bytes left inside OpenSSL are told though the socket is silent")
  func leftovers() throws {
    let duet = try Duet(.tls, receiveBytes: 10)
    try duet.shakeHands()
    #expect(duet.server.enqueue(pattern(25).span, now: duet.now) == .stored)
    #expect(duet.server.flush(now: duet.now) == .progressed(25))
    duet.wire.carry(.toClient)
    var arrived: [UInt8] = []
    for expected in [10, 20, 25] {
      #expect(duet.receive(on: duet.client, appendingTo: &arrived) != .wouldBlock(.readable))
      #expect(arrived.count == expected)
      #expect(!isReady(duet.client.descriptor, .readable))
      #expect(duet.client.hasLeftovers == (expected < 25))
    }
    #expect(arrived == pattern(25))
  }

  @Test("Several records read at once leave no byte behind")
  func recordsReadAhead() throws {
    let duet = try Duet(.tls, receiveBytes: 7)
    try duet.shakeHands()
    for value in UInt8(1)...5 {
      #expect(duet.server.enqueue([value, value].span, now: duet.now) == .stored)
      #expect(duet.server.flush(now: duet.now) == .progressed(2))
    }
    duet.wire.carry(.toClient)
    var arrived: [UInt8] = []
    #expect(duet.receive(on: duet.client, appendingTo: &arrived) == .progressed(7))
    #expect(duet.client.hasLeftovers)
    #expect(duet.receive(on: duet.client, appendingTo: &arrived) == .progressed(3))
    #expect(!duet.client.hasLeftovers)
    #expect(arrived == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5])
  }

  @Test("Half a record is no leftover: waiting for the rest may sleep")
  func halfRecord() throws {
    let stage = try Stage()
    stage.shakeHands()
    #expect(stage.client.write(pattern(100)))
    let length = stage.wire.collect(.toServer)
    stage.wire.carry(.toServer, atMost: length - 1)
    #expect(stage.receive().step == .wouldBlock(.readable))
    #expect(!stage.server.hasLeftovers)
    stage.wire.carry(.toServer)
    #expect(stage.receive().bytes == pattern(100))
    #expect(!stage.server.hasLeftovers)
  }

  @Test("One record and half of the next: the whole one is delivered, the half may sleep")
  func oneAndAHalf() throws {
    let stage = try Stage()
    stage.shakeHands()
    #expect(stage.client.write(pattern(50)))
    #expect(stage.client.write(pattern(60)))
    let length = stage.wire.collect(.toServer)
    stage.wire.carry(.toServer, atMost: length - 20)
    #expect(stage.receive() == (.progressed(50), pattern(50)))
    #expect(!stage.server.hasLeftovers)
    #expect(stage.receive().step == .wouldBlock(.readable))
    stage.wire.carry(.toServer)
    #expect(stage.receive().bytes == pattern(60))
  }

  @Test("A request that comes with the end of the handshake is a leftover")
  func requestWithFinished() throws {
    let stage = try Stage()
    #expect(!stage.client.handshake())
    stage.wire.carry(.toServer)
    #expect(stage.server.handshake() == .wouldBlock(.readable))
    stage.wire.carry(.toClient)
    #expect(stage.client.handshake())
    #expect(stage.client.write([1, 2, 3]))
    stage.wire.carry(.toServer)
    #expect(stage.server.handshake() == .done)
    // Whether OpenSSL has fetched it or not, either the loop must not sleep or the kernel wakes it.
    #expect(stage.server.hasLeftovers || isReady(stage.server.descriptor, .readable))
    #expect(stage.receive().bytes == [1, 2, 3])
  }

  @Test("A peer that stops anywhere in its flights leaves a quiet, waiting handshake")
  func stalls() throws {
    // How long the client's flights are in all, from a handshake that goes well.
    let whole = try Stage()
    whole.shakeHands()
    let length = try #require(whole.wire.delivered[.toServer])
    // Signatures differ by a few bytes in length, so the last few places would not stop every one.
    for stop in stride(from: 0, to: length - 24, by: 61) {
      let stage = try Stage()
      var step = HandshakeStep.wouldBlock(.readable)
      for _ in 0..<6 {
        _ = stage.client.handshake()
        stage.wire.carry(.toServer, atMost: stop - (stage.wire.delivered[.toServer] ?? 0))
        step = stage.server.handshake()
        stage.wire.carry(.toClient)
      }
      #expect(step == .wouldBlock(.readable), "stopped after \(stop) bytes")
      #expect(!stage.server.hasLeftovers)
      let poller = try Poller()
      try stage.server.settle(poller)
      #expect(try poller.wait(into: ReadyList(capacity: 1), timeoutMilliseconds: 0) == 0)
      // And when the peer then goes, the handshake says so.
      stage.wire.cutServer()
      guard case .failed(let error) = stage.server.handshake() else {
        Issue.record("stopped after \(stop) bytes: the handshake survives its peer")
        continue
      }
      #expect([.truncated, .connectionReset].contains(error.kind), "stopped after \(stop) bytes")
      #expect(CertificateRefusal(error) == nil)
      #expect(stage.server.handshake() == .failed(error))
    }
  }

  @Test("A peer that asks for new keys again and again is cut off")
  func keyUpdateFlood() throws {
    let stage = try Stage()
    stage.shakeHands()
    for _ in 0..<TLSOptions().keyUpdatesMax {
      #expect(stage.client.demandKeyUpdate())
      #expect(stage.client.write([1]))
      stage.wire.carry(.toServer)
      #expect(stage.receive().bytes == [1])
      #expect(stage.server.enqueue([2].span, now: .zero) == .stored)
      #expect(stage.server.flush(now: .zero) == .progressed(1))
      stage.wire.carry(.toClient)
      #expect(stage.client.read() == [2])
    }
    #expect(stage.client.demandKeyUpdate())
    #expect(stage.client.write([1]))
    stage.wire.carry(.toServer)
    #expect(stage.receive().bytes == [1])
    #expect(stage.receive().step == .failed(TransportError(.limitExceeded)))
    #expect(stage.server.enqueue([2].span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .failed(TransportError(.limitExceeded)))
  }

  @Test("What is queued before the handshake is done waits for it")
  func queuedEarly() throws {
    let stage = try Stage()
    #expect(stage.server.enqueue([4, 5].span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .progressed(0))
    #expect(!stage.server.mayFlush(on: .writable))
    stage.shakeHands()
    #expect(stage.server.flush(now: .zero) == .progressed(2))
    stage.wire.carry(.toClient)
    #expect(stage.client.read() == [4, 5])
  }

  @Test("The error of one connection is not another's fate")
  func errorQueue() throws {
    let stage = try Stage()
    stage.shakeHands()
    leaveStaleError()
    #expect(stage.receive().step == .wouldBlock(.readable))
    leaveStaleError()
    #expect(stage.server.enqueue([1].span, now: .zero) == .stored)
    #expect(stage.server.flush(now: .zero) == .progressed(1))
    #expect(ERR_peek_error() == 0)
    #expect(stage.context.staleErrors >= 2)
  }

  /// Leaves what a careless call elsewhere on this thread would leave behind.
  private func leaveStaleError() {
    var nothing: UnsafePointer<UInt8>?
    #expect(d2i_X509(nil, &nothing, 0) == nil)
    #expect(ERR_peek_error() != 0)
  }
}
