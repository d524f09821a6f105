// What is done to the workers one by one: reading their settings anew, and being replaced by a new
// process, for a new version of the program. The next one only when the former is well; the first
// that is not ends the errand, and the others stay as they are.

import BGBModel
import Glibc
import Logging
import Reactor
import ServiceLog
import ServiceSettings

extension Supervisor {
  /// Begins an errand, or lets it wait for the one under way.
  func begin(_ kind: WorkerErrand.Kind) {
    guard phase == .running, errand == nil else {
      if case .stopping = phase { return }
      if !nextErrands.contains(kind) { nextErrands.append(kind) }
      return
    }
    log.notice("\(kind) begins", metadata: ["workers": "\(seats.count)"])
    errand = WorkerErrand(kind, over: seats.filter { !$0.hasLeft }.map(\.number))
    goOn()
  }

  /// The worker under way is well: the next one.
  func goOn() {
    if let errandTimer { loop.wheel.disarm(errandTimer) }
    errandTimer = nil
    guard let number = errand?.next() else {
      log.notice("errand done", metadata: ["workers": "\(errand?.done ?? 0)"])
      return finishErrand()
    }
    let index = number - 1
    errandTimer = arm(OwnTimer.errand, afterMilliseconds: Limits.workerStepMilliseconds)
    // One that is between two processes reads its settings at its start anyway.
    guard let child = seats[index].child else { return goOn() }
    switch errand?.kind {
    case .reload: send(.reload, to: index)
    case .replace:
      seats[index].isReplaced = true
      child.signal(SIGTERM)
    case nil: return
    }
  }

  /// A worker read its settings anew, or refused them.
  func noteReload(_ isTaken: Bool, _ index: Int) {
    guard errand?.kind == .reload, errand?.current == seats[index].number else { return }
    if isTaken { goOn() } else { abandonErrand("worker \(index + 1) refused the settings") }
  }

  /// The worker under way takes too long.
  func giveUpErrand() {
    guard let number = errand?.current else { return }
    if seats[number - 1].isReplaced {
      seats[number - 1].child?.signal(SIGKILL)
      errandTimer = arm(OwnTimer.errand, afterMilliseconds: Limits.workerStepMilliseconds)
      return
    }
    abandonErrand("worker \(number) takes too long")
  }

  /// Ends an errand before its last worker.
  func abandonErrand(_ reason: String) {
    log.error(
      "errand given up; the other workers stay as they are",
      metadata: ["reason": "\(reason)", "done": "\(errand?.done ?? 0)"])
    finishErrand()
  }

  private func finishErrand() {
    if let errandTimer { loop.wheel.disarm(errandTimer) }
    errandTimer = nil
    errand = nil
    guard !nextErrands.isEmpty, phase == .running else { return }
    begin(nextErrands.removeFirst())
  }

  /// The supervisor's own part of a reload: its log level, and what only a new start changes.
  func reloadOwn() {
    do throws(SettingsError) {
      let fresh = try ServerSettings.load(settingsFile)
      if let level = Logger.Level(rawValue: fresh.log.level) { logHandle.setLevel(level) }
      if fresh.healthListen != settings.healthListen {
        log.notice("restart-for: health-listen")
      }
    } catch {
      log.error("settings cannot be read", metadata: ["error": "\(error)"])
    }
  }

  /// Opens all logs anew, after somebody renamed them.
  func reopenLogs() {
    do throws(LogError) { try logHandle.reopen() } catch {
      log.error("log not reopened", metadata: ["error": "\(error)"])
    }
    for index in seats.indices { send(.reopenLogs, to: index) }
  }
}
