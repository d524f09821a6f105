// What every transport promises, whatever carries its bytes: one suite, run for each kind.
import COpenSSL
import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Contract of a transport")
struct ContractTests {
  @Test("Bytes arrive as sent, both ways", arguments: TransportKind.allCases)
  func bothWays(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    let question = pattern(3000)
    #expect(duet.send(question, from: duet.client) == question)
    #expect(duet.send([7, 8, 9], from: duet.server) == [7, 8, 9])
  }

  @Test("One byte at a time makes no difference", arguments: TransportKind.allCases)
  func byteAtATime(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands(bytesAtATime: 1)
    let bytes = pattern(600)
    #expect(duet.send(bytes, from: duet.client, bytesAtATime: 1) == bytes)
    #expect(duet.send(bytes, from: duet.server, bytesAtATime: 1) == bytes)
  }

  @Test("A receive buffer of any size delivers the same", arguments: TransportKind.allCases)
  func shortReads(_ kind: TransportKind) throws {
    for room in [1, 2, 7, 100, 16384, 16385] {
      let duet = try Duet(kind, receiveBytes: room)
      try duet.shakeHands()
      let bytes = pattern(room < 100 ? 500 : 40_000)
      #expect(duet.send(bytes, from: duet.client) == bytes)
    }
  }

  @Test("Frames enqueued apart arrive in order", arguments: TransportKind.allCases)
  func manyFrames(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    var expected: [UInt8] = []
    for size in 1...200 {
      let frame = pattern(size)
      expected += frame
      #expect(duet.server.enqueue(frame.span, now: duet.now) == .stored)
    }
    #expect(duet.send([], from: duet.server).isEmpty)
    var arrived: [UInt8] = []
    while arrived.count < expected.count {
      _ = duet.server.flush(now: duet.now)
      duet.wire.carry(.toClient)
      duet.receive(on: duet.client, appendingTo: &arrived)
    }
    #expect(arrived == expected)
  }

  @Test("A full socket blocks the writer and loses nothing", arguments: TransportKind.allCases)
  func fullSocket(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    let bytes = pattern(3 << 20)
    #expect(duet.client.enqueue(bytes.span, now: duet.now) == .stored)
    // Nobody reads: the kernel's buffer fills up and the channel says what it waits for.
    guard case .progressed(let first) = duet.client.flush(now: duet.now) else {
      Issue.record("nothing went into an empty socket")
      return
    }
    #expect(first < bytes.count)
    #expect(duet.client.flush(now: duet.now) == .wouldBlock(.writable))
    #expect(duet.client.mayFlush(on: .writable))
    #expect(!duet.client.mayFlush(on: .readable))
    #expect(duet.client.outboundCount == bytes.count - first)
    // More is added while a record waits half sent: the retry begins with the same bytes.
    #expect(duet.client.enqueue([1, 2, 3].span, now: duet.now) == .stored)
    var arrived: [UInt8] = []
    while arrived.count < bytes.count + 3 {
      duet.wire.carry(.toServer)
      duet.receive(on: duet.server, appendingTo: &arrived)
      _ = duet.client.flush(now: duet.now)
    }
    #expect(arrived == bytes + [1, 2, 3])
    #expect(duet.client.outboundCount == 0)
    #expect(duet.pool.inUse == 0)
    #expect(!duet.client.mayFlush(on: .writable))
  }

  @Test("A full queue refuses by name and stays whole", arguments: TransportKind.allCases)
  func fullQueue(_ kind: TransportKind) throws {
    let duet = try Duet(kind, outboundBytesMax: 100)
    try duet.shakeHands()
    #expect(duet.client.enqueue(pattern(60).span, now: duet.now) == .stored)
    #expect(duet.client.enqueue(pattern(41).span, now: duet.now) == .queueFull)
    #expect(duet.client.outboundCount == 60)
    #expect(duet.send(pattern(40), from: duet.client).prefix(60) == pattern(60)[...])
  }

  @Test("A flush stops at its budget and asks to go on", arguments: TransportKind.allCases)
  func flushBudget(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    #expect(duet.client.enqueue(pattern(50_000).span, now: duet.now) == .stored)
    guard case .progressed(let sent) = duet.client.flush(now: duet.now, bytesMax: 10_000) else {
      Issue.record("nothing was sent")
      return
    }
    // Whole blocks are sent, so the budget may be passed by less than one block.
    #expect((10_000..<10_000 + duet.pool.blockSize).contains(sent))
    #expect(duet.client.outboundCount == 50_000 - sent)
    #expect(duet.client.mayFlush(on: .writable))
  }

