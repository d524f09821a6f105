// Which operation waits for which readiness. In TLS a receive may have to write first (an answer to
// a key update) and a flush may have to read, so "readable" does not mean "call receive". The gate
// remembers what each operation said it waits for, answers what an event lets run, and tells epoll
// at most once per turn, and only what changed.
import Reactor

/// The interest of one connection, put together from what its operations wait for.
struct ReadinessGate {
  /// What the next receive waits for.
  private var receiveWaits: Readiness = .readable
  /// What the blocked flush waits for; empty when none is blocked.
  private var flushWaits: Readiness = []
  /// Whether the owner wants to receive.
  var receives = true
  /// Whether the peer ended its stream: nothing will be readable again but that end itself.
  private var ended = false
  /// What epoll was told last; nil before the first time.
  private var registered: Readiness?

  /// What epoll should report now; errors and hang-ups it reports in any case.
  var wanted: Readiness {
    receives && !ended ? receiveWaits.union(flushWaits) : flushWaits
  }

  /// Whether an event lets the handshake or a receive run.
  func mayReceive(on readiness: Readiness) -> Bool {
    if ended { return false }
    // A dead connection tells its error to whoever reads, even if reading was paused.
    if !readiness.isDisjoint(with: [.error, .hangup]) { return true }
    return receives && !readiness.isDisjoint(with: receiveWaits)
  }

  /// Whether an event lets a blocked flush run.
  func mayFlush(on readiness: Readiness) -> Bool {
    guard !flushWaits.isEmpty else { return false }
    return !readiness.isDisjoint(with: flushWaits.union([.error, .hangup]))
  }

  mutating func noteHandshake(_ step: HandshakeStep) {
    switch step {
    case .done: receiveWaits = .readable
    case .wouldBlock(let needed): receiveWaits = needed
    case .failed: ended = true
    }
  }

  mutating func noteReceive(_ step: IOStep) {
    switch step {
    case .progressed: receiveWaits = .readable
    case .wouldBlock(let needed): receiveWaits = needed
    case .ended, .failed: ended = true
    }
  }

  mutating func noteFlush(_ step: IOStep, isEmpty: Bool) {
    switch step {
    case .wouldBlock(let needed): flushWaits = needed
    // Out of budget, not out of room: the kernel will say at once that there is more room.
    case .progressed: flushWaits = isEmpty ? [] : .writable
    case .ended, .failed: flushWaits = []
    }
  }

  /// Tells epoll what changed since the last time.
  mutating func settle(_ poller: Poller, _ fd: Int32, _ token: Token) throws(Errno) {
    let wanted = wanted
    guard wanted != registered else { return }
    if registered == nil {
      try poller.add(fd, token, wanted)
    } else {
      try poller.modify(fd, token, wanted)
    }
    registered = wanted
  }
}
