// The supervisor of `bgb-server --workers N`: starts the workers, starts a dead one again, tells
// them to reload, to be replaced and to stop one by one, and answers for all of them on the health
// listener. It binds no agent port, opens no database and holds no key; it is one thread and one
// loop, and what it knows of a worker it knows from its link and from the kernel.

import BGBModel
import Glibc
import Logging
import Reactor
import ServiceLog
import ServiceSettings

/// The parent of the workers of one server.
final class Supervisor {
  /// Where the whole is in its life.
  enum Phase: Equatable {
    /// Not every worker was ready yet; one that cannot start ends the whole.
    case starting
    /// Dead workers are started again.
    case running
    /// All are told to end; then it is over with this status.
    case stopping(status: Int32)
  }

  /// Numbers of the loop's own timers, as payloads of reserved tokens; from 129 on, seats.
  enum OwnTimer {
    /// The worker of an errand takes too long.
    static let errand = UInt8(60)
    /// The workers take too long to stop.
    static let stop = UInt8(61)
    /// Figures are waited for no longer.
    static let figures = UInt8(62)
    /// The workers are asked whether they still turn.
    static let pulse = UInt8(63)
    /// A seat's next start: this and the number of the seat.
    static let seat = UInt8(128)
  }

  let loop: Loop
  let settings: ServerSettings
  let settingsFile: String
  let logHandle: LogHandle
  let log: Logger
  var phase = Phase.starting
  var seats: [WorkerSeat]
  var errand: WorkerErrand?
  var errandTimer: TimerHandle?
  /// Errands that wait for the one under way, each kind once.
  var nextErrands: [WorkerErrand.Kind] = []
  var health: HealthDesk?
  var figures = FigureRound()
  /// What workers that are gone had counted.
  var retired: [String: Double] = [:]
  /// What the workers said of where they listen, once each.
  private(set) var addresses: [String] = []
  /// Why it had to end, if it was not asked to.
  var failure: String?
  private let program: String
  private let environment: [String]
  private var announce: (String) -> Void = { _ in }

  /// Prepares; nothing is started yet.
  init(settings: ServerSettings, settingsFile: String, logHandle: LogHandle) throws(StartError) {
    self.settings = settings
    self.settingsFile = settingsFile
    self.logHandle = logHandle
    log = logHandle.logger("bgb-supervisor")
    seats = (1...settings.workers).map { WorkerSeat(number: $0) }
    environment = ProcessEnvironment.variables().map { "\($0.key)=\($0.value)" }.sorted()
    do throws(Errno) {
      program = try ProcessProgram.path()
      // Signals, links and timers wake it; the limit is for hosts that are suspended.
      loop = try Loop(
        readyCapacity: 64, sleepMaximumMilliseconds: Int32(clamping: Shard.quietMilliseconds))
      health = try settings.healthListen.map { address throws(Errno) in
        try HealthDesk(address, loop: loop)
      }
    } catch {
      throw StartError(description: "the system refuses what the supervisor needs: \(error)")
    }
  }

  /// Starts the workers and runs until they have ended; the exit status.
  ///
  /// `announce` gets lines for people once everything listens.
  func run(announce: @escaping (String) -> Void) throws(StartError) -> Int32 {
    self.announce = announce
    do throws(Errno) {
      let signals = try SignalDescriptor([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD])
      Signals.ignoreBrokenPipe()
      try loop.poller.add(signals.fd, .signals, .readable)
      log.notice(
        "supervisor starts", metadata: ["name": "\(settings.name)", "workers": "\(seats.count)"])
      // One first: what it makes (ticket keys, a row at the site) is there for the others, and what
      // is wrong with the settings is said once.
      start(0)
      while !isOver { try turn(signals) }
    } catch {
      throw StartError(description: "the supervisor failed: \(error)")
    }
    log.notice("supervisor stopped")
    if case .stopping(let status) = phase { return status }
    // Every worker was drained and told to end.
    return 0
  }

  private var isOver: Bool {
    guard seats.allSatisfy({ $0.child == nil }) else { return false }
    if case .stopping = phase { return true }
    return seats.allSatisfy { $0.hasLeft }
  }

