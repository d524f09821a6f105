// The age of what waits to be sent: the rule by which slow readers are cut.
import Reactor
import Testing

@testable import Transports

@Suite("Outbound queue")
struct OutboundQueueTests {
  private func ticks(_ milliseconds: UInt64) -> Ticks { Ticks(milliseconds: milliseconds) }

  @Test("An empty queue waits for nothing and holds no block")
  func empty() {
    let pool = BlockPool(limit: 4)
    var queue = OutboundQueue(pool: pool, limit: 100, now: ticks(5))
    #expect(queue.waitingSince == nil)
    #expect(queue.store([1, 2].span, now: ticks(10)) == .stored)
    #expect(queue.waitingSince == ticks(10))
    queue.consume(2, now: ticks(11))
    #expect(queue.waitingSince == nil)
    #expect(pool.inUse == 0)
  }

  @Test("Later bytes do not make the queue younger")
  func laterBytes() {
    var queue = OutboundQueue(pool: BlockPool(limit: 4), limit: 100, now: .zero)
    #expect(queue.store(pattern(10).span, now: ticks(10)) == .stored)
    #expect(queue.store(pattern(10).span, now: ticks(500)) == .stored)
    #expect(queue.waitingSince == ticks(10))
  }

  @Test("A peer that takes a byte now and then stays as slow as it is")
  func trickle() {
    var queue = OutboundQueue(pool: BlockPool(limit: 4), limit: 100, now: .zero)
    #expect(queue.store(pattern(50).span, now: ticks(0)) == .stored)
    for second in UInt64(1)...49 {
      queue.consume(1, now: ticks(second * 1000))
      #expect(queue.waitingSince == ticks(0))
    }
    // Something is always added, so the queue never empties; the snapshot does.
    #expect(queue.store(pattern(20).span, now: ticks(49_500)) == .stored)
    queue.consume(1, now: ticks(50_000))
    #expect(queue.waitingSince == ticks(50_000))
  }

  @Test("Refused bytes change nothing")
  func refused() {
    var queue = OutboundQueue(pool: BlockPool(limit: 4), limit: 10, now: .zero)
    #expect(queue.store(pattern(11).span, now: ticks(7)) == .queueFull)
    #expect(queue.waitingSince == nil)
    #expect(queue.store(pattern(10).span, now: ticks(8)) == .stored)
    #expect(queue.store([1].span, now: ticks(9)) == .queueFull)
    #expect(queue.waitingSince == ticks(8))
    queue.removeAll()
    #expect(queue.waitingSince == nil)
    #expect(queue.store([1].span, now: ticks(10)) == .stored)
    #expect(queue.waitingSince == ticks(10))
  }
}
