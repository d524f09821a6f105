// The timer wheel at a thousand and at a million timers, beside libev's and libuv's heaps.
//
// Distances are random within the hour. Moving is what a protocol with deadlines does most. Expiry
// is measured twice: in virtual time over the whole hour (ours only: the rivals read the machine's
// clock), and in real time, where timers are spread over one second and each loop runs until all
// have fired.

import CRivals
import Reactor

/// Timers, their distances and the orders in which they are touched.
private struct Schedule {
  let count: Int
  let distances: [UInt32]
  let shuffled: [UInt32]
  let moves: [UInt32]

  init(count: Int, within milliseconds: UInt32) {
    var numbers = SeededNumbers(state: 7)
    self.count = count
    distances = (0..<count).map { _ in
      1 + UInt32(truncatingIfNeeded: numbers.next() % UInt64(milliseconds))
    }
    shuffled = (0..<UInt32(count)).shuffled(using: &numbers)
    moves = (0..<1_000_000).map { _ in
      UInt32(truncatingIfNeeded: numbers.next() % UInt64(count))
    }
  }
}

func measureWheel() throws {
  for count in [1_000, 1_000_000] {
    printTitle("wheel, \(count) timers within an hour")
    let schedule = Schedule(count: count, within: 3_600_000)
    measureArming(schedule)
    measureMoving(schedule)
    measureDisarming(schedule)
    measureVirtualExpiry(schedule)
    measureNextWake(schedule)
  }
  for count in [1_000, 1_000_000] {
    printTitle("expiry in real time, \(count) timers within one second")
    try measureRealExpiry(Schedule(count: count, within: 1_000))
  }
}

private func armed(_ schedule: Schedule) -> (TimerWheel, [TimerHandle]) {
  let wheel = TimerWheel(now: Ticks(milliseconds: 1 << 32), reserving: schedule.count)
  var handles: [TimerHandle] = []
  handles.reserveCapacity(schedule.count)
  for index in 0..<schedule.count {
    let deadline = wheel.now + UInt64(schedule.distances[index])
    handles.append(wheel.arm(deadline: deadline, payload: UInt64(index)))
  }
  return (wheel, handles)
}

/// Small counts are repeated within a round, or the clock would be what is measured.
private func repeats(_ schedule: Schedule) -> Int { max(1, 200_000 / schedule.count) }

private func measureArming(_ schedule: Schedule) {
  let times = repeats(schedule)
  let operations = schedule.count * times
  let ours = measure("arm", operations: operations) {
    var spent: UInt64 = 0
    for _ in 0..<times {
      let wheel = TimerWheel(now: Ticks(milliseconds: 1 << 32), reserving: schedule.count)
      spent += cpuNanoseconds {
        for index in 0..<schedule.count {
          let deadline = wheel.now + UInt64(schedule.distances[index])
          _ = wheel.arm(deadline: deadline, payload: UInt64(index))
        }
      }
    }
    return spent
  }
  let count = UInt32(schedule.count)
  measure("  libev: start", operations: operations, against: ours) {
    (0..<times).reduce(0) { sum, _ in unsafe sum + rivals_ev_arm(count, schedule.distances) }
  }
  measure("  libuv: start", operations: operations, against: ours) {
    (0..<times).reduce(0) { sum, _ in unsafe sum + rivals_uv_arm(count, schedule.distances) }
  }
}

private func measureMoving(_ schedule: Schedule) {
  let moves = schedule.moves.count
  let ours = measure("move one of them", operations: moves) {
    let (wheel, handles) = armed(schedule)
    return cpuNanoseconds {
      for (step, which) in schedule.moves.enumerated() {
        let distance = schedule.distances[(Int(which) + step) % schedule.count]
        wheel.move(handles[Int(which)], to: wheel.now + UInt64(distance))
      }
    }
  }
  let count = UInt32(schedule.count)
  measure("  libev: again", operations: moves, against: ours) {
    unsafe rivals_ev_move(count, schedule.distances, UInt32(moves), schedule.moves)
  }
  measure("  libuv: start again", operations: moves, against: ours) {
    unsafe rivals_uv_move(count, schedule.distances, UInt32(moves), schedule.moves)
  }
}

private func measureDisarming(_ schedule: Schedule) {
  let times = repeats(schedule)
  let operations = schedule.count * times
  let ours = measure("disarm, in random order", operations: operations) {
    var spent: UInt64 = 0
    for _ in 0..<times {
      let (wheel, handles) = armed(schedule)
      spent += cpuNanoseconds {
        for index in schedule.shuffled { wheel.disarm(handles[Int(index)]) }
      }
    }
    return spent
  }
  let count = UInt32(schedule.count)
  measure("  libev: stop", operations: operations, against: ours) {
    (0..<times).reduce(0) { sum, _ in
      unsafe sum + rivals_ev_disarm(count, schedule.distances, schedule.shuffled)
    }
  }
  measure("  libuv: stop", operations: operations, against: ours) {
    (0..<times).reduce(0) { sum, _ in
      unsafe sum + rivals_uv_disarm(count, schedule.distances, schedule.shuffled)
    }
  }
}

private func measureVirtualExpiry(_ schedule: Schedule) {
  let times = repeats(schedule)
  measure("expire, wake-ups and cascades included", operations: schedule.count * times) {
    var spent: UInt64 = 0
    for _ in 0..<times {
      let (wheel, _) = armed(schedule)
      var fired = 0
      spent += cpuNanoseconds {
        while let wake = wheel.nextWake() {
          wheel.advance(to: wake)
          while wheel.popExpired() != nil { fired += 1 }
        }
      }
      precondition(fired == schedule.count, "a timer did not fire")
    }
    return spent
  }
  var longest: UInt64 = 0
  measure("  longest single advance", operations: 1) {
    let (wheel, _) = armed(schedule)
    longest = 0
    while let wake = wheel.nextWake() {
      longest = max(longest, cpuNanoseconds { wheel.advance(to: wake) })
      while wheel.popExpired() != nil {}
    }
    return longest
  }
}

private func measureNextWake(_ schedule: Schedule) {
  let (wheel, _) = armed(schedule)
  var sum: UInt64 = 0
  measure("ask for the next wake-up", operations: 1_000_000) {
    cpuNanoseconds {
      for _ in 0..<1_000_000 { sum &+= wheel.nextWake()?.milliseconds ?? 0 }
    }
  }
  precondition(sum != 0, "there is a next wake-up")
}

private func measureRealExpiry(_ schedule: Schedule) throws {
  let rounds = 3
  let ours = try measure("loop until all have fired", operations: schedule.count, rounds: rounds) {
    let loop = try Loop(timerCapacity: schedule.count)
    for index in 0..<schedule.count {
      _ = loop.arm(
        afterMilliseconds: UInt64(schedule.distances[index]), payload: UInt64(index))
    }
    var fired = 0
    return try cpuNanoseconds {
      while fired < schedule.count {
        _ = try loop.wait(maySleep: true)
        for _ in 0..<loop.gatherExpired() where loop.popExpired() != nil { fired += 1 }
      }
    }
  }
  let count = UInt32(schedule.count)
  measure("  libev", operations: schedule.count, rounds: rounds, against: ours) {
    unsafe rivals_ev_expire(count, schedule.distances)
  }
  measure("  libuv", operations: schedule.count, rounds: rounds, against: ours) {
    unsafe rivals_uv_expire(count, schedule.distances)
  }
}
