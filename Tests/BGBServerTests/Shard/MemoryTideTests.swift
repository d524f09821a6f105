// When memory is given back (MemoryTide.swift): behind a flood, once, and never for a few visitors.

import Testing

@testable import BGBServer

struct MemoryTideTests {
  @Test func aFewVisitorsAreNotWorthIt() {
    var tide = MemoryTide()
    #expect(!tide.isWorthALook(MemoryTide.worth - 1))
    let answer1 = tide.look(MemoryTide.worth - 1, isIdle: true)
    #expect(!answer1)
  }

  @Test func aFloodIsWaitedForAndThenGivenBackOnce() {
    var tide = MemoryTide()
    var answers: [Bool] = []
    // It comes in five looks, and for a moment nothing is under way in the midst of it.
    for load in [1_200, 2_400, 3_600, 4_800, 5_500] as [UInt64] {
      answers.append(tide.look(load, isIdle: load == 3_600))
    }
    #expect(answers == Array(repeating: false, count: 5))
    #expect(tide.isWorthALook(5_500))
    let underWay = tide.look(5_500, isIdle: false)
    #expect(!underWay, "what is under way is waited for")
    let over = tide.look(5_500, isIdle: true)
    #expect(over)
    #expect(!tide.isWorthALook(5_500))
    let again = tide.look(5_500, isIdle: true)
    #expect(!again)
    #expect(tide.isWorthALook(6_500), "the next one counts from here")
  }

  @Test func stragglersDoNotPutItOff() {
    var tide = MemoryTide()
    _ = tide.look(10_000, isIdle: true)
    let many = tide.look(10_000 + 41, isIdle: true)
    #expect(!many)
    let few = tide.look(10_041 + 39, isIdle: true)
    #expect(few, "fewer than one in 256 of those before")
  }

  @Test func whoIsNeverAloneGivesBackInTheEnd() {
    var tide = MemoryTide()
    var load: UInt64 = 0
    var looks = 0
    var isGivenBack = false
    while !isGivenBack, looks < 1_000 {
      load += 30
      looks += 1
      isGivenBack = tide.look(load, isIdle: true)
    }
    #expect(load == 7_680, "30 at a time are few beside 256 times as many")
  }
}
