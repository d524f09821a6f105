// A turn's cost for each ready descriptor, beside libev, libuv and bare epoll_wait.
//
// The descriptors are eventfds that stay readable, so every turn reports all of them. Ours finds
// the connection by token in a slot table of classes and touches it, which is what a server does;
// the rivals call back with their watcher.

import CRivals
import Reactor

private final class Connection {
  var seen = 0
}

func measureTurns() throws {
  for count in [1, 100, 1_000] {
    printTitle("turn, \(count) ready of \(count)")
    try measureTurn(count: count, turns: 400_000 / (count + 3))
  }
}

private func measureTurn(count: Int, turns: Int) throws {
  let bells = try (0..<count).map { _ in try Bell() }
  for bell in bells { bell.ring() }
  let events = count * turns
  let ours = try measure("loop and slot table", operations: events) {
    try turnOurs(bells, turns: turns)
  }
  let fds = bells.map(\.fd)
  let (few, many) = (UInt32(count), UInt32(turns))
  // Numbers alone keep no descriptor open.
  withExtendedLifetime(bells) {
    measure("  libev", operations: events, against: ours) { unsafe rivals_ev_turns(few, fds, many) }
    measure("  libuv", operations: events, against: ours) { unsafe rivals_uv_turns(few, fds, many) }
    measure("  bare epoll_wait in C", operations: events, against: ours) {
      unsafe rivals_bare_turns(few, fds, many)
    }
  }
}

private func turnOurs(_ bells: [Bell], turns: Int) throws -> UInt64 {
  let loop = try Loop(readyCapacity: 1_024)
  var table = SlotTable<Connection>(limit: bells.count)
  for bell in bells {
    if let token = table.insert(Connection()) {
      try loop.poller.add(bell.fd, token, .readable)
    }
  }
  _ = loop.arm(afterMilliseconds: 3_600_000, payload: 0)
  var seen = 0
  let spent = try cpuNanoseconds {
    for _ in 0..<turns {
      let ready = try loop.wait(maySleep: false)
      for index in 0..<ready {
        let event = loop.ready[index]
        guard let connection = table[event.token] else { continue }
        if event.readiness.contains(.readable) { connection.seen += 1 }
        seen += 1
      }
      for _ in 0..<loop.gatherExpired() { _ = loop.popExpired() }
    }
  }
  precondition(seen == bells.count * turns, "an event is missing")
  return spent
}
