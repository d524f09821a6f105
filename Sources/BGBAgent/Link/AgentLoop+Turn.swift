// The turn of an agent's loop, on one screen.

import BGBModel
public import Reactor
import Transports

extension AgentLoop {
  /// The desk's timer among the wheel's payloads.
  static let deskPayload = Token.reserved(32).rawValue

  /// Turns until a stop letter came and everybody has left.
  public func run() throws(Errno) {
    while true {
      try turn()
      if case .ended = end { break }
    }
    if let batch = desk.takeBatch(evenLazy: true) { journal.post(batch) }
    journal.stop()
  }

  /// One turn; waits for something to happen unless work is left over.
  public func turn() throws(Errno) {
    let ready = try loop.wait(maySleep: leftovers.isEmpty && !hasAttemptsInHand)
    attemptsThisTurn = 0
    readLetters()  // First: a durable ticket lets answers leave in this turn.
    readLeftovers()  // Bytes inside OpenSSL wake nobody; they are read before new ones.
    for index in 0..<ready {
      foresee(from: index) { $0 < ready ? loop.ready[$0].token : nil }
      let event = loop.ready[index]
      serve(event.token, event.readiness)
    }
    for _ in 0..<loop.gatherExpired() { if let payload = loop.popExpired() { expire(payload) } }
    callLaboratory()
    carryOutOrders()  // After all input: one batch for the journal holds the whole turn's records.
    flushDirty()  // All that was said in this turn leaves in few TLS records.
    beginHeldBack()  // Last: this turn's ends made room for other attempts.
    advanceEnd()
  }

  /// Asks for the memory of links that come soon: of one link nothing is ahead, but a laboratory's
  /// thousands have left the caches.
  ///
  /// `token` says which link the step of a number is about; nil for none.
  @inline(__always)
  private func foresee(from index: Int, _ token: (Int) -> Token?) {
    if let link = token(index + 6) { links.foresee(link, bytes: AgentLink.bytesInUse) }
    if let link = token(index + 4) {
      links.foresee(behind: link) { link in
        Foresight.bring(at: link.channelPlace, bytes: ByteChannel.bytesInUse)
        Foresight.bring(at: link.deskPlace, bytes: TaskDesk.ClientDesk.bytesInUse)
      }
    }
    if let link = token(index + 2) { links.foresee(behind: link) { $0.channel?.foresee() } }
  }

  private func readLetters() {
    letters.removeAll(keepingCapacity: true)
    mailbox.takeAll(into: &letters)
    for letter in letters {
      switch letter {
      case .journal(.durable(let ticket)):
        if let onItsWay = ticketOnItsWay, onItsWay <= ticket { ticketOnItsWay = nil }
        desk.durable(through: ticket, at: moment)
      case .journal(.failed):
        ticketOnItsWay = nil
        desk.journalFailed(at: moment)
      case .actionEnded(let key, let result):
        runningActions -= 1
        desk.finished(key, result, at: moment)
      case .policyFetched(let client, let result): policyFetched(client, result)
      case .resolved(let token, let attempt, let addresses):
        if let link = links[token], link.attempt(of: token) == attempt {
          resolved(link, token, addresses)
        }
      case .tunnelled(let token, let attempt, let result):
        if let link = links[token], link.attempt == attempt { tunnelled(link, result) }
      case .stop(let reason): beginEnd(reason)
      case .renewCredentials: renewCredentials()
      case .line(let line): listener?(line)
      case .call(let body): body(self)
      }
    }
  }

  private func readLeftovers() {
    let waiting = leftovers
    leftovers.removeAll(keepingCapacity: true)
    for token in waiting {
      guard let link = links[token] else { continue }
      if token == link.carrierToken { receiveAnswers(link) } else { receive(link) }
    }
  }

  private func serve(_ token: Token, _ readiness: Readiness) {
    if token == .bell { return }  // Its letters were read already.
    if token == .signals { return readSignals() }
    guard let link = links[token] else { return }
    if token == link.carrierToken { return serveCarrier(link, readiness) }
    if token == link.climbToken { return serveClimb(link, readiness) }
    guard let channel = link.channel else { return }
    if channel.mayReceive(on: readiness) {
      if link.isOpen { receive(link) } else { shakeHands(link) }
    }
    if link.isOpen, link.channel?.mayFlush(on: readiness) == true { markDirty(link) }
  }

