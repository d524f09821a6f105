// The pool counts what is out, keeps some of what comes back, and refuses by number.

import Testing

@testable import Reactor

@Suite struct BlockPoolTests {
  @Test func countsAndKeeps() throws {
    let pool = BlockPool(blockSize: 32, limit: 3, keptMax: 1)
    let first = try #require(pool.take())
    let second = try #require(pool.take())
    #expect(pool.inUse == 2)
    #expect(pool.available == 1)
    pool.giveBack(first)
    pool.giveBack(second)
    #expect(pool.inUse == 0)
    #expect(pool.kept == 1)
    #expect(pool.take() === first, "the kept block is handed out again")
    #expect(pool.kept == 0)
  }

  @Test func letsGoOfWhatItKeeps() throws {
    let pool = BlockPool(blockSize: 32, limit: 8, keptMax: 8)
    let out = try #require(pool.take())
    var block = pool.take()
    weak let seen = block
    pool.giveBack(try #require(block))
    block = nil
    #expect(seen != nil)
    #expect(pool.kept == 1)
    pool.releaseKept()
    #expect(seen == nil)
    #expect(pool.kept == 0)
    #expect(pool.inUse == 1, "what is out stays out")
    pool.giveBack(out)
    #expect(pool.kept == 1, "and keeping begins anew")
  }

  @Test func refusesAtItsLimit() {
    let pool = BlockPool(blockSize: 32, limit: 2)
    let taken = [pool.take(), pool.take(), pool.take()]
    #expect(taken.compactMap { $0 }.count == 2)
    #expect(pool.refusals == 1)
    #expect(pool.peakInUse == 2)
  }

  @Test func aReturnedBlockForgetsWhatItHeld() throws {
    let pool = BlockPool(blockSize: 4, limit: 1)
    let block = try #require(pool.take())
    let fitted = block.append([1, 2, 3, 4, 5].span, from: 0)
    #expect(fitted == 4)
    #expect(block.room == 0)
    block.consume(1)
    block.withBytes { #expect($0[0] == 2) }
    pool.giveBack(block)
    let again = try #require(pool.take())
    #expect(again.count == 0)
    #expect(again.room == 4)
  }
}
