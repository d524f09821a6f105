// The time of day as a parameter, so that deadlines can be tested without waiting.

public import BGBModel
import Reactor

/// Tells the time of day to whoever is given it.
public struct SiteClock: Sendable {
  /// The present moment.
  public let now: @Sendable () -> WallTime

  /// Tells what the closure tells.
  public init(_ now: @escaping @Sendable () -> WallTime) { self.now = now }

  /// The machine's clock.
  public static let system = SiteClock { WallTime(milliseconds: WallClock.nowMilliseconds()) }
}
