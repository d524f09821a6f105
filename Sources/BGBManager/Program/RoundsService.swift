// The thread of the rounds: sleeps until something is due, a report is announced, or the manager
// stops.

import Logging
import Reactor
import ServiceLifecycle

/// Runs the rounds on a thread of their own for as long as the manager lives.
struct RoundsService: Service {
  let rounds: @Sendable () -> Rounds
  let inbox: String
  let log: Logger
  private let stop: Bell
  private let ended = AsyncStream.makeStream(of: Void.self)

  /// `rounds` is called once, on the thread: rounds do not change threads.
  init(inbox: String, log: Logger, rounds: @escaping @Sendable () -> Rounds) throws(Errno) {
    self.rounds = rounds
    self.inbox = inbox
    self.log = log
    stop = try Bell()
  }

  /// Starts the thread and returns when it has ended; a stop lets the round under way finish.
  func run() async throws {
    // What has arrived can wait for what is to be delivered, where both need the same processors.
    let thread = try KernelThread.start(name: "bgb-rounds", niceness: 5) {
      turn()
      ended.continuation.finish()
    }
    await withTaskCancellationOrGracefulShutdownHandler {
      for await _ in ended.stream {}
    } onCancelOrGracefulShutdown: {
      stop.ring()
    }
    thread.join()
  }

  private func turn() {
    let poller: Poller
    do {
      poller = try Poller()
      try poller.add(stop.fd, Token(rawValue: 1), .readable)
    } catch {
      log.critical("The rounds cannot begin: \(error)")
      return
    }
    var bell = listen(with: poller)
    var rounds = rounds()
    let ready = ReadyList(capacity: 4)
    while !stop.isRung {
      let heard = bell?.silence() ?? false
      let now = MonotonicClock.now()
      let next = rounds.go(heard: heard, at: now)
      // Without its bell the folder may have been replaced: try to hear it again now and then.
      if bell == nil { bell = listen(with: poller) }
      let wait = Int32(clamping: min(next.since(MonotonicClock.now()), 1_000))
      if (try? poller.wait(into: ready, timeoutMilliseconds: wait)) == nil { return }
    }
  }

  private func listen(with poller: Poller) -> FolderBell? {
    do {
      let bell = try FolderBell(inbox)
      try poller.add(bell.fd, Token(rawValue: 2), .readable)
      return bell
    } catch {
      log.debug("The inbox cannot be listened to, only looked at: \(error)")
      return nil
    }
  }
}
