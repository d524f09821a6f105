// `bgb-swarm slice`: one child process of a run, with its part of the fleet on one loop. It is told
// what to do by lines on its standard input and answers by lines on its standard output; the end of
// its input ends it, so that no child outlives its parent.

import ArgumentParser
import BGBAgent
import BGBModel
import BGBSigning
import Glibc
import Reactor
import SwarmKit
import Transports

/// What a session proves itself with when it comes back.
enum Comeback: String, ExpressibleByArgument, CaseIterable {
  /// The reconnect identity that the server gave it.
  case identity
  /// A TLS session ticket.
  case ticket
  /// Its certificate.
  case full
}

/// What the sessions of a run and of its children connect to, and as whom.
struct SessionOptions: ParsableArguments {
  @Option(help: "A server, HOST:PORT; give it again for more.")
  var managementPoint: [String]

  @Option(help: "The file that `bgb client add --count N --packed FILE` wrote.")
  var fleet: String?

  @Option(help: "Sessions of one process that connect at the same time; the others wait.")
  var connecting = 64

  @Option(help: "Sessions that share a source address of 127.0.0.0/8.")
  var sessionsPerAddress = 1

  @Option(help: "How sessions reconnect: identity (as agents do), ticket, or full.")
  var comeback = Comeback.identity

  @Flag(help: "Keep OpenSSL's objects after sign-in instead of detaching them.")
  var attached = false

  /// The options again, for a child's command line.
  func arguments(_ clients: String?) -> [String] {
    var all: [String] = []
    for point in managementPoint { all += ["--management-point", point] }
    if let fleet { all += ["--fleet", fleet] }
    if let clients { all += ["--clients", clients] }
    all += ["--connecting", String(connecting)]
    all += ["--sessions-per-address", String(sessionsPerAddress)]
    all += ["--comeback", comeback.rawValue]
    if attached { all.append("--attached") }
    return all
  }

  /// The clients.
  func source(_ clients: String?) throws(SwarmError) -> ClientSource {
    if let fleet { return try .fleet(path: fleet) }
    guard let clients else { throw SwarmError(description: "name --fleet FILE or --clients DIR") }
    return try .folders(path: clients)
  }
}

extension SwarmCommand {
  /// `bgb-swarm slice`.
  struct Slice: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "One process of a run; the run starts it itself.", shouldDisplay: false)

    @OptionGroup var session: SessionOptions
    @Option(help: "The folder that `bgb client add --count` wrote.") var clients: String?
    @Option(help: "The number of the first client.") var first: Int
    @Option(help: "How many clients.") var count: Int
    @Option(help: "The journal.") var journal: String
    @Option(help: "Connections begin over this many milliseconds.") var rampMilliseconds: UInt64 = 0

    func run() throws {
      HandshakeMemory.prepare()
      NarrowNames.prepare()
      do throws(SwarmError) {
        try SliceRun(self).run()
      } catch {
        StandardError.write("bgb-swarm: \(error)\n")
        throw ExitCode(1)
      }
    }
  }
}

/// The child's work.
final class SliceRun {
  private let options: SwarmCommand.Slice
  private let source: ClientSource
  let ledger: SliceLedger
  let loop: AgentLoop
  var crowd: HalfOpenCrowd?
  private var lastTold = SwarmTally()
  /// How many sessions leave in a second, and for how long.
  var churn = (perSecond: 0, restMilliseconds: 0)
  /// How many sessions send as fast as they may.
  var flooders = 0
  /// Sessions that were sent away and not called back yet.
  var away: [Int] = []
  /// Sessions that stay away until others have been measured alone.
  var thinnedOut: [Int] = []
  /// Where the next one that leaves is looked for.
  var nextToLeave = 0

  init(_ options: SwarmCommand.Slice) throws(SwarmError) {
    self.options = options
    source = try options.session.source(options.clients)
    _ = try? ProcessLimits.raiseOpenFiles()
    Signals.ignoreBrokenPipe()
    ledger = SliceLedger(count: options.count)
    loop = try SliceRun.makeLoop(options, source)
  }

  func run() throws(SwarmError) {
    let ledger = ledger
    loop.observer = { _, number, event in ledger.note(number, event) }
    loop.listener = { [unowned self] line in obey(line) }
    let emptyBytes = ServerSampler.ownMemory()
    for number in 0..<options.count { try add(number) }
    let mailbox = loop.mailbox
    do throws(Errno) {
      _ = try KernelThread.start(name: "orders") {
        var reader = LineReader()
        while let bytes = ProcessClock.readInput() {
          for line in reader.take(bytes) { mailbox.post(.line(line)) }
        }
        mailbox.post(.stop(reason: "the run is over"))
      }
      say(ControlLine("ready", ["emptyBytes": String(emptyBytes)]))
      report()
      // A client's handshake takes more than a server's, and as many are under way as are allowed.
      HandshakeMemory.keep(bytesMax: 4 * HandshakeMemory.bytesMax)
      try loop.run()
      HandshakeMemory.end()
    } catch {
      throw SwarmError(description: "the loop ended: \(error)")
    }
    tellTally(always: true)
  }

