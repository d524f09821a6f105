// The goals' table, of our own server: one set of connected sessions goes through the stages that
// `bgb-swarm peer` puts the clients of other systems through, in the same order, with the same
// numbers under way and the same pauses, and the figures have the same names.
//
// What differs stands in docs/BUDGETS.md: a push is an operation here, counted from its creation in
// the manager until every outcome is in the database; its sessions verify a signature and write a
// journal.

import Reactor
import SwarmKit
import SwarmPeers

extension Laboratory {
  /// All stages; figures are left as they come, so that a run that fails has those before it.
  func table() throws(SwarmError) {
    noteConnects()
    try waitUntilTold()
    try idle()
    note(.quiet, (figures["idle.cpuMs"] ?? 0) / Double(max(1, options.holdSeconds)))
    try measureKeepAlives()
    try measurePushes()
    if options.operations > 0 { try measureUnanswered() }
    note(.errors, Double(crew.tally.errors.values.reduce(0, +)))
    if options.resumes > 0 {
      let count = min(options.resumes, crew.sessions)
      let resumed = crew.tally[.resumed]
      note(.resumedHandshake, try measureComebacks(count, online: crew.sessions))
      note(.resumedShare, 100 * Double(crew.tally[.resumed] - resumed) / Double(count))
      let later = try measureComebacks(count, forgets: true, online: crew.sessions)
      note(.laterHandshakes, later)
    }
    for number in 1...max(1, options.storms) where options.storms > 0 {
      try measureStorm(number)
    }
    if options.pushDuring { try measurePushInStorm() }
    if options.calm.seconds > 0 {
      crew.activity = "calm for \(options.calm.seconds) s"
      try crew.pause(milliseconds: options.calm.seconds * 1_000)
      mark("calm")
      noteMemory(.memoryAtRest, at: "calm")
    }
    // The last of all: it leaves the server as no peer's is.
    try measureGrowth(min(options.resumes, crew.sessions))
  }

  func note(_ figure: PeerFigure, _ value: Double) { figures[figure.rawValue] = value }

  // MARK: Connects

  /// Server CPU of the first 2,000 connects behind a few to warm up with: what a connect costs
  /// while there are few connections.
  func watchFirstConnects() throws(SwarmError) {
    let warm = try sampleOnline(min(500, crew.sessions / 10), "first")
    let later = try sampleOnline(min(warm.online + options.resumes, crew.sessions), "first")
    guard later.online > warm.online else { return }
    let spent = Double(later.nanoseconds(since: warm))
    note(.firstHandshakes, spent / Double(later.online - warm.online) / 1e6)
  }

  /// A sample as soon as so many are online, with their exact number.
  private func sampleOnline(_ count: Int, _ name: String) throws(SwarmError) -> ServerSample {
    _ = try waitOnline(count, seconds: options.connectSeconds)
    var sample = sampler.sample(name, online: 0)
    sample.online = try crew.ask(ControlLine("online")).reduce(0) { $0 + $1.number("count") }
    return sample
  }

  private func noteConnects() {
    guard let before = sample("before"), let online = sample("online") else { return }
    let count = Double(max(1, online.online))
    note(.fullHandshake, Double(online.nanoseconds(since: before)) / count / 1e6)
    noteMemory(.idleMemory, at: "online")
    let proportional = Double(online.total(\.proportional) - before.total(\.proportional))
    note(.idleProportional, proportional / count)
    note(.wholeServer, Double(online.total(\.proportional)) / 1_048_576)
    let slab = Double(online.slab - before.slab) / (2 * count)
    note(.slab, slab)
    note(.wholeMachine, (figures[PeerFigure.idleMemory.rawValue] ?? 0) + slab)
  }

  /// Growth of resident memory per connection since before the first one.
  private func noteMemory(_ figure: PeerFigure, at name: String) {
    guard let before = sample("before"), let now = sample(name), let online = sample("online")
    else { return }
    let grown = Double(now.total(\.resident) - before.total(\.resident))
    note(figure, grown / Double(max(1, online.online)))
  }

  /// What servers tell of connects once in a while is no silence: waits until the console knows of
  /// everybody.
  private func waitUntilTold() throws(SwarmError) {
    guard options.toldTime.seconds > 0 else { return }
    crew.activity = "until the site knows of everybody"
    let deadline = MonotonicClock.now() + options.toldTime.seconds * 1_000
    let before = sampler.sample("telling", online: 0)
    while try countOnline() < crew.sessions {
      guard MonotonicClock.now() < deadline, !crew.isInterrupted else {
        throw SwarmError(description: "the site was not told of everybody in time")
      }
      try crew.pause(milliseconds: 1_000)
    }
    try crew.pause(milliseconds: 1_000)
    mark("told")
    note(.telling, Double(sampler.sample("told", online: 0).nanoseconds(since: before)) / 1e6)
    noteMemory(.memoryAfterTelling, at: "told")
  }

