// One thread that carries the links of one or of thousands of clients, with one desk and one
// journal for all of them. This file holds what the loop is made of; AgentLoop+Turn is the turn.

public import BGBModel
public import HTTPClient
public import Reactor
public import Transports

/// What every link of a loop has in common.
public struct AgentConfiguration: Sendable {
  /// The site.
  public var site: SiteCode
  /// The servers to connect to, `host:port` each, tried in turn.
  public var managementPoints: [String]
  /// The servers' HTTPS listeners, `host:port` each, for when TCP fails.
  public var httpsPoints: [String] = []
  /// The transports that may be used.
  public var transport = TransportRule.automatic
  /// The oldest TLS version over HTTPS.
  public var httpsOldestTLS = TLSVersion.tls13
  /// The way through proxies, over HTTPS; nil is straight.
  public var proxy: ProxyChoice?
  /// How often TCP is tried again from HTTPS.
  public var climb = ClimbRules()
  /// Whether reconnect identities are asked for and used over TCP.
  public var takesReconnect = true
  /// Does actions, on a thread of its own for each; nil when the desk answers at once.
  public var perform: (@Sendable (ActionOrder, StopFlag) -> ActionResult)?
  /// Fetches policies every so many milliseconds; nil never does.
  public var policyIntervalMilliseconds: UInt64?
  /// How long running actions may take to end when the loop is stopped.
  public var drainMilliseconds: UInt64 = 5_000
  /// Where the credentials of clients without files come from.
  public var fleet: AgentFleet?
  /// Attempts over TCP that may be under way at the same time; further ones wait for their turn.
  ///
  /// A handshake holds some 40 KB in OpenSSL, and the allocator gives nothing back.
  public var attemptsMax = Int.max
  /// Attempts that one turn may begin: between them those under way are served, which would
  /// otherwise stand still while thousands begin.
  public var attemptsPerTurnMax = Int.max
  /// Events of one turn at most: what is done in a turn leaves at its end.
  public var eventsPerTurnMax = 1_024
  /// How long the journal rests after each sync, for more to come together: for a process with
  /// thousands of links, each of which would have a disk of its own.
  public var journalRestMilliseconds: UInt32 = 0
  /// Whether connections over TCP leave OpenSSL once they are signed in.
  public var detaches = false
  /// Whether TLS sessions are kept, to resume with.
  public var keepsSessions = true

  /// Joins the parts.
  public init(
    site: SiteCode, managementPoints: [String],
    perform: (@Sendable (ActionOrder, StopFlag) -> ActionResult)? = nil,
    policyIntervalMilliseconds: UInt64? = nil
  ) {
    self.site = site
    self.managementPoints = managementPoints
    self.perform = perform
    self.policyIntervalMilliseconds = policyIntervalMilliseconds
  }
}

/// What other threads say to a loop.
public enum AgentLetter: Sendable {
  /// From the journal's thread.
  case journal(JournalAnswer)
  /// An action ended.
  case actionEnded(TaskKey, ActionResult)
  /// A policy download by the timer ended.
  case policyFetched(ClientID, ActionResult)
  /// A host name was looked up; empty when it has no address.
  case resolved(Token, attempt: UInt32, [SocketAddress])
  /// A proxy let us through, or not.
  case tunnelled(Token, attempt: UInt32, Result<TunnelEnd, TunnelError>)
  /// Say goodbye and end `run`.
  case stop(reason: String)
  /// Use what the files of certificates and keys say now, for the connections to come.
  case renewCredentials
  /// A line for `listener`: for programs that are told from outside what their links shall do.
  case line(String)
  /// Run this on the loop's thread: for programs that drive a loop (bgb-swarm, tests).
  case call(@Sendable (AgentLoop) -> Void)
}

/// How a loop ends.
enum AgentLoopEnd {
  /// Not yet.
  case running
  /// Running actions get time to end.
  case draining(until: Ticks, reason: String)
  /// Goodbyes leave.
  case leaving(until: Ticks)
  /// `run` returns.
  case ended
}

