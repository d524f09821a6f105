// How long the polls of one session are held. The longer, the cheaper; but paths end connections
// that are silent for too long (proxies after a minute, address translators after four), and a poll
// that is cut says nothing until its agent notices. So the length is learned: agents tell after how
// many seconds a poll was cut, and two cuts without a poll held to its end between them are taken
// for a path's habit. One alone is not: a laptop that was closed looks the same.

import BGBModel

/// The length of a session's polls.
struct PollLength: Equatable {
  /// How long the next poll is held, in seconds.
  private(set) var seconds: UInt32
  private var cuts = 0
  private var shortestCut = UInt32.max

  /// Begins with what the settings say, or with less if the agent knows its path.
  init(configured: UInt32, asked: UInt32?) {
    let least = Limits.pollSecondsMinimum
    let most = max(least, min(configured, Limits.pollSecondsMaximum))
    seconds = min(most, max(least, asked ?? most))
  }

  /// A poll was held to its end and its agent went on: the path allows as much.
  mutating func wasHeld() {
    cuts = 0
    shortestCut = .max
  }

  /// A poll was cut after so many seconds, as its agent says.
  ///
  /// - Returns: whether the length changed.
  mutating func wasCut(after cutSeconds: UInt32) -> Bool {
    // Sooner than any poll is short: not the path's patience but something else.
    guard cutSeconds >= Limits.pollSecondsMinimum else { return false }
    cuts += 1
    shortestCut = min(shortestCut, cutSeconds)
    guard cuts >= 2 else { return false }
    let learned = UInt32(UInt64(min(shortestCut, seconds)) * 3 / 4)
    let before = seconds
    seconds = min(seconds, max(Limits.pollSecondsMinimum, learned))
    wasHeld()
    return seconds != before
  }
}