  /// How many the console says are online.
  private func countOnline() throws(SwarmError) -> Int {
    Int(try ask(console: ["online", "-q"])) ?? 0
  }

  /// What the console says, without spaces.
  private func ask(console arguments: [String]) throws(SwarmError) -> String {
    let console: ChildProcess
    do throws(Errno) {
      console = try ChildProcess(options.consolePath(), arguments)
    } catch {
      throw SwarmError(description: "\(options.consolePath()) cannot be started: \(error)")
    }
    console.endInput()
    var output: [UInt8] = []
    _ = try crew.wait(seconds: 30) {
      if let bytes = console.read() { output += bytes }
      return console.exitStatus() != nil && console.output < 0
    }
    return String(decoding: output.filter { $0 > 0x20 }, as: UTF8.self)
  }

  // MARK: Traffic

  private func measureKeepAlives() throws(SwarmError) {
    crew.activity = "keep-alives"
    var spent: [Double] = []
    for _ in 0..<PeerPlan.keepAliveRounds { spent.append(try measureKeepAliveRound()) }
    note(.keepAlive, GoalMedians.median(spent) ?? 0)
  }

  /// CPU microseconds of the server for a keep-alive, when each session sends one.
  private func measureKeepAliveRound() throws(SwarmError) -> Double {
    let before = sampler.sample("keep-alives", online: 0)
    let answers = try crew.ask(
      ControlLine("keep-alives", ["underWay": String(options.session.connecting)]),
      seconds: options.connectSeconds)
    let heard = answers.reduce(0) { $0 + $1.number("heard") }
    try crew.pause(milliseconds: 200)
    guard answers.count == crew.count else {
      throw SwarmError(description: "not every keep-alive was answered")
    }
    let spent = Double(sampler.sample("keep-alives", online: 0).nanoseconds(since: before))
    return spent / Double(max(1, heard)) / 1e3
  }

  private func measurePushes() throws(SwarmError) {
    guard options.operations > 0 else { return }
    try push("push", count: options.operations)
    try crew.pause(milliseconds: 300)
    mark("after traffic")
    noteMemory(.memoryAfterTraffic, at: "after traffic")
    func middle(_ value: (OperationRun) -> Double) -> Double {
      let values = operations.map(value).sorted()
      return values.isEmpty ? 0 : values[(values.count - 1) / 2]
    }
    note(.pushCPU, middle { Double($0.serverNanoseconds) / Double(max(1, $0.received)) / 1e3 })
    note(.pushClientCPU, middle { Double($0.swarmNanoseconds) / Double(max(1, $0.received)) / 1e3 })
    note(.pushMiddle, middle { $0.fromCreation.milliseconds(at: 50) })
    note(.pushTail, middle { $0.fromCreation.milliseconds(at: 99) })
    note(.pushLast, middle { $0.fromCreation.maxMilliseconds })
    note(.pushMiddleFromFirst, middle { $0.fromFirst.milliseconds(at: 50) })
    note(.pushTailFromFirst, middle { $0.fromFirst.milliseconds(at: 99) })
    note(
      .pushMissing,
      operations.reduce(0.0) { $0 + Double(2 * crew.sessions - $1.received - $1.succeeded) })
  }

  /// Pushes to sessions that read them and say nothing, withdrawn as soon as all have theirs.
  private func measureUnanswered() throws(SwarmError) {
    crew.activity = "pushes without an answer"
    _ = try crew.ask(ControlLine("ignore-pushes", ["ignores": "yes"]))
    var spent: [Double] = []
    for _ in 0..<PeerPlan.unansweredRounds { spent.append(try measureUnansweredRound()) }
    _ = try crew.ask(ControlLine("ignore-pushes", ["ignores": "no"]))
    note(.pushUnanswered, GoalMedians.median(spent) ?? 0)
  }

  /// CPU microseconds of the server for a push that is not answered.
  private func measureUnansweredRound() throws(SwarmError) -> Double {
    func ignored() throws(SwarmError) -> Int {
      try crew.ask(ControlLine("ignored")).reduce(0) { $0 + $1.number("count") }
    }
    let already = try ignored()
    let before = sampler.sample("unanswered", online: 0)
    let operation = try ask(console: options.startArguments() + ["--detach", "-q"])
    let until = SliceLedger.now() + options.operationSeconds * 1_000_000
    while try ignored() - already < crew.sessions {
      guard SliceLedger.now() < until else {
        throw SwarmError(description: "not everybody got operation \(operation)")
      }
      try crew.pause(milliseconds: 50)
    }
    try crew.pause(milliseconds: 300)
    let spent = Double(sampler.sample("unanswered", online: 0).nanoseconds(since: before))
    _ = try ask(console: ["op", "cancel", operation, "-q"])
    // Everybody is told of that; it shall not be in the next figure.
    try crew.pause(milliseconds: 2_000)
    return spent / Double(crew.sessions) / 1e3
  }

