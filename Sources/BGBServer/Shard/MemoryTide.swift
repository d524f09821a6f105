// When a shard gives memory back. A flood of handshakes, outcomes or report lines leaves behind as
// much as was in use at its height, in an allocator that would keep it for the next one. To give it
// back costs milliseconds, so it is done behind a flood and not within, and only for one that was
// worth it. Pure: it counts, and is asked.

/// The rise and fall of what a shard works on.
struct MemoryTide: Equatable {
  /// So many handshakes, outcomes and report lines leave memory behind that is worth giving back:
  /// they took a hundred times longer than that does.
  static let worth: UInt64 = 1_000
  /// Between two looks whether a flood is over.
  static let lookMilliseconds: UInt64 = 250
  /// What may still come between two looks when it is over.
  static let trickle: UInt64 = 8

  private var atTrim: UInt64 = 0
  private var atLook: UInt64 = 0

  /// Whether so much work in all has left memory behind that should be looked at.
  func isWorthALook(_ load: UInt64) -> Bool { load &- atTrim >= MemoryTide.worth }

  /// A look, some time after the one before; true when memory shall be given back now.
  ///
  /// `isIdle` is whether nothing is under way. Whoever is never without some visitors counts as
  /// calm once they are few beside those before them.
  mutating func look(_ load: UInt64, isIdle: Bool) -> Bool {
    let since = load &- atTrim
    let lately = load &- atLook
    atLook = load
    guard since >= MemoryTide.worth, isIdle, lately <= max(MemoryTide.trickle, since / 256) else {
      return false
    }
    atTrim = load
    return true
  }
}
