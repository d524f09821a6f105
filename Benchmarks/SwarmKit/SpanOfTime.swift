// A length of time as a person writes it: `90`, `90s`, `15m`, `1h30m`.

/// A length of time in whole seconds.
public struct SpanOfTime: Equatable, Sendable {
  /// The seconds.
  public var seconds: UInt64

  /// Takes seconds.
  public init(seconds: UInt64) { self.seconds = seconds }

  /// Reads a number of seconds, or numbers with `h`, `m` and `s` behind them; nil for anything else.
  public init?(_ text: String) {
    if let whole = UInt64(text) {
      seconds = whole
      return
    }
    var total: UInt64 = 0
    var digits = ""
    for character in text {
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      let units: [Character: UInt64] = ["h": 3_600, "m": 60, "s": 1]
      guard let unit = units[character], let number = UInt64(digits), number < 1_000_000 else {
        return nil
      }
      total += number * unit
      digits = ""
    }
    guard digits.isEmpty, !text.isEmpty else { return nil }
    seconds = total
  }
}
