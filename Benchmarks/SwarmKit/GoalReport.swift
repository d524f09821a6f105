// The goals' table as people and programs read it: Markdown, JSON, and the list of what is missing.

/// All rows with their figures.
public struct GoalReport: Sendable {
  /// In the order of the file.
  public var results: [GoalResult]
  private let sizes: [GoalSize: Int]

  /// Judges rows by medians.
  public init(_ rows: [GoalRow], _ medians: GoalMedians, sizes: [GoalSize: Int]) {
    results = rows.map { medians.result($0) }
    self.sizes = sizes
  }

  /// Whether everything that has to be reached was.
  public var passes: Bool { !results.contains(where: \.fails) }

  /// The table.
  public var markdown: String {
    var lines = [
      "| row | measure | at | ours | peer | ratio | must | aim | floor | verdict |",
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results {
      let row = result.row
      let peer = result.best.map { "\(GoalReport.text($0.value)) (\($0.server))" }
      let ratio =
        row.theirs == nil ? nil : result.value.map { GoalReport.ratio($0, like: row.must) }
      let cells = [
        row.name, row.words, size(row.ours.size), result.ours.map(GoalReport.text) ?? "",
        peer ?? "", ratio ?? "", row.must ?? "", row.aim ?? "", row.floor,
        result.verdict.rawValue,
      ]
      lines.append("| \(cells.joined(separator: " | ")) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A line for each kind of verdict and for each row that fails or was left out.
  public var summary: String {
    var lines: [String] = []
    let kinds: [GoalVerdict] = [
      .reached, .mustReached, .missed, .notYet, .notMeasured, .leftOut,
    ]
    let counts = kinds.map { kind in (kind, results.count { $0.verdict == kind }) }
    lines.append(
      counts.filter { $0.1 > 0 }.map { "\($0.1) \($0.0.rawValue)" }.joined(separator: ", "))
    for result in results where result.fails {
      let value = result.value.map { GoalReport.ratio($0, like: result.row.must) }
      lines.append(
        "\(result.verdict.rawValue): \(result.row.name), \(result.row.words): "
          + "\(value ?? "-") of at most \(result.row.must ?? "-")")
    }
    for result in results {
      if let why = result.row.leftOut { lines.append("left out: \(result.row.name): \(why)") }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Everything as JSON.
  public var json: JSONText {
    func text(_ value: String?) -> JSONText { value.map { .text($0) } ?? .null }
    func number(_ value: Double?) -> JSONText { value.map { .number($0) } ?? .null }
    return .members([
      ("format", .whole(1)), ("passes", .flag(passes)),
      (
        "sizes",
        .members(
          GoalSize.allCases.compactMap { size in
            sizes[size].map { (size.rawValue, .whole(Int64($0))) }
          })
      ),
      (
        "rows",
        .list(
          results.map { result in
            .members([
              ("row", .text(result.row.name)), ("measure", .text(result.row.words)),
              ("figure", .text(result.row.ours.name)), ("at", .text(result.row.ours.size.rawValue)),
              ("ours", number(result.ours)), ("by", text(result.best?.server)),
              ("peer", number(result.best?.value)),
              ("ratio", number(result.row.theirs == nil ? nil : result.value)),
              ("must", text(result.row.must)), ("aim", text(result.row.aim)),
              ("floor", .text(result.row.floor)), ("verdict", .text(result.verdict.rawValue)),
            ])
          })
      ),
    ])
  }

  private func size(_ size: GoalSize) -> String { sizes[size].map { "\($0)" } ?? "-" }

  /// Four digits that matter, whole numbers as they are.
  static func text(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "-" }
    var (decimals, scale) = (0, 1.0)
    while decimals < 6, abs(value) * scale < 1_000 {
      decimals += 1
      scale *= 10
    }
    let digits = Int64((abs(value) * scale).rounded())
    let whole = digits / Int64(scale)
    let fraction = "\(digits % Int64(scale) + Int64(scale))".dropFirst()
    let short = String(fraction.reversed().drop { $0 == "0" }.reversed())
    return (value < 0 && digits > 0 ? "-" : "") + "\(whole)" + (short.isEmpty ? "" : ".\(short)")
  }

  /// A ratio as the goal is written: `1/25.9` beside a fraction, else decimals.
  static func ratio(_ value: Double, like goal: String?) -> String {
    guard goal?.contains("/") == true, value > 0, value < 1 else { return text(value) }
    return "1/\(text((10 / value).rounded() / 10))"
  }
}
