// One event as one line. Whatever a peer put into a message stays on its line: control characters,
// line separators and bidirectional overrides are written as escapes, so that nobody can forge a
// second line, move a terminal's cursor or turn text around. A line has a length limit, because one
// write of at most `PIPE_BUF` bytes is what the kernel keeps in one piece on a pipe.

import Logging

/// The parts of one event.
struct LogLine {
  /// Bytes of a line at most, the line feed included: `PIPE_BUF` on Linux.
  static let bytesMax = 4_096
  /// Metadata entries shown at most.
  static let entriesMax = 24

  var moment: LogMoment
  var level: Logger.Level
  var component: String
  var message: String
  /// Sorted by key by whoever makes the line.
  var metadata: [(key: String, value: String)] = []
  var thread: Int32
  /// File and line of the statement, for CMTrace.
  var origin: String

  /// The line with its line feed, cut to `bytesMax` by shortening texts, never by cutting syntax.
  func bytes(_ format: LogFormat) -> [UInt8] {
    // Escapes can make a text six times longer, so the texts shrink until the line fits; the last
    // bound fits always, because 24 entries of at most 2 * 6 * 8 escaped bytes do.
    for bound in [3_000, 1_000, 250, 60, 8] {
      let line = rendered(format, textBytesMax: bound)
      if line.count <= LogLine.bytesMax || bound == 8 { return line }
    }
    return []
  }

  private func rendered(_ format: LogFormat, textBytesMax bound: Int) -> [UInt8] {
    let line =
      switch format {
      case .text: text(bound)
      case .cmtrace: cmtrace(bound)
      case .json: json(bound)
      }
    return Array(line.utf8) + [UInt8(ascii: "\n")]
  }

  private func pairs(_ bound: Int) -> String {
    var result = ""
    for (key, value) in metadata.prefix(LogLine.entriesMax) {
      result += " \(plainKey(key.cut(bound)))=\(quoted(value.cut(bound)))"
    }
    return result
  }

  private func text(_ bound: Int) -> String {
    let level = self.level.rawValue.uppercased()
    let padding = String(repeating: " ", count: max(0, 8 - level.count))
    return "\(moment.rfc3339) \(level)\(padding) \(component.cut(bound).escaped) "
      + message.cut(bound).escaped + pairs(bound)
  }

  private func cmtrace(_ bound: Int) -> String {
    // The end mark inside a message would end the record early; a space breaks it.
    let body = (message.cut(bound).escaped + pairs(bound)).replacing("]LOG]!", with: "]LOG] !")
    let type =
      switch level {
      case .trace, .debug, .info, .notice: 1
      case .warning: 2
      case .error, .critical: 3
      }
    return "<![LOG[\(body)]LOG]!><time=\"\(moment.clock)+000\" date=\"\(moment.americanDate)\" "
      + "component=\"\(attribute(component, bound))\" context=\"\" type=\"\(type)\" "
      + "thread=\"\(thread)\" file=\"\(attribute(origin, bound))\">"
  }

  private func json(_ bound: Int) -> String {
    var line = "{\"time\":\"\(moment.rfc3339)\",\"level\":\"\(level.rawValue)\""
    line += ",\"component\":\(component.cut(bound).jsonQuoted)"
    line += ",\"message\":\(message.cut(bound).jsonQuoted)"
    if !metadata.isEmpty {
      let entries = metadata.prefix(LogLine.entriesMax).map { entry in
        "\(entry.key.cut(bound).jsonQuoted):\(entry.value.cut(bound).jsonQuoted)"
      }
      line += ",\"metadata\":{\(entries.joined(separator: ","))}"
    }
    return line + ",\"thread\":\(thread)}"
  }

  /// An attribute of a CMTrace record has no escape for its quote.
  private func attribute(_ text: String, _ bound: Int) -> String {
    text.cut(bound).escaped.replacing("\"", with: "'")
  }

  private func plainKey(_ key: String) -> String {
    key.escaped.replacing(" ", with: "_").replacing("=", with: "_")
  }

  /// A value is quoted when a reader could not tell where it ends.
  private func quoted(_ value: String) -> String {
    let escaped = value.escaped
    let needsQuotes =
      escaped.isEmpty
      || escaped.utf8.contains { byte in
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "=")
      }
    return needsQuotes ? "\"\(escaped.replacing("\"", with: "\\\""))\"" : escaped
  }
}

extension String {
  /// The text with everything that is not printable, and the backslash itself, as an escape.
  var escaped: String {
    guard unicodeScalars.contains(where: { $0.needsEscape || $0 == "\\" }) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.needsEscape: result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// The text as a JSON string.
  var jsonQuoted: String {
    var result = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case _ where scalar.needsEscape:
        // Every scalar that needs an escape lies in the first plane: four digits say it.
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The text, or its beginning of at most `bound` bytes and an ellipsis.
  func cut(_ bound: Int) -> String {
    guard utf8.count > bound else { return self }
    var used = 0
    var end = unicodeScalars.startIndex
    for index in unicodeScalars.indices {
      used += UTF8.width(unicodeScalars[index])
      if used > bound { break }
      end = unicodeScalars.index(after: index)
    }
    return String(unicodeScalars[..<end]) + "…"
  }
}

extension Unicode.Scalar {
  /// Control characters, line separators and bidirectional overrides.
  fileprivate var needsEscape: Bool {
    switch value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
