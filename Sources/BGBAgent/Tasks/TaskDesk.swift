// The desk where tasks are judged, written down, begun and answered: the pure heart of the agent.
// It knows no socket, file or thread. Records go into a batch that the owner gives to the journal's
// thread; what depends on them (an acknowledgement, a beginning, an answer) waits in line with the
// batch's ticket and comes out as an order when the owner says that the ticket is durable. So
// nothing is acknowledged, begun or told before it would survive a crash, and the loop never waits
// for a disk.

public import BGBModel
public import BGBSigning
public import BGBWire
public import Reactor

/// A moment by both clocks of this computer.
public struct Moment: Sendable {
  /// Monotonic.
  public var ticks: Ticks
  /// The wall clock, for people.
  public var wall: WallTime

  /// Joins the two.
  public init(ticks: Ticks, wall: WallTime) {
    self.ticks = ticks
    self.wall = wall
  }
}

/// What a desk goes by.
public struct DeskRules: Sendable {
  /// Keys of the site that may sign tasks.
  public var keys: [PublicKey]
  /// The site.
  public var site: SiteCode
  /// Which boot of the computer this is.
  public var boot: Bits128
  /// Whether this computer's own settings allow an action.
  public var permits: @Sendable (ClientAction, ActionParameters) -> Bool
  /// Answers actions at once instead of running them: for load tests with thousands of agents.
  public var instant: (@Sendable (ActionOrder) -> ActionResult)?
  /// An action is ended after this long, if its task does not say less.
  public var runMillisecondsMax: UInt64 = 30 * 60_000
  /// Actions that run at the same time.
  public var parallelMax = 4
  /// Tasks that wait for a place or their moment.
  public var waitingMax = 1_024
  /// How long an acknowledgement is held back for an outcome that could stand in its place.
  public var holdMilliseconds: UInt64 = 150
  /// How long after a failed write the journal is tried again.
  public var journalRetryMilliseconds: UInt64 = 5_000
  /// The journal is written anew, without what was forgotten, after so many appended bytes, and not
  /// before they are twice what the last new file held.
  public var compactBytes = 4 << 20

  /// The strict rules of a site.
  public init(
    keys: [PublicKey], site: SiteCode, boot: Bits128,
    permits: @escaping @Sendable (ClientAction, ActionParameters) -> Bool = { _, _ in true },
    instant: (@Sendable (ActionOrder) -> ActionResult)? = nil
  ) {
    self.keys = keys
    self.site = site
    self.boot = boot
    self.permits = permits
    self.instant = instant
  }
}

/// What the owner of a desk shall do.
public enum DeskOrder: Equatable, Sendable {
  /// Send a message if the client is connected.
  ///
  /// Apart from the others: they come by the thousand, and each takes the room of the largest.
  indirect case send(ClientID, Message)
  /// There is news: call `nextNews` as long as there is room. With the owner's mark of the client.
  case news(ClientID, mark: UInt64)
  /// Begin an action; its end comes back through `finished`.
  case begin(ActionOrder)
  /// Write the whole journal anew: give `rewrite()` to its thread.
  case rewriteJournal
  /// For logs and observers; with the client's number, which is how many were added before it.
  case told(ClientID, number: Int, DeskEvent)
}

/// What a desk decided, for logs and observers.
public enum DeskEvent: Equatable, Sendable {
  /// A task was taken; the number is the push's, 0 for one that came with a policy.
  case received(TaskID, pushID: UInt64, action: ClientAction)
  /// A task was refused; nil when its id cannot be read.
  case refused(TaskID?, TaskRejection)
  /// A task was withdrawn or came too late to be withdrawn.
  case cancelAsked(TaskID, tooLate: Bool)
  /// A task ended.
  case ended(TaskOutcome)
  /// The server has everything up to this sequence.
  case stored(UInt64)
  /// The journal cannot be written; tasks are refused until it can.
  case journalFailed
  /// The journal can be written again.
  case journalRepaired
}

/// Judges, records, begins and answers tasks of all clients in one process.
///
/// Belongs to the loop's thread.
public final class TaskDesk {
  /// What waits in line for its ticket to be durable.
  enum Waiting {
    /// A new task: acknowledge it; with the push's number, 0 for a policy's.
    case admitted(TaskKey, pushID: UInt64)
    /// A known task was pushed again before its record was durable.
    case acknowledge(TaskKey, pushID: UInt64)
    /// An action may begin.
    case begin(ActionOrder)
    /// News may be sent.
    case news(sequence: UInt64)
  }

