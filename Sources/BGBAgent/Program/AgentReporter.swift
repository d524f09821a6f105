// What the agent writes into its log: events in, lines out, with the ids that let a person follow
// one task through all components.

import BGBModel
import BGBWire
import Logging
import Reactor
import Transports

/// Writes an agent's events down.
struct AgentReporter {
  let logger: Logger
  private let client: ClientID

  init(_ logger: Logger, clientID: ClientID) {
    self.logger = logger
    client = clientID
  }

  func started(_ servers: [String]) {
    logger.notice(
      "started",
      metadata: [
        "client": "\(client)", "version": "\(DiscoveryData.agentVersion)",
        "servers": "\(servers.joined(separator: " "))",
      ])
  }

  func note(_ client: ClientID, _ event: AgentEvent) {
    switch event {
    case .trying(.tcp, _): logger.debug("trying TCP")
    case .trying(.https, let reason):
      logger.info("trying HTTPS", metadata: ["tcp": "\(reason.name)"])
    case .connected(let resumed, let transport):
      logger.debug(
        "connected", metadata: ["resumed": "\(resumed)", "transport": "\(transport.name)"])
    case .carrierLost(let reason):
      logger.info("the poll's connection was lost", metadata: ["reason": "\(reason.sentence)"])
    case .climbed: logger.notice("back on TCP")
    case .climbFailed(let reason):
      logger.info("TCP is still out of reach", metadata: ["reason": "\(reason.sentence)"])
    case .welcomed(let server, let session):
      logger.info("signed in", metadata: ["server": "\(server)", "session": "\(session)"])
    case .task(let event): note(event)
    case .disconnected(let reason, let wait):
      logger.log(
        level: reason == .stopped ? .notice : .warning, "disconnected",
        metadata: ["reason": "\(reason.sentence)", "retry-after-ms": "\(wait)"])
    }
  }

  private func note(_ event: DeskEvent) {
    switch event {
    case .received(let task, let pushID, let action):
      logger.info(
        "task received",
        metadata: ["task": "\(task)", "push": "\(pushID)", "action": "\(action.name)"])
    case .refused(let task, let rejection):
      logger.warning(
        "task refused",
        metadata: [
          "task": "\(task.map(\.description) ?? "unreadable")", "reason": "\(rejection.sentence)",
        ])
    case .cancelAsked(let task, let tooLate):
      logger.info("task withdrawn", metadata: ["task": "\(task)", "too-late": "\(tooLate)"])
    case .ended(let outcome):
      logger.info(
        "task ended",
        metadata: [
          "task": "\(outcome.taskID)", "state": "\(outcome.state.name)",
          "code": "\(outcome.code)", "text": "\(outcome.text)",
        ])
    case .stored(let upTo):
      logger.debug("outcomes stored", metadata: ["up-to": "\(upTo)"])
    case .journalFailed:
      logger.error("the journal cannot be written: tasks are refused until it can")
    case .journalRepaired: logger.notice("the journal was written anew")
    }
  }
}

extension DisconnectReason {
  /// A sentence for the log.
  var sentence: String {
    switch self {
    case .attemptTimedOut: "the server did not take us in in time"
    case .lost(let error): error.description
    case .unreachable(let error): "cannot connect: \(error)"
    case .unresolved: "the server's name has no address"
    case .notOurServer(let refusal): "the peer is no notification server of our site: \(refusal)"
    case .ended: "the server ended the connection without a word"
    case .stuck: "the server does not read what we send"
    case .silent: "the server does not answer"
    case .protocolError(let error): "the server broke the protocol: \(error)"
    case .proxy(let error): "the proxy: \(error)"
    case .notOurAnswer(let words): "what answers is not our server: \(words)"
    case .cutAnswer: "the connection ended in the middle of an answer"
    case .restarted: "the server was probably started anew: it does not know our session any more"
    case .sessionGone: "the server does not know our session any more"
    case .refused(let code):
      "the server refused us: \(CloseCode(rawValue: code).map { "\($0)" } ?? "code \(code)")"
    case .asked: "the server asked us to come again"
    case .goodbye: "the server said goodbye"
    case .stopped: "we stop"
    }
  }
}