  // MARK: Coming back

  /// Sends some away, waits, and lets them come back; says when they were called.
  private func bringBack(
    _ count: Int, forgets: Bool = false, restMilliseconds: UInt64, underWay: Int
  ) throws(SwarmError) -> (begun: UInt64, before: ServerSample) {
    try awaitGoing(count) {
      crew.tell("send-away", count: count, ["forgets": forgets ? "yes" : "no"])
    }
    try crew.pause(milliseconds: restMilliseconds)
    let before = sampler.sample("away", online: 0)
    let begun = SliceLedger.now()
    crew.tell(ControlLine("call-back", ["underWay": String(underWay)]))
    return (begun, before)
  }

  /// Gives an order that sends sessions away, and waits until so many have gone.
  func awaitGoing(_ count: Int, order: () -> Void) throws(SwarmError) {
    let cuts = crew.tally[.cuts]
    order()
    guard try crew.wait(seconds: 60, until: { crew.tally[.cuts] - cuts >= count }) else {
      throw SwarmError(description: "not everybody could be sent away")
    }
  }

  /// Waits until those who were called are back, and so many online.
  func awaitBack(_ online: Int) throws(SwarmError) {
    guard try waitOnline(online, seconds: options.stormSeconds) else {
      throw SwarmError(description: "not everybody came back")
    }
  }

  /// Server CPU ms of a connect, when so many are sent away and come back; `online` are all.
  func measureComebacks(
    _ count: Int, forgets: Bool = false, online: Int
  ) throws(SwarmError) -> Double {
    crew.activity = forgets ? "full handshakes" : "reconnects by identity"
    let (_, before) = try bringBack(
      count, forgets: forgets, restMilliseconds: 1_000, underWay: options.session.connecting)
    try awaitBack(online)
    try crew.pause(milliseconds: 300)
    let spent = Double(sampler.sample("back", online: 0).nanoseconds(since: before))
    return spent / Double(count) / 1e6
  }

  /// Everybody loses the connection and comes back in one moment; the first storm gives the
  /// figures, all have to be survived.
  private func measureStorm(_ number: Int) throws(SwarmError) {
    let name = "storm \(number)"
    let earlier = crew.tally
    crew.activity = name
    let zero = SliceLedger.now()
    let (begun, before) = try bringBack(
      crew.sessions, restMilliseconds: 2_000, underWay: options.stormConnecting)
    let run = try finish(StormRun(name: name), zero, begun, before, earlier)
    storms.append(run)
    guard number == 1 else { return }
    let back = Double(max(1, run.back.count))
    note(.stormCPU, Double(run.serverNanoseconds) / back / 1e6)
    note(.stormSeconds, Double(run.serverNanoseconds) / 1e9)
    note(.stormBack, run.seconds(percent: 99.9) ?? Double(options.stormSeconds))
    note(.stormMiddle, run.back.milliseconds(at: 50) / 1_000)
    note(.stormTail, run.back.milliseconds(at: 99) / 1_000)
    note(.stormLost, Double(crew.sessions - Int(clamping: run.back.count)))
    note(.stormErrors, Double(run.errors.values.reduce(0, +)))
    try crew.pause(milliseconds: 3_000)
    mark("after \(name)")
    noteMemory(.memoryAfterStorm, at: "after \(name)")
  }

  /// A storm of its own with a push in its middle: the push would be in the other's figures.
  private func measurePushInStorm() throws(SwarmError) {
    let earlier = crew.tally
    let calm = figures[PeerFigure.pushTail.rawValue] ?? 0
    crew.activity = "storm with a push"
    let zero = SliceLedger.now()
    let (begun, before) = try bringBack(
      crew.sessions, restMilliseconds: 2_000, underWay: options.stormConnecting)
    _ = try waitOnline(crew.sessions * 3 / 10, seconds: options.stormSeconds)
    let run = try operate("push in the storm", expecting: crew.sessions)
    operations.append(run)
    storms.append(try finish(StormRun(name: "storm with a push"), zero, begun, before, earlier))
    // Nobody may have been online when it began: then nothing was measured.
    guard run.quiet.count > 0, calm > 0 else { return }
    figures["quiet.p99"] = calm
    figures["disturbed.p99"] = run.quiet.milliseconds(at: 99)
    note(.pushInStorm, run.quiet.milliseconds(at: 99) / calm)
  }

  private func finish(
    _ named: StormRun, _ zero: UInt64, _ begun: UInt64, _ before: ServerSample,
    _ earlier: SwarmTally
  ) throws(SwarmError) -> StormRun {
    _ = try waitOnline(crew.sessions, seconds: options.stormSeconds)
    try crew.pause(milliseconds: 500)
    return try settle(named, zero: zero, begun: begun, cpuBefore: before, earlier: earlier)
  }
}