/// The links of many clients on one thread.
///
/// Belongs to the thread that made it; other threads post letters to `mailbox`.
public final class AgentLoop {
  /// The descriptors, the clock and the wheel.
  let loop: Loop
  /// The way in for other threads.
  public let mailbox: Mailbox<AgentLetter>
  /// Where tasks are judged.
  public let desk: TaskDesk
  /// The rules of all links.
  public internal(set) var configuration: AgentConfiguration
  /// Hears what happens to each client, named by its id and by how many were added before it;
  /// called on the loop's thread, must be quick.
  public var observer: ((ClientID, Int, AgentEvent) -> Void)?
  /// Hears the lines that were posted; called on the loop's thread.
  public var listener: ((String) -> Void)?
  /// The URL for policies that the last Welcome of each client named.
  public let policyLocations: PolicyLocations

  let journal: JournalThread
  let pool: BlockPool
  var buffer = ReceiveBuffer(capacity: 64 * 1_024)
  /// The frame that is being sent.
  var frame = ByteWriter()
  var links: SlotTable<AgentLink>
  var dirty: [AgentLink] = []
  /// The context that the clients of a fleet share; made with the first of them.
  var fleetContext: (tcp: TLSContext, https: TLSContext)?
  /// What is left of connections that were detached; nil when none is.
  let detached: DetachedTable?
  /// Attempts under way, and the links that wait for one of them to end.
  var attemptsUnderWay = 0
  /// Attempts that this turn has begun.
  var attemptsThisTurn = 0
  var heldBack: [Token] = []
  var heldBackNext = 0
  /// What a load generator wants to be called for.
  var laboratory: [(at: Ticks, body: (AgentLoop) -> Void)] = []
  var turnWatch: ((AgentLoop) -> Bool)?
  /// Whether pushes are read and not answered, as if they had never come; for load generators.
  public var ignoresPushes = false
  /// How many were.
  public internal(set) var pushesIgnored = 0
  /// Keep-alives that servers sent, for load generators: each is the answer to one.
  public internal(set) var keepAlivesHeard = 0
  /// The batch that the journal's thread has and did not answer yet.
  var ticketOnItsWay: UInt64?
  /// Room for the desk's orders, used again in each turn.
  var orderRoom: [DeskOrder] = []
  /// Room for the steps of a message, used again for the next.
  var stepRoom: [SessionStep] = []
  var leftovers: [Token] = []
  var letters: [AgentLetter] = []
  var random: JitterRandom
  var end = AgentLoopEnd.running
  let stopFlag = StopFlag()
  var deskTimer: TimerHandle?
  var deskTimerAt = Ticks.never
  var runningActions = 0
  var signals: SignalDescriptor?
  var onReload: (() -> Void)?

  /// Makes a loop without links.
  ///
  /// - Parameters:
  ///   - configuration: the rules of all links.
  ///   - desk: judges and remembers tasks.
  ///   - makeDisk: makes the journal's disk, on the journal's thread.
  ///   - policyLocations: where it says what Welcomes named.
  ///   - time: the clocks.
  ///   - random: the source of jitter.
  ///   - linksMax: how many links there may be.
  public init(
    _ configuration: AgentConfiguration, desk: TaskDesk,
    makeDisk: @escaping @Sendable () -> any JournalDisk,
    policyLocations: PolicyLocations = PolicyLocations(), time: TimeSource = .system,
    random: JitterRandom = JitterRandom(), linksMax: Int = 65_536
  ) throws(Errno) {
    self.configuration = configuration
    self.desk = desk
    self.random = random
    loop = try Loop(time: time, readyCapacity: configuration.eventsPerTurnMax)
    pool = BlockPool(limit: linksMax * 2 + 64)
    let mailbox = try Mailbox<AgentLetter>()
    self.mailbox = mailbox
    self.policyLocations = policyLocations
    // Three slots a link: its channel, the socket of its polls, its climb.
    links = SlotTable(limit: linksMax * 3)
    detached = configuration.detaches ? DetachedTable(limit: linksMax) : nil
    journal = try JournalThread(
      makeDisk: makeDisk, restMilliseconds: configuration.journalRestMilliseconds
    ) { mailbox.post(.journal($0)) }
    try loop.poller.add(mailbox.bell.fd, .bell, .readable)
  }

