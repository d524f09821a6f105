// The rules of one agent's session, without a socket: which message is allowed in which state, and
// what the server does next. The same rules serve every transport. Each cell of the matrix
// (state x kind) is written out, so that a new kind does not compile until it was thought about.

import BGBModel
import BGBWire

/// Where a session stands.
enum SessionState: Equatable, CaseIterable {
  /// The transport has proved an identity; the agent has not said who it is.
  case awaitingSignIn
  /// Signed in; tasks, answers and keep-alives flow.
  case open
  /// Goodbye was said or the session was refused; nothing more is believed.
  case ended
}

/// What the server does with a message.
enum SessionStep: Equatable {
  /// The agent says who it is: check version, identity and deny list, then welcome or refuse it.
  case admit(SignIn)
  /// Answer the keep-alive.
  case answerKeepAlive
  /// Note that a task is in the agent's journal.
  case acknowledged(TaskAck)
  /// Note what became of a task.
  case outcome(OutcomeReport)
  /// Note facts that changed.
  case facts(LiveData)
  /// The agent ends the session in order.
  case goodbye(String)
  /// End the session with this code.
  case refuse(CloseCode)
}

/// The state machine of one session.
struct SessionMachine {
  /// Where it stands.
  private(set) var state = SessionState.awaitingSignIn

  /// Decides about one message of the agent.
  mutating func receive(_ message: Message) -> SessionStep {
    switch state {
    case .awaitingSignIn: receiveBeforeSignIn(message)
    case .open: receiveWhileOpen(message)
    case .ended: .refuse(.wrongState)
    }
  }

  /// The sign-in was accepted.
  mutating func welcomed() {
    precondition(state == .awaitingSignIn, "a session is welcomed once")
    state = .open
  }

  /// The session is over, from whichever side.
  mutating func end() { state = .ended }

  private mutating func receiveBeforeSignIn(_ message: Message) -> SessionStep {
    switch message {
    case .signIn(let signIn): return .admit(signIn)
    case .goodbye(let goodbye):
      state = .ended
      return .goodbye(goodbye.reason)
    case .keepAlive, .taskAck, .taskOutcome, .liveData: return .refuse(.wrongState)
    case .welcome, .reconnectIdentity, .pushTask, .outcomeStored, .cancelTask, .reconnect,
      .refused:
      return .refuse(.wrongState)
    }
  }

  private mutating func receiveWhileOpen(_ message: Message) -> SessionStep {
    switch message {
    case .keepAlive: return .answerKeepAlive
    case .taskAck(let ack): return .acknowledged(ack)
    case .taskOutcome(let report): return .outcome(report)
    case .liveData(let data): return .facts(data)
    case .goodbye(let goodbye):
      state = .ended
      return .goodbye(goodbye.reason)
    case .signIn: return .refuse(.wrongState)
    case .welcome, .reconnectIdentity, .pushTask, .outcomeStored, .cancelTask, .reconnect,
      .refused:
      return .refuse(.wrongState)
    }
  }
}

/// Whether a sign-in is accepted: one decision, in one place, for every transport.
enum SignInPolicy {
  /// Checks version, identity and deny list; nil accepts.
  static func refusal(
    of signIn: SignIn, certificate: ClientID, isDenied: Bool
  ) -> CloseCode? {
    if signIn.version < ProtocolVersion.minimum { return .version }
    if signIn.clientID != certificate { return .foreignIdentity }
    if isDenied { return .blocked }
    return nil
  }
}
