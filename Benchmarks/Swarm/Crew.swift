// The child processes of a run and the parent's loop around them. The parent is a script: it tells
// its children what to do, and waits, reading their lines and drawing one line of progress, until
// something is so or time is over.

import Glibc
import Reactor
import SwarmKit

/// The processes of a run.
final class Crew {
  private final class Member {
    let child: ChildProcess
    let slice: FleetSlice
    var lines = LineReader()
    var tally = SwarmTally()
    var isReady = false
    var answers: [ControlLine] = []

    init(_ child: ChildProcess, _ slice: FleetSlice) {
      self.child = child
      self.slice = slice
    }
  }

  /// How many sessions all of them carry.
  let sessions: Int
  /// Whether somebody asked the run to end.
  private(set) var isInterrupted = false
  /// Tasks that sessions got, in the order they came.
  private(set) var tasks: [String] = []
  /// Ended tasks before the operation that is under way.
  var endedBefore = 0
  /// Received tasks before it.
  var receivedBefore = 0
  /// Resident memory of all processes before they made their sessions, in bytes.
  private(set) var emptyBytes: Int64 = 0
  /// What is said behind the progress.
  var activity = ""
  private var members: [Member] = []
  private let poller: Poller
  private let ready = ReadyList(capacity: 64)
  private let signals: SignalDescriptor
  private var lastDrawn: UInt64 = 0
  private let isTerminal = isatty(2) == 1

  /// Starts one process for each slice.
  init(
    _ slices: [FleetSlice], program: String, arguments: (Int, FleetSlice) -> [String]
  ) throws(Errno) {
    sessions = slices.reduce(0) { $0 + $1.count }
    signals = try SignalDescriptor([SIGTERM, SIGINT])
    Signals.ignoreBrokenPipe()
    poller = try Poller()
    try poller.add(signals.fd, .signals, .readable)
    for (number, slice) in slices.enumerated() {
      let child = try ChildProcess(program, ["slice"] + arguments(number, slice))
      try poller.add(
        child.output, Token(generation: 1, index: UInt32(number)), .readable)
      members.append(Member(child, slice))
    }
  }

  /// The sum of what all saw.
  var tally: SwarmTally { members.reduce(SwarmTally()) { $0 + $1.tally } }

  /// How many processes there are.
  var count: Int { members.count }

  /// Their numbers.
  var processes: [Int32] { members.map(\.child.process) }

  /// Whether every process has made its sessions.
  var isReady: Bool { members.allSatisfy(\.isReady) }

  // MARK: Talking

  /// Tells each process its part of a number of sessions.
  func tell(_ verb: String, count: Int, _ words: [String: String] = [:], key: String = "count") {
    for member in members {
      var line = ControlLine(verb, words)
      line[key] = String(member.slice.share(of: count, sessions: sessions))
      member.child.write(line.text + "\n")
    }
  }

  /// Tells every process the same.
  func tell(_ line: ControlLine) { for member in members { member.child.write(line.text + "\n") } }

  /// Tells the last process alone: what keeps a loop busy must not delay everybody's receipts.
  func tellLast(_ line: ControlLine) { members.last?.child.write(line.text + "\n") }

  /// Asks each process, and waits for the answers of all.
  func ask(_ line: ControlLine, seconds: UInt64 = 60) throws(SwarmError) -> [ControlLine] {
    for member in members {
      member.answers.removeAll { $0.verb == line.verb }
      member.child.write(line.text + "\n")
    }
    _ = try wait(seconds: seconds) {
      members.allSatisfy { $0.answers.contains { $0.verb == line.verb } }
    }
    return members.compactMap { member in member.answers.first { $0.verb == line.verb } }
  }

  // MARK: Waiting

  /// Waits until something is so; false when time is over or somebody interrupts.
  func wait(seconds: UInt64, until holds: () -> Bool) throws(SwarmError) -> Bool {
    let deadline = MonotonicClock.now() + seconds * 1_000
    while !holds() {
      guard !isInterrupted, MonotonicClock.now() < deadline else { return false }
      try turn()
    }
    return true
  }

  /// Lets time pass.
  func pause(milliseconds: UInt64) throws(SwarmError) {
    let deadline = MonotonicClock.now() + milliseconds
    while MonotonicClock.now() < deadline, !isInterrupted {
      try turn(upTo: deadline.since(MonotonicClock.now()))
    }
  }

  private func turn(upTo milliseconds: UInt64 = 100) throws(SwarmError) {
    do throws(Errno) {
      let count = try poller.wait(
        into: ready, timeoutMilliseconds: Int32(clamping: min(milliseconds, 100)))
      for index in 0..<count {
        let token = ready[index].token
        if token == .signals {
          while signals.next() != nil { isInterrupted = true }
        } else {
          read(members[Int(token.index)])
        }
      }
    } catch {
      throw SwarmError(description: "cannot wait for the children: \(error)")
    }
    draw()
    if let gone = members.first(where: { $0.child.output < 0 }), !isInterrupted {
      let status = gone.child.exitStatus().map { String($0) } ?? "unknown"
      throw SwarmError(
        description: "the process of sessions \(gone.slice.first) and on ended: status \(status)")
    }
  }

  private func read(_ member: Member) {
    guard let bytes = member.child.read() else { return }
    for text in member.lines.take(bytes) {
      guard let line = ControlLine(line: text) else { continue }
      switch line.verb {
      case "tally": member.tally = SwarmTally(line)
      case "ready":
        member.isReady = true
        emptyBytes += Int64(line.number("emptyBytes"))
      case "task":
        if let task = line["id"], !tasks.contains(task) { tasks.append(task) }
      default: member.answers.append(line)
      }
    }
  }

  /// One line for people: redrawn on a terminal, else every ten seconds.
  func draw(isLast: Bool = false) {
    let now = MonotonicClock.now().milliseconds
    guard isLast || now &- lastDrawn >= (isTerminal ? 200 : 10_000) else { return }
    lastDrawn = now
    let sum = tally
    var line = sum.progress(
      task: tasks.isEmpty
        ? nil
        : (tasks.count, sum[.received] - receivedBefore, sum[.ended] - endedBefore))
    if !activity.isEmpty { line += " | \(activity)" }
    StandardError.write(isTerminal && !isLast ? "\r\u{1B}[K" + line : line + "\n")
  }

  /// A sentence for people, on a line of its own.
  func remark(_ text: String) {
    StandardError.write(isTerminal ? "\r\u{1B}[K\(text)\n" : text + "\n")
  }

  /// Ends all processes in order; those that do not end are killed.
  func end() {
    draw(isLast: true)
    for member in members {
      member.child.write("stop\n")
      member.child.endInput()
    }
    let deadline = MonotonicClock.now() + 15_000
    while MonotonicClock.now() < deadline,
      members.contains(where: { $0.child.exitStatus() == nil })
    {
      for member in members { _ = member.child.read() }
      _ = try? poller.wait(into: ready, timeoutMilliseconds: 20)
    }
    for member in members { member.child.send(SIGKILL) }
  }
}
