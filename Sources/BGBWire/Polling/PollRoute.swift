// The long poll's words: routes and the type of its bodies. docs/PROTOCOL.md, section 10.

/// The routes of the HTTPS listener.
public enum PollRoute: String, Sendable, CaseIterable {
  /// Begins a session: the body is the agent's SignIn.
  case login = "/bgb/login"
  /// Goes on with a session: brings frames, fetches frames, waits for them.
  case goOn = "/bgb/continue"
  /// Ends a session.
  case goodbye = "/bgb/goodbye"
  /// What agents fetch: their policy.
  case policy = "/bgb/policy"
  /// What the server knows of whoever asks; can be held, to try how long a path lets it.
  case view = "/bgb/self"

  /// The method that the route takes.
  public var method: String {
    switch self {
    case .login, .goOn, .goodbye: "POST"
    case .policy, .view: "GET"
    }
  }

  /// The type of bodies that are frames; an answer of another type is not the server's.
  public static let contentType = "application/vnd.bgb.frames"
}
