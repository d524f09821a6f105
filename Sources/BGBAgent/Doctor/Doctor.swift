// The doctor's round: this computer, then each way over TCP, then each over HTTPS, hop by hop. It
// never signs in, for that would take over the session of the agent that runs.

import BGBModel
import HTTPClient
import Reactor
import ServiceSettings
import Transports

/// What the doctor is told.
struct DoctorOptions: Sendable {
  /// How long the server is asked to hold a poll; 0 leaves the poll out.
  var holdSeconds: UInt32 = 5
  /// How long each hop may take.
  var timeoutMilliseconds: UInt64 = 10_000
}

/// One examination.
final class Doctor {
  /// How long a server that shook hands may take to answer our goodbye.
  private static let goodbyeMilliseconds: UInt64 = 3_000

  private let options: DoctorOptions
  private let environment: [String: String]
  private let wall: @Sendable () -> Int64
  /// Hears what is tried now, for the line on a terminal.
  private let progress: (String) -> Void
  private var report: DoctorReport

  /// Prepares an examination.
  init(
    settingsFile: String, options: DoctorOptions = DoctorOptions(),
    environment: [String: String], wall: @escaping @Sendable () -> Int64 = TimeSource.system.wall,
    progress: @escaping (String) -> Void = { _ in }
  ) {
    self.options = options
    self.environment = environment
    self.wall = wall
    self.progress = progress
    report = DoctorReport(at: WallTime(milliseconds: wall()), settingsFile: settingsFile)
  }

  private var now: WallTime { WallTime(milliseconds: wall()) }
  private var deadline: Ticks { MonotonicClock.now() + options.timeoutMilliseconds }

  /// Does everything there is to do.
  func examine() -> DoctorReport {
    var files = DoctorFiles(settingsFile: report.settingsFile, now: now)
    let parts = files.examine(environment: environment)
    report.settingsFile = files.settingsFile
    report.clientID = files.clientID
    report.site = files.site
    report.checks = files.checks
    guard let parts else { return report }
    let settings = parts.settings
    for point in settings.managementPoints.map(\.description) {
      let way = DoctorWay(.tcp(point), hops: [.name, .connect, .tls])
      if settings.transport == .https {
        way.skipRest("transport is https in the settings")
      } else {
        overTCP(point, parts, way)
      }
      report.checks += way.checks
    }
    for point in settings.httpsPoints {
      let way = DoctorWay(
        .https(point), hops: [.proxy, .name, .connect, .tls, .server, .clock, .poll])
      if settings.transport == .tcp {
        way.skipRest("transport is tcp in the settings")
      } else {
        overHTTPS(point, parts, way)
      }
      report.checks += way.checks
    }
    report.compareServers()
    return report
  }

  // MARK: Ways

  private func overTCP(_ point: String, _ parts: DoctorParts, _ way: DoctorWay) {
    guard let connection = connect(point, way, setting: "management-points") else {
      return way.skipRest("not reached")
    }
    shakeHands(connection, parts.tcp, parts, way, mayEnd: true)
    connection.close()
  }

  private func overHTTPS(_ point: String, _ parts: DoctorParts, _ way: DoctorWay) {
    guard let connection = openHTTPS(point, parts, way) else { return way.skipRest("not reached") }
    defer { connection.close() }
    guard shakeHands(connection, parts.https, parts, way, mayEnd: false),
      let view = askServer(connection, point, parts, way)
    else { return way.skipRest("not reached") }
    poll(connection, point, view, way)
  }

