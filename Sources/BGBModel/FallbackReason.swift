// Why a client is connected over HTTPS and not over TCP: the agent tells it when it signs in, and
// it stays beside the client's presence up to the operator.

/// Why a client does not use the notification port.
public enum FallbackReason: UInt8, Sendable, CaseIterable {
  /// It does, or gave no reason.
  case none = 0
  /// Nothing answered the connection attempt in time.
  case timedOut = 1
  /// The host refused the connection.
  case refused = 2
  /// The host or its network cannot be reached.
  case unreachable = 3
  /// The connection broke during TLS or sign-in.
  case reset = 4
  /// TLS failed.
  case tlsFailed = 5
  /// Something answered that is not a notification server of this site.
  case notOurServer = 6
  /// The host's name has no address.
  case unresolved = 7
  /// Connections were made, but broke again and again.
  case unstable = 8
  /// The agent's settings say HTTPS only.
  case configured = 9

  /// The word shown to people, such as `timed-out`.
  public var name: String { FallbackReason.names[Int(rawValue)] }

  /// Finds a reason by its word.
  public init?(named text: some StringProtocol) {
    guard let index = FallbackReason.names.firstIndex(where: { $0 == text }) else { return nil }
    self = FallbackReason.allCases[index]
  }

  /// Finds a reason by the bytes of its word.
  public init?(named text: borrowing Span<UInt8>) {
    guard let index = WordList.index(of: text, in: FallbackReason.names) else { return nil }
    self = FallbackReason.allCases[index]
  }

  /// The words, made once: asking the runtime for a case's name costs as much as a whole frame.
  private static let names = allCases.map { reason in
    "\(reason)".reduce(into: "") { word, letter in
      word += letter.isUppercase ? "-\(letter.lowercased())" : "\(letter)"
    }
  }
}
