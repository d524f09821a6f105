// Spare blocks: what a thread frees it gets again, whatever the size; no more than it may keep; and
// who frees twice is stopped. What OpenSSL calls is called here, for OpenSSL itself has long been
// in use in this process.
import COpenSSL
import Glibc
import Reactor
import Synchronization
import Testing
import Transports

/// The largest block that is kept.
private let largest = 34_824

@Suite struct HandshakeMemoryTests {
  /// Runs a body on a thread of its own that keeps spare blocks.
  private func keeping(
    upTo bytesMax: Int = 1 << 20, _ body: @escaping @Sendable () -> Void
  ) throws {
    let thread = try KernelThread.start(name: "keeper") {
      #expect(copenssl_spare_blocks_keep(bytesMax) == 1)
      body()
      copenssl_spare_blocks_end()
    }
    thread.join()
  }

  @Test func aBlockHasRoomForWhatWasAskedAndComesAgain() throws {
    try keeping {
      var same = 0
      for bytes in 1...largest {
        let first = unsafe copenssl_spare_blocks_take(bytes, nil, 0)
        unsafe #expect(first != nil)
        unsafe copenssl_spare_blocks_leave(first, nil, 0)
        guard let again = unsafe copenssl_spare_blocks_take(bytes, nil, 0) else { return }
        unsafe memset(again, 0xA5, bytes)
        let isSame = unsafe again == first
        unsafe copenssl_spare_blocks_leave(again, nil, 0)
        // It is kept by what malloc says of it: less than was asked for would be a smaller kind.
        let held = copenssl_spare_blocks_give_back()
        #expect(held >= bytes)
        guard isSame else { continue }
        same += 1
        #expect(held <= bytes + 1_040)
      }
      // Malloc gives a little more where a rest would be too small: that block is of the next kind.
      #expect(same > largest * 9 / 10)
    }
  }

  @Test func whatIsTooLargeIsNotKept() throws {
    try keeping {
      for bytes in [largest + 1, largest + 8_000, 1 << 20] {
        unsafe copenssl_spare_blocks_leave(copenssl_spare_blocks_take(bytes, nil, 0), nil, 0)
        let held = copenssl_spare_blocks_give_back()
        // Malloc may have given a little more than was asked for, but never a kilobyte.
        #expect(held == 0 || (bytes < largest + 1_024 && held == largest))
      }
    }
  }

  @Test func nothingIsTakenForNothing() throws {
    try keeping {
      unsafe #expect(copenssl_spare_blocks_take(0, nil, 0) == nil)
      copenssl_spare_blocks_leave(nil, nil, 0)
    }
  }

  @Test func noMoreIsKeptThanIsAllowed() throws {
    try keeping(upTo: 10_000) {
      let blocks = (0..<20).map { _ in unsafe copenssl_spare_blocks_take(1_000, nil, 0) }
      for block in unsafe blocks { unsafe copenssl_spare_blocks_leave(block, nil, 0) }
      // Nine of 1,000 bytes, rounded up, make nearly 10,000.
      let held = copenssl_spare_blocks_give_back()
      #expect((9_000...10_000).contains(held))
      #expect(copenssl_spare_blocks_give_back() == 0)
    }
  }

  @Test func manySmallBlocksLeaveRoomForALargeOne() throws {
    let bytesMax = 1 << 16, bytes = 17_000
    try keeping(upTo: bytesMax) {
      let small = (0..<5_000).map { _ in unsafe copenssl_spare_blocks_take(24, nil, 0) }
      for block in unsafe small { unsafe copenssl_spare_blocks_leave(block, nil, 0) }
      unsafe copenssl_spare_blocks_leave(copenssl_spare_blocks_take(bytes, nil, 0), nil, 0)
      // Were it malloc's that is taken now, the lists would be as full as before.
      let large = unsafe copenssl_spare_blocks_take(bytes, nil, 0)
      let held = copenssl_spare_blocks_give_back()
      #expect((bytes...(bytesMax - bytes)).contains(held))
      unsafe copenssl_spare_blocks_leave(large, nil, 0)
    }
  }

  @Test func whoDoesNotKeepFreesWhatAKeeperTook() throws {
    try keeping {
      let block = unsafe copenssl_spare_blocks_take(500, nil, 0)
      let bits = UInt(bitPattern: block)
      let other = try? KernelThread.start(name: "other") {
        unsafe copenssl_spare_blocks_leave(UnsafeMutableRawPointer(bitPattern: bits), nil, 0)
        #expect(copenssl_spare_blocks_give_back() == 0)
      }
      other?.join()
      #expect(copenssl_spare_blocks_give_back() == 0)
    }
  }

  @Test func aThreadKeepsOnceAtATime() throws {
    try keeping {
      #expect(copenssl_spare_blocks_keep(1) == 0)
      copenssl_spare_blocks_end()
      #expect(copenssl_spare_blocks_keep(1 << 20) == 1)
    }
  }

  @Test func contentsThatLookLikeAMarkAreNoCrime() throws {
    try keeping {
      // A block that is taken and left again untouched: its mark was wiped meanwhile.
      for _ in 0..<3 {
        let block = unsafe copenssl_spare_blocks_take(64, nil, 0)
        unsafe copenssl_spare_blocks_leave(block, nil, 0)
      }
      #expect(copenssl_spare_blocks_give_back() > 0)
    }
  }

  @Test func toFreeTwiceEndsTheProcess() async {
    await #expect(processExitsWith: .signal(SIGABRT)) {
      guard copenssl_spare_blocks_keep(1 << 20) == 1 else { return }
      let block = unsafe copenssl_spare_blocks_take(100, nil, 0)
      unsafe copenssl_spare_blocks_leave(block, nil, 0)
      unsafe copenssl_spare_blocks_leave(block, nil, 0)
    }
  }

  @Test func aDamagedLinkEndsTheProcess() async {
    await #expect(processExitsWith: .signal(SIGABRT)) {
      guard copenssl_spare_blocks_keep(1 << 20) == 1 else { return }
      let blocks = (0..<2).map { _ in unsafe copenssl_spare_blocks_take(100, nil, 0) }
      for block in unsafe blocks { unsafe copenssl_spare_blocks_leave(block, nil, 0) }
      // Written to after it was freed: the link to the other one is no pointer any more.
      guard let last = unsafe blocks[1] else { return }
      let byte = unsafe last.load(as: UInt8.self)
      unsafe last.storeBytes(of: byte ^ 1, as: UInt8.self)
      _ = unsafe copenssl_spare_blocks_take(100, nil, 0)
    }
  }
}
