// The scenarios: what is done to the servers once everybody is online. Each is a script of steps,
// and leaves its figures behind.

import ArgumentParser
import Reactor
import SwarmKit

/// What a run does.
enum Scenario: String, ExpressibleByArgument, CaseIterable {
  case idle, push, storm, churn
  case slowReaders = "slow-readers"
  case halfOpen = "half-open"
  case flood, mixed, table

  /// What has to be true of any server in this scenario; more is said by `--bound`.
  var bounds: [String] {
    switch self {
    case .idle: ["sessionsLost=0", "online.share>=100", "errors=0"]
    case .push:
      [
        "sessionsLost=0", "online.share>=100", "operations.failed=0", "database.missing=0",
        "repeated=0",
      ]
    case .table: ["online.share>=100", "operations.failed=0", "database.missing=0", "repeated=0"]
    case .storm: ["storm.back.share>=100", "database.missing=0", "repeated=0"]
    case .churn, .halfOpen, .flood:
      ["operations.failed=0", "database.missing=0", "repeated=0", "p99.ratio<=5x"]
    case .slowReaders: ["database.missing=0", "repeated=0", "p99.ratio<=5x"]
    case .mixed: ["database.missing=0", "repeated=0"]
    }
  }
}

extension Laboratory {
  /// Plays a scenario.
  func play(_ scenario: Scenario) throws(SwarmError) {
    switch scenario {
    case .idle: try idle()
    case .push: try push("push", count: options.operations)
    case .storm: try storm()
    case .churn:
      try disturbed("churn") { () throws(SwarmError) in
        crew.tell(
          "churn", count: options.rate,
          ["restMilliseconds": String(options.restMilliseconds)], key: "perSecond")
      } calming: {
        crew.tell("churn", count: 0, key: "perSecond")
      }
    case .slowReaders: try slowReaders()
    case .halfOpen:
      try disturbed("half-open") { () throws(SwarmError) in
        crew.tell("half-open", count: shared)
      } calming: {
        crew.tell("half-open", count: 0)
      }
    case .flood:
      try disturbed("flood") { () throws(SwarmError) in
        crew.tell("flood", count: shared)
      } calming: {
        crew.tell("flood", count: 0)
      }
    case .mixed: try mixed()
    case .table: try table()
    }
  }

  /// The sessions that `--share` is of.
  private var shared: Int { max(1, Int((Double(crew.sessions) * options.share / 100).rounded())) }

  private func flood(_ count: Int) {
    crew.tellLast(ControlLine("flood", ["count": String(count)]))
  }

  func idle() throws(SwarmError) {
    crew.activity = "idle for \(options.holdSeconds) s"
    let before = sampler.sample("idle.begin", online: crew.tally[.online])
    try crew.pause(milliseconds: options.holdSeconds * 1_000)
    mark("idle")
    if let after = sample("idle"), !after.processes.isEmpty {
      figures["idle.cpuMs"] = Double(after.nanoseconds(since: before)) / 1e6
    }
  }

  /// Operations one after the other, with a mark behind each.
  func push(_ name: String, count: Int) throws(SwarmError) {
    for number in 1...max(1, count) where !crew.isInterrupted {
      operations.append(try operate(count > 1 ? "\(name) \(number)" : name))
      mark("after \(name) \(number)")
    }
  }

  /// Operations in quiet, then under a disturbance that lasts for `--for`; their tails are
  /// compared.
  private func disturbed(
    _ name: String, stirring: () throws(SwarmError) -> Void, calming: () -> Void
  ) throws(SwarmError) {
    let quiet = try operate("quiet")
    operations.append(quiet)
    mark("quiet")
    try stirring()
    crew.activity = name
    let until = MonotonicClock.now() + options.holdSeconds * 1_000
    try crew.pause(milliseconds: min(5_000, options.holdSeconds * 500))
    var tails: [Double] = []
    repeat {
      let run = try operate("\(name) \(tails.count + 1)")
      operations.append(run)
      tails.append(run.quiet.milliseconds(at: 99))
      crew.activity = name
      try crew.pause(milliseconds: 1_000)
    } while MonotonicClock.now() < until && !crew.isInterrupted
    mark(name)
    calming()
    compare(quiet, tails)
    crew.activity = "calming down"
    try crew.pause(milliseconds: min(5_000, options.restMilliseconds))
    _ = try waitOnline(crew.sessions, seconds: options.connectSeconds)
  }

  private func compare(_ quiet: OperationRun, _ tails: [Double]) {
    let calm = quiet.fromCreation.milliseconds(at: 99)
    guard calm > 0, let worst = tails.max() else { return }
    figures["quiet.p99"] = calm
    figures["disturbed.p99"] = worst
    figures["p99.ratio"] = worst / calm
  }

  /// Some sessions stop reading while operations go to all; at the end they read again and get
  /// everything.
  private func slowReaders() throws(SwarmError) {
    let quiet = try operate("quiet")
    operations.append(quiet)
    let deaf = shared
    crew.tell("deafen", count: deaf)
    try crew.pause(milliseconds: 1_000)
    var tails: [Double] = []
    for number in 1...max(1, options.operations) {
      let run = try operate("slow readers \(number)", expecting: crew.sessions - deaf)
      operations.append(run)
      tails.append(run.fromCreation.milliseconds(at: 99))
    }
    mark("slow-readers")
    compare(quiet, tails)
    crew.tell("deafen", count: 0)
    crew.activity = "hearing again"
    let wanted = crew.sessions * operations.count
    let all = try crew.wait(seconds: options.connectSeconds) { crew.tally[.ended] >= wanted }
    figures["slow.recovered"] = all ? 1 : 0
  }

  /// Everything at once, an operation every few seconds.
  private func mixed() throws(SwarmError) {
    let quiet = try operate("quiet")
    operations.append(quiet)
    let few = max(1, shared / 4)
    crew.tell(
      "churn", count: options.rate,
      ["restMilliseconds": String(options.restMilliseconds)], key: "perSecond")
    crew.tell("half-open", count: few)
    flood(max(1, few / 4))
    let until = MonotonicClock.now() + options.holdSeconds * 1_000
    var tails: [Double] = []
    repeat {
      crew.activity = "mixed"
      try crew.pause(milliseconds: 2_000)
      let run = try operate("mixed \(tails.count + 1)")
      operations.append(run)
      tails.append(run.quiet.milliseconds(at: 99))
    } while MonotonicClock.now() < until && !crew.isInterrupted
    mark("mixed")
    flood(0)
    crew.tell("half-open", count: 0)
    crew.tell("churn", count: 0, key: "perSecond")
    compare(quiet, tails)
    _ = try waitOnline(crew.sessions, seconds: options.connectSeconds)
  }
}
