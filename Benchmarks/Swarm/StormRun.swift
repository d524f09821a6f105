// A reconnect storm: everybody, or a share, loses the connection in one moment, and the times until
// they are back are taken. Who ends the connections is chosen: the swarm cuts them, or the servers
// are killed.

import ArgumentParser
import Glibc
import Reactor
import SwarmKit

/// How the cut sessions come back.
enum StormManner: String, ExpressibleByArgument, CaseIterable {
  /// Without any wait: what no server's agents would do, and what a bad network can.
  case allAtOnce = "all-at-once"
  /// As agents do: within the window that their server agreed with them.
  case slots
}

/// Who ends the connections.
enum StormCause: String, ExpressibleByArgument, CaseIterable {
  /// The swarm, of the share that was asked for.
  case cut
  /// SIGKILL to the children of the servers that were named: all workers at once.
  case killWorkers = "kill-workers"
}

/// What came of one storm.
struct StormRun {
  /// Its name.
  var name: String
  /// Sessions whose connection ended.
  var ended = 0
  /// How long after the beginning each of them was signed in again.
  var back = LatencyHistogram()
  /// CPU of the servers from the beginning until all were back, in nanoseconds.
  var serverNanoseconds: Int64 = 0
  /// Failed attempts meanwhile, by kind.
  var errors: [String: Int] = [:]
  /// How many of the comebacks were resumed handshakes.
  var resumed = 0

  /// Seconds until a share of those that ended were back; nil while it is not.
  func seconds(percent: Double) -> Double? {
    guard ended > 0, Double(back.count) >= Double(ended) * percent / 100 else { return nil }
    let place = percent * Double(ended) / Double(back.count)
    return back.milliseconds(at: min(100, place)) / 1_000
  }

  /// The figures that bounds are judged on.
  var figures: [String: Double] {
    var all: [String: Double] = [
      "storm.ended": Double(ended), "storm.errors": Double(errors.values.reduce(0, +)),
      "storm.back.share": ended == 0 ? 0 : 100 * Double(back.count) / Double(ended),
      "storm.cpuSeconds": Double(serverNanoseconds) / 1e9,
    ]
    let marks = [(50.0, "50"), (95, "95"), (99.9, "999"), (100, "100")]
    for (percent, name) in marks { all["storm.s\(name)"] = seconds(percent: percent) }
    if back.count > 0 { all["storm.cpuMs"] = Double(serverNanoseconds) / Double(back.count) / 1e6 }
    return all
  }

  /// As JSON.
  var json: JSONText {
    func time(_ percent: Double) -> JSONText {
      seconds(percent: percent).map { .number($0) } ?? .null
    }
    return .members([
      ("name", .text(name)), ("ended", .whole(Int64(ended))),
      ("back", .whole(Int64(clamping: back.count))), ("resumed", .whole(Int64(resumed))),
      ("seconds50", time(50)), ("seconds95", time(95)), ("seconds99.9", time(99.9)),
      ("seconds100", time(100)), ("backMilliseconds", back.json),
      (
        "errors",
        .members(errors.sorted { $0.key < $1.key }.map { ($0, .whole(Int64($1))) })
      ),
      ("serverCPUNanoseconds", .whole(serverNanoseconds)),
    ])
  }
}

extension Laboratory {
  /// A push in quiet, the storm with a push in its middle if asked, and a push behind it.
  func storm() throws(SwarmError) {
    var quiet: OperationRun?
    if options.pushDuring {
      let run = try operate("quiet")
      quiet = run
      operations.append(run)
      mark("quiet")
    }
    for number in 1...max(1, options.storms) where !crew.isInterrupted {
      let name = options.storms > 1 ? "storm \(number)" : "storm"
      let (run, during) = try blow(name)
      storms.append(run)
      if let during, let quiet {
        operations.append(during)
        let calm = quiet.fromCreation.milliseconds(at: 99)
        figures["quiet.p99"] = calm
        // Nobody may have been online when it began: then nothing was measured.
        if during.quiet.count > 0, calm > 0 {
          figures["disturbed.p99"] = during.quiet.milliseconds(at: 99)
          figures["p99.ratio"] = during.quiet.milliseconds(at: 99) / calm
        }
      }
      mark("after \(name)")
    }
    if options.pushDuring { operations.append(try operate("after the storm")) }
  }

