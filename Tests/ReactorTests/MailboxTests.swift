// Letters cross from any thread: none lost, none doubled, each sender's in order, the bell rung as
// needed.

import Glibc
import Reactor
import Synchronization
import Testing

@Suite struct MailboxTests {
  struct Letter: Sendable, Equatable {
    var sender: Int
    var number: Int
  }

  @Test func lettersArriveInOrder() throws {
    let mailbox = try Mailbox<Int>()
    for number in 0..<5 { #expect(mailbox.post(number)) }
    var letters: [Int] = []
    #expect(mailbox.takeAll(into: &letters) == 5)
    #expect(letters == [0, 1, 2, 3, 4])
    #expect(mailbox.takeAll(into: &letters) == 0)
  }

  @Test func lettersAreAddedToWhatWasTakenBefore() throws {
    let mailbox = try Mailbox<String>()
    mailbox.post("b")
    var letters = ["a"]
    #expect(mailbox.takeAll(into: &letters) == 1)
    #expect(letters == ["a", "b"])
  }

  @Test func theBellIsReadableExactlyWhileLettersWait() throws {
    let mailbox = try Mailbox<Int>()
    #expect(!isReadable(mailbox.bell.fd))
    mailbox.post(1)
    mailbox.post(2)
    #expect(isReadable(mailbox.bell.fd))
    var letters: [Int] = []
    mailbox.takeAll(into: &letters)
    #expect(!isReadable(mailbox.bell.fd), "or the loop would spin")
  }

  @Test func aFullMailboxRefuses() throws {
    let mailbox = try Mailbox<Int>(limit: 2)
    #expect(mailbox.post(1))
    #expect(mailbox.post(2))
    #expect(!mailbox.post(3))
    var letters: [Int] = []
    mailbox.takeAll(into: &letters)
    #expect(letters == [1, 2])
    #expect(mailbox.post(4))
  }

  @Test func manyThreadsPostAndNothingIsLost() throws {
    let senders = 8
    let each = 5_000
    let mailbox = try Mailbox<Letter>()
    let poller = try Poller()
    let ready = ReadyList(capacity: 4)
    try poller.add(mailbox.bell.fd, .bell, .readable)

    for sender in 0..<senders {
      // Let go of without joining: the count below is what waits for them.
      _ = try KernelThread.start(name: "sender \(sender)") {
        for number in 0..<each { mailbox.post(Letter(sender: sender, number: number)) }
      }
    }
    var next = [Int](repeating: 0, count: senders)
    var received = 0
    var letters: [Letter] = []
    while received < senders * each {
      let count = try poller.wait(into: ready, timeoutMilliseconds: 20_000)
      try #require(count == 1, "a letter was left lying and the bell did not ring")
      letters.removeAll(keepingCapacity: true)
      received += mailbox.takeAll(into: &letters)
      for letter in letters {
        #expect(letter.number == next[letter.sender])
        next[letter.sender] += 1
      }
    }
    #expect(received == senders * each)
    #expect(next.allSatisfy { $0 == each })
  }

  @Test func twoLoopsAnswerEachOther() throws {
    let there = try Mailbox<Int>()
    let back = try Mailbox<Int>()
    let rounds = 2_000
    let thread = try KernelThread.start(name: "echo") {
      var letters: [Int] = []
      var answered = 0
      while answered < rounds, awaitReadable(there.bell.fd) {
        letters.removeAll(keepingCapacity: true)
        there.takeAll(into: &letters)
        for letter in letters {
          back.post(letter + 1)
          answered += 1
        }
      }
    }
    var letters: [Int] = []
    for round in 0..<rounds {
      there.post(round)
      letters.removeAll(keepingCapacity: true)
      while letters.isEmpty {
        try #require(awaitReadable(back.bell.fd))
        back.takeAll(into: &letters)
      }
      #expect(letters == [round + 1])
    }
    thread.join()
  }

  @Test func theLastLetterOfABurstIsNotLeftLying() throws {
    final class Received: Sendable {
      let count = Atomic<Int>(0)
      let givenUp = Atomic<Bool>(false)
    }
    let rounds = 20_000
    let mailbox = try Mailbox<Int>()
    let received = Received()
    let writer = try KernelThread.start(name: "writer") {
      for round in 1...rounds {
        for letter in 0..<3 { mailbox.post(letter) }
        while received.count.load(ordering: .acquiring) < 3 * round {
          if received.givenUp.load(ordering: .relaxed) { return }
          sched_yield()
        }
      }
    }
    var letters: [Int] = []
    var count = 0
    while count < 3 * rounds, awaitReadable(mailbox.bell.fd) {
      letters.removeAll(keepingCapacity: true)
      count += mailbox.takeAll(into: &letters)
      received.count.store(count, ordering: .releasing)
    }
    received.givenUp.store(true, ordering: .relaxed)
    writer.join()
    #expect(count == 3 * rounds, "a letter was posted while the bell was being silenced")
  }
}
