// The laboratory: puts one fleet through the stages of the goals' table, each between two looks at
// the server's CPU clock and memory. Every server is asked the same, in the same order.
import Glibc
import Reactor
import Transports

/// What is measured, on whom, and how hard.
public struct PeerPlan: Sendable {
  /// The server's name in the report.
  public var server = "server"
  /// What it speaks.
  public var dialect = PeerDialect.mqtt
  /// Where it listens, as `127.0.0.1:8883`.
  public var address = ""
  /// Its processes.
  public var processIDs: [Int32] = []
  /// Clients.
  public var connections = 500
  /// Handshakes under way at once, but for the storm.
  public var underWay = 64
  /// Keep-alives under way at once.
  public var keepAlivesUnderWay = 64
  /// How often every client sends a keep-alive; the figure is the median.
  public static let keepAliveRounds = 3
  /// How often a message to all is left without an answer; the figure is the median.
  public static let unansweredRounds = 3
  /// Whether there is no TLS.
  public var isPlain = false
  /// How many messages are published to all.
  public var publishes = 5
  /// How many clients reconnect with a kept session.
  public var resumes = 2_000
  /// Seconds in which nobody speaks.
  public var quietSeconds: UInt64 = 15
  /// Whether all are dropped at once at the end.
  public var storms = true
  /// The most that any stage may last, in seconds; the default grows with the clients.
  public var patienceSeconds: UInt64?
  /// Certificate and key that all clients share, and the authority of the server's.
  public var certificateFile = ""
  /// The certificate's key.
  public var keyFile = ""
  /// The authority.
  public var authorityFile = ""

  /// Makes the defaults.
  public init() {}
}

/// Why nothing was measured.
public struct PeerLabError: Error, CustomStringConvertible {
  /// A sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}

/// One run over one server.
public struct PeerLab: ~Copyable {
  private let plan: PeerPlan
  private let probe: ProcessProbe
  private let own = ProcessProbe(processIDs: [getpid()])
  private let fleet: PeerFleet
  private var figures: PeerFigures
  private var retries: [(number: Int, at: UInt64)] = []
  private var residentBefore = 0
  private var proportionalBefore = 0
  private var slabBefore = 0

  /// Prepares a run.
  public init(_ plan: PeerPlan) throws(PeerLabError) {
    guard let address = SocketAddress(plan.address) else {
      throw PeerLabError("\(plan.address) is no address with a port")
    }
    let target = PeerTarget(
      dialect: plan.dialect, address: address, clientsMax: plan.connections + 1,
      isPlain: plan.isPlain)
    let limit = (try? ProcessLimits.raiseOpenFiles()) ?? 1_024
    guard limit > UInt64(plan.connections + 64) else {
      throw PeerLabError("\(plan.connections) connections need more files than \(limit)")
    }
    do {
      let context = try TLSContext(
        role: .client, certificateChainFile: plan.certificateFile, privateKeyFile: plan.keyFile,
        caFile: plan.authorityFile)
      fleet = try PeerFleet(target, context: context)
    } catch {
      throw PeerLabError("\(error)")
    }
    self.plan = plan
    probe = ProcessProbe(processIDs: plan.processIDs)
    figures = PeerFigures(
      server: plan.server, dialect: plan.dialect, connections: plan.connections)
  }

  /// All stages, in order.
  public mutating func run() throws(PeerLabError) -> PeerFigures {
    do throws(Errno) {
      try connectAll()
      try measureQuiet()
      try measureKeepAlives()
      if plan.dialect.fansOut && plan.publishes > 0 { try measurePushes() }
      noteMemory(.memoryAfterTraffic)
      if plan.dialect.fansOut && plan.publishes > 0 { try measureUnanswered() }
      figures.note(.errors, Double(fleet.failures.values.reduce(0, +)))
      if plan.resumes > 0 { try measureResumption() }
      if plan.storms { try measureStorm() }
      figures.failures = fleet.failures
      guard probe.isAlive else { throw Errno.notFound }
    } catch {
      throw PeerLabError("\(plan.server): the loop or the server ended: \(error)")
    }
    return figures
  }

  // MARK: Stages

