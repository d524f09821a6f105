// A letter into the loop's thread: posted under the lock, the bell rung, taken in one turn.
//
// libev and libuv wake a loop but carry nothing, so their side adds what every user of theirs adds:
// an array under a pthread mutex. One thread does both ends, because what the two cores of a small
// machine make of a hand-over says more about its scheduler than about the code.

import CRivals
import Reactor

func measureLetters() throws {
  for letters in [1, 100] {
    let turns = 200_000 / letters
    printTitle("letters, \(letters) a turn")
    let ours = try measure("post, wake, take", operations: letters * turns) {
      try postOurs(letters, turns)
    }
    measure("  libev: mutex, array, async", operations: letters * turns, against: ours) {
      rivals_ev_letters(UInt32(letters), UInt32(turns))
    }
    measure("  libuv: mutex, array, async", operations: letters * turns, against: ours) {
      rivals_uv_letters(UInt32(letters), UInt32(turns))
    }
  }
}

private func postOurs(_ letters: Int, _ turns: Int) throws -> UInt64 {
  let loop = try Loop()
  let mailbox = try Mailbox<UInt64>()
  try loop.poller.add(mailbox.bell.fd, .bell, .readable)
  var taken: [UInt64] = []
  var count = 0
  var sum: UInt64 = 0
  let spent = try cpuNanoseconds {
    for _ in 0..<turns {
      for letter in 0..<letters { mailbox.post(UInt64(letter)) }
      _ = try loop.wait(maySleep: true)
      taken.removeAll(keepingCapacity: true)
      count += mailbox.takeAll(into: &taken)
      for letter in taken { sum &+= letter }
    }
  }
  precondition(count == letters * turns, "a letter is missing")
  return spent
}
