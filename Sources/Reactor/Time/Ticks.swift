// A point on the monotonic clock, in whole milliseconds.
//
// A type of its own, so that no wall-clock number and no duration can be passed for a deadline.
// Arithmetic saturates: a deadline computed from a number that a peer sent can be far, but can
// never wrap into the past.

/// A moment of monotonic time, in milliseconds since an arbitrary beginning.
@frozen
public struct Ticks: Comparable, Hashable, Sendable, CustomStringConvertible {
  /// Milliseconds since the beginning of this clock.
  public let milliseconds: UInt64

  /// Makes a moment of its milliseconds.
  @inlinable
  public init(milliseconds: UInt64) { self.milliseconds = milliseconds }

  /// The beginning of the clock.
  public static let zero = Ticks(milliseconds: 0)
  /// A moment that never comes.
  public static let never = Ticks(milliseconds: .max)

  /// The moment so many milliseconds later; at most ``never``.
  @inlinable
  public static func + (moment: Ticks, milliseconds: UInt64) -> Ticks {
    let (sum, overflow) = moment.milliseconds.addingReportingOverflow(milliseconds)
    return Ticks(milliseconds: overflow ? .max : sum)
  }

  /// The moment so many milliseconds earlier; at least ``zero``.
  @inlinable
  public static func - (moment: Ticks, milliseconds: UInt64) -> Ticks {
    let (difference, overflow) = moment.milliseconds.subtractingReportingOverflow(milliseconds)
    return Ticks(milliseconds: overflow ? 0 : difference)
  }

  /// How many milliseconds lie between an earlier moment and this one; 0 if it is not earlier.
  @inlinable
  public func since(_ earlier: Ticks) -> UInt64 {
    milliseconds > earlier.milliseconds ? milliseconds &- earlier.milliseconds : 0
  }

  /// Orders moments by time.
  @inlinable
  public static func < (left: Ticks, right: Ticks) -> Bool {
    left.milliseconds < right.milliseconds
  }

  /// The milliseconds with their unit.
  public var description: String { "\(milliseconds) ms" }
}