  private mutating func connectAll() throws(Errno) {
    residentBefore = probe.residentBytes()
    proportionalBefore = probe.proportionalBytes()
    slabBefore = ProcessProbe.slabBytes()
    let before = probe.cpuNanoseconds()
    try connect(Array(0..<plan.connections), underWay: plan.underWay)
    try pause(milliseconds: 300)
    figures.note(.fullHandshake, each(since: before, plan.connections, 1e6))
    if plan.dialect.fansOut { try connect([fleet.publisher], underWay: 1) }
    try pause(milliseconds: 3_000)
    let count = Double(plan.connections)
    let resident = Double(probe.residentBytes() - residentBefore) / count
    let slab = Double(ProcessProbe.slabBytes() - slabBefore) / (2 * count)
    figures.note(.idleMemory, resident)
    figures.note(
      .idleProportional, Double(probe.proportionalBytes() - proportionalBefore) / count)
    figures.note(.slab, slab)
    figures.note(.wholeMachine, resident + slab)
  }

  private mutating func measureQuiet() throws(Errno) {
    guard plan.quietSeconds > 0 else { return }
    let before = probe.cpuNanoseconds()
    try pause(milliseconds: plan.quietSeconds * 1_000)
    figures.note(.quiet, each(since: before, Int(plan.quietSeconds), 1e6))
  }

  private mutating func measureKeepAlives() throws(Errno) {
    var spent: [Double] = []
    for _ in 0..<PeerPlan.keepAliveRounds { spent.append(try measureKeepAliveRound()) }
    figures.note(.keepAlive, median(spent))
  }

  /// CPU microseconds of the server for a keep-alive, when each client sends one.
  private mutating func measureKeepAliveRound() throws(Errno) -> Double {
    let before = probe.cpuNanoseconds()
    let already = fleet.keepAlivesAnswered
    let bytes = plan.dialect.keepAlive
    var next = 0
    fleet.answered.removeAll(keepingCapacity: true)
    let deadline = self.deadline()
    while fleet.keepAlivesAnswered - already < plan.connections, now < deadline {
      while next < plan.connections,
        next - (fleet.keepAlivesAnswered - already) < plan.keepAlivesUnderWay
      {
        fleet.send(bytes, from: next)
        next += 1
      }
      try fleet.turn()
    }
    try pause(milliseconds: 200)
    return each(since: before, max(1, fleet.keepAlivesAnswered - already), 1e3)
  }

  private mutating func measurePushes() throws(Errno) {
    var cpu: [Double] = []
    var clients: [Double] = []
    var middle: [Double] = []
    var tail: [Double] = []
    var last: [Double] = []
    var missing = 0
    for number in 1...UInt64(plan.publishes) {
      let before = probe.cpuNanoseconds()
      let ownBefore = own.cpuNanoseconds()
      let push = plan.dialect.message(.push, number: number, bytes: fleet.target.pushBytes)
      fleet.fanOut = PeerFleet.FanOut(
        number: number, publishedAt: now,
        ack: plan.dialect.message(.ack, number: number, bytes: fleet.target.ackBytes))
      fleet.send(push, from: fleet.publisher)
      let deadline = self.deadline()
      while (fleet.fanOut?.acks ?? 0) < plan.connections, now < deadline { try fleet.turn() }
      let ownSpent = Double(own.cpuNanoseconds() - ownBefore)
      try pause(milliseconds: 300)
      guard let done = fleet.fanOut else { continue }
      let latencies = done.latencies.sorted()
      missing += 2 * plan.connections - latencies.count - done.acks
      cpu.append(each(since: before, plan.connections, 1e3))
      clients.append(ownSpent / Double(plan.connections) / 1e3)
      middle.append(Double(percentile(latencies, 500) ?? 0) / 1_000)
      tail.append(Double(percentile(latencies, 990) ?? 0) / 1_000)
      last.append(Double(latencies.last ?? 0) / 1_000)
      fleet.fanOut = nil
    }
    figures.note(.pushCPU, median(cpu))
    figures.note(.pushClientCPU, median(clients))
    figures.note(.pushMiddle, median(middle))
    figures.note(.pushTail, median(tail))
    figures.note(.pushLast, median(last))
    figures.note(.pushMissing, Double(missing))
  }

