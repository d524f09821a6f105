// The time of a line in the spellings that the formats want, always UTC.

/// A moment, taken apart.
struct LogMoment: Equatable {
  var year: Int32
  var month: Int32
  var day: Int32
  var hour: Int32
  var minute: Int32
  var second: Int32
  var milliseconds: Int32

  /// Such as `2026-11-23T18:00:00.000Z`.
  var rfc3339: String { "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T\(clock)Z" }

  /// Such as `18:00:00.000`.
  var clock: String {
    "\(pad(hour, 2)):\(pad(minute, 2)):\(pad(second, 2)).\(pad(milliseconds, 3))"
  }

  /// Such as `11-23-2026`, as CMTrace writes it.
  var americanDate: String { "\(pad(month, 2))-\(pad(day, 2))-\(pad(year, 4))" }

  private func pad(_ value: Int32, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
