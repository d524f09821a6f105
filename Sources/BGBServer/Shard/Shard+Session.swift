// What a signed-in agent says, and what that changes: registry, ledger, outcomes.

import BGBModel
import BGBWire
import Logging
import Reactor
import Transports

extension Shard {
  /// Decides about a sign-in; an older session of the same client is replaced in the same step.
  func admit(_ signIn: SignIn, _ connection: Connection) {
    guard let clientID = connection.clientID else { return refuse(connection, .internalError) }
    let isDenied = denied.contains(clientID)
    if let code = SignInPolicy.refusal(of: signIn, certificate: clientID, isDenied: isDenied) {
      return refuse(connection, code)
    }
    guard life == .serving, !hasMoved else {
      return refuse(connection, .shuttingDown, retryAfterMilliseconds: 5_000)
    }
    // A client that is here already replaces itself and takes no more room.
    if connection.polls == nil,
      registry.onlineByChannel[Int(ChannelKind.tcp.rawValue)]
        >= settings.connectionsMax, registry.token(of: clientID) == nil
    {
      return refuse(
        connection, .overloaded,
        retryAfterMilliseconds: UInt32(clamping: returnWindowMilliseconds))
    }
    let now = wallNow
    connection.session.welcomed()
    letGoOfTLS(connection, for: signIn)
    connection.phase = .signedIn
    connection.frames.raiseLimit(to: Limits.frameBodyBytesMax)
    connection.sessionNumber = nextSession(now)
    counters.signIns &+= 1
    register(signIn, clientID, connection, now)
    send(
      .welcome(
        Welcome(
          version: ProtocolVersion.current, serverID: identity.serverID,
          session: connection.sessionNumber, serverTime: now,
          keepAliveSeconds: settings.keepAliveSeconds,
          crashWindowSeconds: UInt32(clamping: (returnWindowMilliseconds + 999) / 1_000),
          policyURL: settings.policyURL)),
      connection)
    giveReconnect(connection, for: signIn)
    log.debug(
      "signed in",
      metadata: [
        "client": "\(clientID)", "session": "\(connection.sessionNumber)",
        "resumed": "\(connection.channel.resumed)", "channel": "\(connection.channelKind.name)",
      ])
    if connection.polls != nil {
      noteHTTP(connection, "LogIn", ["session": "\(connection.sessionNumber)"])
    }
    rearmTimer(connection)
    connection.hasOldTimer = true
    // Tasks that waited for this client, within their validity.
    ledger.noteEnded(signIn.endedTasks, for: clientID)
    for order in ledger.ordersForArrival(of: clientID, at: now) { push(order, connection) }
  }

  private func register(
    _ signIn: SignIn, _ clientID: ClientID, _ connection: Connection, _ now: WallTime
  ) {
    var facts = signIn.facts
    let source = connection.address.host
    facts.addresses.removeAll { $0 == source }
    facts.addresses.insert(source, at: 0)
    facts.addresses = Array(facts.addresses.prefix(Limits.addressesMax))
    let record = PresenceRecord(
      clientID: clientID, isOnline: true, since: now, lastProof: now, reason: .signedIn,
      channel: connection.channelKind, fallback: signIn.fallback, channelSince: now,
      session: connection.sessionNumber, facts: facts)
    let replaced = registry.signIn(record, token: connection.channel.token)
    if let replaced, let old = connections[replaced] {
      counters.takeovers &+= 1
      refuse(old, .replaced)
    }
  }

  /// Session numbers ascend over all servers of a site: made of the time, and never repeated here.
  private func nextSession(_ now: WallTime) -> UInt64 {
    let byTime = UInt64(clamping: now.milliseconds) << 12
    lastSession = max(lastSession &+ 1, byTime)
    return lastSession
  }