  private mutating func measureUnanswered() throws(Errno) {
    var spent: [Double] = []
    for number in UInt64(plan.publishes + 1)...UInt64(plan.publishes + PeerPlan.unansweredRounds) {
      let before = probe.cpuNanoseconds()
      fleet.fanOut = PeerFleet.FanOut(number: number, publishedAt: now, ack: [])
      let push = plan.dialect.message(.push, number: number, bytes: fleet.target.pushBytes)
      fleet.send(push, from: fleet.publisher)
      let deadline = self.deadline()
      while (fleet.fanOut?.latencies.count ?? 0) < plan.connections, now < deadline {
        try fleet.turn()
      }
      try pause(milliseconds: 300)
      spent.append(each(since: before, max(1, fleet.fanOut?.latencies.count ?? 0), 1e3))
      fleet.fanOut = nil
    }
    figures.note(.pushUnanswered, median(spent))
  }

  private mutating func measureResumption() throws(Errno) {
    let numbers = Array(0..<min(plan.resumes, plan.connections))
    for number in numbers { fleet.drop(number) }
    try pause(milliseconds: 1_000)
    fleet.offersSessions = true
    fleet.forgetResumed()
    let before = probe.cpuNanoseconds()
    try connect(numbers, underWay: plan.underWay)
    try pause(milliseconds: 300)
    figures.note(.resumedHandshake, each(since: before, numbers.count, 1e6))
    figures.note(.resumedShare, Double(fleet.resumedCount) * 100 / Double(numbers.count))
  }

  /// Drops everybody, then lets everybody connect at once, with the session that each was given.
  private mutating func measureStorm() throws(Errno) {
    let failuresBefore = fleet.failures.values.reduce(0, +)
    for number in 0..<plan.connections { fleet.drop(number) }
    try pause(milliseconds: 2_000)
    fleet.offersSessions = true
    let before = probe.cpuNanoseconds()
    let begin = now
    try connect(Array(0..<plan.connections), underWay: .max)
    try pause(milliseconds: 500)
    let waits = (0..<plan.connections).filter { fleet.isReady($0) }
      .map { Double(fleet.readyAt[$0] - begin) / 1e9 }.sorted()
    let lost = plan.connections - waits.count
    figures.note(.stormCPU, each(since: before, max(1, waits.count), 1e6))
    // Whoever is not back counts as back at the end of our patience.
    let enough = (plan.connections * 999 + 999) / 1000
    figures.note(
      .stormBack, waits.count >= enough ? waits[enough - 1] : Double(patienceSeconds))
    figures.note(.stormMiddle, percentile(waits, 500) ?? 0)
    figures.note(.stormTail, percentile(waits, 990) ?? 0)
    figures.note(.stormLost, Double(lost))
    figures.note(.stormErrors, Double(fleet.failures.values.reduce(0, +) - failuresBefore))
    try pause(milliseconds: 3_000)
    noteMemory(.memoryAfterStorm)
  }

  // MARK: Parts

  /// Connects clients and tries those that fail again after a second, until all are there.
  private mutating func connect(_ numbers: [Int], underWay limit: Int) throws(Errno) {
    var waiting = numbers[...]
    let wanted = fleet.readyCount + numbers.count
    let deadline = self.deadline()
    fleet.lost.removeAll()
    retries.removeAll()
    while fleet.readyCount < wanted, now < deadline {
      while fleet.underWay < limit, let number = waiting.popFirst() { fleet.start(number) }
      try fleet.turn()
      for number in fleet.lost { retries.append((number, now + 1_000_000_000)) }
      fleet.lost.removeAll()
      while let first = retries.first, first.at <= now {
        retries.removeFirst()
        waiting.append(first.number)
      }
    }
  }

  private func pause(milliseconds: UInt64) throws(Errno) {
    let until = now + milliseconds * 1_000_000
    while now < until { try fleet.turn() }
  }

  private mutating func noteMemory(_ figure: PeerFigure) {
    figures.note(
      figure, Double(probe.residentBytes() - residentBefore) / Double(plan.connections))
  }

  private func each(since before: UInt64, _ count: Int, _ unit: Double) -> Double {
    let spent = probe.cpuNanoseconds()
    return Double(spent > before ? spent - before : 0) / Double(max(1, count)) / unit
  }

  private var now: UInt64 { MonotonicClock.nanoseconds() }

  /// Twenty milliseconds a client, for a slow server on a busy machine.
  private var patienceSeconds: UInt64 {
    plan.patienceSeconds ?? max(120, UInt64(plan.connections) / 50)
  }

  private func deadline() -> UInt64 { now + patienceSeconds * 1_000_000_000 }

  private func median(_ values: [Double]) -> Double { percentile(values.sorted(), 500) ?? 0 }
}
