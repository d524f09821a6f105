// One operation, started with the console as an operator would, and followed until the site's
// database has every outcome; with the times at which each session got it.
//
// Clock points, all on this machine: `command` is when the console is started here; `creation` is
// the moment that the manager wrote into the operation, in milliseconds of the wall clock; `first`
// is the first receipt in any session. A receipt is when the session's desk has taken the task, its
// signature checked. `end` is when the console says that all outcomes are in the database.

import BGBModel
import Reactor
import SwarmKit

/// What came of one operation.
struct OperationRun {
  /// Which part of the scenario it belongs to.
  var name: String
  /// Its task.
  var taskID = ""
  /// The console's exit status; nil when it did not end in time.
  var status: Int32?
  /// Sessions that got it, and outcomes that the servers confirmed meanwhile: over TCP a
  /// confirmation waits for the next thing that is sent.
  var received = 0
  var stored = 0
  /// Outcomes in the database, by the console.
  var succeeded = 0
  /// Milliseconds from the command until every session had it, and until the console ended; nil
  /// when that did not come about.
  var allReceived: Double?
  var ended: Double?
  /// Times to the receipt, from each of the three beginnings.
  var fromCommand = LatencyHistogram()
  var fromCreation = LatencyHistogram()
  var fromFirst = LatencyHistogram()
  /// From the creation, of sessions that had been online before it.
  var quiet = LatencyHistogram()
  /// CPU of the servers from before the command until after its end, in nanoseconds.
  var serverNanoseconds: Int64 = 0
  /// CPU of the swarm's own processes over the same time, in nanoseconds.
  var swarmNanoseconds: Int64 = 0

  /// As JSON.
  var json: JSONText {
    .members([
      ("name", .text(name)), ("taskID", .text(taskID)),
      ("consoleStatus", status.map { .whole(Int64($0)) } ?? .null),
      ("received", .whole(Int64(received))), ("stored", .whole(Int64(stored))),
      ("succeeded", .whole(Int64(succeeded))),
      ("allReceivedMilliseconds", allReceived.map { .number($0) } ?? .null),
      ("consoleMilliseconds", ended.map { .number($0) } ?? .null),
      ("fromCommandMilliseconds", fromCommand.json),
      ("fromCreationMilliseconds", fromCreation.json),
      ("fromFirstMilliseconds", fromFirst.json), ("onlineBeforeMilliseconds", quiet.json),
      ("serverCPUNanoseconds", .whole(serverNanoseconds)),
      ("swarmCPUNanoseconds", .whole(swarmNanoseconds)),
    ])
  }
}

extension LatencyHistogram {
  /// The percentiles for a report.
  var json: JSONText {
    guard count > 0 else { return .null }
    return .members([
      ("count", .whole(Int64(clamping: count))), ("mean", .number(meanMilliseconds)),
      ("p50", .number(milliseconds(at: 50))), ("p90", .number(milliseconds(at: 90))),
      ("p95", .number(milliseconds(at: 95))), ("p99", .number(milliseconds(at: 99))),
      ("p99.9", .number(milliseconds(at: 99.9))), ("max", .number(maxMilliseconds)),
    ])
  }
}

