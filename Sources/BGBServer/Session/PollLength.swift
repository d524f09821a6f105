// How long the polls of one session are held. The longer, the cheaper; but paths end connections
// that are silent for too long (proxies after a minute, address translators after four), and a poll
// that is cut says nothing until its agent notices. So the length is learned: agents tell after how
// many seconds a poll was cut, and two cuts after about the same time, without a poll held to its
// end between them, are taken for a path's habit. Anything else is not: a laptop that was closed, a
// proxy that was restarted. What was learned is tried again: twenty polls in a row that were held
// to their end make the next ones a quarter longer.

import BGBModel

/// The length of a session's polls.
struct PollLength: Equatable {
  /// Polls held to their end in a row, after which a longer one is tried.
  static let heldBeforeLonger = 20

  /// How long the next poll is held, in seconds.
  private(set) var seconds: UInt32
  private let most: UInt32
  private var lastCut: UInt32?
  private var held = 0

  /// Begins with what the settings say, or with less if the agent knows its path.
  init(configured: UInt32, asked: UInt32?) {
    let least = Limits.pollSecondsMinimum
    most = max(least, min(configured, Limits.pollSecondsMaximum))
    seconds = min(most, max(least, asked ?? most))
  }

  /// A poll was held to its end and its agent went on: the path allows as much.
  mutating func wasHeld() {
    lastCut = nil
    guard seconds < most else { return }
    held += 1
    guard held >= PollLength.heldBeforeLonger else { return }
    held = 0
    seconds = min(most, seconds + max(1, seconds / 4))
  }

  /// A poll was cut after so many seconds, as its agent says.
  ///
  /// - Returns: whether the length changed.
  mutating func wasCut(after cutSeconds: UInt32) -> Bool {
    // Sooner than any poll is short: not the path's patience but something else.
    guard cutSeconds >= Limits.pollSecondsMinimum else { return false }
    held = 0
    let (shorter, longer) = (
      UInt64(min(lastCut ?? .max, cutSeconds)), UInt64(max(lastCut ?? .max, cutSeconds))
    )
    guard longer * 2 <= shorter * 3 else {
      lastCut = cutSeconds
      return false
    }
    lastCut = nil
    let learned = UInt32(min(shorter, UInt64(seconds)) * 3 / 4)
    let before = seconds
    seconds = min(seconds, max(Limits.pollSecondsMinimum, learned))
    return seconds != before
  }
}
