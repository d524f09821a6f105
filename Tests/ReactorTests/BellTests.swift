// A bell wakes its listener once for any number of rings, and falls silent when told.

import Reactor
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
}
