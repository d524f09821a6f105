// What an agent process remembers of tasks: all records of its journal, applied in order. Live
// changes go through `apply` too, so that the memory after a restart cannot differ from the memory
// before it. One book serves every client of the process: one in bgb-agent, thousands in bgb-swarm.

public import BGBModel
import BGBSigning

/// News that the server must store, or that answers a repeated push.
public struct NumberedOutcome: Equatable, Sendable {
  /// Its number, ascending through the journal's life.
  public var sequence: UInt64
  /// The news.
  public var outcome: TaskOutcome
}

/// One task that this client was given.
public struct TaskEntry: Equatable, Sendable {
  /// How far it came.
  public enum Phase: Equatable, Sendable {
    /// Admitted, not begun.
    case received(statement: [UInt8], startAfter: WallTime)
    /// Begun during that boot of the computer; whether it ended is not known yet.
    case started(statement: [UInt8], boot: Bits128)
    /// Over.
    case ended(NumberedOutcome)
  }

  /// The statement's digest: the same id with other bytes is another task that lies.
  public var digest: Bits128
  /// When nobody can push it any more and it may be forgotten.
  public var forgetAt: WallTime
  /// How far it came.
  public var phase: Phase
}

/// What is remembered of one client.
public struct ClientBook: Equatable, Sendable {
  /// The tasks by id.
  public var tasks: [TaskID: TaskEntry] = [:]
  /// News that the server has not confirmed, by ascending sequence.
  public var unstored: [NumberedOutcome] = []
  /// The number of the next news.
  public var nextSequence: UInt64 = 1
  /// The greatest sequence known to be stored.
  public var storedUpTo: UInt64 = 0
  /// The latest signed `notBefore`: a lower bound of the site's time.
  public var signedFloor = WallTime(milliseconds: .min)
}

extension ClientBook {
  mutating func receive(_ task: TaskID, _ entry: TaskEntry, notBefore: WallTime) {
    tasks[task] = entry
    signedFloor = max(signedFloor, notBefore)
  }

  mutating func take(_ news: NumberedOutcome) {
    number(news)
    if news.outcome.state.isFinal { tasks[news.outcome.taskID]?.phase = .ended(news) }
  }

  /// The same of a task that nothing was known of.
  mutating func take(
    _ news: NumberedOutcome, digest: Bits128, forgetAt: WallTime, notBefore: WallTime
  ) {
    number(news)
    receive(
      news.outcome.taskID, TaskEntry(digest: digest, forgetAt: forgetAt, phase: .ended(news)),
      notBefore: notBefore)
  }

  private mutating func number(_ news: NumberedOutcome) {
    if news.sequence > storedUpTo { unstored.append(news) }
    nextSequence = max(nextSequence, news.sequence &+ 1)
  }
}

/// The memory of an agent process.
public struct TaskBook: Sendable {
  /// Marks one life of the journal; a new journal has a new one.
  public private(set) var incarnation: UInt64 = 0
  /// Where each client's page is.
  private var numbers: [ClientID: Int] = [:]
  /// Whose each page is.
  private var owners: [ClientID] = []
  /// What is remembered of each client; an empty page stands for a client without a past.
  ///
  /// Nothing beside the book: to read one field of a page with a second level, the level's other
  /// fields would be kept alive meanwhile, each at the price of two writes to memory far away.
  private var pages: [ClientBook] = []
  /// The client that is being served, as a rule, and its page.
  private var opened: (client: ClientID, page: Int)?

  /// Remembers nothing.
  public init() {}

  /// What is remembered of each client that anything is remembered of, in no order.
  var clients: some Sequence<(client: ClientID, book: ClientBook)> {
    zip(owners, pages).lazy.filter { $0.1 != ClientBook() }.map { (client: $0.0, book: $0.1) }
  }

  private func page(of client: ClientID) -> Int? {
    if let opened, opened.client == client { return opened.page }
    return numbers[client]
  }

  /// The number of a client's page, which stays the same; an empty one is laid for a new client.
  mutating func layPage(for client: ClientID) -> Int {
    if let known = page(of: client) { return known }
    numbers[client] = pages.count
    owners.append(client)
    pages.append(ClientBook())
    return pages.count - 1
  }

