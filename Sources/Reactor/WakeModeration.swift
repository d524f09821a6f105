// When events come one by one and fast, a loop that wakes for each spends more on waking than on
// working: each sleep and wake is two switches between processes. Network cards know the same and
// hold their interrupts back for a moment ("interrupt moderation"). So does a loop here: while it
// was woken often within a millisecond, it lets the next events gather for one before it asks for
// them. Whoever is alone pays nothing.

/// Decides whether a loop lets events gather before its next wait.
///
/// A value; it reads no clock.
struct WakeModeration: Equatable {
  /// So many waits within one millisecond are too many.
  static let waitsMax = 3
  /// A gathering that brought fewer was not worth it, and is the last one.
  static let eventsMin = 3
  /// How long events may gather, in microseconds.
  static let microseconds: UInt32 = 1_000

  private var tick = Ticks(milliseconds: 0)
  private var waits = 0
  /// Whether the next wait is to be preceded by a pause.
  private(set) var gathers = false

  /// Notes what a wait found; `slept` is whether it was allowed to sleep.
  mutating func note(events: Int, slept: Bool, at now: Ticks) {
    if now != tick { (tick, waits) = (now, 0) }
    // A loop with work in hand does not sleep, so nothing is won by making it.
    guard slept else {
      gathers = false
      return
    }
    waits += 1
    gathers = gathers ? events >= WakeModeration.eventsMin : waits >= WakeModeration.waitsMax
  }
}
