// Times by their distribution, to three significant digits (HDR), in microseconds. It travels from
// a child process to its parent as pairs of value and count, and can be added up: percentiles of
// many processes are those of the sum, never a mean of percentiles.

import Histogram

/// A distribution of times in microseconds.
public struct LatencyHistogram: Sendable {
  private var histogram = LatencyHistogram.empty
  /// How many times were recorded.
  public private(set) var count: UInt64 = 0
  private var sum: Double = 0

  /// With room for a minute: a longer time makes it grow, which the library does one number after
  /// the other and again for each time that is the longest yet.
  private static let empty = {
    var histogram = Histogram<UInt64>(
      highestTrackableValue: 1 << 26, numberOfSignificantValueDigits: .three)
    histogram.autoResize = true
    return histogram
  }()

  /// Begins empty.
  public init() {}

  /// Records a time.
  public mutating func record(_ microseconds: UInt64, count: UInt64 = 1) {
    guard count > 0 else { return }
    histogram.record(microseconds, count: count)
    self.count += count
    sum += Double(microseconds) * Double(count)
  }

  /// Adds another distribution.
  public mutating func add(_ other: LatencyHistogram) {
    for value in other.histogram.recordedValues() { record(value.value, count: value.count) }
  }

  /// The time below or at which a share of all lies, in milliseconds; 0 when there is none.
  ///
  /// The percentile is from 0 to 100.
  public func milliseconds(at percentile: Double) -> Double {
    guard count > 0 else { return 0 }
    return Double(histogram.valueAtPercentile(percentile)) / 1_000
  }

  /// The longest time, in milliseconds.
  public var maxMilliseconds: Double { milliseconds(at: 100) }

  /// The mean, in milliseconds.
  public var meanMilliseconds: Double { count == 0 ? 0 : sum / Double(count) / 1_000 }

  /// As `value:count` pairs; empty for an empty one.
  public var text: String {
    histogram.recordedValues().map { "\($0.value):\($0.count)" }.joined(separator: ",")
  }

  /// Reads what `text` wrote; nil for anything else.
  public init?(text: some StringProtocol) {
    self.init()
    for pair in text.split(separator: ",") {
      let parts = pair.split(separator: ":")
      guard parts.count == 2, let value = UInt64(parts[0]), let count = UInt64(parts[1]) else {
        return nil
      }
      record(value, count: count)
    }
  }

  /// The points of the curve, from the middle towards the tail: percentile and milliseconds.
  public func curve() -> [(percentile: Double, milliseconds: Double)] {
    guard count > 0 else { return [] }
    var points: [(percentile: Double, milliseconds: Double)] = []
    var rest = 100.0
    // Each step halves what lies beyond, down to less than one of those that were recorded.
    while rest > 100 / Double(count) / 2, points.count < 200 {
      points.append((100 - rest, milliseconds(at: 100 - rest)))
      rest *= 0.84
    }
    points.append((100, maxMilliseconds))
    return points
  }
}