  private func turn(_ signals: borrowing SignalDescriptor) throws(Errno) {
    let ready = try loop.wait(maySleep: true)
    while let signal = signals.next() { take(signal) }
    for index in 0..<ready {
      let (token, readiness) = loop.ready[index]
      if let health, health.serves(token) {
        for request in health.serve(token, readiness) { answer(request) }
      }
    }
    // Links are few: all are looked at, so that none is forgotten for a token.
    for index in seats.indices where isLinkReady(seats[index].number, ready) { hear(index) }
    for index in seats.indices { reap(index) }
    for _ in 0..<loop.gatherExpired() {
      guard let payload = loop.popExpired() else { continue }
      fire(Token(rawValue: payload))
    }
  }

  private func isLinkReady(_ number: Int, _ ready: Int) -> Bool {
    let token = WorkerLink.downward(number)
    for index in 0..<ready where loop.ready[index].token == token { return true }
    return false
  }

  private func take(_ signal: Int32) {
    switch signal {
    case SIGHUP:
      reloadOwn()
      begin(.reload)
    case SIGUSR1: reopenLogs()
    case SIGUSR2: begin(.replace)
    case SIGTERM, SIGINT: stop(status: 0)
    // SIGCHLD only wakes: every turn looks at all children.
    default: return
    }
  }

  private func fire(_ token: Token) {
    guard token.isReserved else {
      health?.expire(token)
      return
    }
    switch token.reservedNumber {
    case OwnTimer.errand: giveUpErrand()
    case OwnTimer.stop: killAll()
    case OwnTimer.figures: finishFigures()
    case OwnTimer.pulse: takePulse()
    case let number where number > OwnTimer.seat:
      let index = Int(number - OwnTimer.seat) - 1
      if seats.indices.contains(index), seats[index].child == nil { start(index) }
    default: return
    }
  }

  // MARK: Processes

  /// Starts a process in a place.
  func start(_ index: Int) {
    guard phase == .starting || phase == .running, !seats[index].hasLeft else { return }
    let number = seats[index].number
    do throws(Errno) {
      let pair = try SocketPair()
      try pair.split { (mine, theirs) throws(Errno) in
        let child = try ChildProcess.start(
          [program, "--config", settingsFile, "--worker", "\(number)"], environment: environment,
          link: theirs)
        seats[index].child = child
        seats[index].link = try WorkerLink(mine, WorkerLink.downward(number), in: loop.poller)
      }
      seats[index].state = .starting
      seats[index].isReplaced = false
      (seats[index].answersPulse, seats[index].askedAt) = (false, nil)
      seats[index].wasHanging = false
      seats[index].startedAt = loop.time.now()
      log.info(
        "worker started",
        metadata: ["worker": "\(number)", "pid": "\(seats[index].child?.processID ?? 0)"])
      if let text = seats[index].untold {
        seats[index].untold = nil
        send(.restarted(text), to: index)
      }
    } catch {
      log.error("worker not started", metadata: ["worker": "\(number)", "error": "\(error)"])
      // A process without its link would be one that nobody hears: it must not go on.
      seats[index].child?.signal(SIGKILL)
      if seats[index].child == nil { again(index, "could not be started: \(error)") }
    }
  }

  /// Looks whether a process has ended.
  private func reap(_ index: Int) {
    guard let end = seats[index].child?.reap() else { return }
    // What it said last is still in its link.
    hear(index)
    seats[index].link?.leave(loop.poller)
    seats[index].link = nil
    seats[index].child = nil
    for (name, value) in seats[index].counted { retired[name, default: 0] += value }
    seats[index].counted = [:]
    figures.forget(seats[index].number)
    if figures.isComplete { finishFigures() }
    let number = seats[index].number
    if seats[index].state == .leaving, end == .exited(0) {
      seats[index].hasLeft = true
      log.notice("worker was drained and ended", metadata: ["worker": "\(number)"])
    }
    guard phase == .starting || phase == .running, !seats[index].hasLeft else {
      return log.info("worker stopped", metadata: ["worker": "\(number)", "how": "\(end)"])
    }
    if seats[index].isReplaced { return start(index) }
    if case .exited(let status) = end, phase == .starting, !seats[index].wasReady {
      failure = "worker \(number) cannot start (status \(status)); its own words are above"
      return stop(status: status == 0 ? 1 : status)
    }
    if errand?.current == number { abandonErrand("worker \(number) \(end)") }
    again(index, seats[index].wasHanging ? "answered nothing any more, was \(end)" : "\(end)")
  }

