// ClientSieve: never no to a member, seldom yes to a stranger, and full when it would be often.

import BGBModel
import Testing

@testable import BGBServer

@Suite struct ClientSieveTests {
  private func random(_ count: Int, seed: UInt64) -> [ClientID] {
    var state = seed
    func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state ^ state >> 29
    }
    return (0..<count).map { _ in ClientID(Bits128(high: next(), low: next())) }
  }

  private func counted(_ numbers: Range<UInt64>) -> [ClientID] {
    numbers.map { ClientID(Bits128(high: 7, low: $0)) }
  }

  @Test func membersAreHeldAndStrangersSeldom() {
    for (members, strangers) in [
      (random(10_000, seed: 1), random(80_000, seed: 2)),
      (counted(0..<10_000), counted(10_000..<90_000)),
    ] {
      var sieve = ClientSieve(capacity: members.count)
      for member in members { sieve.add(member) }
      #expect(members.allSatisfy { sieve.mayHold($0) })
      let mistaken = strangers.count { sieve.mayHold($0) }
      #expect(mistaken <= strangers.count / 8, "\(mistaken) of \(strangers.count)")
    }
  }

  @Test func itIsFullBehindItsRoomAndNotBefore() {
    var sieve = ClientSieve(capacity: 64)
    for client in counted(0..<64) { sieve.add(client) }
    #expect(!sieve.isFull)
    sieve.add(counted(64..<65)[0])
    #expect(sieve.isFull)
  }

  @Test func anEmptyOneHoldsNobody() {
    let sieve = ClientSieve()
    #expect(!random(1_000, seed: 3).contains { sieve.mayHold($0) })
  }
}