  /// One that waits in line.
  struct InLine {
    var ticket: UInt64
    var desk: ClientDesk
    var waiting: Waiting
    /// Where the desk's object lies, to be asked for ahead.
    var place: UInt
  }

  /// A client as this process serves it now.
  final class ClientDesk {
    /// How much of an object is asked for ahead, in bytes; nothing but time depends on it.
    static let bytesInUse = 192
    /// Whose it is.
    let client: ClientID
    /// How many were added before it.
    let number: Int
    /// Its page in the book.
    let page: Int
    /// What the owner of the desk knows it by.
    let mark: UInt64
    var clock: ServerClock
    var isConnected = false
    /// The greatest sequence sent in this session.
    var cursor: UInt64 = 0
    /// The greatest sequence that is durable here.
    var durable: UInt64
    /// Pushes that an outcome answers, by the outcome's sequence.
    var pushIDs = AnsweredPushes()
    /// Whether something may be durable here that was not sent in this session.
    var hasNews: Bool { cursor < durable }

    init(
      _ client: ClientID, number: Int, page: Int, mark: UInt64, clock: ServerClock, durable: UInt64
    ) {
      self.client = client
      self.number = number
      self.page = page
      self.mark = mark
      self.clock = clock
      self.durable = durable
    }
  }

  /// How the journal stands.
  enum JournalHealth: Equatable {
    case sound
    /// A write failed; the whole is being written anew.
    case repairing
    /// That failed too; again at that moment.
    case broken(retryAt: Ticks)
  }

  /// An acknowledgement that waits for an outcome in its place.
  struct Held {
    var pushID: UInt64
    var deadline: Ticks
  }

  /// The rules, which a reload may replace.
  public var rules: DeskRules
  /// Whether waiting tasks are begun; a process that stops leaves them to the next one.
  public var beginsActions = true
  /// The memory.
  public internal(set) var book: TaskBook
  var clients: [ClientID: ClientDesk] = [:]
  /// The client that was looked for last: a push asks for the same one time and again.
  private var lastFound: ClientDesk?
  var plan: StartPlan
  var running: [TaskKey: ActionLane] = [:]
  var held: [TaskKey: Held] = [:]
  var health = JournalHealth.sound
  var line: [InLine] = []
  var batch = ByteWriter(capacity: 0)
  var batchIsUrgent = false
  var ticket: UInt64 = 1
  var nextRecordNumber: UInt64
  var orders: [DeskOrder] = []
  var appendedBytes = 0
  var snapshotBytes = 0
  var random: JitterRandom
  /// The task that was verified last.
  var proven = ProvenTask()

  /// Begins with the memory of a journal whose file holds `recordCount` records.
  public init(book: TaskBook, recordCount: Int, rules: DeskRules, random: JitterRandom) {
    self.book = book
    self.rules = rules
    self.random = random
    nextRecordNumber = UInt64(recordCount) &+ 1
    plan = StartPlan(limit: rules.waitingMax)
  }

  /// Begins to serve a client, whom the owner of the desk knows by a mark of its own.
  public func add(_ client: ClientID, mark: UInt64 = 0) {
    guard clients[client] == nil else { return }
    let page = book.layPage(for: client)
    let remembered = book[client]
    clients[client] = ClientDesk(
      client, number: clients.count, page: page, mark: mark,
      clock: ServerClock(floor: remembered.signedFloor),
      durable: remembered.nextSequence &- 1)
  }

  /// A client as this process serves it now; nil for one that was never added.
  func desk(of client: ClientID) -> ClientDesk? {
    if let lastFound, lastFound.client == client { return lastFound }
    guard let desk = clients[client] else { return nil }
    expect(desk)
    return desk
  }

  /// The next calls are about this client: it is found without a search.
  func expect(_ desk: ClientDesk) {
    lastFound = desk
    book.open(at: desk.page, of: desk.client)
  }

  /// How many clients are served.
  public var clientCount: Int { clients.count }

  /// What the owner knows a client by; nil for one that was never added.
  public func mark(of client: ClientID) -> UInt64? { desk(of: client)?.mark }

  /// The highest sequence that the server is known to have.
  public func storedUpTo(of client: ClientID) -> UInt64 { book.storedUpTo(of: client) }

