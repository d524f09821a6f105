// When a shard lets its connections' news come together. Agents that have nothing to do tell a few
// times a second that they live, and a process that wakes for each of them spends more on waking,
// with everything gone cold, than on answering. So while nothing else has happened for some
// seconds, a shard serves them twice a second. Whatever is not a keep-alive ends that: a task, a
// newcomer, an outcome, a request. Pure: it counts, and is asked.

import Reactor

/// The calm in which keep-alives may wait for company.
struct Lull: Equatable {
  /// So long after the last thing that was no keep-alive it is calm.
  static let afterMilliseconds: UInt64 = 5_000
  /// What a keep-alive's answer, or a timer, may be late in calm.
  static let pauseMilliseconds: Int32 = 500
  /// What is counted at a time.
  static let windowMilliseconds: UInt64 = 1_000
  /// With fewer events in a window a pause would wake more often than they do.
  static let eventsMin = 4
  /// With more of them they come in company by themselves, or somebody waits for answers.
  ///
  /// What a crash brought back within a minute tells together ever after, some hundreds a second.
  static let eventsMax = 1_000

  private var stirred = Ticks.zero
  private var window = Ticks.zero
  private var events = 0
  private var eventsBefore = 0

  /// Something came that is no keep-alive.
  mutating func stir(at now: Ticks) { stirred = now }

  /// Notes what a wait found.
  mutating func note(events found: Int, at now: Ticks) {
    let age = now.since(window)
    if age >= Lull.windowMilliseconds {
      eventsBefore = age < 2 * Lull.windowMilliseconds ? events : 0
      (window, events) = (now, 0)
    }
    events += found
  }

  /// How long the next wait may let news come together; 0 when it is not calm.
  func pauseMilliseconds(at now: Ticks) -> Int32 {
    guard now.since(stirred) >= Lull.afterMilliseconds, events <= Lull.eventsMax,
      eventsBefore >= Lull.eventsMin, eventsBefore <= Lull.eventsMax
    else { return 0 }
    return Lull.pauseMilliseconds
  }
}
