// How a report looks: a table for people, JSON for programs. Pure; both get everything that was
// found, and neither lets a name in a stranger's certificate draw on the terminal.

import BGBModel

extension DoctorReport {
  /// The table, with the line that sums it up.
  var table: String {
    var text =
      "client \(clientID.map { "\($0)" } ?? "unknown") of site \(site ?? "unknown"), \(at)\n"
    for place in places {
      text += "\n\(DoctorText.shown(place.title))\n"
      for row in DoctorText.rows(checks(of: place)) { text += DoctorText.line(row) }
    }
    return text + "\n\(DoctorText.shown(summary))\n"
  }

  /// The same as one JSON object on one line.
  var json: String {
    let rows = checks.map { check in
      DoctorText.object([
        ("place", DoctorText.quoted(check.place.kind)),
        ("point", check.place.point.map(DoctorText.quoted) ?? "null"),
        ("check", DoctorText.quoted(check.hop.rawValue)),
        ("target", check.target.isEmpty ? "null" : DoctorText.quoted(check.target)),
        ("status", DoctorText.quoted(check.verdict.word)),
        ("class", check.verdict.failure.map { DoctorText.quoted("\($0)") } ?? "null"),
        ("milliseconds", "\(check.milliseconds)"),
        ("text", DoctorText.quoted(check.verdict.sentence)),
      ])
    }
    let working = places.filter(works).map { place in
      DoctorText.object([
        ("place", DoctorText.quoted(place.kind)),
        ("point", place.point.map(DoctorText.quoted) ?? "null"),
      ])
    }
    return DoctorText.object([
      ("at", DoctorText.quoted("\(at)")),
      ("settings", DoctorText.quoted(settingsFile)),
      ("clientID", clientID.map { DoctorText.quoted("\($0)") } ?? "null"),
      ("site", site.map(DoctorText.quoted) ?? "null"),
      ("exitCode", "\(exitCode)"),
      ("summary", DoctorText.quoted(summary)),
      ("works", "[\(working.joined(separator: ","))]"),
      ("checks", "[\(rows.joined(separator: ","))]"),
    ]) + "\n"
  }
}

/// Pieces of both.
enum DoctorText {
  /// A line of the table.
  struct Row: Hashable {
    var status: String
    var hops: String
    var time: String
    var sentence: String
  }

  /// The checks of a place as lines; neighbours that were skipped for the same reason share one.
  static func rows(_ checks: [DoctorCheck]) -> [Row] {
    var rows: [Row] = []
    var last: DoctorVerdict?
    for check in checks {
      if case .skipped = check.verdict, check.verdict == last, !rows.isEmpty {
        rows[rows.count - 1].hops += ", \(check.hop.rawValue)"
        continue
      }
      last = check.verdict
      let isTimed = check.verdict.word != "skipped"
      rows.append(
        Row(
          status: check.verdict.word, hops: check.hop.rawValue,
          time: isTimed ? "\(check.milliseconds) ms" : "",
          sentence: shown(check.verdict.sentence)))
    }
    return rows
  }

  static func line(_ row: Row) -> String {
    let status = row.status.uppercasedIfBad.padded(to: 8)
    guard !row.time.isEmpty else { return "  \(status) \(row.hops): \(row.sentence)\n" }
    return "  \(status) \(row.hops.padded(to: 12)) \(row.time.padded(to: 9)) \(row.sentence)\n"
  }

  /// A text that draws nothing: control and direction characters become question marks.
  static func shown(_ text: String) -> String {
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
        .unassigned:
        shown.append("?")
      default: shown.append(scalar)
      }
    }
    return String(shown)
  }

  static func object(_ members: [(name: String, value: String)]) -> String {
    "{" + members.map { "\"\($0.name)\":\($0.value)" }.joined(separator: ",") + "}"
  }

  /// A JSON string.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\u{0}"..<"\u{20}", "\u{7F}"..<"\u{A0}":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}

extension String {
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }

  /// So that the eye finds it, with colours or without.
  fileprivate var uppercasedIfBad: String {
    self == "failed" || self == "warning" ? uppercased() : self
  }
}
