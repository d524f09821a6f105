// What one handshake costs the server inside OpenSSL: client and server in one thread, joined by a
// Unix socket instead of a network, and only the server's calls timed, by the thread's CPU clock.
// The best of the rounds is the floor for any server with these credentials and settings; a few
// microseconds of it are the socket's.
import CEpollShim
import Reactor
import Transports

/// Measures handshakes without a network.
public struct HandshakeCost: ~Copyable {
  /// One row of the result.
  public struct Row: Sendable {
    /// What was measured.
    public let name: String
    /// Microseconds of the best round.
    public let best: Double
    /// Microseconds of the median round.
    public let median: Double
    /// Whether the handshakes resumed.
    public let resumed: Bool

    /// The row as a line.
    public var line: String {
      "\(PeerFigures.text(best)) us best, \(PeerFigures.text(median)) us median, "
        + "\(resumed ? "resumed" : "full"): \(name)"
    }
  }

  private let plan: FloorPlan
  private let clientCertificateFile: String
  private let clientKeyFile: String
  private let folder: String

  /// - Parameters:
  ///   - plan: the server's certificate; the address is not used.
  ///   - folder: where the socket is put.
  public init(
    _ plan: FloorPlan, clientCertificateFile: String, clientKeyFile: String, folder: String
  ) {
    self.plan = plan
    self.clientCertificateFile = clientCertificateFile
    self.clientKeyFile = clientKeyFile
    self.folder = folder
  }

  private struct Variant {
    let name: String
    var tickets = 0
    var mutual = true
    var resumes = false
    var reconnects = false
    var algorithms = TLSAlgorithms.all
  }

  private static let variants = [
    Variant(name: "mutual, no ticket given"),
    Variant(name: "mutual, one ticket given", tickets: 1),
    Variant(name: "server's certificate only", mutual: false),
    Variant(name: "mutual, by ticket, and a new one given", tickets: 1, resumes: true),
    Variant(name: "by reconnect identity (external PSK)", reconnects: true),
    Variant(name: "mutual, no ticket given, narrow algorithms", algorithms: .narrow),
    Variant(
      name: "by reconnect identity, narrow algorithms", reconnects: true, algorithms: .narrow),
  ]

  /// All variants, so many rounds of a hundred each.
  public func run(rounds: Int) throws(PeerLabError) -> [Row] {
    do {
      return try Self.variants.map { try measure($0, rounds) }
    } catch {
      throw PeerLabError("\(error)")
    }
  }

  private func measure(_ variant: Variant, _ rounds: Int) throws -> Row {
    let now = WallClock.nowMilliseconds() / 1_000
    var options = TLSOptions()
    options.algorithms = variant.algorithms
    if !variant.mutual { options.peerCertificate = .ignored }
    if variant.tickets > 0 {
      options.ticketKeys = try .fresh(now: now)
      options.ticketsPerHandshake = variant.tickets
    }
    let desk = ReconnectDesk(
      keys: try .fresh(now: now), rules: ReconnectRules(lifeSeconds: 86_400, proofSeconds: 86_400),
      audience: "floor", wall: { now })
    let grant = desk.issue(for: ProvenClient(subject: 1, notAfter: now + 86_400, shownAt: now))
    let server = try TLSContext(
      role: .server, certificateChainFile: plan.certificateFile, privateKeyFile: plan.keyFile,
      caFile: plan.authorityFile, options: options, reconnects: variant.reconnects ? desk : nil)
    let client = try TLSContext(
      role: .client, certificateChainFile: variant.mutual ? clientCertificateFile : nil,
      privateKeyFile: variant.mutual ? clientKeyFile : nil, caFile: plan.authorityFile)
    let path = "\(folder)/handshake.socket"
    try? Folder.remove(path)
    let listener = try Listener(.unix(path: path))
    defer { try? Folder.remove(path) }
    var pair = Pair(
      listener: listener, server: server, client: client, keepsSession: variant.resumes,
      grant: variant.reconnects ? grant : nil)
    var isResumed = try pair.shakeHands()
    var results: [Double] = []
    for _ in 0..<max(1, rounds) {
      pair.spent = 0
      for _ in 0..<100 { isResumed = try pair.shakeHands() }
      results.append(Double(pair.spent) / 100_000)
    }
    results.sort()
    return Row(
      name: variant.name, best: results[0], median: percentile(results, 500) ?? 0,
      resumed: isResumed)
  }
}

/// A client and a server that meet again and again.
private struct Pair {
  let listener: Listener
  let server: TLSContext
  let client: TLSContext
  let keepsSession: Bool
  let grant: ReconnectGrant?
  var session: [UInt8]?
  /// Nanoseconds of CPU in the server's calls.
  var spent: UInt64 = 0

  /// One handshake; adds the server's CPU and says whether it was resumed.
  mutating func shakeHands() throws -> Bool {
    let near = try StreamSocket.connect(to: listener.boundAddress)
    guard case .accepted(let far, _) = listener.accept() else {
      throw PeerLabError("nobody came to the Unix socket")
    }
    var clientEnd = Transport.tls(
      try TLSTransport(near, context: client, session: session, reconnect: grant))
    var begin = clinux_thread_cpu_nanoseconds()
    var serverEnd = Transport.tls(try TLSTransport(far, context: server))
    spent += clinux_thread_cpu_nanoseconds() - begin
    for _ in 0..<10 {
      let clientStep = clientEnd.handshake()
      begin = clinux_thread_cpu_nanoseconds()
      let serverStep = serverEnd.handshake()
      spent += clinux_thread_cpu_nanoseconds() - begin
      if case .failed(let error) = clientStep { throw error }
      if case .failed(let error) = serverStep { throw error }
      if clientStep == .done && serverStep == .done { break }
    }
    if keepsSession {
      var buffer = ReceiveBuffer(capacity: 1_024)
      _ = clientEnd.read(into: &buffer)
      if let fresh = clientEnd.takeNewSession() { session = fresh }
    }
    let isResumed = serverEnd.resumed
    begin = clinux_thread_cpu_nanoseconds()
    serverEnd = .closed
    spent += clinux_thread_cpu_nanoseconds() - begin
    clientEnd = .closed
    return isResumed
  }
}
