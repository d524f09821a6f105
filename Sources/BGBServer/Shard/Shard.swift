// A shard: one thread, one loop, its connections, and everything it knows of clients and tasks.
// This file holds its parts; the extensions beside it hold one phase of the turn each.

import BGBModel
import BGBWire
import Logging
import Reactor
import SiteDatabase
import Transports

/// Where a shard's reports belong.
struct ReportIdentity: Sendable {
  /// The site.
  let site: SiteCode
  /// The server.
  let serverID: ServerID
  /// Its start.
  let epoch: UInt64
}

/// One thread's part of a notification server.
final class Shard {
  /// Numbers of the loop's own timers, as payloads of reserved tokens.
  enum OwnTimer: UInt8 {
    case presenceReport = 200
    case outcomeReport = 201
    case housekeeping = 202
    case pacedPush = 203
    case acceptAgain = 204
    case drainDeadline = 205
    case drainTick = 206
    case admissionCheck = 207
    case outcomePost = 208
    case quietReport = 209
    case memoryLook = 210
  }

  /// Where a shard is in its life.
  enum Life: Equatable {
    /// Serving.
    case serving
    /// No more accepting; output is flushed and the last reports are handed over.
    case draining
    /// Nothing is left to do.
    case done
  }

  let loop: Loop
  let mailbox: Mailbox<ShardLetter>
  let journal: Mailbox<JournalLetter>
  let site: Mailbox<SiteLetter>
  let log: Logger
  /// What HTTP clients do: BgbHttpProxy.log, as in the original.
  let httpLog: Logger
  let identity: ReportIdentity
  var settings: ShardSettings
  var clock: ServerClock
  var life = Life.serving
  /// Why the loop had to end, if it was not asked to.
  var fatal: String?

  var agentTLS: TLSContext
  var httpsTLS: TLSContext
  /// Gives out reconnect identities; nil if the settings want none.
  var reconnects: ReconnectDesk?
  /// The file of their keys.
  var reconnectFile: ReconnectKeyFile?
  var listeners: [ShardListener]
  let pool: BlockPool
  /// The connections that went on without OpenSSL; nil when all stay with it.
  let detached: DetachedTable?
  var connections: SlotTable<Connection>
  var scratch = ReceiveBuffer()
  var letters: [ShardLetter] = []
  var handshakes = HandshakeBudget(nanosecondsPerTurn: 10_000_000)
  var admission = Admission()
  var meter = HandshakeMeter()
  /// Connections in a handshake.
  var handshakesUnderWay = 0
  /// Connections that are parked or in a handshake.
  var newcomers = 0
  var leftovers: [Token] = []
  var dirty: [Token] = []
  var condemned: [Token] = []
  var isAcceptingPaused = false
  /// Sessions over long polls: connections without a socket.
  var polledSessions = 0
  /// Output of all polled sessions that their agents have not confirmed, in bytes.
  var polledBytes = 0
  /// The HTTP connections of each client that has any, oldest first.
  var httpConnections: [ClientID: [Token]] = [:]

  var registry = ClientRegistry()
  var ledger = PushLedger()
  /// Where a confirmation is put together; a frame may wait in `frame` behind it.
  var smallFrame = ByteWriter(capacity: 64)
  /// Where the frames of pushes and answers to keep-alives are put together, one after the other.
  var frame = ByteWriter(capacity: 1_024)
  var denied: Set<ClientID> = []
  var lastSession: UInt64 = 0
  var lastPushID: UInt64 = 0

  var outcomes = OutcomeDesk()
  /// Sessions that are told of durable outcomes in this turn.
  var unconfirmed: [Token] = []
  var reports: ReportDesk
  var counters = ShardCounters()
  var memoryTide = MemoryTide()
  var lull = Lull()
  /// From when on a turn that has begun anyway keeps house.
  var houseDue = Ticks.zero
  /// Moments from which the periods of reports are counted.
  var presenceBeat = Ticks.zero
  var outcomeBeat = Ticks.zero
  var isSiteReachable = true
  var isJournalReady = false
  /// The agents are being moved away, or were; see Shard+Drain.
  var moving: ShardDrain?
  var ownTimers: [TimerHandle?] = Array(repeating: nil, count: 11)

