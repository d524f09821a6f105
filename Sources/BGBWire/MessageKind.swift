// The kinds of frames, once: number, direction, and whether an unknown one may be skipped (none
// may).

/// Who may send a kind of message.
public enum MessageDirection: Sendable {
  /// Only agents.
  case fromAgent
  /// Only notification servers.
  case fromServer
  /// Both.
  case both
}

/// The first byte of a frame.
public enum MessageKind: UInt8, Sendable, CaseIterable {
  /// The agent's first message.
  case signIn = 0x01
  /// The server's answer to a sign-in.
  case welcome = 0x02
  /// Nothing but life; answered by the server in kind.
  case keepAlive = 0x03
  /// What the agent can come back with instead of its certificate.
  case reconnectIdentity = 0x05
  /// A signed task with this target's Merkle path.
  case pushTask = 0x10
  /// The agent has the task in its journal.
  case taskAck = 0x11
  /// What became of a task.
  case taskOutcome = 0x12
  /// Outcomes up to a sequence number are durable at the server.
  case outcomeStored = 0x13
  /// Withdraw a task that was not begun.
  case cancelTask = 0x14
  /// Facts that changed while connected.
  case liveData = 0x20
  /// Orderly end, with a reason.
  case goodbye = 0x30
  /// Please come again elsewhere or later.
  case reconnect = 0x31
  /// The session is refused or ended, with a code.
  case refused = 0x32

  /// Who may send it.
  public var direction: MessageDirection {
    switch self {
    case .keepAlive, .goodbye: .both
    case .signIn, .taskAck, .taskOutcome, .liveData: .fromAgent
    case .welcome, .reconnectIdentity, .pushTask, .outcomeStored, .cancelTask, .reconnect,
      .refused:
      .fromServer
    }
  }
}

/// Why a session was refused or ended: the code of a Refused message and of the audit line.
public enum CloseCode: UInt16, Sendable, CaseIterable {
  /// The frame's kind is not one of ours.
  case unknownKind = 1
  /// The frame or a field is longer than its limit.
  case tooLong = 2
  /// A message that its state or direction does not allow.
  case wrongState = 3
  /// The body cannot be read as its kind.
  case malformed = 4
  /// Sign-in or handshake took too long.
  case handshakeTimeout = 5
  /// The protocol version is not served.
  case version = 6
  /// The id in the message is not the certificate's.
  case foreignIdentity = 7
  /// The certificate names no client of this site, or the site does not know it.
  case unknownClient = 8
  /// The client is blocked.
  case blocked = 9
  /// The same client signed in again elsewhere.
  case replaced = 10
  /// No message for one and a half keep-alive intervals.
  case keepAliveExpired = 11
  /// Output was not read in time.
  case slowReader = 12
  /// The server has no room; come again after the given time.
  case overloaded = 13
  /// The server stops.
  case shuttingDown = 14
  /// An acknowledgement or outcome for a task that was not pushed to this client.
  case foreignTask = 15
  /// The certificate expired while connected.
  case certificateExpired = 16
  /// The server failed inside; not the agent's fault.
  case internalError = 17

  /// What an agent does next.
  public var reconnect: ReconnectAdvice {
    switch self {
    case .unknownKind, .tooLong, .wrongState, .malformed, .version, .foreignIdentity,
      .unknownClient, .blocked, .certificateExpired, .foreignTask:
      .slowly
    case .replaced: .never
    case .handshakeTimeout, .keepAliveExpired, .slowReader, .overloaded, .shuttingDown,
      .internalError:
      .afterAdvice
    }
  }
}

/// What an agent does after a close code.
public enum ReconnectAdvice: Sendable {
  /// With the full back-off: only a change at the site or at the agent can help.
  case slowly
  /// After the time the server said, else with the ordinary back-off.
  case afterAdvice
  /// Not at all: another session of the same agent is alive. (The agent waits one keep-alive.)
  case never
}
