// Restarting the computer: by the command of this computer's own settings, after the delay that the
// task asks for, with its message in the environment and never in a command line.

import BGBModel
import Reactor

/// Restarts the computer.
enum Restart {
  /// Waits, then runs the command.
  ///
  /// The journal knows a restart that took the agent with it: the task then
  /// succeeded, because the next agent finds another boot of the computer.
  static func perform(_ order: ActionOrder, command: [String], stop: StopFlag) -> ActionResult {
    guard !command.isEmpty else {
      return .failed("this computer's settings name no restart command")
    }
    let seconds = order.parameters["delay-seconds"].flatMap { UInt64($0) } ?? 0
    let until = MonotonicClock.now() + seconds * 1_000
    while MonotonicClock.now() < until {
      if stop.isRaised { return .failed("the agent was stopped before the restart") }
      ThreadSleep.milliseconds(min(200, until.since(MonotonicClock.now())))
    }
    let message = order.parameters["message"] ?? ""
    let environment = ProcessOrder.plainEnvironment + ["BGB_RESTART_MESSAGE=\(message)"]
    let run = ProcessRun.run(
      ProcessOrder(command, environment: environment, milliseconds: 60_000), stop: stop)
    guard run.isSuccess else { return ActionResult(run, of: "the restart command") }
    return .succeeded("the restart command was accepted")
  }
}