  private func expire(_ payload: UInt64) {
    if payload == AgentLoop.deskPayload {
      deskTimer = nil
      deskTimerAt = .never
      desk.tick(at: moment)
      return
    }
    let token = Token(rawValue: payload & 0x7FFF_FFFF_FFFF_FFFF)
    guard let link = links[token] else { return }
    if payload != token.rawValue { return policyDue(link) }
    link.timer = nil
    link.timerAt = .never
    if holdsBack(link) { return }
    apply(link.session.tick(at: loop.now, wall: moment.wall), to: link)
    tickPolls(link)
    armTimer(of: link)
  }

  /// Does what the desk decided, and gives the turn's records to the journal.
  private func carryOutOrders() {
    var rounds = 0
    var orders: [DeskOrder] = []
    swap(&orders, &orderRoom)
    while rounds < 64 {  // A rewrite or a send can bring new orders; never without end.
      rounds += 1
      desk.takeOrders(into: &orders)
      if orders.isEmpty { break }
      for index in orders.indices {
        // Links whose news will leave: by now others have taken their place.
        foresee(from: index) { ahead in
          guard ahead < orders.count, case .news(_, let mark) = orders[ahead] else { return nil }
          return Token(rawValue: mark)
        }
        carryOut(orders[index])
      }
    }
    swap(&orders, &orderRoom)
    // One batch at a time is on its way: what comes meanwhile would wait for its sync anyway, and
    // is then one batch too.
    if ticketOnItsWay == nil, let batch = desk.takeBatch() { post(batch) }
    let wanted = desk.deadline
    guard wanted < deskTimerAt else { return }
    if let deskTimer { _ = loop.wheel.disarm(deskTimer) }
    deskTimerAt = max(wanted, loop.now + 1)
    deskTimer = loop.wheel.arm(deadline: deskTimerAt, payload: AgentLoop.deskPayload)
  }

  private func carryOut(_ order: DeskOrder) {
    switch order {
    case .send(let client, let message):
      if let link = link(of: client), link.session.isSignedIn { send(message, link) }
    case .news(_, let mark): if let link = links[Token(rawValue: mark)] { sendNews(link) }
    case .begin(let order): begin(order)
    case .rewriteJournal: post(desk.rewrite())
    case .told(let client, let number, let event): observer?(client, number, .task(event))
    }
  }

  private func post(_ batch: JournalBatch) {
    ticketOnItsWay = batch.ticket
    journal.post(batch)
  }

  /// A copy of the list, so that whatever happens to a link may look at the table.
  func allLinks() -> [AgentLink] {
    var all: [AgentLink] = []
    links.forEach { token, link in if token == link.token { all.append(link) } }
    return all
  }

  /// A client's link: the desk, which is asked about the client anyway, knows its token.
  func link(of client: ClientID) -> AgentLink? {
    desk.mark(of: client).flatMap { links[Token(rawValue: $0)] }
  }

  private func flushDirty() {
    let flushed = dirty
    dirty.removeAll(keepingCapacity: true)
    for link in flushed {
      link.isDirty = false
      flush(link)
    }
  }

  // MARK: The end

  private func beginEnd(_ reason: String) {
    guard case .running = end else { return }
    stopFlag.raise()
    desk.beginsActions = false
    end = .draining(until: loop.now + configuration.drainMilliseconds, reason: reason)
    wake(afterMilliseconds: 0)
  }

  private func advanceEnd() {
    switch end {
    case .running, .ended: return
    case .draining(let until, let reason):
      guard runningActions == 0 && !desk.isBusy || loop.now >= until else {
        return wake(afterMilliseconds: 50)
      }
      for link in allLinks() {
        apply(link.session.stop(reason: reason), to: link)
        flush(link)
      }
      end = .leaving(until: loop.now + 1_000)
      wake(afterMilliseconds: 10)
    case .leaving(let until):
      let isOpen = allLinks().contains { $0.channel != nil }
      if !isOpen || loop.now >= until { end = .ended } else { wake(afterMilliseconds: 10) }
    }
  }

  /// Ends a sleep that nothing else would end.
  func wake(afterMilliseconds milliseconds: UInt64) {
    _ = loop.arm(afterMilliseconds: milliseconds + 1, payload: Token.reserved(33).rawValue)
  }

  private func readSignals() {
    while let signal = signals?.next() { tellSignal(signal) }
  }
}
