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

  /// All variants, so many rounds of a hundred each.
  public func run(rounds: Int) throws(PeerLabError) -> [Row] {
    do {
      return [
        try measure("mutual, no ticket given", tickets: 0, mutual: true, resume: false, rounds),
        try measure("mutual, one ticket given", tickets: 1, mutual: true, resume: false, rounds),
        try measure("server's certificate only", tickets: 0, mutual: false, resume: false, rounds),
        try measure(
          "mutual, by ticket, and a new one", tickets: 1, mutual: true, resume: true, rounds),
      ]
    } catch {
      throw PeerLabError("\(error)")
    }
  }

  private func measure(
    _ name: String, tickets: Int, mutual: Bool, resume: Bool, _ rounds: Int
  ) throws -> Row {
    var options = TLSOptions()
    if !mutual { options.peerCertificate = .ignored }
    if tickets > 0 {
      options.ticketKeys = try .fresh(now: WallClock.nowMilliseconds() / 1_000)
      options.ticketsPerHandshake = tickets
    }
    let server = try TLSContext(
      role: .server, certificateChainFile: plan.certificateFile, privateKeyFile: plan.keyFile,
      caFile: plan.authorityFile, options: options)
    let client = try TLSContext(
      role: .client, certificateChainFile: mutual ? clientCertificateFile : nil,
      privateKeyFile: mutual ? clientKeyFile : nil, caFile: plan.authorityFile)
    let path = "\(folder)/handshake.socket"
    try? Folder.remove(path)
    let listener = try Listener(.unix(path: path))
    defer { try? Folder.remove(path) }
    var session: [UInt8]?
    var spent: UInt64 = 0
    var isResumed = try shakeHands(listener, server, client, &session, keep: true, &spent)
    var results: [Double] = []
    for _ in 0..<max(1, rounds) {
      spent = 0
      for _ in 0..<100 {
        if !resume { session = nil }
        isResumed = try shakeHands(listener, server, client, &session, keep: resume, &spent)
      }
      results.append(Double(spent) / 100_000)
    }
    results.sort()
    return Row(
      name: name, best: results[0], median: percentile(results, 500) ?? 0, resumed: isResumed)
  }

  /// One handshake; adds the server's CPU and says whether it was resumed.
  private func shakeHands(
    _ listener: Listener, _ server: TLSContext, _ client: TLSContext, _ session: inout [UInt8]?,
    keep: Bool, _ spent: inout UInt64
  ) throws -> Bool {
    let near = try StreamSocket.connect(to: listener.boundAddress)
    guard case .accepted(let far, _) = listener.accept() else {
      throw PeerLabError("nobody came to the Unix socket")
    }
    var clientEnd = Transport.tls(try TLSTransport(near, context: client, session: session))
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
    if keep {
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
