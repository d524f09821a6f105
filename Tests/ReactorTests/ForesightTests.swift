// Hints about memory: they name the right place, and nothing but time depends on them.

import Testing

@testable import Reactor

@Suite struct ForesightTests {
  private final class Thing {
    var number: Int
    init(_ number: Int) { self.number = number }
  }

  private func address(of thing: Thing) -> UInt {
    unsafe UInt(bitPattern: Unmanaged.passUnretained(thing).toOpaque())
  }

  @Test("The address of a slot's element is the object's, without holding the object")
  func addresses() {
    var table = SlotTable<Thing>(limit: 10)
    let things = (0..<5).map(Thing.init)
    for thing in things { _ = table.insert(thing) }
    for (place, thing) in things.enumerated() {
      #expect(Foresight.address(in: table.slots, at: place) == address(of: thing))
    }
    #expect(Foresight.address(in: table.slots, at: 5) == 0)
    #expect(Foresight.address(in: [Thing](), at: 0) == 0)
  }

  @Test("A hint counts no stale token, keeps no element and may name anything")
  func harmless() throws {
    var table = SlotTable<Thing>(limit: 10)
    let inserted = (7...8).map { table.insert(Thing($0)) }
    let current = try #require(inserted[0])
    let gone = try #require(inserted[1])
    weak let watched = table[current]
    table.remove(gone)
    let before = table.stale
    for token in [current, gone, Token(generation: 9, index: 9), .bell, .reserved(40)] {
      table.foresee(token, bytes: 4_096)
    }
    for address: UInt in [0, 1, 4_095, .max / 2, .max - 200, .max] {
      Foresight.bring(at: address, bytes: 128)
    }
    #expect(table.stale == before)
    #expect(table[current]?.number == 7)
    table.remove(current)
    #expect(watched == nil)
    Foresight.bring(Thing(9), bytes: 0)
  }

  @Test("A look behind a token sees whoever stands there and keeps nobody alive")
  func looks() throws {
    var table = SlotTable<Thing>(limit: 10)
    let inserted = (1...2).map { table.insert(Thing($0)) }
    let first = try #require(inserted[0])
    let gone = try #require(inserted[1])
    table.remove(gone)
    var seen: [Int] = []
    for token in [first, gone, Token(generation: 1, index: 9), .bell] {
      table.foresee(behind: token) { seen.append($0.number) }
    }
    #expect(seen == [1])
    weak let watched = table[first]
    table.foresee(behind: first) { $0.number = 5 }
    #expect(watched?.number == 5)
    table.remove(first)
    #expect(watched == nil)
  }
}
