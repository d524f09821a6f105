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
  /// Whether the transport tells when it left something in the kernel, so that epoll need not look
  /// again after each event.
  var tellsWhatIsLeft = false
  /// How many reads in a row that find nothing may still be tried for the end or failure that an
  /// event announced; 0 when none did.
  private var triesForEnd = 0
  /// Whether an end or a failure was announced and not read yet.
  var endNears: Bool { triesForEnd > 0 }
  /// What epoll was told last; nil before the first time.
  private var registered: Readiness?

  /// What epoll should report now; errors and hang-ups it reports in any case.
  var wanted: Readiness {
    let wanted = receives && !ended ? receiveWaits.union(flushWaits) : flushWaits
    // Only in the state in which connections idle: any other is told to epoll anew, which then
    // looks whether it is reached already. The peer's end must show beside its last bytes, since
    // nothing comes after it.
    guard tellsWhatIsLeft, wanted == .readable else { return wanted }
    return [.readable, .peerClosed, .onceEach]
  }

  /// Takes note of what an event says besides what it lets run.
  mutating func noteEvent(_ readiness: Readiness) {
    guard tellsWhatIsLeft, !ended else { return }
    // A second one, for the first may bring a part of a record, and nothing of it.
    if !readiness.isDisjoint(with: [.peerClosed, .error, .hangup]) { triesForEnd = 2 }
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

  /// `leaves` says whether the transport has leftovers.
  mutating func noteReceive(_ step: IOStep, leaves: Bool = false) {
    switch step {
    case .progressed: receiveWaits = .readable
    case .wouldBlock(let needed):
      receiveWaits = needed
      if triesForEnd > 0, !leaves { triesForEnd -= 1 }
    case .ended, .failed:
      ended = true
      triesForEnd = 0
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
