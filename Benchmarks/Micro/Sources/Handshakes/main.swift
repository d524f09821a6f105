// handshakes: what a handshake costs the server, by how the client proves itself. Both ends are in
// one thread, over a socket pair; only the server's calls are counted, with everything that a
// notification server does in them: reading the peer, judging an identity, giving out a new one.
//
//     swift run -c release --package-path Benchmarks/Micro handshakes [HANDSHAKES]

import BGBModel
import BGBSigning
import CEpollShim
import Glibc
import Reactor
import Transports

/// The kinds of handshakes, and what the clients of each kind come with.
enum Kind: String, CaseIterable {
  case full = "both certificates"
  case ticket = "session ticket"
  case identity = "reconnect identity, OpenSSL's handshake"
  case ownIdentity = "reconnect identity, our handshake"

  var comesBack: Bool { self == .identity || self == .ownIdentity }
}

/// A site with one server and one client, in a folder that is left to the system.
struct MeasuredSite {
  let server: TLSContext
  let client: TLSContext
  let desk: ReconnectDesk
  let proven: ProvenClient
  let table: DetachedTable
  let pool = BlockPool(limit: 8)

  init() throws {
    let folder = "/tmp/bgb-handshakes-\(getpid())"
    let now = WallTime(milliseconds: WallClock.nowMilliseconds())
    guard let site = SiteCode("P01") else { preconditionFailure("three characters") }
    let authority = try CertificateAuthority.create(site: site, directory: folder, now: now)
    func write(_ name: String, _ text: String) throws {
      try AppendFile(path: "\(folder)/\(name)").append(Array(text.utf8))
    }
    let id = ClientID(Bits128(high: 1, low: 2))
    let (serverKey, serverRequest) = try CertificateRequest.make(name: "mp1")
    let (clientKey, clientRequest) = try CertificateRequest.make(name: "pc1")
    try write("server.key", serverKey)
    try write("client.key", clientKey)
    try write(
      "server.crt",
      try authority.issueServer(
        name: "mp1", hosts: ["localhost"], request: serverRequest, days: 30, now: now))
    try write(
      "client.crt", try authority.issueClient(id, request: clientRequest, days: 30, now: now))
    let seconds = now.milliseconds / 1000
    desk = ReconnectDesk(
      keys: try ReconnectKeys.fresh(now: seconds),
      rules: ReconnectRules(lifeSeconds: 86_400, proofSeconds: 604_800), audience: "P01",
      wall: { WallClock.nowMilliseconds() / 1000 })
    proven = ProvenClient(subject: 7, notAfter: .max, shownAt: seconds)
    var options = TLSOptions()
    options.ticketKeys = try TicketKeys.fresh(now: seconds)
    options.detaches = true
    guard let table = DetachedTable(limit: 1) else { throw Errno.invalidArgument }
    self.table = table
    server = try TLSContext(
      role: .server, certificateChainFile: "\(folder)/server.crt",
      privateKeyFile: "\(folder)/server.key", caFile: "\(folder)/ca.pem", options: options,
      reconnects: desk)
    client = try TLSContext(
      role: .client, certificateChainFile: "\(folder)/client.crt",
      privateKeyFile: "\(folder)/client.key", caFile: "\(folder)/ca.pem")
  }

  /// One connection: the server's nanoseconds, and the ticket that the client got.
  func connect(
    _ kind: Kind, session: [UInt8]?
  ) throws -> (nanoseconds: UInt64, session: [UInt8]?) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Errno.current }
    var near = try TLSTransport(
      Descriptor(owning: ends[0]), context: client, serverName: "localhost", session: session,
      reconnect: kind.comesBack ? desk.issue(for: proven) : nil)
    _ = near.handshake()
    let begun = clinux_thread_cpu_nanoseconds()
    let far = ByteChannel(
      .plain(PlainTransport(Descriptor(owning: ends[1]))), token: Token(generation: 1, index: 1),
      pool: pool, outboundBytesMax: 1_024, now: .zero)
    try far.startTLS(server, detachingInto: kind == .ownIdentity ? table : nil)
    _ = far.handshake()
    var spent = clinux_thread_cpu_nanoseconds() - begun
    guard near.handshake() == .done else { throw Errno.invalidArgument }
    let again = clinux_thread_cpu_nanoseconds()
    guard far.handshake() == .done else { throw Errno.invalidArgument }
    let proof = far.readProof()
    let peer = far.peer
    // What a client that takes identities gets with its Welcome.
    if kind.comesBack { _ = desk.issue(for: proven) }
    spent += clinux_thread_cpu_nanoseconds() - again
    let isAsMeant =
      switch (kind, proof) {
      case (.full, .certificate), (.ticket, .ticket): peer != nil
      case (.identity, .reconnect): peer == nil && !far.isDetached
      case (.ownIdentity, .reconnect): peer == nil && far.isDetached
      default: false
      }
    guard isAsMeant else { throw Errno.invalidArgument }
    var buffer = ReceiveBuffer(capacity: 64)
    _ = near.read(into: &buffer)
    return (spent, near.takeNewSession())
  }
}

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 400
let site = try MeasuredSite()
var medians: [Kind: UInt64] = [:]
var figures: [Kind: [UInt64]] = [:]
var session = try site.connect(.full, session: nil).session
// Interleaved, so that a busy moment of the machine hits all kinds alike.
for _ in 0..<count {
  for kind in Kind.allCases {
    let visit = try site.connect(kind, session: kind == .ticket ? session : nil)
    figures[kind, default: []].append(visit.nanoseconds)
    session = visit.session ?? session
  }
}
print("server's CPU per handshake in microseconds, \(count) of each kind: least, median")
for kind in Kind.allCases {
  let sorted = (figures[kind] ?? []).sorted()
  medians[kind] = sorted[sorted.count / 2]
  let ratio = Double(sorted[sorted.count / 2]) / Double(medians[.full] ?? 1)
  print(
    "\(kind.rawValue): \(sorted[0] / 1000), \(sorted[sorted.count / 2] / 1000)"
      + " (\(Int(ratio * 100)) % of a full one)")
}
