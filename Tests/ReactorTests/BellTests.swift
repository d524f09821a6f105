// A bell wakes its listener once for any number of rings, and falls silent when told.

import Reactor
import Synchronization
import Testing

@Suite struct BellTests {
  @Test func ringsUntilSilenced() throws {
    let bell = try Bell()
    #expect(!bell.isRung)
    #expect(!isReadable(bell.fd))
    for _ in 0..<1_000 { bell.ring() }
    #expect(bell.isRung)
    #expect(isReadable(bell.fd))
    bell.silence()
    #expect(!bell.isRung)
    #expect(!isReadable(bell.fd))
    bell.ring()
    #expect(isReadable(bell.fd))
  }

  @Test func silencingASilentBellDoesNothing() throws {
    let bell = try Bell()
    bell.silence()
    bell.ring()
    #expect(isReadable(bell.fd))
  }

  @Test func noRingIsLostBetweenTwoThreads() throws {
    final class Counter: Sendable {
      let rung = Atomic<Int>(0)
    }
    let rings = 10_000_000
    let bell = try Bell()
    let counter = Counter()
    // Without a pause, so that most silences fall among rings. A ring lost in between would leave
    // the flag up and the descriptor empty for good, and nothing would ever be heard again.
    let ringer = try KernelThread.start(name: "ringer") {
      for ring in 1...rings {
        counter.rung.store(ring, ordering: .releasing)
        bell.ring()
      }
    }
    var heard = 0
    while heard < rings, awaitReadable(bell.fd) {
      bell.silence()
      heard = counter.rung.load(ordering: .acquiring)
    }
    ringer.join()
    #expect(heard == rings, "a ring was swallowed and the listener slept on")
  }
}
