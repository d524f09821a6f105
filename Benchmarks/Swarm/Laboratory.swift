// A run of the storm laboratory: processes full of sessions, one scenario, samples of the servers
// at marks, and at the end a report, a plot and a verdict.

import Glibc
import Reactor
import SwarmKit

/// One run.
final class Laboratory {
  let options: SwarmCommand.Run
  let crew: Crew
  let sampler: ServerSampler
  var marks: [ServerSample] = []
  var operations: [OperationRun] = []
  var storms: [StormRun] = []
  /// The figures by name, on which bounds are judged.
  var figures: [String: Double] = [:]
  private var swarmOnline: ServerSample?

  init(_ options: SwarmCommand.Run) throws(SwarmError) {
    self.options = options
    let source = try options.session.source(options.clients)
    let sessions = options.sessions ?? source.count
    guard sessions > 0, source.count >= sessions else {
      throw SwarmError(description: "there are \(source.count) clients, \(sessions) are wanted")
    }
    let files = (try? ProcessLimits.raiseOpenFiles()) ?? 1_024
    let room = max(16, Int(clamping: files) - 512)
    let wanted =
      options.perProcess
      ?? FleetSlice.perProcess(sessions, processors: sysconf(Int32(_SC_NPROCESSORS_ONLN)))
    let slices = FleetSlice.divide(sessions, perProcess: min(wanted, room))
    sampler = ServerSampler(roots: options.serverPid)
    marks.append(sampler.sample("before", online: 0))
    guard let program = ProcessClock.ownPath() else {
      throw SwarmError(description: "this program does not find its own file")
    }
    do throws(Errno) {
      crew = try Crew(slices, program: program) { number, slice in
        options.session.arguments(options.clients) + [
          "--first", String(slice.first), "--count", String(slice.count),
          "--journal", options.journalPath(source, process: number),
          "--ramp-milliseconds", String(options.rampMilliseconds),
        ]
      }
    } catch {
      throw SwarmError(description: "no child process can be started: \(error)")
    }
  }

  /// Runs to the end; says whether all bounds were kept.
  func run() throws(SwarmError) -> Bool {
    let outcome: Result<Void, SwarmError>
    do throws(SwarmError) {
      try connect()
      try play(options.scenario ?? .idle)
      mark("end")
      outcome = .success(())
    } catch {
      outcome = .failure(error)
    }
    addFigures()
    crew.end()
    let verdict = Verdict(options.bounds(), figures: figures)
    try write(verdict)
    StandardError.write(verdict.text)
    if case .failure(let error) = outcome { throw error }
    return verdict.passes && !crew.isInterrupted
  }

  // MARK: Steps that scenarios are made of

  private func connect() throws(SwarmError) {
    crew.activity = "making \(crew.sessions) sessions in \(crew.count) processes"
    guard try crew.wait(seconds: 300, until: { crew.isReady }) else {
      throw SwarmError(description: "the sessions were not made in time")
    }
    crew.activity = "connecting"
    let begun = MonotonicClock.now()
    if options.scenario == .table { try watchFirstConnects() }
    let all = try waitOnline(crew.sessions, seconds: options.connectSeconds)
    figures["connect.seconds"] = Double(MonotonicClock.now().since(begun)) / 1_000
    guard all else {
      mark("connected")
      throw SwarmError(
        description: "only \(crew.tally[.online]) of \(crew.sessions) sessions came online in time")
    }
    crew.activity = "settling"
    try crew.pause(milliseconds: options.settleMilliseconds)
    mark("online")
    swarmOnline = sampler.memory(of: crew.processes)
    crew.activity = ""
  }

  /// Waits until so many are online.
  func waitOnline(_ count: Int, seconds: UInt64) throws(SwarmError) -> Bool {
    try crew.wait(seconds: seconds) { crew.tally[.online] >= count }
  }

  /// Takes a sample under this name.
  func mark(_ name: String) {
    marks.append(sampler.sample(name, online: crew.tally[.online]))
  }

  /// The last sample of a name.
  func sample(_ name: String) -> ServerSample? { marks.last { $0.name == name } }

  // MARK: Figures

