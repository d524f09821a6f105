// How much of one turn may go into handshakes. A full mutual handshake costs the loop's thread
// about two milliseconds, so a thousand clients that come back together would otherwise hold up a
// push by two seconds. A count of handshakes would be the wrong measure (a resumed one costs half,
// a refused one almost nothing), hence time. The clock is the owner's: this is arithmetic only.

/// The time that one turn may still spend in handshakes.
public struct HandshakeBudget: Equatable, Sendable {
  /// What one turn may spend, in nanoseconds.
  public let nanosecondsPerTurn: UInt64

  /// What this turn has spent so far, in nanoseconds.
  public private(set) var spentNanoseconds: UInt64 = 0

  private var startedAt: UInt64?

  /// Makes a budget of `nanosecondsPerTurn`; zero still lets one step of a handshake through per
  /// turn.
  public init(nanosecondsPerTurn: UInt64) {
    self.nanosecondsPerTurn = nanosecondsPerTurn
  }

  /// Whether another step of a handshake may begin in this turn.
  ///
  /// The first step of a turn may always begin, or else a budget smaller than one step would never
  /// let anybody in.
  public var mayContinue: Bool {
    spentNanoseconds == 0 || spentNanoseconds < nanosecondsPerTurn
  }

  /// Begins a turn: nothing is spent yet.
  public mutating func beginTurn() {
    spentNanoseconds = 0
    startedAt = nil
  }

  /// Notes that a step of a handshake begins at `now`, in nanoseconds of any monotonic clock.
  public mutating func start(now: UInt64) {
    startedAt = now
  }

  /// Notes that the step ended at `now` and adds what it took; a clock that went backwards adds 1
  /// ns.
  public mutating func stop(now: UInt64) {
    guard let begun = startedAt else { return }
    startedAt = nil
    let took = now > begun ? now - begun : 1
    let (sum, overflow) = spentNanoseconds.addingReportingOverflow(took)
    spentNanoseconds = overflow ? .max : sum
  }
}
