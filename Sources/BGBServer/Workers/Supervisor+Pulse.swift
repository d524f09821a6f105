// A worker that lives and does nothing: its loop stands still in a call that never returns, or goes
// round in one turn for ever. The kernel tells nobody, its agents would wait for their keep-alives
// to fail. So each worker is asked once a period whether its loop still turns, and one that has not
// answered by the next time is killed; what a death sets right, that sets right too. One that
// sleeps until something happens is left to sleep: waking six of them cost 4 ms, in a silence that
// else costs nothing.

import BGBModel
import Glibc
import Logging
import Reactor

extension Supervisor {
  /// Begins to ask, if the settings want it.
  func beginPulse() {
    guard let period = settings.pulseMilliseconds else { return }
    arm(OwnTimer.pulse, afterMilliseconds: period)
  }

  /// Kills who has not answered since the last time, and asks the others.
  func takePulse() {
    guard let period = settings.pulseMilliseconds, phase == .running else { return }
    for index in seats.indices {
      if seats[index].hangs(at: loop.now, period: period) { endHanging(index, period) }
      guard let child = seats[index].child, seats[index].answersPulse,
        seats[index].askedAt == nil, !ProcessProgram.waitsForEvents(child.processID)
      else { continue }
      seats[index].askedAt = loop.now
      send(.pulse, to: index)
    }
    arm(OwnTimer.pulse, afterMilliseconds: period)
  }

  /// A worker's loop turned.
  func notePulse(_ index: Int) {
    seats[index].answersPulse = true
    seats[index].askedAt = nil
  }

  private func endHanging(_ index: Int, _ period: UInt64) {
    log.critical(
      "worker hangs and is killed",
      metadata: [
        "worker": "\(seats[index].number)", "pid": "\(seats[index].child?.processID ?? 0)",
        "unanswered-ms": "\(period)",
      ])
    seats[index].wasHanging = true
    seats[index].hangs += 1
    seats[index].answersPulse = false
    // Whatever it is stuck in, it would not get to another signal.
    seats[index].child?.signal(SIGKILL)
  }
}

extension WorkerSeat {
  /// Whether its process has owed an answer for a period.
  ///
  /// Measured, and not counted in rounds: two of them may come close together when the supervisor
  /// itself was held up, and what it has not read yet is no fault of the worker's.
  func hangs(at now: Ticks, period: UInt64) -> Bool {
    guard child != nil, answersPulse, let askedAt else { return false }
    return now.since(askedAt) >= period
  }
}