  private func addFigures() {
    let tally = crew.tally
    for counter in SwarmCounter.allCases { figures[counter.rawValue] = Double(tally[counter]) }
    figures["errors"] = Double(tally.errors.values.reduce(0, +))
    figures["online.share"] = 100 * Double(tally[.online]) / Double(crew.sessions)
    if let before = sample("before"), let online = sample("online"), !online.processes.isEmpty {
      let count = Double(max(1, online.online - before.online))
      func per(_ key: KeyPath<ProcessSample, Int64>) -> Double {
        Double(online.total(key) - before.total(key)) / count
      }
      figures["rss.perConnection"] = per(\.resident)
      figures["pss.perConnection"] = per(\.proportional)
      figures["private.perConnection"] = per(\.privateDirty)
      figures["connect.cpuMs"] = Double(online.nanoseconds(since: before)) / count / 1e6
      if let end = sample("end") {
        figures["rss.growth"] =
          Double(end.total(\.resident) - before.total(\.resident))
          / Double(max(1, online.total(\.resident) - before.total(\.resident)))
      }
    }
    if let before = sample("before"), let online = sample("online") {
      let count = Double(max(1, online.online - before.online))
      figures["slab.perPair"] = Double(online.slab - before.slab) / count
    }
    if let online = swarmOnline {
      let grown = online.total(\.resident) - crew.emptyBytes
      figures["swarm.rssPerSession"] = Double(grown) / Double(max(1, crew.sessions))
    }
    let finished = operations.filter { $0.status == 0 }
    figures["database.missing"] = Double(finished.map { $0.received - $0.succeeded }.max() ?? 0)
    addOperationFigures()
    for storm in storms { figures.merge(storm.figures) { $1 } }
  }

  private func addOperationFigures() {
    guard !operations.isEmpty else { return }
    // What the figures without a name speak of: the worst of all operations.
    func worst(_ value: (OperationRun) -> Double) -> Double { operations.map(value).max() ?? 0 }
    figures["p50"] = worst { $0.fromCreation.milliseconds(at: 50) }
    figures["p99"] = worst { $0.fromCreation.milliseconds(at: 99) }
    figures["max"] = worst { $0.fromCreation.maxMilliseconds }
    figures["first.p99"] = worst { $0.fromFirst.milliseconds(at: 99) }
    figures["command.p99"] = worst { $0.fromCommand.milliseconds(at: 99) }
    figures["delivered.least"] = Double(operations.map(\.received).min() ?? 0)
    figures["stored.least"] = Double(operations.map(\.stored).min() ?? 0)
    figures["database.least"] = Double(operations.map(\.succeeded).min() ?? 0)
    figures["operations.failed"] = Double(operations.count { $0.status != 0 })
    let received = operations.reduce(0) { $0 + $1.received }
    let spent = operations.reduce(0) { $0 + $1.serverNanoseconds }
    if spent > 0 { figures["push.cpuUs"] = Double(spent) / Double(max(1, received)) / 1e3 }
    let own = operations.reduce(0) { $0 + $1.swarmNanoseconds }
    figures["push.swarmUs"] = Double(own) / Double(max(1, received)) / 1e3
  }

  // MARK: Report

  private func write(_ verdict: Verdict) throws(SwarmError) {
    if let path = options.report { try Laboratory.write(path, json(verdict).encoded() + "\n") }
    for run in operations {
      StandardError.write(
        HistogramText.draw(run.fromCreation, title: "\(run.name), from its creation"))
    }
    for storm in storms {
      StandardError.write(HistogramText.draw(storm.back, title: "\(storm.name), time to be back"))
    }
    if let path = options.plot {
      var plot = PercentilePlot(title: "bgb-swarm: \(options.title(crew.sessions))")
      for run in operations { plot.add(run.name, run.fromCreation) }
      for storm in storms { plot.add("\(storm.name) (back)", storm.back) }
      try Laboratory.write(path, plot.svg)
    }
  }

  static func write(_ path: String, _ text: String) throws(SwarmError) {
    do throws(Errno) {
      try? Folder.remove(path)
      try AppendFile(path: path).append(Array(text.utf8))
    } catch {
      throw SwarmError(description: "\(path) cannot be written: \(error)")
    }
  }

  private func json(_ verdict: Verdict) -> JSONText {
    let tally = crew.tally
    return .members([
      ("program", .text("bgb-swarm")), ("format", .whole(1)),
      ("scenario", .text((options.scenario ?? .idle).rawValue)),
      ("sessions", .whole(Int64(crew.sessions))), ("processes", .whole(Int64(crew.count))),
      ("parameters", .members(options.parameters.map { ($0, .text($1)) })),
      (
        "counters",
        .members(SwarmCounter.allCases.map { ($0.rawValue, .whole(Int64(tally[$0]))) })
      ),
      (
        "errors",
        .members(tally.errors.sorted { $0.key < $1.key }.map { ($0, .whole(Int64($1))) })
      ),
      ("marks", .list(marks.map(\.json))), ("operations", .list(operations.map(\.json))),
      ("storms", .list(storms.map(\.json))),
      (
        "figures",
        .members(figures.sorted { $0.key < $1.key }.map { ($0, .number($1)) })
      ),
      (
        "bounds",
        .list(
          verdict.judgements.map { one in
            .members([
              ("bound", .text(one.bound.description)),
              ("measured", one.measured.map { .number($0) } ?? .null),
              ("passes", .flag(one.passes)),
            ])
          })
      ),
      ("passes", .flag(verdict.passes)), ("interrupted", .flag(crew.isInterrupted)),
    ])
  }
}