  private func blow(_ name: String) throws(SwarmError) -> (StormRun, OperationRun?) {
    let before = crew.tally
    let cpuBefore = sampler.sample(name, online: 0)
    let zero = SliceLedger.now()
    try begin()
    crew.activity = name
    // First it has to be seen to blow, else everybody would count as back already.
    let hit = try crew.wait(seconds: 30) {
      let tally = crew.tally
      return tally[.cuts] > before[.cuts] || tally[.sessionsLost] > before[.sessionsLost]
    }
    guard hit else { throw SwarmError(description: "the storm ended no connection") }
    var during: OperationRun?
    if options.pushDuring {
      // Some are back, most are not: that is when a push matters.
      let some = crew.sessions - Int(Double(crew.sessions) * options.share / 100) * 7 / 10
      _ = try crew.wait(seconds: 10) { crew.tally[.online] < some }
      _ = try waitOnline(some, seconds: options.stormSeconds)
      during = try operate("\(name), push", expecting: crew.sessions)
    }
    try crew.pause(milliseconds: 600)
    _ = try waitOnline(crew.sessions, seconds: options.stormSeconds)
    let run = try settle(
      StormRun(name: name), zero: zero, begun: zero, cpuBefore: cpuBefore, earlier: before)
    return (run, during)
  }

  /// Fills in what came of a storm that is over.
  ///
  /// Sessions ended since `zero` and were free to come back since `begun`; `cpuBefore` and
  /// `earlier` are what servers and sessions had come to before.
  func settle(
    _ named: StormRun, zero: UInt64, begun: UInt64, cpuBefore: ServerSample, earlier: SwarmTally
  ) throws(SwarmError) -> StormRun {
    var run = named
    let answers = try crew.ask(
      ControlLine("comebacks", ["zero": String(zero), "begun": String(begun)]))
    run.ended = answers.reduce(0) { $0 + $1.number("ended") }
    run.back = sum(answers)
    run.serverNanoseconds = sampler.sample(run.name, online: 0).nanoseconds(since: cpuBefore)
    let after = crew.tally
    run.resumed = after[.resumed] - earlier[.resumed]
    for (kind, count) in after.errors {
      let grown = count - (earlier.errors[kind] ?? 0)
      if grown > 0 { run.errors[kind] = grown }
    }
    tell(run)
    return run
  }

  private func begin() throws(SwarmError) {
    switch options.stormBy {
    case .cut:
      let count = Int((Double(crew.sessions) * options.share / 100).rounded())
      crew.tell(
        "cut", count: count, ["how": options.storm.rawValue == "slots" ? "slots" : "at-once"])
    case .killWorkers:
      let workers = sampler.processes().filter { !sampler.roots.contains($0) }
      guard !workers.isEmpty else {
        throw SwarmError(description: "the processes of --server-pid have no children to kill")
      }
      for worker in workers { kill(worker, SIGKILL) }
    }
  }

  private func tell(_ run: StormRun) {
    func time(_ percent: Double) -> String {
      run.seconds(percent: percent).map { NumberForm.short($0) } ?? "-"
    }
    crew.remark(
      "\(run.name): \(run.ended) ended, \(run.back.count) back (\(run.resumed) resumed); "
        + "50 % after \(time(50)) s, 95 % \(time(95)), 99.9 % \(time(99.9)), all \(time(100)); "
        + "server CPU \(NumberForm.short(Double(run.serverNanoseconds) / 1e9)) s")
  }
}
