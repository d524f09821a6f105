// The server's time as the agent knows it: the last time a server told, carried on by the monotonic
// clock. Task deadlines are judged by it and never by the agent's own wall clock, which may stand
// in 1970.
//
// Samples arrive late by the network's delay and so are never ahead of the truth: the greatest
// estimate is the best one. A new session may set the clock back (a server's own clock was wrong
// and was put right), but never before the latest `notBefore` of a task that the site itself
// signed: a broken server that lies about the time cannot bring an old task back beyond that.

public import BGBModel
public import Reactor

/// The server's wall clock, estimated between its messages.
public struct ServerClock: Sendable {
  private var known: (at: Ticks, time: WallTime)?
  private var floor: WallTime

  /// Begins without a server's time; `floor` is the latest signed moment that the journal
  /// remembers.
  public init(floor: WallTime = WallTime(milliseconds: .min)) { self.floor = floor }

  /// Whether any server told its time since this agent started.
  public var isSet: Bool { known != nil }

  /// When the time was last told.
  public var readAt: Ticks? { known?.at }

  /// The server's time now, or nil before any server told it.
  public func time(at now: Ticks) -> WallTime? {
    guard let known else { return nil }
    let passed = Int64(clamping: now.since(known.at))
    return max(known.time.adding(milliseconds: passed), floor)
  }

  /// Takes the time of a Welcome, which begins anew.
  public mutating func begin(with time: WallTime, at now: Ticks) { known = (now, time) }

  /// Takes the time of a later message of the same session; an earlier one than estimated is late
  /// news.
  public mutating func take(_ time: WallTime, at now: Ticks) {
    if let estimate = self.time(at: now), time <= estimate { return }
    known = (now, time)
  }

  /// Takes a moment that the site signed as past.
  public mutating func takeSigned(_ notBefore: WallTime) { floor = max(floor, notBefore) }

  /// How long it is until a moment of the server's time, in milliseconds; 0 when it is past.
  public func milliseconds(until moment: WallTime, at now: Ticks) -> UInt64 {
    guard let time = time(at: now) else { return 0 }
    return UInt64(max(0, moment.since(time)))
  }
}
