// A thread that does what must not be done on a loop: it sleeps until letters come, takes all that
// are there at once (so that many become one sync or one transaction), and works on them in order.

import Reactor

/// A way to start worker threads with mailboxes.
enum LetterThread {
  /// Starts a thread that works on the letters of a mailbox.
  ///
  /// `makeState` runs on the thread, and the state never leaves it. `work` gets all waiting letters
  /// and says what the thread does then.
  static func start<Letter: Sendable, State>(
    name: String, mailbox: Mailbox<Letter>, makeState: @escaping @Sendable () -> State,
    work: @escaping @Sendable (inout State, [Letter]) -> LetterThreadStep
  ) throws(Errno) -> KernelThread {
    try KernelThread.start(name: name, stackSize: 2 << 20) {
      guard let poller = try? Poller() else { return }
      guard (try? poller.add(mailbox.bell.fd, .bell, .readable)) != nil else { return }
      let ready = ReadyList(capacity: 1)
      var state = makeState()
      var letters: [Letter] = []
      var timeout: Int32 = -1
      while true {
        _ = try? poller.wait(into: ready, timeoutMilliseconds: timeout)
        mailbox.takeAll(into: &letters)
        let step = work(&state, letters)
        // Before it sleeps: a report of everybody would lie here until the next letter.
        letters.removeAll(keepingCapacity: true)
        switch step {
        case .wait: timeout = -1
        case .waitAtMost(let milliseconds): timeout = milliseconds
        case .end: return
        }
      }
    }
  }
}

/// What a worker does after its letters.
enum LetterThreadStep {
  /// Sleep until letters come.
  case wait
  /// Sleep until letters come, at most this long.
  case waitAtMost(Int32)
  /// The thread is done.
  case end
}
