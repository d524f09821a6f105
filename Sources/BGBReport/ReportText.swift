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
    _ field: Substring, limit: Int, alsoComma: Bool = false
  ) -> String? {
    if field == "-" { return "" }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(field.utf8.count)
    var digits = field.utf8.makeIterator()
    while let byte = digits.next() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = digits.next().flatMap(value), let low = digits.next().flatMap(value) else {
        return nil
      }
      bytes.append(high << 4 | low)
    }
    guard bytes.count <= limit, !bytes.contains(0),
      let text = String(validating: bytes, as: UTF8.self),
      escape(text, alsoComma: alsoComma).utf8.elementsEqual(field.utf8)
    else { return nil }
    return text
  }

  /// The fields of a line; by bytes, for a separator and a combining mark after it are one
  /// character.
  static func split(_ line: Substring, at separator: Unicode.Scalar) -> [Substring] {
    line.utf8.split(separator: UInt8(ascii: separator), omittingEmptySubsequences: false)
      .map { Substring($0) }
  }

  /// A decimal number as `description` writes it; nil for signs, leading zeros or too much.
  static func number<Value: FixedWidthInteger>(
    _ field: Substring, _: Value.Type = Value.self
  ) -> Value? {
    guard let value = Value(field), String(value).utf8.elementsEqual(field.utf8) else { return nil }
    return value
  }

  /// A moment with milliseconds, as reports write it.
  static func moment(_ field: Substring) -> WallTime? {
    field.utf8.count == 24 ? WallTime(rfc3339: field) : nil
  }

  // MARK: The same from bytes

  /// The text of an escaped form in bytes that are UTF-8; nil for anything that `escape` would not
  /// write.
  static func unescape(_ field: Span<UInt8>, limit: Int) -> String? {
    if field.count == 1, field[0] == UInt8(ascii: "-") { return "" }
    guard let text = text(field) else { return nil }
    for index in field.indices where needsLook(field[index], false) {
      return unescape(text[...], limit: limit)
    }
    return field.isEmpty || field.count > limit ? nil : text
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

/// The fields of a line between tabs, one after the other, without an array of them.
struct LineFields: ~Escapable {
  private let line: Span<UInt8>
  private var start = 0

  /// Begins before the first field.
  @_lifetime(copy line)
  init(_ line: Span<UInt8>) { self.line = line }

  /// Whether the last field was given.
  var isAtEnd: Bool { start > line.count }

  /// The next field; an empty one behind the last, for readers of fields that may not be empty.
  @_lifetime(copy self)
  mutating func next() -> Span<UInt8> {
    let first = min(start, line.count)
    var end = first
    while end < line.count, line[end] != UInt8(ascii: "\t") { end += 1 }
    start = end + 1
    return line.extracting(first..<end)
  }
}