  /// Starts the next process in a place after the last one ended by itself.
  private func again(_ index: Int, _ how: String) {
    let number = seats[index].number
    let lived = loop.time.now().since(seats[index].startedAt)
    let delay = seats[index].delay.next(afterLife: lived)
    seats[index].restarts += 1
    seats[index].state = .starting
    let sentence = "Worker \(number) of notification server \(settings.name) \(how)"
    seats[index].untold = sentence + " and was started again (restart \(seats[index].restarts))."
    log.error(
      "worker restarts",
      metadata: [
        "worker": "\(number)", "how": "\(how)", "lived-ms": "\(lived)", "delay-ms": "\(delay)",
        "restarts": "\(seats[index].restarts)",
      ])
    if delay == 0 { return start(index) }
    let token = Token.reserved(OwnTimer.seat &+ UInt8(truncatingIfNeeded: number))
    _ = loop.arm(afterMilliseconds: delay, payload: token.rawValue)
  }

  // MARK: Links

  /// Tells a worker something.
  func send(_ order: WorkerOrder, to index: Int) {
    seats[index].link?.send(order.message, loop.poller)
  }

  private func hear(_ index: Int) {
    guard let link = seats[index].link else { return }
    link.flush(loop.poller)
    for message in link.receive() {
      guard let report = WorkerReport(message) else { continue }
      switch report {
      case .state(let state): note(state, index)
      case .listening(let text): if !addresses.contains(text) { addresses.append(text) }
      case .reloaded(let isTaken): noteReload(isTaken, index)
      case .metrics(let text): noteFigures(text, index)
      case .pulse: notePulse(index)
      }
    }
    // A level-triggered end would wake every turn until the process is gone.
    if link.isOver {
      link.leave(loop.poller)
      seats[index].link = nil
      // Whoever closes its link and lives on is no worker any more.
      seats[index].child?.signal(SIGTERM)
    }
  }

  private func note(_ state: WorkerState, _ index: Int) {
    seats[index].state = state
    guard state == .ready, !seats[index].isReplaced else { return }
    seats[index].wasReady = true
    if errand?.kind == .replace, errand?.current == seats[index].number { goOn() }
    guard phase == .starting else { return }
    // The first one is up: now the others.
    for other in seats.indices where seats[other].startedAt == .zero { start(other) }
    guard phase == .starting, seats.allSatisfy({ $0.wasReady }) else { return }
    phase = .running
    beginPulse()
    log.notice("all workers are ready", metadata: ["workers": "\(seats.count)"])
    if let health { announce("listening: watch \(health.address)") }
    for address in addresses { announce("listening: \(address)") }
    announce("workers: \(seats.count)")
  }

  // MARK: The end

  /// Tells all workers to end in order.
  func stop(status: Int32) {
    if case .stopping = phase { return }
    phase = .stopping(status: status)
    errand = nil
    log.notice("stopping", metadata: ["workers": "\(seats.count)"])
    for seat in seats { seat.child?.signal(SIGTERM) }
    arm(OwnTimer.stop, afterMilliseconds: Limits.workerStopMilliseconds)
  }

  private func killAll() {
    for seat in seats where seat.child != nil {
      log.error("worker did not end in time and is killed", metadata: ["worker": "\(seat.number)"])
      seat.child?.signal(SIGKILL)
    }
    phase = .stopping(status: 1)
  }

  /// Arms one of the supervisor's own timers.
  @discardableResult
  func arm(_ timer: UInt8, afterMilliseconds milliseconds: UInt64) -> TimerHandle {
    loop.arm(afterMilliseconds: milliseconds, payload: Token.reserved(timer).rawValue)
  }
}

@available(*, unavailable)
extension Supervisor: Sendable {}
