// A list of things in the form that was asked for: a table for people, JSON for programs, CSV for
// spreadsheets, bare names for the next command.

import ArgumentParser

/// The form of what goes to the standard output.
enum OutputFormat: String, CaseIterable, ExpressibleByArgument {
  case table, json, jsonl, csv, name
}

/// One column of a table.
struct Column: Sendable {
  /// Its heading; also the CSV field's name, in lower case with dashes.
  var title: String
  /// Whether it holds numbers: right-aligned, and never taken for a formula.
  var isNumber: Bool
  /// The cell's text.
  var cell: @Sendable (JSONValue) -> String

  init(
    _ title: String, isNumber: Bool = false, _ cell: @escaping @Sendable (JSONValue) -> String
  ) {
    self.title = title
    self.isNumber = isNumber
    self.cell = cell
  }

  /// A column that shows a member as it is.
  init(_ title: String, field: String, isNumber: Bool = false) {
    self.init(title, isNumber: isNumber) { $0[field].cell }
  }
}

/// Items, and how they look.
struct Listing {
  var columns: [Column]
  var items: [JSONValue]
  /// What `-o name` prints of an item.
  var name: (JSONValue) -> String

  /// The text for the standard output; empty or ending in a line feed.
  func text(_ format: OutputFormat, headers: Bool) -> String {
    switch format {
    case .table: table(headers: headers)
    case .csv: csv(headers: headers)
    case .json:
      items.isEmpty
        ? "[]\n" : "[\n" + items.map { "  " + $0.encoded }.joined(separator: ",\n") + "\n]\n"
    case .jsonl: lines(items.map(\.encoded))
    case .name: lines(items.map { TerminalText.shown(name($0)) })
    }
  }

  private func lines(_ lines: [String]) -> String {
    lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n"
  }

  private func table(headers: Bool) -> String {
    var rows = items.map { item in columns.map { TerminalText.shown($0.cell(item)) } }
    if headers, !items.isEmpty { rows.insert(columns.map { $0.title.uppercased() }, at: 0) }
    var widths = columns.map { _ in 0 }
    for row in rows {
      for (position, cell) in row.enumerated() {
        widths[position] = max(widths[position], TerminalText.width(cell))
      }
    }
    return lines(
      rows.map { row in
        var line = ""
        for (position, cell) in row.enumerated() {
          let padding = String(
            repeating: " ", count: max(0, widths[position] - TerminalText.width(cell)))
          if position > 0 { line += "  " }
          line += columns[position].isNumber ? padding + cell : cell + padding
        }
        while line.last == " " { line.removeLast() }
        return line
      })
  }

  private func csv(headers: Bool) -> String {
    var rows = items.map { item in
      columns.map { TerminalText.csv($0.cell(item), isNumber: $0.isNumber) }.joined(separator: ",")
    }
    if headers {
      let names = columns.map { $0.title.lowercased().replacing(" ", with: "-") }
      rows.insert(names.joined(separator: ","), at: 0)
    }
    return lines(rows)
  }
}

/// One thing in the form that was asked for: as a table, one line a field.
struct Sheet {
  var fields: [(title: String, text: String)]
  var item: JSONValue
  var name: String

  /// The text for the standard output.
  func text(_ format: OutputFormat, headers: Bool) -> String {
    switch format {
    case .json, .jsonl: return item.encoded + "\n"
    case .name: return TerminalText.shown(name) + "\n"
    case .csv:
      let titles = fields.map { TerminalText.csv($0.title.lowercased().replacing(" ", with: "-")) }
      let cells = fields.map { TerminalText.csv($0.text, isNumber: Double($0.text) != nil) }
      let rows = headers ? [titles, cells] : [cells]
      return rows.map { $0.joined(separator: ",") + "\n" }.joined()
    case .table:
      let width = fields.map { $0.title.count }.max() ?? 0
      return fields.map { title, text in
        let padding = String(repeating: " ", count: width - title.count)
        return text.isEmpty ? "\(title)\n" : "\(title)\(padding)  \(TerminalText.shown(text))\n"
      }.joined()
    }
  }
}
