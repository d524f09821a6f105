// Draining a server: what an operator asks for, and how far the server says it is. The question
// travels through the broker queue like everything that servers are told; the answer stands in the
// server's row.

import BGBModel

/// How the agents of a server shall be moved away.
public struct DrainOrder: Hashable, Sendable {
  /// Within so many seconds, evenly; without meaning when a rate is given.
  public var withinSeconds: UInt32
  /// So many agents a second, or 0 for as many as the time wants.
  public var ratePerSecond: UInt32
  /// Whether the process ends once it is empty.
  public var stops: Bool

  /// Joins the parts.
  public init(
    withinSeconds: UInt32, ratePerSecond: UInt32 = 0, stops: Bool = false
  ) {
    self.withinSeconds = withinSeconds
    self.ratePerSecond = ratePerSecond
    self.stops = stops
  }

  /// The words in a row of the queue.
  package var text: String { "\(withinSeconds) \(ratePerSecond) \(stops ? 1 : 0)" }

  /// Reads those words; nil when they are none.
  package init?(text: String) {
    let words = text.split(separator: " ").compactMap { UInt32($0) }
    guard words.count == 3, words[2] < 2 else { return nil }
    self.init(withinSeconds: words[0], ratePerSecond: words[1], stops: words[2] == 1)
  }
}

/// Where a server stands between serving and being empty.
public enum DrainState: UInt8, Sendable, CaseIterable {
  /// It takes agents.
  case serving = 0
  /// It was asked to drain and has not said anything yet.
  case asked = 1
  /// It moves its agents away.
  case draining = 2
  /// It is empty and takes nobody.
  case drained = 3

  /// The word shown to people.
  public var name: String { "\(self)" }
}

/// How far a server's drain is.
public struct ServerDrain: Hashable, Sendable {
  /// Where it stands.
  public var state: DrainState
  /// Agents at the beginning, and those that came since.
  public var total: Int
  /// Agents that are still there.
  public var left: Int

  /// Joins the parts; without them, of a server that serves.
  public init(_ state: DrainState = .serving, total: Int = 0, left: Int = 0) {
    self.state = state
    self.total = total
    self.left = left
  }
}