  /// Opens the book at the page of a client, which is found without a search until the next call.
  mutating func open(at page: Int, of client: ClientID) { opened = (client, page) }

  /// What is remembered of a client; an empty book for a new one.
  public subscript(client: ClientID) -> ClientBook {
    page(of: client).map { pages[$0] } ?? ClientBook()
  }

  /// What is remembered of a task; nil for nothing.
  public func entry(of key: TaskKey) -> TaskEntry? {
    guard let page = page(of: key.client) else { return nil }
    return pages[page].tasks[key.task]
  }

  /// The number of a client's next news, and the greatest that is known to be stored.
  func nextSequence(of client: ClientID) -> UInt64 {
    guard let page = page(of: client) else { return 1 }
    return pages[page].nextSequence
  }
  func storedUpTo(of client: ClientID) -> UInt64 {
    guard let page = page(of: client) else { return 0 }
    return pages[page].storedUpTo
  }

  /// The first news of a client behind a sequence that the server has not confirmed.
  func news(of client: ClientID, after sequence: UInt64) -> NumberedOutcome? {
    guard let page = page(of: client) else { return nil }
    return pages[page].unstored.first { $0.sequence > sequence }
  }

  /// Changes what a client's book says beside the journal: only for undoing what could not be
  /// written.
  mutating func forget(_ task: TaskID, of client: ClientID) {
    guard let page = page(of: client) else { return }
    pages[page].tasks[task] = nil
    pages[page].unstored.removeAll { $0.outcome.taskID == task }
  }

  /// Takes a beginning back that was never written, with its news.
  mutating func returnToReceived(_ key: TaskKey) {
    guard let page = page(of: key.client),
      case .started(let statement, _) = pages[page].tasks[key.task]?.phase
    else { return }
    let startAfter = WallTime(milliseconds: 0)
    pages[page].tasks[key.task]?.phase = .received(
      statement: statement, startAfter: startAfter)
    pages[page].unstored.removeAll { news in
      news.outcome.taskID == key.task && news.outcome.state == .started
    }
  }

  /// Gives the next sequence away without a record, for news that cannot be journalled.
  mutating func spendSequence(of client: ClientID) -> UInt64 {
    let page = layPage(for: client)
    let sequence = pages[page].nextSequence
    pages[page].nextSequence = sequence &+ 1
    return sequence
  }

  /// Takes one fact.
  public mutating func apply(_ record: JournalRecord) {
    switch record {
    case .opened(let incarnation, _):
      if self.incarnation == 0 { self.incarnation = incarnation }
    case .received(let client, let statement, let at, let startAfter):
      guard let decoded = try? TaskStatement(decoding: statement) else { return }
      receive(
        client, decoded, bytes: statement, digest: TaskBook.digest(statement), at: at,
        startAfter: startAfter)
    case .started(let client, let task, let boot):
      guard let page = page(of: client),
        case .received(let statement, _) = pages[page].tasks[task]?.phase
      else { return }
      pages[page].tasks[task]?.phase = .started(statement: statement, boot: boot)
    case .outcome(let client, let sequence, let outcome):
      let page = layPage(for: client)
      pages[page].take(NumberedOutcome(sequence: sequence, outcome: outcome))
    case .done(let client, let digest, let at, let notBefore, let sequence, let outcome):
      let page = layPage(for: client)
      pages[page].take(
        NumberedOutcome(sequence: sequence, outcome: outcome), digest: digest,
        forgetAt: at.adding(milliseconds: Limits.journalKeptMilliseconds), notBefore: notBefore)
    case .stored(let client, let upTo):
      guard let page = page(of: client) else { return }
      pages[page].unstored.removeAll { $0.sequence <= upTo }
      pages[page].storedUpTo = max(pages[page].storedUpTo, upTo)
    case .known(let client, let task, let digest, let forgetAt):
      let nothing = NumberedOutcome(
        sequence: 0,
        outcome: TaskOutcome(taskID: task, state: .unknown, at: forgetAt))
      let page = layPage(for: client)
      pages[page].tasks[task] = TaskEntry(
        digest: digest, forgetAt: forgetAt, phase: .ended(nothing))
    case .counters(let client, let nextSequence, let storedUpTo, let signedFloor):
      let page = layPage(for: client)
      pages[page].nextSequence = nextSequence
      pages[page].storedUpTo = storedUpTo
      pages[page].signedFloor = signedFloor
    }
  }

