// Tokens find their elements, and stale tokens are recognised, told apart and counted.

import Testing

@testable import Reactor

@Suite struct SlotTableTests {
  typealias Counts = SlotTable<String>.StaleCounts

  @Test func findsWhatWasInserted() throws {
    let table = TableBox<String>(limit: 10)
    let first = try #require(table.insert("first"))
    let second = try #require(table.insert("second"))
    #expect(table[first] == "first")
    #expect(table[second] == "second")
    #expect(table.count == 2)
    #expect(table.stale == Counts())
  }

  @Test func tellsTheKindsOfStaleTokensApart() throws {
    let table = TableBox<String>(limit: 10)
    let old = try #require(table.insert("old"))
    #expect(table.standing(of: old) == .current)
    #expect(table.remove(old) == "old")

    #expect(table.standing(of: old) == .freed)
    #expect(table[old] == nil)
    #expect(table.stale.freed == 1)

    let new = try #require(table.insert("new"))
    #expect(new.index == old.index, "the slot is used again")
    #expect(table.standing(of: old) == .reused)
    #expect(table[old] == nil, "the stranger must not be found")
    #expect(table.remove(old) == nil, "nor removed")
    #expect(table.update(old) { $0 = "hit" } == false, "nor changed")
    #expect(table[new] == "new")
    #expect(table.stale.reused == 3)

    let invented = [
      Token(generation: 0, index: 0), Token(generation: 1, index: 9),
      Token(generation: new.generation + 1, index: new.index), Token.bell,
    ]
    for token in invented {
      #expect(table.standing(of: token) == .never)
      #expect(table[token] == nil)
    }
    #expect(table.stale.never == 4)
    #expect(table.stale.freed == 1)
  }

  @Test func peekingCountsNothing() throws {
    let table = TableBox<String>(limit: 1)
    let token = try #require(table.insert("x"))
    #expect(table.peek(token) == "x")
    table.remove(token)
    #expect(table.peek(token) == nil)
    #expect(table.stale == Counts())
  }

  @Test func refusesBeyondItsLimitAndGoesOnBelowIt() throws {
    let table = TableBox<Int>(limit: 2)
    let first = try #require(table.insert(1))
    #expect(table.insert(2) != nil)
    #expect(table.insert(3) == nil)
    table.remove(first)
    #expect(table.insert(3) != nil)
    #expect(table.count == 2)
  }

  @Test func aSpentSlotIsRetiredAndNeverMeansTwoTenants() throws {
    let table = TableBox<Int>(limit: 5)
    let first = try #require(table.insert(1))
    table.remove(first)
    table.table.slots[0].generation = .max
    let last = try #require(table.insert(2))
    #expect(last == Token(generation: .max, index: 0))
    #expect(table[last] == 2)
    table.remove(last)
    #expect(table.standing(of: last) == .freed)
    let next = try #require(table.insert(3))
    #expect(next.index == 1, "the spent slot stays empty for good")
    #expect(table[last] == nil)
    #expect(table.stale.freed == 1)
  }

  @Test func updatesInPlace() throws {
    let table = TableBox<[Int]>(limit: 1)
    let token = try #require(table.insert([1]))
    #expect(table.update(token) { $0.append(2) })
    #expect(table[token] == [1, 2])
  }

  @Test func visitsEveryElementOnce() throws {
    let table = TableBox<Int>(limit: 100)
    let tokens = (0..<10).compactMap { table.insert($0) }
    table.remove(tokens[3])
    table.remove(tokens[9])
    var seen: [Int] = []
    table.table.forEach { token, element in
      #expect(tokens[element] == token)
      seen.append(element)
    }
    #expect(seen == [0, 1, 2, 4, 5, 6, 7, 8])

    var walked: [Int] = []
    var from: UInt32 = 0
    while let found = table.table.first(from: from) {
      walked.append(found.element)
      from = found.token.index + 1
    }
    #expect(walked == seen)
  }

  @Test func releasesTheElementItRemoves() throws {
    final class Tenant {}
    let table = TableBox<Tenant>(limit: 1)
    weak var watched: Tenant?
    let token: Token
    do {
      let tenant = Tenant()
      watched = tenant
      token = try #require(table.insert(tenant))
    }
    #expect(watched != nil)
    table.remove(token)
    #expect(watched == nil)
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func agreesWithADictionary(seed: UInt64) {
    var numbers = SeededNumbers(seed: seed)
    let table = TableBox<UInt64>(limit: 64)
    var twin: [Token: UInt64] = [:]
    var issued: [Token] = []
    for step in UInt64(0)..<5_000 {
      if numbers.next() % 2 == 0 {
        if let token = table.insert(step) {
          #expect(twin.updateValue(step, forKey: token) == nil, "no token is issued twice")
          issued.append(token)
        } else {
          #expect(twin.count == 64)
        }
      } else if let token = issued.randomElement(using: &numbers) {
        #expect(table[token] == twin[token])
        #expect(table.remove(token) == twin.removeValue(forKey: token))
      }
      #expect(table.count == twin.count)
    }
    #expect(Set(issued).count == issued.count)
  }
}