  private func openHTTPS(
    _ point: String, _ parts: DoctorParts, _ way: DoctorWay
  ) -> ProbeConnection? {
    guard let (host, port) = AgentLoop.parts(of: point) else { return nil }
    let (server, source) = parts.proxy.proxy(for: host)
    let words = DoctorWords.proxy(source, server)
    guard let server else {
      way.note(.proxy, .ok(words))
      return connect(point, way, setting: "https-management-points")
    }
    say(.proxy, way)
    let (opened, milliseconds) = timed { tunnel(to: host, port, through: server) }
    switch opened {
    case .failure(let error):
      let verdict = DoctorVerdict.failed(.proxy, "\(words): \(DoctorWords.tunnel(error))")
      way.note(.proxy, verdict, milliseconds, target: "\(server)")
      return nil
    case .success(let connection):
      way.note(.proxy, .ok("\(words), lets us through"), milliseconds, target: "\(server)")
      for hop in [DoctorHop.name, .connect] { way.note(hop, .skipped("is the proxy's business")) }
      return connection
    }
  }

  private func tunnel(
    to host: String, _ port: UInt16, through server: ProxyServer
  ) -> Result<ProbeConnection, TunnelError> {
    let number: Int32
    do throws(TunnelError) {
      number = try ProxyTunnel.open(
        to: host, port: port, through: server,
        timeoutMilliseconds: Int(clamping: options.timeoutMilliseconds), shouldStop: { false })
    } catch {
      return .failure(error)
    }
    do throws(Errno) {
      return .success(try ProbeConnection(Descriptor(owning: number)))
    } catch {
      return .failure(.invalid(error.description))
    }
  }

  // MARK: Hops

  /// Finds the addresses of a point, connects to each, and keeps the first connection.
  private func connect(
    _ point: String, _ way: DoctorWay, setting: String
  ) -> ProbeConnection? {
    say(.name, way)
    let addresses = lookUp(point, way, setting: setting)
    guard !addresses.isEmpty else { return nil }
    say(.connect, way)
    var attempts: [ConnectAttempt] = []
    var first: ProbeConnection?
    for address in addresses {
      var problem: ConnectProblem?
      let (made, milliseconds) = timed { () -> ProbeConnection? in
        do throws(ConnectProblem) {
          return try ProbeConnection(to: address, until: deadline)
        } catch {
          problem = error
          return nil
        }
      }
      attempts.append(
        ConnectAttempt(
          address: "\(address)", milliseconds: milliseconds, problem: made == nil ? problem : nil))
      // The others were only to be seen: a connection nobody uses would count at the server.
      if first == nil { first = made } else { made?.close() }
    }
    for (attempt, verdict) in zip(
      attempts,
      ConnectAttempt.verdicts(attempts, timeoutMilliseconds: options.timeoutMilliseconds))
    { way.note(.connect, verdict, attempt.milliseconds, target: attempt.address) }
    return first
  }

  private func lookUp(_ point: String, _ way: DoctorWay, setting: String) -> [SocketAddress] {
    if let address = SocketAddress(point) {
      way.note(.name, .ok("\(address.host) is an address"))
      return [address]
    }
    guard let (host, port) = AgentLoop.parts(of: point) else { return [] }
    let (found, milliseconds) = timed { NameLookUp.addresses(host, port, until: deadline) }
    switch found {
    case .found(let addresses) where !addresses.isEmpty:
      let list = addresses.map(\.host).joined(separator: ", ")
      way.note(.name, .ok("\(host) is \(list)"), milliseconds, target: host)
      return addresses
    case .found, .fault:
      let reason = if case .fault(let text) = found { text } else { "no address" }
      let words = DoctorWords.unresolved(host, reason, setting: setting)
      way.note(.name, .failed(.name, words), milliseconds, target: host)
    case .timedOut:
      let words = DoctorWords.lookUpTimedOut(host, milliseconds: options.timeoutMilliseconds)
      way.note(.name, .failed(.name, words), milliseconds, target: host)
    }
    return []
  }

  /// TLS and the server's certificate; whether what comes behind can be tried.
  @discardableResult
  private func shakeHands(
    _ connection: ProbeConnection, _ context: TLSContext, _ parts: DoctorParts, _ way: DoctorWay,
    mayEnd: Bool
  ) -> Bool {
    say(.tls, way)
    let (verdict, milliseconds) = timed {
      let result = connection.shakeHands(context, until: deadline)
      return self.verdict(result, connection, parts, mayEnd: mayEnd)
    }
    way.note(.tls, verdict, milliseconds, target: connection.peer?.commonName ?? "")
    return verdict.isGood
  }