  init(
    loop: Loop, mailbox: Mailbox<ShardLetter>, journal: Mailbox<JournalLetter>,
    site: Mailbox<SiteLetter>, identity: ReportIdentity, settings: ShardSettings,
    agentTLS: TLSContext, httpsTLS: TLSContext, listeners: [ShardListener], log: Logger,
    httpLog: Logger
  ) throws(Errno) {
    self.loop = loop
    self.mailbox = mailbox
    self.journal = journal
    self.site = site
    self.identity = identity
    self.settings = settings
    self.agentTLS = agentTLS
    self.httpsTLS = httpsTLS
    self.listeners = listeners
    self.log = log
    self.httpLog = httpLog
    clock = ServerClock(wall: WallTime(milliseconds: loop.time.wall()), ticks: loop.now)
    // A client over HTTPS takes two slots: its session's and its socket's.
    connections = SlotTable(limit: settings.connectionsMax * 2)
    pool = BlockPool(
      blockSize: 4_096, limit: Limits.outboundBytesPerProcessMax / 4_096,
      keptMax: settings.pushesPerRound)
    let kernel = settings.kernelSeals ? KernelTLS() : nil
    detached =
      settings.detaches
      ? DetachedTable(limit: settings.connectionsMax * 2, kernel: kernel) : nil
    reports = ReportDesk(identity: identity)
    handshakes = HandshakeBudget(nanosecondsPerTurn: settings.handshakeBudgetNanoseconds)
    try loop.poller.add(mailbox.bell.fd, .bell, .readable)
    try loop.hurry(for: mailbox.bell.fd)
    try watchListeners()
    armOwnTimers()
  }

  /// Turns until the shard is done.
  func run() throws(Errno) {
    while life != .done { try turn() }
  }

  /// The present moment in calendar time.
  var wallNow: WallTime { clock.time(at: loop.now) }
}

@available(*, unavailable)
extension Shard: Sendable {}

/// A listener and what its connections are for.
struct ShardListener {
  /// The socket.
  let listener: Listener
  /// What comes in through it.
  let role: ConnectionRole
  /// Whether other processes listen there too.
  var isShared = false

  /// Listens, for small frames now and then.
  static func open(
    _ address: SocketAddress, for role: ConnectionRole, isShared: Bool
  ) throws(Errno) -> ShardListener {
    let listener = try Listener(address, reusePort: isShared)
    // Only cheaper: where it may not be chosen, the system's own will do.
    try? StreamSocket.setCongestionControl(listener.fd, "reno")
    return ShardListener(listener: listener, role: role, isShared: isShared)
  }

  /// The token by which a loop knows its n-th listener.
  static func token(_ number: Int) -> Token {
    .reserved(16 &+ UInt8(truncatingIfNeeded: min(number, 64)))
  }
}

/// What a shard counted since it began.
struct ShardCounters: Equatable {
  var accepted: UInt64 = 0
  var handshakesFull: UInt64 = 0
  var handshakesResumed: UInt64 = 0
  var handshakesReconnect: UInt64 = 0
  var handshakesFailed: UInt64 = 0
  var handshakesCut: UInt64 = 0
  var signIns: UInt64 = 0
  var refused: UInt64 = 0
  var takeovers: UInt64 = 0
  var keepAlives: UInt64 = 0
  var pushes: UInt64 = 0
  var acknowledgements: UInt64 = 0
  var outcomes: UInt64 = 0
  var finalOutcomes: UInt64 = 0
  var repeatedOutcomes: UInt64 = 0
  var tasks: UInt64 = 0
  var framesIn: UInt64 = 0
  var bytesIn: UInt64 = 0
  var bytesOut: UInt64 = 0
  var slowReaders: UInt64 = 0
  var acceptExhausted: UInt64 = 0
  var policyRequests: UInt64 = 0
  var httpLogins: UInt64 = 0
  var httpRefused: UInt64 = 0
  var httpCrowded: UInt64 = 0
  var polls: UInt64 = 0
  var pollsSuperseded: UInt64 = 0
  var pollsCut: UInt64 = 0
  var views: UInt64 = 0
  var reportsDelivered: UInt64 = 0
  var presenceTold: UInt64 = 0
  var memoryGivenBack: UInt64 = 0
  var givingBackNanoseconds: UInt64 = 0
}
