// Calendar time, for people, certificates and deadlines that cross machines. Nothing measures a
// duration with it: that is what the monotonic `Ticks` of the Reactor are for.

/// A moment in milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
public struct WallTime: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Milliseconds since 1970.
  public let milliseconds: Int64

  /// Wraps milliseconds since 1970.
  public init(milliseconds: Int64) { self.milliseconds = milliseconds }

  /// Adds milliseconds; saturates instead of trapping, for the addend may come from a peer.
  public func adding(milliseconds addend: Int64) -> WallTime {
    let (sum, overflow) = milliseconds.addingReportingOverflow(addend)
    return WallTime(milliseconds: overflow ? (addend > 0 ? .max : .min) : sum)
  }

  /// Milliseconds from an earlier moment to this one; negative when it is later, saturated.
  public func since(_ earlier: WallTime) -> Int64 {
    let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
    return overflow ? (milliseconds > earlier.milliseconds ? .max : .min) : difference
  }

  /// Orders by time.
  public static func < (left: WallTime, right: WallTime) -> Bool {
    left.milliseconds < right.milliseconds
  }

  /// RFC 3339 in UTC with milliseconds, such as `2026-11-23T18:00:00.000Z`.
  ///
  /// Moments outside the years 0 to 9999 are shown clamped to them.
  public var description: String {
    var text: [UInt8] = []
    text.reserveCapacity(24)
    appendText(to: &text)
    return String(decoding: text, as: UTF8.self)
  }

  /// Appends the bytes of ``description``, for lines that are written by the hundred thousand.
  public func appendText(to text: inout [UInt8]) {
    let clamped = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
    let (day, rest) = WallTime.floorDivide(clamped, 86_400_000)
    let (year, month, dayOfMonth) = WallTime.civil(fromDays: day)
    let seconds = rest / 1000
    WallTime.append(year, digits: 4, before: "-", to: &text)
    WallTime.append(month, digits: 2, before: "-", to: &text)
    WallTime.append(dayOfMonth, digits: 2, before: "T", to: &text)
    WallTime.append(seconds / 3600, digits: 2, before: ":", to: &text)
    WallTime.append(seconds / 60 % 60, digits: 2, before: ":", to: &text)
    WallTime.append(seconds % 60, digits: 2, before: ".", to: &text)
    WallTime.append(rest % 1000, digits: 3, before: "Z", to: &text)
  }

  private static func append(
    _ value: Int64, digits: Int, before separator: Unicode.Scalar, to text: inout [UInt8]
  ) {
    var divisor: Int64 = digits == 4 ? 1000 : digits == 3 ? 100 : 10
    while divisor > 0 {
      text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
      divisor /= 10
    }
    text.append(UInt8(ascii: separator))
  }

  /// Reads what `description` writes, and the same without fraction; nil for anything else.
  public init?(rfc3339 text: some StringProtocol) {
    self.init(rfc3339: Array(text.utf8).span)
  }

  /// Reads the same from the bytes of a text.
  public init?(rfc3339 bytes: borrowing Span<UInt8>) {
    guard bytes.count == 20 || bytes.count == 24, bytes[bytes.count - 1] == UInt8(ascii: "Z") else {
      return nil
    }
    func number(_ range: Range<Int>) -> Int64? {
      var value: Int64 = 0
      for index in range {
        let byte = bytes[index]
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        value = value * 10 + Int64(byte - UInt8(ascii: "0"))
      }
      return value
    }
    guard bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
      bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
      bytes[16] == UInt8(ascii: ":")
    else { return nil }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
      let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
      (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 60
    else { return nil }
    var fraction: Int64 = 0
    if bytes.count == 24 {
      guard bytes[19] == UInt8(ascii: "."), let value = number(20..<23) else { return nil }
      fraction = value
    }
    let days = WallTime.days(year: year, month: month, day: day)
    guard WallTime.civil(fromDays: days) == (year, month, day) else { return nil }
    milliseconds = ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + fraction
  }

  private static func floorDivide(_ value: Int64, _ divisor: Int64) -> (Int64, Int64) {
    let quotient = value / divisor
    let remainder = value % divisor
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  /// Days since 1970 of a civil date (Howard Hinnant, "chrono-Compatible Low-Level Date
  /// Algorithms").
  private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let (era, yearOfEra) = floorDivide(shifted, 400)
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  /// The civil date of days since 1970 (the same article).
  private static func civil(fromDays days: Int64) -> (Int64, Int64, Int64) {
    let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
    let correction = dayOfEra / 1460 - dayOfEra / 36_524 + dayOfEra / 146_096
    let yearOfEra = (dayOfEra - correction) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shifted + 2) / 5 + 1
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }
}
