// The header fields by which request and answer of a long poll say where in the session's two
// streams they stand. Pure: values of fields in, numbers out; nothing odd is read as a number.

/// What a request says.
public struct PollRequestFields: Equatable, Sendable {
  /// The session; nil at the login, which begins one.
  public var session: UInt64?
  /// Where in the agent's stream the body begins.
  public var sent: UInt64
  /// How much of the server's stream the agent has.
  public var received: UInt64
  /// The longest poll that the agent believes its path to allow, in seconds.
  public var pollSeconds: UInt32?
  /// The last poll ended without an answer after so many seconds.
  public var cutSeconds: UInt32?

  /// Joins the parts.
  public init(
    session: UInt64? = nil, sent: UInt64 = 0, received: UInt64 = 0, pollSeconds: UInt32? = nil,
    cutSeconds: UInt32? = nil
  ) {
    self.session = session
    self.sent = sent
    self.received = received
    self.pollSeconds = pollSeconds
    self.cutSeconds = cutSeconds
  }

  /// Reads the fields; nil when one that is there is no number, or one that a session needs is not
  /// there.
  ///
  /// `field` gives the value of a field by its name in lower case.
  public init?(_ field: (String) -> String?) {
    self.init()
    do throws(PollField.Fault) {
      session = try PollField.session.read(field)
      let places: (sent: UInt64?, received: UInt64?) = (
        try PollField.sent.read(field), try PollField.received.read(field)
      )
      // Within a session both are said; a guess would drop bytes.
      guard session == nil || (places.sent != nil && places.received != nil) else { return nil }
      sent = places.sent ?? 0
      received = places.received ?? 0
      pollSeconds = try PollField.poll.read(field)
      cutSeconds = try PollField.cut.read(field)
    } catch {
      return nil
    }
  }

  /// The lines of a request's head that say this.
  public var lines: [String] {
    var lines: [String] = []
    if let session { lines.append("\(PollField.session.title): \(session)") }
    if session != nil {
      lines.append("\(PollField.sent.title): \(sent)")
      lines.append("\(PollField.received.title): \(received)")
    }
    if let pollSeconds { lines.append("\(PollField.poll.title): \(pollSeconds)") }
    if let cutSeconds { lines.append("\(PollField.cut.title): \(cutSeconds)") }
    return lines
  }
}

/// What an answer says.
public struct PollAnswerFields: Equatable, Sendable {
  /// The session.
  public var session: UInt64
  /// Where in the server's stream the body begins.
  public var sent: UInt64
  /// How much of the agent's stream the server has.
  public var received: UInt64
  /// How long the server will hold the next poll, in seconds.
  public var pollSeconds: UInt32

  /// Joins the parts.
  public init(session: UInt64, sent: UInt64, received: UInt64, pollSeconds: UInt32) {
    self.session = session
    self.sent = sent
    self.received = received
    self.pollSeconds = pollSeconds
  }

  /// Reads the fields; nil when one is missing or no number: then the answer is not the server's.
  public init?(_ field: (String) -> String?) {
    do throws(PollField.Fault) {
      guard let session: UInt64 = try PollField.session.read(field),
        let sent: UInt64 = try PollField.sent.read(field),
        let received: UInt64 = try PollField.received.read(field),
        let pollSeconds: UInt32 = try PollField.poll.read(field)
      else { return nil }
      self.init(session: session, sent: sent, received: received, pollSeconds: pollSeconds)
    } catch {
      return nil
    }
  }

  /// The lines of an answer's head that say this.
  public var lines: [String] {
    [
      "\(PollField.session.title): \(session)", "\(PollField.sent.title): \(sent)",
      "\(PollField.received.title): \(received)", "\(PollField.poll.title): \(pollSeconds)",
    ]
  }
}

/// The fields' names.
enum PollField {
  case session, sent, received, poll, cut

  struct Fault: Error {}

  var title: String {
    switch self {
    case .session: "BGB-Session"
    case .sent: "BGB-Sent"
    case .received: "BGB-Received"
    case .poll: "BGB-Poll"
    case .cut: "BGB-Cut"
    }
  }

  private var key: String {
    switch self {
    case .session: "bgb-session"
    case .sent: "bgb-sent"
    case .received: "bgb-received"
    case .poll: "bgb-poll"
    case .cut: "bgb-cut"
    }
  }

  /// Decimal digits only, no sign, no blanks, no leading zeros: one spelling for each number.
  func read<Number: FixedWidthInteger>(
    _ field: (String) -> String?
  ) throws(Fault) -> Number? {
    guard let text = field(key) else { return nil }
    guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }),
      text == "0" || !text.hasPrefix("0"), let number = Number(text)
    else { throw Fault() }
    return number
  }
}
