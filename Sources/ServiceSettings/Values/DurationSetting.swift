// A length of time with its unit written out, so that no file holds a bare 900 that might be
// seconds.

/// A length of time such as `15m`, `1h30m`, `500ms` or `0`.
public struct DurationSetting: SettingValue, Hashable, Comparable, CustomStringConvertible {
  /// The length in milliseconds.
  public let milliseconds: Int64

  /// Wraps milliseconds; negative ones count as none.
  public init(milliseconds: Int64) { self.milliseconds = max(0, milliseconds) }

  /// The length in whole seconds, rounded down.
  public var seconds: Int64 { milliseconds / 1000 }

  /// What a file should say.
  public static var expected: String { "a duration such as 15m, 1h30m or 500ms" }

  private static let units: [(name: String, milliseconds: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
  ]

  /// Reads the spelling: numbers with units d, h, m, s, ms, each unit once and the greater first.
  public init?(setting text: String, folder: String = "") {
    if text == "0" {
      milliseconds = 0
      return
    }
    var total: Int64 = 0
    var rest = Array(text.utf8)[...]
    var unitsLeft = DurationSetting.units[...]
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
      let letters = rest.dropFirst(digits.count).prefix { $0 >= UInt8(ascii: "a") }
      let name = String(decoding: letters, as: UTF8.self)
      guard let number = Int64(String(decoding: digits, as: UTF8.self)),
        let position = unitsLeft.firstIndex(where: { $0.name == name })
      else { return nil }
      let (product, overflow) = number.multipliedReportingOverflow(
        by: unitsLeft[position].milliseconds)
      let (sum, overflowToo) = total.addingReportingOverflow(product)
      guard !overflow, !overflowToo else { return nil }
      total = sum
      unitsLeft = unitsLeft[(position + 1)...]
      rest = rest.dropFirst(digits.count + letters.count)
    }
    milliseconds = total
  }

  /// The shortest spelling that `init(setting:)` reads.
  public var description: String {
    guard milliseconds > 0 else { return "0" }
    var rest = milliseconds
    var text = ""
    for (name, unit) in DurationSetting.units where rest >= unit {
      text += "\(rest / unit)\(name)"
      rest %= unit
    }
    return text
  }

  /// Orders by length.
  public static func < (left: DurationSetting, right: DurationSetting) -> Bool {
    left.milliseconds < right.milliseconds
  }
}