  /// The task is in the agent's journal.
  func acknowledged(_ ack: TaskAck, _ connection: Connection) {
    guard let clientID = connection.clientID else { return }
    counters.acknowledgements &+= 1
    let outcome = TaskOutcome(taskID: ack.taskID, state: .delivered, at: wallNow)
    let guess = Int(connection.lastLeaf)
    switch ledger.answer(ack.taskID, from: clientID, guess: guess, state: .delivered) {
    case .news(let pushes):
      outcomes.note(
        OutcomeRecord(
          clientID: clientID, pushes: pushes, outcome: outcome))
    case .repeated, .unknownTask: break
    case .notTarget: return refuse(connection, .foreignTask)
    }
    releasePush(connection)
  }

  /// News of a task: kept, made durable, confirmed then.
  func outcome(_ report: OutcomeReport, _ connection: Connection) {
    guard let clientID = connection.clientID else { return }
    // Never dropped in silence: a later confirmation would cover it, and the agent would forget it.
    guard isJournalReady, outcomes.unstoredCount < settings.unstoredOutcomesMax else {
      return refuse(connection, .overloaded, retryAfterMilliseconds: 10_000)
    }
    counters.outcomes &+= 1
    if report.outcome.state.isFinal { counters.finalOutcomes &+= 1 }
    var pushes: UInt32 = 0
    let effect = ledger.answer(
      report.outcome.taskID, from: clientID, guess: Int(connection.lastLeaf),
      state: report.outcome.state)
    switch effect {
    case .news(let count): pushes = count
    case .unknownTask: break
    case .repeated(let known):
      counters.repeatedOutcomes &+= 1
      // This very outcome is in the journal or on its way there: only its confirmation is missing.
      if known == report.outcome.state, known.isFinal {
        return confirmAgain(report, connection)
      }
    case .notTarget: return refuse(connection, .foreignTask)
    }
    outcomes.keep(
      OutcomeRecord(clientID: clientID, pushes: pushes, outcome: report.outcome),
      confirm: connection.channel.token, sequence: report.sequence)
    if report.pushID != 0 { releasePush(connection) }
  }

  private func confirmAgain(_ report: OutcomeReport, _ connection: Connection) {
    outcomes.expect(confirm: connection.channel.token, sequence: report.sequence)
    if outcomes.unstoredCount == 0 { confirm(upTo: outcomes.durable) }
    if report.pushID != 0 { releasePush(connection) }
  }

  /// One push of this client was answered: the next one that waited may go.
  private func releasePush(_ connection: Connection) {
    if connection.unacknowledged > 0 { connection.unacknowledged -= 1 }
    guard !connection.waitingOrders.isEmpty,
      connection.unacknowledged < Limits.unacknowledgedPushesMax
    else { return }
    push(connection.waitingOrders.removeFirst(), connection)
  }

  /// Facts that changed while connected; names that are not ours are skipped.
  func noteFacts(_ data: LiveData, _ connection: Connection) {
    guard let clientID = connection.clientID, var facts = registry.facts(of: clientID) else {
      return
    }
    for value in data.values {
      switch value.name {
      case "hostname": facts.hostname = value.text
      case "os": facts.operatingSystem = value.text
      case "agent": facts.agentVersion = value.text
      case "addresses":
        let told = value.text.split(separator: " ").prefix(Limits.addressesMax).map(String.init)
        facts.addresses = told.filter { $0.utf8.count <= Limits.addressBytesMax }
      default: continue
      }
    }
    registry.update(clientID, facts: facts)
  }

  /// A client's session on this connection is over.
  func signOut(_ connection: Connection, _ reason: PresenceReason) {
    guard connection.phase == .signedIn, let clientID = connection.clientID else { return }
    connection.session.end()
    registry.signOut(clientID, token: connection.channel.token, reason: reason, at: wallNow)
    if connection.polls != nil {
      noteHTTP(
        connection, "session ended",
        ["session": "\(connection.sessionNumber)", "reason": "\(reason.name)"])
    }
  }
}