extension Laboratory {
  /// Starts an operation and follows it.
  func operate(_ name: String, expecting expected: Int? = nil) throws(SwarmError) -> OperationRun {
    let before = crew.tally
    crew.receivedBefore = before[.received]
    crew.endedBefore = before[.ended]
    crew.activity = name
    let known = Set(crew.tasks)
    let cpuBefore = sampler.sample(name, online: 0)
    let ownBefore = ServerSampler.nanoseconds(of: crew.processes)
    var run = OperationRun(name: name)
    let wallOffset =
      Int64(MonotonicClock.nanoseconds() / 1_000) - WallClock.nowMilliseconds() * 1_000
    let begun = SliceLedger.now()
    let console: ChildProcess
    do throws(Errno) {
      console = try ChildProcess(
        options.consolePath(), options.operationArguments(), keepsErrors: true)
    } catch {
      throw SwarmError(description: "\(options.consolePath()) cannot be started: \(error)")
    }
    console.endInput()
    let wanted = expected ?? before[.online]
    var output: [UInt8] = []
    _ = try crew.wait(seconds: options.operationSeconds + 10) {
      if let bytes = console.read() { output += bytes }
      let tally = crew.tally
      let passed = Double(SliceLedger.now() - begun) / 1_000
      if run.allReceived == nil, tally[.received] - before[.received] >= wanted {
        run.allReceived = passed
      }
      if run.ended == nil, let status = console.exitStatus() {
        run.status = status
        run.ended = passed
      }
      // Confirmations wait for company: what is stored is known by the console, from the database.
      return run.ended != nil && (run.allReceived != nil || run.status != 0)
    }
    console.send(9)
    if let bytes = console.read() { output += bytes }
    if run.status != 0 {
      let words = console.readErrors().split(separator: "\n").last ?? ""
      let status = run.status.map { "ended with \($0)" } ?? "did not end"
      crew.remark("\(name): the console \(status): \(words)")
    }
    let answer = String(decoding: output, as: UTF8.self)
    run.taskID =
      JSONText.field("taskID", in: answer) ?? crew.tasks.last { !known.contains($0) } ?? ""
    run.succeeded = JSONText.field("succeeded", in: answer).flatMap { Int($0) } ?? 0
    let after = crew.tally
    run.received = after[.received] - before[.received]
    run.stored = after[.stored] - before[.stored]
    run.swarmNanoseconds = ServerSampler.nanoseconds(of: crew.processes) - ownBefore
    run.serverNanoseconds = sampler.sample(name, online: 0).nanoseconds(since: cpuBefore)
    let created = JSONText.field("createdAt", in: answer).flatMap { WallTime(rfc3339: $0) }
    try measure(
      &run, begun: begun,
      created: created.map { UInt64(max(0, $0.milliseconds * 1_000 + wallOffset)) } ?? begun)
    crew.activity = ""
    let times = [50.0, 99, 100].map { NumberForm.short(run.fromCreation.milliseconds(at: $0)) }
    crew.remark(
      "\(name): \(run.received) got it, p50 \(times[0]) p99 \(times[1]) max \(times[2]) ms, "
        + "\(run.succeeded) in the database")
    return run
  }

  /// Collects the times of its receipts from all processes.
  private func measure(
    _ run: inout OperationRun, begun: UInt64, created: UInt64
  ) throws(SwarmError) {
    guard !run.taskID.isEmpty else { return }
    let firsts = try crew.ask(ControlLine("first", ["id": run.taskID]))
      .compactMap { $0["at"].flatMap { UInt64($0) } }
    run.fromCommand = try latency(run.taskID, from: begun, quiet: false)
    // The tallies come four times a second; the last receipt is known exactly.
    if run.allReceived != nil { run.allReceived = run.fromCommand.maxMilliseconds }
    run.fromCreation = try latency(run.taskID, from: created, quiet: false)
    run.quiet = try latency(run.taskID, from: created, quiet: true)
    if let first = firsts.min() {
      run.fromFirst = try latency(run.taskID, from: first, quiet: false)
    }
  }

  private func latency(
    _ task: String, from zero: UInt64, quiet: Bool
  ) throws(SwarmError) -> LatencyHistogram {
    let line = ControlLine(
      "latency", ["id": task, "zero": String(zero), "quiet": quiet ? "1" : "0"])
    return try sum(crew.ask(line))
  }

  /// The distributions of several answers together.
  func sum(_ answers: [ControlLine]) -> LatencyHistogram {
    var all = LatencyHistogram()
    for answer in answers {
      if let times = answer["times"].flatMap({ LatencyHistogram(text: $0) }) { all.add(times) }
    }
    return all
  }
}
