// The poller reports what is ready, by token, and nothing that was removed.

import Glibc
import Reactor
import Testing

@Suite struct PollerTests {
  @Test func reportsReadinessWithTheToken() throws {
    let poller = try Poller()
    let ready = ReadyList(capacity: 8)
    let pair = try ConnectedPair()
    let token = Token(generation: 7, index: 42)
    try poller.add(pair.server.raw, token, [.readable, .peerClosed])
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)

    #expect(write([1, 2, 3], to: pair.client.raw) == .moved(3))
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    #expect(ready[0].token == token)
    #expect(ready[0].readiness == .readable)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 1, "level triggered")
  }

  @Test func reportsAChangeOnceIfAskedTo() throws {
    let poller = try Poller()
    let ready = ReadyList(capacity: 8)
    let pair = try ConnectedPair()
    try poller.add(pair.server.raw, .listener, [.readable, .peerClosed, .onceEach])
    #expect(write([1, 2, 3], to: pair.client.raw) == .moved(3))
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    #expect(ready[0].readiness == .readable)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0, "told already")
    #expect(write([4], to: pair.client.raw) == .moved(1))
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1, "more has come")
    try StreamSocket.shutdownWrites(pair.client.raw)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    #expect(ready[0].readiness == [.readable, .peerClosed])
    try poller.modify(pair.server.raw, .listener, [.readable, .onceEach])
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 1, "asked anew, told anew")
  }

  @Test func reportsThatThePeerHasClosed() throws {
    let poller = try Poller()
    let ready = ReadyList(capacity: 8)
    let pair = try ConnectedPair()
    try poller.add(pair.server.raw, .listener, .peerClosed)
    try StreamSocket.shutdownWrites(pair.client.raw)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    #expect(ready[0].readiness.contains(.peerClosed))
    #expect(!ready[0].readiness.contains(.hangup), "the other direction is still open")
  }

  @Test func changesInterestAndToken() throws {
    let poller = try Poller()
    let ready = ReadyList(capacity: 8)
    let pair = try ConnectedPair()
    try poller.add(pair.client.raw, .bell, .readable)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
    try poller.modify(pair.client.raw, .signals, [.readable, .writable])
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    #expect(ready[0].token == .signals)
    #expect(ready[0].readiness == .writable)
  }

  @Test func forgetsWhatWasRemovedOrClosed() throws {
    let poller = try Poller()
    let ready = ReadyList(capacity: 8)
    let pair = try ConnectedPair()
    try poller.add(pair.client.raw, .bell, .writable)
    try poller.remove(pair.client.raw)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
    do {
      let other = try ConnectedPair()
      try poller.add(other.client.raw, .bell, .writable)
      #expect(try poller.wait(into: ready, timeoutMilliseconds: 10_000) == 1)
    }
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 0)
  }

  @Test func namesTheMistakesOfItsCaller() throws {
    let poller = try Poller()
    let pair = try ConnectedPair()
    #expect(throws: Errno.notFound) { try poller.remove(pair.client.raw) }
    #expect(throws: Errno.notFound) { try poller.modify(pair.client.raw, .bell, .readable) }
    try poller.add(pair.client.raw, .bell, .readable)
    #expect(throws: Errno.exists) { try poller.add(pair.client.raw, .bell, .readable) }
  }

  /// Bells that ring and are watched, each under its place as the token's index.
  private func ringingBells(_ count: Int, on poller: Poller) throws -> [Bell] {
    let bells = try (0..<count).map { _ in try Bell() }
    for (index, bell) in bells.enumerated() {
      bell.ring()
      try poller.add(bell.fd, Token(generation: 1, index: UInt32(index)), .readable)
    }
    return bells
  }

  @Test func whatDoesNotFitIsReportedByTheNextWait() throws {
    let poller = try Poller()
    let ready = ReadyList(capacity: 2)
    let bells = try ringingBells(5, on: poller)
    var seen: Set<UInt32> = []
    for _ in 0..<3 {
      let count = try poller.wait(into: ready, timeoutMilliseconds: 0)
      #expect(count <= 2)
      for place in 0..<count {
        let index = ready[place].token.index
        seen.insert(index)
        bells[Int(index)].silence()
      }
    }
    #expect(seen == [0, 1, 2, 3, 4])
  }

  @Test func whoeverWasReportedStandsBehindTheOthers() throws {
    let poller = try Poller()
    let ready = ReadyList(capacity: 8)
    // Held, for a bell that is let go of is closed.
    let bells = try ringingBells(5, on: poller)
    defer { withExtendedLifetime(bells) {} }
    // All of them go on ringing: a small wait must not find the same two each time.
    var seen: Set<UInt32> = []
    for _ in 0..<3 {
      #expect(try poller.wait(into: ready, atMost: 2, timeoutMilliseconds: 0) == 2)
      for place in 0..<2 { seen.insert(ready[place].token.index) }
    }
    #expect(seen == [0, 1, 2, 3, 4])
    #expect(try poller.wait(into: ready, atMost: 0, timeoutMilliseconds: 0) == 1)
    #expect(try poller.wait(into: ready, timeoutMilliseconds: 0) == 5)
  }

  @Test func aClosedDescriptorIsATrap() async {
    await #expect(processExitsWith: .failure) {
      let poller = try Poller()
      try poller.add(9_999, .bell, .readable)
    }
  }
}
