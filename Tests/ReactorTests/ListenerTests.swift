// A listener accepts, shares its port when asked, and without descriptors refuses instead of
// spinning.

import CEpollShim
import Glibc
import Reactor
import Testing

@Suite struct ListenerTests {
  @Test func saysWhenNobodyWaits() throws {
    let listener = try Listener(.loopback(port: 0))
    #expect((listener.boundAddress.port ?? 0) > 0)
    guard case .wouldBlock = listener.accept() else {
      Issue.record("there was nobody to accept")
      return
    }
  }

  @Test func acceptedDescriptorsDoNotBlockAndDoNotSurviveExec() throws {
    let pair = try ConnectedPair()
    #expect(fcntl(pair.server.raw, F_GETFL) & O_NONBLOCK != 0)
    #expect(fcntl(pair.server.raw, F_GETFD) & FD_CLOEXEC != 0)
    #expect(fcntl(pair.client.raw, F_GETFL) & O_NONBLOCK != 0)
    #expect(fcntl(pair.client.raw, F_GETFD) & FD_CLOEXEC != 0)
  }

  @Test func listensOnIPv6() throws {
    let any = try #require(SocketAddress("[::1]:0"))
    let listener = try Listener(any)
    let client = try StreamSocket.connect(to: listener.boundAddress)
    #expect(awaitReadable(listener.fd))
    guard case .accepted(_, let peer) = listener.accept() else {
      Issue.record("nobody came")
      return
    }
    #expect(peer == (try StreamSocket.localAddress(of: client.raw)))
    #expect(peer.host == "::1")
  }

  @Test func aTakenPortIsRefusedUnlessBothShareIt() throws {
    let alone = try Listener(.loopback(port: 0))
    #expect(throws: Errno.addressInUse) { _ = try Listener(alone.boundAddress) }
    #expect(throws: Errno.addressInUse) { _ = try Listener(alone.boundAddress, reusePort: true) }

    let first = try Listener(.loopback(port: 0), reusePort: true)
    let second = try Listener(first.boundAddress, reusePort: true)
    #expect(first.boundAddress == second.boundAddress)
    var clients: [Int32] = []
    defer { clients.forEach { close($0) } }
    for _ in 0..<64 {
      let client = try StreamSocket.connect(to: first.boundAddress)
      #expect(awaitWritable(client.raw))
      clients.append(client.release())
    }
    let shares = [accepted(by: first), accepted(by: second)]
    #expect(shares[0] + shares[1] == 64)
    #expect(!shares.contains(0), "the kernel spreads 64 connections over both")
  }

  private func accepted(by listener: Listener) -> Int {
    var count = 0
    while case .accepted = listener.accept() { count += 1 }
    return count
  }

  /// Runs in a process of its own, because it takes away the descriptors of the whole process.
  ///
  /// Of what fails there only the comment reaches the parent.
  @Test func withoutDescriptorsItRefusesOneAndLetsTheOwnerPause() async {
    await #expect(processExitsWith: .success) {
      let waiting = 10
      let free = 3
      let listener = try Listener(.loopback(port: 0))
      let loop = try Loop()
      try loop.poller.add(listener.fd, .listener, .readable)
      var clients: [Int32] = []
      for _ in 0..<waiting {
        clients.append(try StreamSocket.connect(to: listener.boundAddress).release())
      }
      for client in clients { try #require(awaitWritable(client)) }
      let fillers = try leaveFree(free)

      var accepted: [Int32] = []
      var turns = 0
      serving: while true {
        turns += 1
        try #require(turns < 10, "as many turns and not exhausted")
        try #require(try loop.wait(maySleep: true) == 1, "nobody waits at turn \(turns)")
        while true {
          switch listener.accept() {
          case .accepted(let descriptor, _): accepted.append(descriptor.release())
          case .exhausted:
            try loop.poller.remove(listener.fd)
            break serving
          case .wouldBlock: continue serving
          case .failed(let error): throw error
          }
        }
      }
      // No more than were free; fewer when a thread of the runtime opened one of its own meanwhile.
      try #require((1...free).contains(accepted.count), "accepted \(accepted.count)")
      try #require(listener.refused == 1, "refused \(listener.refused)")
      try #require(resetCount(clients) == 1, "one peer was told")

      // Paused: the others still wait, and yet a turn that may sleep does sleep until its
      // timer.
      _ = loop.arm(afterMilliseconds: 30, payload: 1)
      let spins = try turnsUntilATimer(loop)
      try #require(spins <= 2, "the exhausted listener keeps the loop awake")

      // Descriptors came free: the listener serves the rest.
      for descriptor in accepted + fillers { close(descriptor) }
      try loop.poller.add(listener.fd, .listener, .readable)
      try #require(try loop.wait(maySleep: true) == 1, "nobody waits any more")
      var rest = 0
      while case .accepted = listener.accept() { rest += 1 }
      try #require(rest == waiting - accepted.count - 1, "the rest was \(rest)")
    }
  }

  @Test func theSpareIsTakenBackAfterEachRefusal() async {
    await #expect(processExitsWith: .success) {
      let listener = try Listener(.loopback(port: 0))
      var clients: [Int32] = []
      for _ in 0..<5 {
        clients.append(try StreamSocket.connect(to: listener.boundAddress).release())
      }
      for client in clients { try #require(awaitWritable(client)) }
      let fillers = try leaveFree(0)
      for round in 1...5 {
        guard case .exhausted = listener.accept() else { throw Errno.invalidArgument }
        try #require(listener.refused == UInt64(round))
      }
      guard case .wouldBlock = listener.accept() else { throw Errno.invalidArgument }
      try #require(resetCount(clients) == 5)
      for descriptor in fillers { close(descriptor) }
    }
  }
}

/// Takes descriptors and lowers the limit until exactly so many are left to this process.
private func leaveFree(_ free: Int) throws -> [Int32] {
  var fillers: [Int32] = []
  for _ in 0..<64 { fillers.append(open("/dev/null", O_RDONLY | O_CLOEXEC)) }
  let highest = try #require(fillers.max())
  try #require(clinux_set_file_limit(UInt64(highest) + 1) == 0)
  // Any holes below are filled now; what fails is the end.
  while case let number = open("/dev/null", O_RDONLY | O_CLOEXEC), number >= 0 {
    fillers.append(number)
  }
  for _ in 0..<free { close(fillers.removeFirst()) }
  return fillers
}

/// How many of the connections were reset by the other side.
private func resetCount(_ clients: [Int32]) -> Int {
  var room = [UInt8](repeating: 0, count: 1)
  return clients.count { StreamSocket.read($0, into: &room) == .failed(.connectionReset) }
}

/// Turns a loop until its first timer expires, and says how many turns that took.
private func turnsUntilATimer(_ loop: Loop) throws -> Int {
  let before = loop.turns
  repeat {
    _ = try loop.wait(maySleep: true)
  } while loop.gatherExpired() == 0
  _ = loop.popExpired()
  return Int(loop.turns - before)
}
