// The arithmetic of a turn's time for handshakes.
import Testing
import Transports

@Suite("Handshake budget")
struct HandshakeBudgetTests {
  @Test("A turn stops when its time is spent, and the next one starts anew")
  func spends() {
    var budget = HandshakeBudget(nanosecondsPerTurn: 1000)
    budget.beginTurn()
    #expect(budget.mayContinue)
    budget.start(now: 100)
    budget.stop(now: 700)
    #expect(budget.spentNanoseconds == 600)
    #expect(budget.mayContinue)
    budget.start(now: 700)
    budget.stop(now: 1100)
    #expect(!budget.mayContinue)
    budget.beginTurn()
    #expect(budget.mayContinue)
  }

  @Test("Even without a budget one step goes through per turn")
  func zero() {
    var budget = HandshakeBudget(nanosecondsPerTurn: 0)
    #expect(budget.mayContinue)
    budget.start(now: 5)
    budget.stop(now: 5)
    #expect(budget.spentNanoseconds == 1)
    #expect(!budget.mayContinue)
  }

  @Test("A clock that jumps neither traps nor gives time back")
  func jumps() {
    var budget = HandshakeBudget(nanosecondsPerTurn: 10)
    budget.start(now: 100)
    budget.stop(now: 50)
    #expect(budget.spentNanoseconds == 1)
    budget.start(now: 0)
    budget.stop(now: .max)
    #expect(budget.spentNanoseconds == .max)
    budget.stop(now: 7)
    #expect(budget.spentNanoseconds == .max)
  }
}
