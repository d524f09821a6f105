// Numbers, durations and ages as people read them.

/// Words for numbers.
enum NumberText {
  /// `47188` is `47,188`.
  static func grouped(_ number: some BinaryInteger) -> String {
    let digits = Array(String(number.magnitude))
    var result = number < 0 ? "-" : ""
    for (position, digit) in digits.enumerated() {
      if position > 0, (digits.count - position) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return result
  }

  /// Two units at most: `2m10s`, `1h30m`, `45s`, `0s`.
  static func duration(seconds: Int64) -> String {
    var rest = max(0, seconds)
    var pieces: [String] = []
    for (name, unit) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] as [(String, Int64)] {
      if rest >= unit, pieces.count < 2 { pieces.append("\(rest / unit)\(name)") }
      rest %= unit
    }
    return pieces.isEmpty ? "0s" : pieces.joined()
  }

  /// Seconds of `1h30m`, `90s`, `1d`: each unit once and the greater first; nil otherwise.
  static func seconds(of text: String) -> Int64? {
    var units: [(Character, Int64)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]
    var total: Int64 = 0
    var digits = ""
    for character in text {
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      guard let number = Int64(digits), let index = units.firstIndex(where: { $0.0 == character })
      else { return nil }
      let (product, overflow) = number.multipliedReportingOverflow(by: units[index].1)
      let (sum, overflowToo) = total.addingReportingOverflow(product)
      guard !overflow, !overflowToo else { return nil }
      total = sum
      units.removeFirst(index + 1)
      digits = ""
    }
    if text == "0" { return 0 }
    return digits.isEmpty && !text.isEmpty ? total : nil
  }

  /// The whole percentage of a part, never 100 before the last one.
  static func percent(_ part: Int64, of whole: Int64) -> Int64 {
    guard whole > 0 else { return 100 }
    let share = Double(part) / Double(whole) * 100
    return part >= whole ? 100 : min(99, Int64(share))
  }
}
