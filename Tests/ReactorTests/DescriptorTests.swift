// A descriptor is closed exactly once, by its owner.

import Glibc
import Reactor
import Testing

@Suite struct DescriptorTests {
  /// The other end of a pipe reads the end of file exactly when the last writing descriptor is
  /// gone.
  private func isClosed(readingEnd: Int32) -> Bool {
    var byte: UInt8 = 0
    return read(readingEnd, &byte, 1) == 0
  }

  private func makeNonBlockingPipe() throws -> (reading: Int32, writing: Int32) {
    let ends = try makePipe()
    _ = fcntl(ends.reading, F_SETFL, O_NONBLOCK)
    return ends
  }

  @Test func closesAtTheEndOfItsLife() throws {
    let ends = try makeNonBlockingPipe()
    let reading = Descriptor(owning: ends.reading)
    do {
      let writing = Descriptor(owning: ends.writing)
      #expect(writing.raw == ends.writing)
      #expect(!isClosed(readingEnd: reading.raw))
    }
    #expect(isClosed(readingEnd: reading.raw))
  }

  @Test func closesWhenToldTo() throws {
    let ends = try makeNonBlockingPipe()
    let reading = Descriptor(owning: ends.reading)
    Descriptor(owning: ends.writing).close()
    #expect(isClosed(readingEnd: reading.raw))
  }

  @Test func aReleasedDescriptorStaysOpen() throws {
    let ends = try makeNonBlockingPipe()
    let reading = Descriptor(owning: ends.reading)
    let number = Descriptor(owning: ends.writing).release()
    #expect(number == ends.writing)
    #expect(!isClosed(readingEnd: reading.raw))
    _ = close(number)
    #expect(isClosed(readingEnd: reading.raw))
  }

  @Test func closingTwiceIsATrap() async {
    await #expect(processExitsWith: .failure) {
      let ends = try makePipe()
      let owner = Descriptor(owning: ends.writing)
      _ = close(ends.writing)
      owner.close()
    }
  }
}