  /// Adds a client that connects after so many milliseconds.
  ///
  /// - Throws: a sentence about its files, or that there is no room.
  public func add(_ identity: AgentIdentity, afterMilliseconds: UInt64 = 0) throws(AgentError) {
    let (context, https) = try contexts(of: identity)
    let rule = identity.transport ?? configuration.transport
    let session = AgentSession(
      start: loop.now + afterMilliseconds, endpoints: configuration.managementPoints.count,
      random: JitterRandom(seed: random.next()),
      ladder: TransportLadder(rule: rule, hasHTTPS: !configuration.httpsPoints.isEmpty),
      climbRules: configuration.climb)
    let link = AgentLink(
      identity: identity, context: context, httpsContext: https,
      endpoints: configuration.managementPoints, httpsEndpoints: configuration.httpsPoints,
      session: session)
    link.nextEndpoint = Int(random.next() % UInt64(max(1, link.endpoints.count)))
    link.nextHTTPS = link.nextEndpoint
    guard desk.mark(of: identity.clientID) == nil, let token = links.insert(link),
      let carrier = links.insert(link), let climb = links.insert(link)
    else {
      throw AgentError(
        "there is no room for the client \(identity.clientID), or it is here already")
    }
    link.token = token
    link.carrierToken = carrier
    link.climbToken = climb
    desk.add(identity.clientID, mark: token.rawValue)
    link.desk = desk.desk(of: identity.clientID)
    armTimer(of: link)
  }

  /// How many clients this loop carries.
  public var linkCount: Int { desk.clientCount }

  /// The contexts of a client, which are the same for all clients of a fleet.
  func contexts(
    of identity: AgentIdentity
  ) throws(AgentError) -> (tcp: TLSContext, https: TLSContext) {
    guard identity.fleetNumber != nil else {
      return try AgentLoop.contexts(
        of: identity, configuration.httpsOldestTLS, detaches: configuration.detaches)
    }
    if let fleetContext { return fleetContext }
    guard let fleet = configuration.fleet else {
      throw AgentError("the client \(identity.clientID) is of a fleet, and there is none")
    }
    let tcp = try AgentLoop.context(
      authority: fleet.authorityFile, detaches: configuration.detaches)
    let oldest = configuration.httpsOldestTLS
    let made =
      oldest == .tls13
      ? (tcp, tcp) : (tcp, try AgentLoop.context(authority: fleet.authorityFile, oldest: oldest))
    fleetContext = made
    return made
  }

  /// The contexts for TCP and for HTTPS: one and the same unless HTTPS may use an older TLS.
  static func contexts(
    of identity: AgentIdentity, _ httpsOldest: TLSVersion, detaches: Bool = false
  ) throws(AgentError) -> (tcp: TLSContext, https: TLSContext) {
    let tcp = try context(of: identity, detaches: detaches)
    guard httpsOldest != .tls13 else { return (tcp, tcp) }
    return (tcp, try context(of: identity, oldest: httpsOldest))
  }

  static func context(
    of identity: AgentIdentity, oldest: TLSVersion = .tls13, detaches: Bool = false
  ) throws(AgentError) -> TLSContext {
    try context(
      identity.certificateFile, identity.keyFile, authority: identity.authorityFile,
      oldest: oldest, detaches: detaches)
  }

  private static func context(
    _ certificate: String? = nil, _ key: String? = nil, authority: String,
    oldest: TLSVersion = .tls13, detaches: Bool = false
  ) throws(AgentError) -> TLSContext {
    var options = TLSOptions()
    options.oldestVersion = oldest
    options.detaches = detaches
    do throws(TLSSetupError) {
      return try TLSContext(
        role: .client, certificateChainFile: certificate, privateKeyFile: key, caFile: authority,
        options: options)
    } catch {
      throw AgentError(error.description)
    }
  }

  func tell(_ link: AgentLink, _ event: AgentEvent) {
    if let its = link.desk { observer?(its.client, its.number, event) }
  }

  /// Now, and not the moment of this turn: a server's time that is matched with an older moment
  /// would run ahead of the server by the difference, and a task would end before its time.
  var moment: Moment {
    Moment(ticks: loop.time.now(), wall: WallTime(milliseconds: loop.time.wall()))
  }
}

@available(*, unavailable)
extension AgentLoop: Sendable {}

/// Why an agent cannot start: a sentence for the operator.
public struct AgentError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String
  /// Makes an error of its sentence.
  public init(_ description: String) { self.description = description }
}
