// How one field stands in a line: fields are separated by tabs, and whatever could end a field, a
// line or a terminal's good manners is percent-escaped byte by byte. A value has one spelling, so
// that one report has one sequence of bytes and a signature means one thing.

import BGBModel

/// The escaping of text fields.
enum ReportText {
  /// The escaped form of a text; an empty text is `-`, a text that is `-` is `%2D`.
  static func escape(_ text: String, alsoComma: Bool = false) -> String {
    if text.isEmpty { return "-" }
    if text == "-" { return "%2D" }
    if !text.utf8.contains(where: { needsLook($0, alsoComma) }) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      let isPlain =
        scalar != "%" && !(alsoComma && scalar == ",") && String(scalar).isPrintable
      if isPlain {
        result.unicodeScalars.append(scalar)
      } else {
        for byte in String(scalar).utf8 { result += "%" + hexadecimal(byte) }
      }
    }
    return result
  }

  /// Whether a byte may begin something to escape: all beyond ASCII, and the special ones within.
  private static func needsLook(_ byte: UInt8, _ alsoComma: Bool) -> Bool {
    byte >= 0x7F || byte < 0x20 || byte == UInt8(ascii: "%")
      || (alsoComma && byte == UInt8(ascii: ","))
  }

  /// The text of an escaped form; nil for anything that `escape` would not write.
  static func unescape(
    _ field: Span<UInt8>, limit: Int, alsoComma: Bool = false
  ) -> String? {
    if field.count == 1, field[0] == UInt8(ascii: "-") { return "" }
    for index in field.indices where needsLook(field[index], alsoComma) {
      return unescapeByByte(field, limit: limit, alsoComma: alsoComma)
    }
    return field.isEmpty || field.count > limit ? nil : text(field)
  }

  /// The same for a field that may hold something escaped.
  private static func unescapeByByte(
    _ field: Span<UInt8>, limit: Int, alsoComma: Bool
  ) -> String? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(field.count)
    var next = 0
    while next < field.count {
      guard field[next] == UInt8(ascii: "%") else {
        bytes.append(field[next])
        next += 1
        continue
      }
      guard field.count - next > 2, let high = value(field[next + 1]),
        let low = value(field[next + 2])
      else { return nil }
      bytes.append(high << 4 | low)
      next += 3
    }
    guard bytes.count <= limit, !bytes.contains(0),
      let text = String(validating: bytes, as: UTF8.self)
    else { return nil }
    // One spelling: what would be written in another way was not written by us.
    let again = escape(text, alsoComma: alsoComma).utf8
    guard again.count == field.count else { return nil }
    for (place, byte) in again.enumerated() where byte != field[place] { return nil }
    return text
  }

  /// Bytes as a text; nil when they are not UTF-8.
  static func text(_ bytes: Span<UInt8>) -> String? {
    do { return String(copying: try UTF8Span(validating: bytes)) } catch { return nil }
  }

  /// A decimal number as `description` writes it; nil for anything else.
  static func number<Value: FixedWidthInteger>(_ field: Span<UInt8>, _: Value.Type) -> Value? {
    let isNegative = Value.isSigned && !field.isEmpty && field[0] == UInt8(ascii: "-")
    let start = isNegative ? 1 : 0
    guard start < field.count else { return nil }
    // One spelling: a zero begins nothing but itself, and has no sign.
    if field[start] == UInt8(ascii: "0"), field.count > 1 { return nil }
    var value: Value = 0
    for index in start..<field.count {
      let digit = field[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      // The least number has no positive twin, so that a negative one grows downwards.
      let step = Value(truncatingIfNeeded: digit)
      let (sum, overflowsToo) =
        isNegative
        ? product.subtractingReportingOverflow(step) : product.addingReportingOverflow(step)
      guard !overflow, !overflowsToo else { return nil }
      value = sum
    }
    return value
  }

  /// A moment with milliseconds, as reports write it.
  static func moment(_ field: Span<UInt8>) -> WallTime? {
    field.count == 24 ? WallTime(rfc3339: field) : nil
  }

  private static func hexadecimal(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return byte < 16 ? "0" + digits : digits
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}

/// The fields of a line between separators, one after the other, without an array of them.
struct LineFields: ~Escapable {
  private let line: Span<UInt8>
  private let separator: UInt8
  private var start = 0

  /// Begins before the first field.
  @_lifetime(copy line)
  init(_ line: Span<UInt8>, separator: Unicode.Scalar = "\t") {
    self.line = line
    self.separator = UInt8(ascii: separator)
  }

  /// Whether the last field was given.
  var isAtEnd: Bool { start > line.count }

  /// The next field; an empty one behind the last, for readers of fields that may not be empty.
  @_lifetime(copy self)
  mutating func next() -> Span<UInt8> {
    let first = min(start, line.count)
    var end = first
    while end < line.count, line[end] != separator { end += 1 }
    start = end + 1
    return line.extracting(first..<end)
  }

  /// What stands behind these words in the next field; empty when it does not begin with them.
  @_lifetime(copy self)
  mutating func next(behind words: String) -> Span<UInt8> {
    let field = next()
    var place = 0
    for byte in words.utf8 {
      guard place < field.count, field[place] == byte else { return field.extracting(first: 0) }
      place += 1
    }
    return field.extracting(droppingFirst: place)
  }
}