  /// The orders since the last call.
  public func takeOrders() -> [DeskOrder] {
    var taken: [DeskOrder] = []
    takeOrders(into: &taken)
    return taken
  }

  /// The same, in the place of what the list held; its room is used for the orders to come.
  public func takeOrders(into list: inout [DeskOrder]) {
    list.removeAll(keepingCapacity: true)
    swap(&list, &orders)
  }

  /// Whether an action of the client is being done or waits for a place.
  public var isBusy: Bool { !running.isEmpty || !line.isEmpty }

  /// When `tick` wants to be called at the latest.
  public var deadline: Ticks {
    var earliest = plan.nextStart ?? .never
    for one in held.values { earliest = min(earliest, one.deadline) }
    earliest = min(earliest, plan.nextExpiry)
    if case .broken(let retryAt) = health { earliest = min(earliest, retryAt) }
    return earliest
  }

  /// When a task's start comes too late, by the server's clock as it is known now.
  func expiry(of task: WaitingTask) -> Ticks {
    guard let clock = desk(of: task.order.key.client)?.clock, let known = clock.readAt else {
      return .never
    }
    return known + clock.milliseconds(until: task.startBefore, at: known)
  }

  // MARK: The session

  /// A session began.
  public func welcomed(_ client: ClientID, serverTime: WallTime, at now: Moment) {
    guard let desk = desk(of: client) else { return }
    let isFirst = !desk.clock.isSet
    desk.clock.begin(with: serverTime, at: now.ticks)
    desk.isConnected = true
    desk.cursor = 0
    desk.pushIDs = AnsweredPushes()
    if isFirst { planReceived(of: client, at: now) }
    orders.append(.news(client, mark: desk.mark))
    advance(at: now)
  }

  /// The server told its time.
  public func tookClock(_ client: ClientID, _ time: WallTime, at now: Moment) {
    desk(of: client)?.clock.take(time, at: now.ticks)
  }

  /// The session ended.
  public func disconnected(_ client: ClientID) {
    let desk = desk(of: client)
    desk?.isConnected = false
    desk?.pushIDs = AnsweredPushes()
    guard !held.isEmpty else { return }
    held = held.filter { $0.key.client != client }
  }

  /// The server has all news of this session up to a sequence.
  ///
  /// Only what was sent in this session counts, whatever the server says.
  public func stored(_ client: ClientID, upTo: UInt64) {
    guard let cursor = desk(of: client)?.cursor else { return }
    let proven = min(upTo, cursor)
    guard proven > book.storedUpTo(of: client) else { return }
    note(.stored(client, upTo: proven), isUrgent: false)
    announce(client, .stored(proven))
  }

  /// The next news to send of a client that was said to be expected, in the order of their
  /// sequences; nil when there is none now.
  func nextNews(of desk: ClientDesk) -> OutcomeReport? {
    guard desk.isConnected, desk.hasNews,
      let news = book.news(of: desk.client, after: desk.cursor),
      news.sequence <= desk.durable
    else { return nil }
    desk.cursor = news.sequence
    let pushID = desk.pushIDs.take(news.sequence) ?? 0
    return OutcomeReport(pushID: pushID, sequence: news.sequence, outcome: news.outcome)
  }

  /// Tells logs and observers.
  func announce(_ client: ClientID, _ event: DeskEvent) {
    if let desk = desk(of: client) { orders.append(.told(client, number: desk.number, event)) }
  }

  /// The time to write on what is decided now: the server's, or ours while none is known.
  func time(of client: ClientID, at now: Moment) -> WallTime {
    desk(of: client)?.clock.time(at: now.ticks) ?? now.wall
  }
}

/// Pushes by the sequence of the outcome that answers them: nearly always one, which needs no
/// memory of its own.
struct AnsweredPushes {
  private var one: (sequence: UInt64, push: UInt64)?
  private var others: [UInt64: UInt64] = [:]

  mutating func set(_ push: UInt64, for sequence: UInt64) {
    if let one, one.sequence != sequence {
      others[sequence] = push
    } else {
      one = (sequence, push)
    }
  }

  mutating func take(_ sequence: UInt64) -> UInt64? {
    guard let one, one.sequence == sequence else { return others.removeValue(forKey: sequence) }
    self.one = nil
    return one.push
  }
}

@available(*, unavailable)
extension TaskDesk: Sendable {}

@available(*, unavailable)
extension TaskDesk.ClientDesk: Sendable {}
