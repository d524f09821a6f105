// The order of newcomers, and what a server concludes from the cost of handshakes.

import Reactor
import Testing

@testable import BGBServer

struct AdmissionTests {
  private func token(_ number: UInt32) -> Token { Token(generation: 1, index: number) }

  @Test func resumedComeBeforeFullAndFullAreNotStarved() {
    var admission = Admission()
    for number in 0..<9 as Range<UInt32> { admission.park(token(number), resumes: true) }
    for number in 100..<103 as Range<UInt32> { admission.park(token(number), resumes: false) }
    #expect(admission.parkedCount == 12)
    var order: [UInt32] = []
    while let next = admission.nextParked() { order.append(next.index) }
    #expect(order == [0, 1, 2, 100, 3, 4, 5, 101, 6, 7, 8, 102])
    #expect(!admission.hasParked)
  }

  @Test func withoutResumersTheFullOnesGoOnAtOnce() {
    var admission = Admission()
    for number in 0..<5 as Range<UInt32> { admission.park(token(number), resumes: false) }
    var order: [UInt32] = []
    while let next = admission.nextParked() { order.append(next.index) }
    #expect(order == [0, 1, 2, 3, 4])
  }

  @Test func handshakesUnderWayHaveALineOfTheirOwn() {
    var admission = Admission()
    #expect(!admission.hasBegun)
    admission.goOn(token(1))
    admission.goOn(token(2))
    let (first, second, third) = (
      admission.nextBegun(), admission.nextBegun(), admission.nextBegun()
    )
    #expect([first, second] == [token(1), token(2)])
    #expect(third == nil)
  }

  @Test func theOldestIsTheFirstThatIsStillUnderWay() {
    var admission = Admission()
    for number in 1...4 as ClosedRange<UInt32> { admission.began(token(number)) }
    let oldest = admission.oldest { $0.index >= 3 }
    #expect(oldest == token(3))
    let same = admission.oldest { $0.index >= 3 }
    #expect(same == token(3), "to ask takes nobody out who is under way")
    let none = admission.oldest { _ in false }
    #expect(none == nil)
  }

  @Test func longLinesKeepTheirOrder() {
    var admission = Admission()
    var expected: UInt32 = 0
    for number in 0..<5_000 as Range<UInt32> {
      admission.goOn(token(number))
      if number % 3 == 2 {
        let next = admission.nextBegun()
        #expect(next == token(expected))
        expected += 1
      }
    }
    while let next = admission.nextBegun() {
      #expect(next == token(expected))
      expected += 1
    }
    #expect(expected == 5_000)
  }

  @Test func theWindowFollowsTheMeasuredCost() {
    var meter = HandshakeMeter()
    for _ in 0..<1_000 {
      meter.spend(200_000)
      meter.spend(300_000)
      meter.finish()
    }
    #expect(abs(meter.nanosecondsEach - 500_000) < 1_000)
    // Half of a core at half a millisecond each: a thousand a second.
    #expect(abs(meter.perSecond - 1_000) < 5)
    #expect((59_000...61_000).contains(meter.window(for: 60_000)))
    #expect(meter.window(for: 0) == 0)
    #expect(meter.window(for: -1) == 0)
  }

  @Test func oneStallDoesNotDecide() {
    var meter = HandshakeMeter(nanosecondsEach: 1_000_000)
    meter.spend(60_000_000_000)
    meter.finish()
    #expect(meter.nanosecondsEach < 1_100_000)
  }
}
