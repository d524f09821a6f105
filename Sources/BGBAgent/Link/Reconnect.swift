// How long an agent waits before it connects again: full jitter (each wait is a random part of a
// bound that doubles), the server's advice where it gave one, and the crash window that was agreed
// while the connection still stood, so that ten thousand agents never come back in one second.
// Pure: the time is not asked for, only lengths are computed, and the randomness is given.

public import BGBWire

/// How a connection, or the attempt at one, ended.
public enum LinkLoss: Equatable, Sendable {
  /// It was never signed in: refused by the network, by TLS, or silent until the deadline.
  case attemptFailed
  /// Signed in, then gone without a word: a crash, a reset, a dead path.
  case crashed
  /// Signed in, then an orderly end without advice.
  case orderly
  /// The server said no, with a code and the shortest wait.
  case refused(CloseCode?, retryAfterMilliseconds: UInt32)
  /// The server said when to come again.
  case advised(afterMilliseconds: UInt32)
}

/// The back-off of one link.
public struct Reconnect: Sendable {
  /// The bound of the first wait after a failed attempt.
  public static let baseMilliseconds: UInt64 = 1_000
  /// The bound that doubling ends at: five minutes.
  public static let capMilliseconds: UInt64 = 300_000
  /// What is added at random to every advised wait: a server that advises everybody the same must
  /// not meet them all in the same millisecond.
  public static let adviceJitterMilliseconds: UInt64 = 1_000
  /// A session this long proves the server well; a shorter one leaves the back-off as it was.
  public static let provenMilliseconds: UInt64 = 60_000

  /// Failed attempts and short sessions since the last proven one.
  public private(set) var failures: UInt32 = 0
  /// The window agreed for a crash, in milliseconds; 0 before the first Welcome.
  public private(set) var crashWindowMilliseconds: UInt64 = 0
  private var keepAliveMilliseconds: UInt64 = 0

  /// Begins without failures.
  public init() {}

  /// Notes what the server agreed with us for the case that it vanishes.
  public mutating func welcomed(crashWindowSeconds: UInt32, keepAliveSeconds: UInt32) {
    crashWindowMilliseconds = UInt64(crashWindowSeconds) * 1_000
    keepAliveMilliseconds = UInt64(keepAliveSeconds) * 1_000
  }

  /// Notes that the server took us in on a second connection beside one that stood: it is well, and
  /// what was lost before was the path's doing.
  public mutating func proven() { failures = 0 }

  /// The wait after a loss, in milliseconds.
  ///
  /// - Parameters:
  ///   - loss: how it ended.
  ///   - lasted: how long the session was signed in, in milliseconds.
  ///   - endpoints: how many servers there are to try: the back-off grows after each was tried.
  ///   - random: the source of jitter.
  public mutating func wait(
    after loss: LinkLoss, lasted: UInt64, endpoints: Int, using random: inout JitterRandom
  ) -> UInt64 {
    if lasted >= Reconnect.provenMilliseconds { failures = 0 }
    switch loss {
    case .attemptFailed:
      failures = failures &+ 1
      return part(of: bound(endpoints: endpoints), using: &random)
    case .crashed:
      // The first loss after a proven session spreads over the agreed window. A server that crashes
      // again and again is treated like one that cannot be reached.
      let first = failures == 0
      failures = failures &+ 1
      let window = max(crashWindowMilliseconds, Reconnect.baseMilliseconds)
      return part(of: first ? window : max(window, bound(endpoints: endpoints)), using: &random)
    case .orderly:
      failures = failures &+ 1
      return part(of: max(bound(endpoints: endpoints), crashWindowMilliseconds), using: &random)
    case .refused(let code, let retryAfter):
      failures = failures &+ 1
      return refusalWait(code, UInt64(retryAfter), endpoints: endpoints, using: &random)
    case .advised(let after):
      failures = failures &+ 1
      return UInt64(after) + part(of: Reconnect.adviceJitterMilliseconds, using: &random)
    }
  }

  private func refusalWait(
    _ code: CloseCode?, _ retryAfter: UInt64, endpoints: Int, using random: inout JitterRandom
  ) -> UInt64 {
    switch code?.reconnect ?? .slowly {
    case .slowly:
      return retryAfter + part(of: Reconnect.capMilliseconds, using: &random)
    case .afterAdvice:
      if retryAfter == 0 { return part(of: bound(endpoints: endpoints), using: &random) }
      return retryAfter + part(of: Reconnect.adviceJitterMilliseconds, using: &random)
    case .never:
      let quiet = max(keepAliveMilliseconds, retryAfter, Reconnect.baseMilliseconds)
      return quiet + part(of: quiet / 2, using: &random)
    }
  }

  /// The bound of the next wait: base, doubled for each full round of failures, up to the cap.
  private func bound(endpoints: Int) -> UInt64 {
    let rounds = max(0, (Int(failures) - 1) / max(1, endpoints))
    guard rounds < 20 else { return Reconnect.capMilliseconds }
    return min(Reconnect.capMilliseconds, Reconnect.baseMilliseconds << UInt64(rounds))
  }

  private func part(of bound: UInt64, using random: inout JitterRandom) -> UInt64 {
    UInt64.random(in: 0...bound, using: &random)
  }
}
