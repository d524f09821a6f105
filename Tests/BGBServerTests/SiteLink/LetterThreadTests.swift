// A thread with a mailbox (LetterThread.swift): letters come together and in order, and nothing of
// them is held while it sleeps.

import Glibc
import Reactor
import Synchronization
import Testing

@testable import BGBServer

/// What a letter carries, and who wants to know when it is gone.
private final class Burden: Sendable {
  let gone: Mailbox<Int>
  let number: Int

  init(_ number: Int, _ gone: Mailbox<Int>) {
    self.number = number
    self.gone = gone
  }

  deinit { gone.post(number) }
}

struct LetterThreadTests {
  @Test(.timeLimit(.minutes(1)))
  func nothingOfALetterIsHeldInSleep() throws {
    let letters = try Mailbox<Burden?>()
    let gone = try Mailbox<Int>()
    let thread = try LetterThread.start(
      name: "bgb-test", mailbox: letters, makeState: { 0 },
      work: { (_: inout Int, taken: [Burden?]) in
        taken.contains { $0 == nil } ? .end : .wait
      })
    letters.post(Burden(7, gone))
    // No second letter comes: the first one must go by itself.
    let poller = try Poller()
    try poller.add(gone.bell.fd, .bell, .readable)
    let ready = ReadyList(capacity: 1)
    var numbers: [Int] = []
    while numbers.isEmpty {
      _ = try poller.wait(into: ready, timeoutMilliseconds: -1)
      gone.takeAll(into: &numbers)
    }
    #expect(numbers == [7])
    letters.post(nil)
    thread.join()
  }
}