  /// Takes the fact of a record `received` whose bytes were read and digested already.
  mutating func receive(
    _ client: ClientID, _ statement: TaskStatement, bytes: [UInt8], digest: Bits128, at: WallTime,
    startAfter: WallTime
  ) {
    let entry = TaskEntry(
      digest: digest, forgetAt: at.adding(milliseconds: Limits.journalKeptMilliseconds),
      phase: .received(statement: bytes, startAfter: startAfter))
    let page = layPage(for: client)
    pages[page].receive(statement.taskID, entry, notBefore: statement.notBefore)
  }

  /// The latest tasks that are over for a client, newest first, at most ``Limits/endedTasksMax``.
  public func endedTasks(of client: ClientID) -> [TaskID] {
    guard let page = page(of: client), !pages[page].tasks.isEmpty else { return [] }
    let tasks = pages[page].tasks
    let ended = tasks.filter { if case .ended = $0.value.phase { true } else { false } }
    let latest = ended.sorted { ($0.value.forgetAt, $0.key) > ($1.value.forgetAt, $1.key) }
    return latest.prefix(Limits.endedTasksMax).map(\.key)
  }

  /// Forgets tasks that nobody can push any more; their unconfirmed news stays.
  ///
  /// Judged by the latest moment that the site signed: this computer's own clock may be days ahead,
  /// and what is forgotten too early could run twice.
  public mutating func forgetOld() {
    for page in pages.indices {
      let floor = pages[page].signedFloor
      pages[page].tasks = pages[page].tasks.filter { $0.value.forgetAt > floor }
    }
  }

  /// The fewest records that make this book, for a new file.
  public func snapshot(boot: Bits128) -> [JournalRecord] {
    var records: [JournalRecord] = [.opened(incarnation: incarnation, boot: boot)]
    for (client, book) in clients.sorted(by: { $0.client < $1.client }) {
      var news = book.unstored
      for (task, entry) in book.tasks.sorted(by: { $0.key < $1.key }) {
        let at = entry.forgetAt.adding(milliseconds: -Limits.journalKeptMilliseconds)
        switch entry.phase {
        case .received(let statement, let startAfter):
          records.append(.received(client, statement: statement, at: at, startAfter: startAfter))
        case .started(let statement, let boot):
          records.append(.received(client, statement: statement, at: at, startAfter: at))
          records.append(.started(client, task, boot: boot))
        case .ended(let outcome):
          records.append(.known(client, task, digest: entry.digest, forgetAt: entry.forgetAt))
          if !news.contains(where: { $0.sequence == outcome.sequence }) { news.append(outcome) }
        }
      }
      for one in news.sorted(by: { $0.sequence < $1.sequence }) where one.sequence > 0 {
        records.append(
          .outcome(client, sequence: one.sequence, one.outcome))
      }
      records.append(.stored(client, upTo: book.storedUpTo))
      records.append(
        .counters(
          client, nextSequence: book.nextSequence, storedUpTo: book.storedUpTo,
          signedFloor: book.signedFloor))
    }
    return records
  }

  /// The first half of the statement's SHA-256: enough to tell another statement of the site apart.
  static func digest(_ statement: [UInt8]) -> Bits128 { digest(sha256: Digest.sha256(statement)) }

  static func digest(sha256: [UInt8]) -> Bits128 {
    Bits128(bytes: sha256.prefix(16)) ?? Bits128(high: 0, low: 0)
  }
}

extension TaskBook: Equatable {
  /// Whether both remember the same of everybody, whoever was told of first.
  public static func == (one: TaskBook, other: TaskBook) -> Bool {
    guard one.incarnation == other.incarnation else { return false }
    let known = Array(one.clients)
    return known.count == other.clients.reduce(0) { count, _ in count + 1 }
      && known.allSatisfy { other[$0.client] == $0.book }
  }
}