  private static func makeLoop(
    _ options: SwarmCommand.Slice, _ source: ClientSource
  ) throws(SwarmError) -> AgentLoop {
    let (site, key) = try source.site()
    var rules = DeskRules(keys: [key], site: site, boot: Bits128(high: 1, low: 1))
    rules.waitingMax = max(rules.waitingMax, options.count)
    // Each agent writes its own journal anew after 13,000 tasks, and not all of them in the middle
    // of a push.
    rules.compactBytes = 256 << 20
    rules.instant = { _ in ActionResult.succeeded("at once") }
    // Tasks of an earlier run are over: what is measured begins with an empty memory.
    try? Folder.remove(options.journal)
    let path = options.journal
    do {
      let desk = try TaskDesk.open(
        JournalFile(path: path), rules: rules,
        now: WallTime(milliseconds: WallClock.nowMilliseconds()), random: JitterRandom(),
        remark: { StandardError.write("bgb-swarm: \($0)\n") })
      var configuration = AgentConfiguration(
        site: site, managementPoints: options.session.managementPoint)
      configuration.transport = .tcp
      configuration.fleet = source.agentFleet()
      configuration.attemptsMax = max(1, options.session.connecting)
      // A ticket is 2 KB a session, and an agent that has an identity does not use it.
      configuration.keepsSessions = options.session.comeback == .ticket
      configuration.takesReconnect = options.session.comeback == .identity
      configuration.detaches = !options.session.attached
      configuration.drainMilliseconds = 1_000
      // All agents' journals are one file on one disk: it is synced two hundred times a second at
      // most, and acknowledgements are no later by that than a disk of their own would make them.
      configuration.journalRestMilliseconds = 5
      // Short turns, for a receipt is noted at the end of its turn.
      configuration.eventsPerTurnMax = 64
      // And no agent waits for a thousand others to begin: they would be other machines.
      configuration.attemptsPerTurnMax = 16
      return try AgentLoop(
        configuration, desk: desk, makeDisk: { JournalFile(path: path) },
        linksMax: options.count + 8)
    } catch {
      throw SwarmError(description: "the loop cannot be made: \(error)")
    }
  }

  private func add(_ local: Int) throws(SwarmError) {
    let number = options.first + local
    let (client, name) = try source.client(number)
    let host = SourceAddress.ipv4(
      ofSession: number, sessionsPerAddress: options.session.sessionsPerAddress)
    var identity = AgentIdentity(
      clientID: client, certificateFile: "", keyFile: "", authorityFile: "",
      facts: ClientFacts(
        hostname: name, operatingSystem: "Linux (swarm)", agentVersion: "1.0.0", addresses: []),
      localAddress: .ipv4(host, port: 0))
    identity.fleetNumber = UInt32(clamping: number)
    ledger.add(client, storedUpTo: loop.desk.storedUpTo(of: client))
    let delay = options.rampMilliseconds * UInt64(local) / UInt64(max(1, options.count))
    do throws(AgentError) {
      try loop.add(identity, afterMilliseconds: delay)
    } catch {
      throw SwarmError(description: "\(name): \(error)")
    }
  }

  /// Makes the connections that stop half way; the first of them are made with this slice's
  /// credentials.
  func makeCrowd() throws(Errno) -> HalfOpenCrowd {
    try HalfOpenCrowd(
      points: options.session.managementPoint.compactMap { SocketAddress($0) },
      first: options.first, clients: options.count, fleet: source.agentFleet())
  }

  // MARK: Reports

  func say(_ line: ControlLine) {
    print(line.text)
    StandardOutput.flush()
  }

  /// Four times a second, but only news.
  private func report() {
    tellTally(always: false)
    for task in ledger.takeNewTasks() { say(ControlLine("task", ["id": "\(task)"])) }
    loop.call(afterMilliseconds: 250) { [unowned self] _ in report() }
  }

  func tellTally(always: Bool) {
    if let crowd { (ledger.tally[.halfOpen], ledger.tally[.halfOpenEnded]) = crowd.counts }
    guard always || ledger.tally != lastTold else { return }
    lastTold = ledger.tally
    say(lastTold.line)
  }
}
