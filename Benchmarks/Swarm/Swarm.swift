// The swarm: a folder of client certificates into sessions on one loop, counted as they go.

import BGBAgent
import BGBModel
import BGBSigning
import Glibc
import HTTPClient
import Reactor

/// One process full of agents.
struct Swarm {
  let options: SwarmCommand.Run

  /// Connects everybody and turns the loop until the end.
  func run() throws(SwarmError) {
    let source = try ClientSource.folders(path: folder)
    let names = try clientFolders(source)
    let signals: SignalDescriptor
    do throws(Errno) {
      signals = try SignalDescriptor([SIGTERM, SIGINT])
      Signals.ignoreBrokenPipe()
    } catch {
      throw SwarmError(description: "signals cannot be received: \(error)")
    }
    let observations = Observations(sessions: names.count, expectTasks: options.expectTasks)
    let loop = try makeLoop(names, source)
    let mailbox = loop.mailbox
    loop.observer = { client, _, event in
      observations.note(client, event)
      if observations.isComplete { mailbox.post(.stop(reason: "all answered")) }
    }
    do throws(Errno) {
      try loop.watchSignals(signals) {}
    } catch {
      throw SwarmError(description: "signals cannot be received: \(error)")
    }
    for (number, name) in names.enumerated() { try add(name, number, names.count, to: loop) }
    do throws(Errno) {
      try loop.run()
    } catch {
      throw SwarmError(description: "the loop ended: \(error)")
    }
    try finish(observations)
  }

  private func finish(_ observations: Observations) throws(SwarmError) {
    observations.printProgress(isLast: true)
    guard let path = options.report else { return }
    do throws(Errno) {
      try? Folder.remove(path)
      try AppendFile(path: path).append(Array(observations.json().utf8))
    } catch {
      throw SwarmError(description: "the report \(path) cannot be written: \(error)")
    }
  }

  private var folder: String { options.clients ?? "" }

  private func clientFolders(_ source: ClientSource) throws(SwarmError) -> [String] {
    guard case .folders(_, let names) = source else { return [] }
    let wanted = options.sessions ?? names.count
    guard names.count >= wanted, wanted > 0 else {
      throw SwarmError(
        description: "\(folder) holds \(names.count) clients, \(wanted) are wanted")
    }
    return Array(names[..<wanted])
  }

  private func makeLoop(
    _ names: [String], _ source: ClientSource
  ) throws(SwarmError) -> AgentLoop {
    let (site, key) = try source.site()
    let locations = PolicyLocations()
    let performers = options.instant ? [:] : try makePerformers(names, locations)
    let path = options.journal ?? "\(folder)/swarm.journal"
    var rules = DeskRules(keys: [key], site: site, boot: Bits128(high: 1, low: 1))
    rules.waitingMax = max(rules.waitingMax, names.count)
    if options.instant { rules.instant = { _ in ActionResult.succeeded("at once") } }
    do {
      let desk = try TaskDesk.open(
        JournalFile(path: path), rules: rules,
        now: WallTime(milliseconds: WallClock.nowMilliseconds()), random: JitterRandom(),
        remark: { StandardError.write("bgb-swarm: \($0)\n") })
      var configuration = AgentConfiguration(
        site: site, managementPoints: options.session.managementPoint,
        perform: { order, stop in
          performers[order.key.client]?.perform(order, stop: stop)
            ?? .failed("the swarm does not know this client")
        })
      configuration.httpsPoints = options.httpsPoint
      configuration.transport = .tcp
      configuration.fleet = source.agentFleet()
      return try AgentLoop(
        configuration, desk: desk, makeDisk: { JournalFile(path: path) },
        policyLocations: locations, linksMax: names.count + 8)
    } catch {
      throw SwarmError(description: "the loop cannot be made: \(error)")
    }
  }

  private func makePerformers(
    _ names: [String], _ locations: PolicyLocations
  ) throws(SwarmError) -> [ClientID: ActionPerformer] {
    var performers: [ClientID: ActionPerformer] = [:]
    for name in names {
      let folder = "\(folder)/\(name)"
      let settings = ActionSettings(
        policy: PolicySettings(
          certificateFile: "\(folder)/client.crt", keyFile: "\(folder)/client.key",
          authorityFile: "\(folder)/ca.pem", folder: "\(folder)/state/policy"),
        scanner: nil, stateFolder: "\(folder)/state", logFolder: nil, restartCommand: [],
        siteActions: [:], setVerbose: { _ in })
      performers[try clientID(of: name)] = ActionPerformer(settings, locations: locations)
    }
    return performers
  }

  private func add(
    _ name: String, _ number: Int, _ count: Int, to loop: AgentLoop
  ) throws(SwarmError) {
    let folder = "\(folder)/\(name)"
    var address: SocketAddress?
    if options.spreadAddresses {
      // 127.1.0.1 and up: one for each session, so that ephemeral ports do not run out.
      let host = 0x7F01_0001 &+ UInt32(truncatingIfNeeded: number)
      address = .ipv4(host, port: 0)
    }
    var identity = AgentIdentity(
      clientID: try clientID(of: name), certificateFile: "\(folder)/client.crt",
      keyFile: "\(folder)/client.key", authorityFile: "\(folder)/ca.pem",
      facts: ClientFacts(
        hostname: name, operatingSystem: "Linux (swarm)", agentVersion: "1.0.0", addresses: []),
      localAddress: address)
    identity.fleetNumber = UInt32(clamping: number)
    if usesHTTPS(number, of: count) {
      identity.transport = .https
      identity.proxy = proxy(ofHTTPSSession: number)
    }
    let delay = options.rampMilliseconds * UInt64(number) / UInt64(count)
    do throws(AgentError) {
      try loop.add(identity, afterMilliseconds: delay)
    } catch {
      throw SwarmError(description: "\(name): \(error)")
    }
  }

  /// Sessions over HTTPS come first, so that a few can be chosen to go through a proxy.
  private func usesHTTPS(_ number: Int, of count: Int) -> Bool {
    switch options.transport {
    case .tcp: false
    case .https: true
    case .mixed: number < (options.httpsSessions ?? count / 2)
    }
  }

  private func proxy(ofHTTPSSession number: Int) -> ProxyChoice? {
    guard number < options.proxiedSessions, let url = options.proxy,
      let server = ProxyServer(url: url)
    else { return nil }
    return ProxyChoice(setting: server, isOff: false, exempt: [], environment: [:])
  }

  private func clientID(of name: String) throws(SwarmError) -> ClientID {
    guard let pem = text("\(folder)/\(name)/client.crt"),
      let facts = try? CertificateFacts.read(pem: pem), let client = facts.clientID
    else { throw SwarmError(description: "\(name)/client.crt names no client") }
    return client
  }

  private func text(_ path: String) -> String? {
    (try? Folder.read(path, limit: 1 << 20)).flatMap { String(validating: $0, as: UTF8.self) }
  }
}
