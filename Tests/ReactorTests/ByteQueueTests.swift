// Bytes come out as they went in; memory is held only while there are bytes; each refusal has its
// name.

import Reactor
import Testing

@Suite struct ByteQueueTests {
  private func bytes(_ count: Int, from first: UInt8 = 0) -> [UInt8] {
    (0..<count).map { first &+ UInt8(truncatingIfNeeded: $0) }
  }

  @Test func anEmptyQueueHoldsNoBlock() {
    let pool = BlockPool(blockSize: 64, limit: 10)
    let queue = QueueBox(pool: pool, limit: 1_000)
    #expect(pool.inUse == 0)
    #expect(queue.store(bytes(100)) == .stored)
    #expect(pool.inUse == 2)
    queue.consume(64)
    #expect(pool.inUse == 1, "an emptied block goes back at once")
    queue.consume(36)
    #expect(queue.isEmpty)
    #expect(pool.inUse == 0)
  }

  @Test func storingNothingTakesNothing() {
    let pool = BlockPool(blockSize: 64, limit: 1)
    let queue = QueueBox(pool: pool, limit: 10)
    #expect(queue.store([]) == .stored)
    #expect(pool.inUse == 0)
    queue.consume(0)
    #expect(queue.front == [])
  }

  @Test func refusesWhatExceedsItsOwnLimitAndStaysAsItWas() {
    let pool = BlockPool(blockSize: 64, limit: 100)
    let queue = QueueBox(pool: pool, limit: 100)
    #expect(queue.append(bytes(90)))
    #expect(queue.store(bytes(11)) == .queueFull)
    #expect(!queue.append(bytes(11)))
    #expect(queue.count == 90)
    #expect(queue.room == 10)
    #expect(queue.prefix(1_000) == bytes(90))
    #expect(queue.store(bytes(10, from: 90)) == .stored)
    #expect(queue.prefix(1_000) == bytes(100))
    #expect(pool.refusals == 0, "the pool had nothing to do with it")
  }

  @Test func refusesWhenThePoolIsExhaustedAndStaysAsItWas() {
    let pool = BlockPool(blockSize: 64, limit: 3)
    let rich = QueueBox(pool: pool, limit: 10_000)
    let poor = QueueBox(pool: pool, limit: 10_000)
    #expect(rich.store(bytes(100)) == .stored)
    #expect(poor.store(bytes(10)) == .stored)
    #expect(pool.available == 0)
    // Half of it would fit into the last block's free room: none of it may stay there.
    #expect(poor.store(bytes(60)) == .poolExhausted)
    #expect(poor.count == 10)
    #expect(poor.prefix(100) == bytes(10))
    #expect(pool.refusals == 1)
    #expect(
      poor.store(bytes(54, from: 10)) == .stored, "what fits into held blocks is welcome")
    rich.removeAll()
    #expect(poor.store(bytes(60, from: 64)) == .stored)
    #expect(poor.prefix(200) == bytes(124))
  }

  @Test func lettingAQueueGoGivesItsBlocksBack() {
    let pool = BlockPool(blockSize: 16, limit: 100_000, keptMax: 10)
    do {
      let queue = QueueBox(pool: pool, limit: 2_000_000)
      // Long enough that releasing the chain by recursion would overflow the stack.
      for _ in 0..<800 { #expect(queue.append(bytes(2_000))) }
      #expect(pool.inUse == 100_000)
    }
    #expect(pool.inUse == 0)
    #expect(pool.kept == 10, "the rest went back to the allocator")
    #expect(pool.peakInUse == 100_000)
  }

  @Test func returnedBlocksAreUsedAgain() {
    let pool = BlockPool(blockSize: 16, limit: 10)
    let queue = QueueBox(pool: pool, limit: 1_000)
    for round in UInt8(0)..<50 {
      #expect(queue.append(bytes(40, from: round)))
      #expect(queue.prefix(40) == bytes(40, from: round))
      queue.removeAll()
      #expect(pool.kept == 3)
    }
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64], [1, 7, 64, 4_096])
  func agreesWithAnArray(seed: UInt64, blockSize: Int) {
    var numbers = SeededNumbers(seed: seed)
    let pool = BlockPool(blockSize: blockSize, limit: 10_000, keptMax: 4)
    let queue = QueueBox(pool: pool, limit: 3_000)
    var twin: [UInt8] = []
    for _ in 0..<400 {
      if numbers.next() % 2 == 0 {
        let more = bytes(
          Int(numbers.next() % 600), from: UInt8(truncatingIfNeeded: numbers.next()))
        if queue.append(more) {
          twin += more
        } else {
          #expect(twin.count + more.count > 3_000)
        }
      } else {
        let fewer = twin.isEmpty ? 0 : Int(numbers.next() % UInt64(twin.count + 1))
        queue.consume(fewer)
        twin.removeFirst(fewer)
      }
      #expect(queue.count == twin.count)
      #expect(queue.prefix(.max) == twin)
      let front = queue.front
      #expect(front == Array(twin.prefix(front.count)))
      #expect(front.isEmpty == twin.isEmpty)
      #expect((pool.inUse == 0) == twin.isEmpty)
    }
  }
}
