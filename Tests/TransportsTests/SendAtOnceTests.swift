// Bytes that shall leave at once: they do where nothing waits before them and OpenSSL is out of the
// way, and are queued in their order where not; whichever it was, the peer gets the same.

import Glibc
import Reactor
import Testing

@testable import Transports

@Suite("Sending at once")
struct SendAtOnceTests {
  private func isDirect(_ kind: TransportKind) -> Bool { kind.detachesServer }

  /// Lets all that the server queued arrive at the client.
  private func drain(_ duet: Duet, until count: Int, into arrived: inout [UInt8]) {
    while arrived.count < count {
      _ = duet.server.flush(now: duet.now)
      duet.wire.carry(.toClient)
      duet.receive(on: duet.client, appendingTo: &arrived)
    }
  }

  @Test("What is sent at once or queued arrives in its order", arguments: TransportKind.allCases)
  func order(_ kind: TransportKind) throws {
    let duet = try Duet(kind)
    try duet.shakeHands()
    #expect(duet.server.isDetached == isDirect(kind))
    var expected: [UInt8] = []
    var arrived: [UInt8] = []
    for size in [1, 20, 750, 5_000, 16_384, 16_385, 40_000] {
      let first = pattern(size)
      let outcome = duet.server.send(first.span, now: duet.now)
      #expect(outcome == (isDirect(kind) ? .sent : .queued), "\(size) bytes")
      #expect(duet.server.outboundCount == (isDirect(kind) ? 0 : size))
      // Something waits: what is sent now must not overtake it.
      duet.server.foresee()  // A hint about memory changes nothing.
      #expect(duet.server.enqueue([1, 2, 3].span, now: duet.now) == .stored)
      #expect(duet.server.send([4, 5].span, now: duet.now) == .queued)
      expected += first + [1, 2, 3, 4, 5]
      drain(duet, until: expected.count, into: &arrived)
    }
    #expect(arrived == expected)
    #expect(duet.server.send([UInt8]().span, now: duet.now) == (isDirect(kind) ? .sent : .queued))
  }

  @Test("What a full socket does not take is queued, and nothing is lost or repeated")
  func fullSocket() throws {
    let duet = try Duet(.detached)
    try duet.shakeHands()
    let bytes = pattern(3 << 20)
    #expect(duet.server.send(bytes.span, now: duet.now) == .queued)
    #expect(duet.server.outboundCount > 0 && duet.server.outboundCount < bytes.count)
    #expect(duet.server.outboundWaitingSince == duet.now)
    #expect(duet.server.mayFlush(on: .writable))
    #expect(duet.server.send([1, 2, 3].span, now: duet.now) == .queued)
    var arrived: [UInt8] = []
    drain(duet, until: bytes.count + 3, into: &arrived)
    #expect(arrived == bytes + [1, 2, 3])
    #expect(duet.server.outboundCount == 0)
    #expect(!duet.server.mayFlush(on: .writable))
    #expect(duet.server.send([9].span, now: duet.now) == .sent)
  }

  @Test("A queue without room refuses what the socket does not take")
  func noRoom() throws {
    let duet = try Duet(.detached)
    try duet.shakeHands()
    let limit = pattern(16 << 20)
    #expect(duet.server.send(limit.span, now: duet.now) == .refused)
  }

  @Test("A connection that is gone is told at once, as a flush would tell it")
  func gone() throws {
    let pair = try ConnectedPair(.detached)
    pair.client.close(sendCloseNotify: false)
    var outcome = SendOutcome.sent
    for _ in 0..<10_000 {
      outcome = pair.server.send(pattern(1_000).span, now: .zero)
      if outcome != .sent { break }
    }
    guard case .lost(.failed(let error)) = outcome else {
      Issue.record("\(outcome) after the peer has gone")
      return
    }
    #expect([EPIPE, ECONNRESET].contains(error.errno))
    pair.server.close(sendCloseNotify: false)
    #expect(pair.server.send([1].span, now: .zero) == .queued)
    #expect(pair.server.flush(now: .zero) == .failed(TransportError(.closed)))
  }
}
