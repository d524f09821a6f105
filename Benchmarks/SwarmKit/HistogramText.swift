// A distribution for a terminal: one line a percentile, with a bar.

/// The text form of a distribution.
public enum HistogramText {
  /// The percentiles that are shown.
  public static let percentiles: [Double] = [0, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100]

  /// Lines with a title, each percentile with its time and a bar as long as its share of the longest.
  public static func draw(_ histogram: LatencyHistogram, title: String, columns: Int = 40) -> String
  {
    guard histogram.count > 0 else { return "\(title): nothing was recorded\n" }
    var text =
      "\(title): \(histogram.count) recorded, mean \(NumberForm.short(histogram.meanMilliseconds)) ms\n"
    let longest = max(histogram.maxMilliseconds, 0.001)
    for percentile in percentiles {
      let time = histogram.milliseconds(at: percentile)
      let bar = Int((time / longest * Double(columns)).rounded())
      text += "  p" + NumberForm.padded(NumberForm.short(percentile), 6)
      text += NumberForm.padded(NumberForm.short(time), 10, atEnd: false) + " ms  "
      text += String(repeating: "#", count: max(0, bar)) + "\n"
    }
    return text
  }
}

/// Numbers for people, without a library for it.
public enum NumberForm {
  /// At most three digits behind the point, none that say nothing.
  public static func short(_ number: Double) -> String {
    guard number.isFinite else { return "-" }
    let isNegative = number < 0
    let places: Int64 =
      abs(number) >= 1_000 ? 1 : abs(number) >= 100 ? 10 : abs(number) >= 10 ? 100 : 1_000
    guard abs(number) < 1e15 else { return "\(number)" }
    let scaled = Int64((abs(number) * Double(places)).rounded())
    let (whole, part) = (scaled / places, scaled % places)
    let sign = isNegative && scaled != 0 ? "-" : ""
    guard part > 0 else { return "\(sign)\(whole)" }
    var digits = String(part)
    let width = String(places).count - 1
    digits = String(repeating: "0", count: width - digits.count) + digits
    while digits.hasSuffix("0") { digits.removeLast() }
    return "\(sign)\(whole).\(digits)"
  }

  /// Filled with blanks, behind or before.
  public static func padded(_ text: String, _ width: Int, atEnd: Bool = true) -> String {
    let blanks = String(repeating: " ", count: max(0, width - text.count))
    return atEnd ? text + blanks : blanks + text
  }
}
