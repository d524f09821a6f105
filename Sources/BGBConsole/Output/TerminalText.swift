// Names come from computers that may be hostile. Whatever is shown on a terminal is shown with its
// control characters written out, so that a hostname cannot move the cursor, change colours or turn
// the text around.

/// Text for terminals and spreadsheets.
enum TerminalText {
  /// Whether a scalar could act instead of being read: controls, separators, bidirectional marks.
  static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0xAD, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F,
      0xFEFF, 0xFFF9...0xFFFB, 0xE0000...0xE007F:
      true
    default: false
    }
  }

  /// The text with everything unsafe as a visible escape; always one line.
  static func shown(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where isUnsafe(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The columns that a text takes on a terminal.
  static func width(_ text: String) -> Int {
    text.unicodeScalars.reduce(0) { $0 + width($1) }
  }

  /// The beginning of a text that takes at most so many columns.
  static func cut(_ text: String, columns: Int) -> String {
    guard width(text) > columns else { return text }
    var used = 0
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      used += width(scalar)
      if used > columns - 1 { break }
      result.append(scalar)
    }
    return columns > 0 ? String(result) + "…" : ""
  }

  private static func width(_ scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch scalar.value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
      return 2
    default: return 1
    }
  }

  /// A CSV field (RFC 4180); what a spreadsheet would take for a formula gets an apostrophe.
  static func csv(_ text: String, isNumber: Bool = false) -> String {
    var field = text
    if !isNumber, let first = text.unicodeScalars.first,
      "=+-@\t\r\n＝＋－＠".unicodeScalars.contains(first)
    {
      field = "'" + text
    }
    let needsQuotes = field.unicodeScalars.contains { scalar in
      scalar == "," || scalar == "\"" || scalar == "\n" || scalar == "\r"
    }
    return needsQuotes || field != text ? "\"\(field.replacing("\"", with: "\"\""))\"" : field
  }
}