  @Test("Half a stream ends in good order, the other goes on", arguments: TransportKind.allCases)
  func halfClose(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    #expect(duet.send([1, 2], from: duet.client) == [1, 2])
    #expect(duet.client.finishSending() == .progressed(0))
    duet.wire.carry(.toServer)
    // A plain end is a FIN, which the wire does not carry: play it.
    if kind == .plain { duet.wire.cutServerReading() }
    #expect(duet.receive(on: duet.server) == .ended)
    #expect(duet.receive(on: duet.server) == .ended)
    #expect(!duet.server.mayReceive(on: .readable))
    #expect(duet.send([3, 4, 5], from: duet.server) == [3, 4, 5])
    #expect(duet.client.enqueue([6].span, now: duet.now) == .stored)
    #expect(duet.client.flush(now: duet.now) == .failed(TransportError(.closed)))
  }

  @Test("Bytes before an end are delivered before it", arguments: TransportKind.allCases)
  func bytesBeforeEnd(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    #expect(duet.client.enqueue(pattern(5000).span, now: duet.now) == .stored)
    #expect(duet.client.flush(now: duet.now) == .progressed(5000))
    #expect(duet.client.finishSending() == .progressed(0))
    duet.wire.carry(.toServer)
    if kind == .plain { duet.wire.cutServerReading() }
    var arrived: [UInt8] = []
    var step = IOStep.progressed(0)
    while case .progressed = step {
      step = duet.receive(on: duet.server, appendingTo: &arrived)
    }
    #expect(step == .ended)
    #expect(arrived == pattern(5000))
  }

  @Test("A cut stream is an end for plain, a loss for TLS", arguments: TransportKind.allCases)
  func abruptEnd(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    #expect(duet.send([1], from: duet.client) == [1])
    duet.wire.cutServer()
    let step = duet.receive(on: duet.server)
    switch kind {
    case .plain: #expect(step == .ended)
    default: #expect(step == .failed(TransportError(.truncated)))
    }
    #expect(duet.receive(on: duet.server) == step)
  }

  @Test("A reset is told as a reset, to reader and writer", arguments: TransportKind.allCases)
  func reset(_ kind: TransportKind) throws {
    let ends = try ConnectedPair(kind)
    try StreamSocket.setAbortiveClose(ends.client.descriptor)
    ends.client.close(sendCloseNotify: false)
    try awaitReady((ends.server.descriptor, .readable))
    var buffer = ReceiveBuffer(capacity: 100)
    let lost = IOStep.failed(TransportError(.connectionReset, errno: ECONNRESET))
    #expect(ends.server.receive(into: &buffer) == lost)
    #expect(ends.server.enqueue([1].span, now: .zero) == .stored)
    guard case .failed(let error) = ends.server.flush(now: .zero) else {
      Issue.record("a write into a reset connection went well")
      return
    }
    #expect(error.kind == .connectionReset)
  }

  @Test("A closed channel answers, and holds nothing", arguments: TransportKind.allCases)
  func closed(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    let fd = duet.client.descriptor
    let open = inode(fd)
    #expect(open != nil)
    #expect(duet.client.enqueue(pattern(9000).span, now: duet.now) == .stored)
    duet.client.close(sendCloseNotify: true)
    duet.client.close(sendCloseNotify: true)
    // Another test may have been given the number since: it is closed if it is another file.
    #expect(inode(fd) != open)
    #expect(duet.pool.inUse == 0)
    #expect(duet.client.descriptor == -1)
    #expect(duet.client.handshake() == .failed(TransportError(.closed)))
    #expect(duet.receive(on: duet.client) == .failed(TransportError(.closed)))
    #expect(!duet.client.hasLeftovers)
    #expect(duet.client.takeNewSession() == nil)
  }

  @Test("An idle connection is asked about once and told apart", arguments: TransportKind.allCases)
  func settle(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    let poller = try Poller()
    let ready = ReadyList(capacity: 8)
    try duet.client.settle(poller)
    try duet.server.settle(poller)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
    #expect(duet.receive(on: duet.client) == .wouldBlock(.readable))
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
    #expect(duet.client.enqueue([1].span, now: duet.now) == .stored)
    #expect(duet.client.flush(now: duet.now) == .progressed(1))
    try duet.client.settle(poller)
    duet.wire.carry(.toServer)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    #expect(ready[0].token == duet.server.token)
    #expect(duet.server.mayReceive(on: ready[0].readiness))
    // Paused, the same event is not reported again, though the byte still waits.
    duet.server.receives = false
    try duet.server.settle(poller)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
    duet.server.receives = true
    try duet.server.settle(poller)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
  }
}