  private func verdict(
    _ result: ShakeResult, _ connection: ProbeConnection, _ parts: DoctorParts, mayEnd: Bool
  ) -> DoctorVerdict {
    let peer = connection.peer
    switch result {
    case .timedOut:
      return .failed(
        .tls, DoctorWords.tlsTimedOut(milliseconds: options.timeoutMilliseconds))
    case .failed(let error):
      return .failed(.tls, DoctorWords.tls(error, peer: peer, site: parts.site, now: now))
    case .done: break
    }
    let seconds = now.milliseconds / 1_000
    if let refusal = ServerRule.refusal(of: peer, site: parts.site, now: seconds) {
      return .failed(
        .tls, DoctorWords.refused(refusal, peer: peer, site: parts.site, now: now))
    }
    guard let peer else { return .failed(.tls, "the server showed no certificate") }
    let agreement = connection.agreement
    if mayEnd {
      let patience = min(options.timeoutMilliseconds, Doctor.goodbyeMilliseconds)
      if let error = connection.sayGoodbye(until: MonotonicClock.now() + patience) {
        return .failed(.tls, DoctorWords.lost(error))
      }
    }
    return DoctorWords.server(peer, agreement, now: now)
  }

  /// The server's view of this client, and its clock.
  private func askServer(
    _ connection: ProbeConnection, _ point: String, _ parts: DoctorParts, _ way: DoctorWay
  ) -> ServerView? {
    say(.server, way)
    let asked = now
    let (answer, milliseconds) = timed {
      connection.ask("/bgb/self", host: point, until: deadline)
    }
    let answered = now
    let (view, fault) = answer.view(timeoutMilliseconds: options.timeoutMilliseconds)
    guard let view else {
      way.note(.server, fault, milliseconds)
      return nil
    }
    way.note(.server, view.verdict(for: parts.clientID, site: parts.site), milliseconds)
    let clock = view.clockVerdict(
      asked: asked, answered: answered, certificate: parts.validity)
    way.note(.clock, clock)
    return view
  }

  private func poll(
    _ connection: ProbeConnection, _ point: String, _ view: ServerView, _ way: DoctorWay
  ) {
    let seconds = min(options.holdSeconds, view.pollSeconds)
    guard seconds > 0 else { return way.note(.poll, .skipped("--hold is 0")) }
    say(.poll, way)
    let until = MonotonicClock.now() + UInt64(seconds) * 1_000 + options.timeoutMilliseconds
    let (answer, milliseconds) = timed {
      connection.ask("/bgb/self?hold=\(seconds)", host: point, until: until)
    }
    way.note(
      .poll, answer.pollVerdict(seconds: seconds, after: milliseconds, view: view), milliseconds)
  }

  private func say(_ hop: DoctorHop, _ way: DoctorWay) {
    progress("\(way.place.title): \(hop.rawValue)")
  }
}

/// The checks of one way, and which are still to come.
final class DoctorWay {
  let place: DoctorPlace
  private let hops: [DoctorHop]
  private(set) var checks: [DoctorCheck] = []

  init(_ place: DoctorPlace, hops: [DoctorHop]) {
    self.place = place
    self.hops = hops
  }

  /// Notes what a check came to.
  func note(
    _ hop: DoctorHop, _ verdict: DoctorVerdict, _ milliseconds: UInt64 = 0, target: String = ""
  ) {
    checks.append(
      DoctorCheck(
        place: place, hop: hop, target: target, milliseconds: milliseconds, verdict: verdict))
  }

  /// Notes that what was not looked at yet is not looked at.
  func skipRest(_ reason: String) {
    for hop in hops where !checks.contains(where: { $0.hop == hop }) {
      note(hop, .skipped(reason))
    }
  }
}
