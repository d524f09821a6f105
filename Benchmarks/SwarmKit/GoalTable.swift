// The goals and what came of them: a file of rows says which figure of ours is held against which
// of whom, and the medians of many runs are put in. Pure: files and numbers come from the caller.

/// With how many connections a figure was taken: the three sizes that goals speak of.
public enum GoalSize: String, CaseIterable, Sendable {
  /// The size at which servers are compared.
  case main
  /// The size at which all reconnect at once.
  case storm
  /// The size that no peer reaches with one process.
  case large
}

/// One row of the goals.
public struct GoalRow: Equatable, Sendable {
  /// A figure at one of the sizes.
  public struct Figure: Equatable, Sendable {
    /// Its name.
    public var name: String
    /// The size.
    public var size: GoalSize
  }

  /// Its name in the table.
  public var name: String
  /// What is measured, for people.
  public var words: String
  /// Our figure.
  public var ours: Figure
  /// What our figure is multiplied with.
  public var times: Double
  /// Servers of whom the best is taken, and their figure; nil when ours is judged by itself.
  public var peers: [String]
  /// The peers' figure; nil when ours is judged by itself.
  public var theirs: Figure?
  /// What has to be reached, as it was written; nil when nothing has to be.
  public var must: String?
  /// What is aimed at, as it was written.
  public var aim: String?
  /// What a bare server reached, for people.
  public var floor: String
  /// Why the row is not judged; nil for one that is.
  public var leftOut: String?

  /// Reads a line of the file; nil when it is no row.
  public init?(line: some StringProtocol) {
    let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
      String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
    guard cells.count == 11 || cells.count == 12, cells.allSatisfy({ !$0.isEmpty }),
      let size = GoalSize(rawValue: cells[3]), let times = Double(cells[4])
    else { return nil }
    name = cells[0]
    words = cells[1]
    ours = Figure(name: cells[2], size: size)
    self.times = times
    peers = cells[5] == "-" ? [] : cells[5].split(separator: ",").map { String($0) }
    if peers.isEmpty {
      guard cells[6] == "-", cells[7] == "-" else { return nil }
    } else {
      guard let size = GoalSize(rawValue: cells[7]), cells[6] != "-" else { return nil }
      theirs = Figure(name: cells[6], size: size)
    }
    for cell in cells[8...9] where cell != "-" && GoalRow.number(cell) == nil { return nil }
    must = cells[8] == "-" ? nil : cells[8]
    aim = cells[9] == "-" ? nil : cells[9]
    guard must != nil || aim != nil else { return nil }
    floor = cells[10]
    leftOut = cells.count == 12 ? cells[11] : nil
  }

  /// The rows of a file; nil and the number of the first line that is neither a row, nor empty, nor
  /// a comment.
  public static func read(_ text: String) -> (rows: [GoalRow], badLine: Int?) {
    var rows: [GoalRow] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      if line.isEmpty || line.hasPrefix("#") { continue }
      guard let row = GoalRow(line: line), !rows.contains(where: { $0.name == row.name }) else {
        return (rows, index + 1)
      }
      rows.append(row)
    }
    return (rows, nil)
  }

  /// A number or a fraction such as `1/16`; nil for anything else.
  static func number(_ text: String) -> Double? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Double($0) }
    guard let first = parts[0], first.isFinite else { return nil }
    if parts.count == 1 { return first }
    guard parts.count == 2, let second = parts[1], second > 0 else { return nil }
    return first / second
  }
}

/// How a row came out.
public enum GoalVerdict: String, Sendable {
  /// Not above the aim.
  case reached
  /// Above the aim, not above what has to be.
  case mustReached = "must reached"
  /// Above what has to be.
  case missed
  /// Above the aim, and nothing has to be.
  case notYet = "aim not reached"
  /// A figure is not there.
  case notMeasured = "not measured"
  /// The row says why.
  case leftOut = "left out"
}

/// A row with its figures.
public struct GoalResult: Sendable {
  /// The row.
  public var row: GoalRow
  /// Ours; nil when it was not measured.
  public var ours: Double?
  /// The best of the peers', and whose it is.
  public var best: (server: String, value: Double)?
  /// The ratio of each round in which both sides were measured, in no order.
  public var byRound: [Double] = []

  /// What is judged: ours alone, or the median of the rounds' ratios.
  ///
  /// A round's runs lie minutes apart and a machine's pace changes from round to round, so that a
  /// ratio of medians may hold a slow round of one side against a quick one of the other. It is
  /// taken when single rounds are not known.
  ///
  /// A figure below zero is a difference that drowned in noise, and was not measured.
  public var value: Double? {
    guard let ours, ours >= 0 else { return nil }
    guard row.theirs != nil else { return ours }
    guard let best, best.value > 0 else { return nil }
    return GoalMedians.median(byRound) ?? ours / best.value
  }

  /// The judgement.
  public var verdict: GoalVerdict {
    if row.leftOut != nil { return .leftOut }
    guard let value else { return .notMeasured }
    let aim = row.aim.flatMap { GoalRow.number($0) }
    let must = row.must.flatMap { GoalRow.number($0) }
    if let aim, value <= aim { return .reached }
    guard let must else { return .notYet }
    guard value <= must else { return .missed }
    return aim == nil ? .reached : .mustReached
  }

  /// Whether something that has to be reached was not, or is not known.
  public var fails: Bool {
    row.must != nil && (verdict == .missed || verdict == .notMeasured)
  }
}

/// Medians of runs, and the runs: by size, server and figure.
public struct GoalMedians: Sendable {
  private struct Key: Hashable {
    var connections: Int
    var server: String
    var figure: String
  }

  private var values: [Key: Double] = [:]
  private var rounds: [Key: [Int: Double]] = [:]
  private var sizes: [GoalSize: Int]

  /// Begins empty; the sizes say which number of connections each of them is.
  public init(sizes: [GoalSize: Int]) { self.sizes = sizes }

  /// Takes a line `CONNECTIONS|SERVER|FIGURE|VALUE`, which is a median, or the same with `|ROUND`,
  /// which is a run; false when it is neither.
  public mutating func take(line: some StringProtocol) -> Bool {
    let cells = line.split(separator: "|", omittingEmptySubsequences: false)
    guard cells.count == 4 || cells.count == 5, let connections = Int(cells[0]),
      let value = Double(cells[3])
    else { return false }
    let key = Key(
      connections: connections, server: String(cells[1]), figure: String(cells[2]))
    if cells.count == 4 {
      values[key] = value
    } else {
      guard let round = Int(cells[4]) else { return false }
      rounds[key, default: [:]][round] = value
    }
    return true
  }

  /// A figure of a server; nil when it was not measured.
  public subscript(server: String, figure: GoalRow.Figure) -> Double? {
    sizes[figure.size].flatMap {
      values[Key(connections: $0, server: server, figure: figure.name)]
    }
  }

  /// A row's figures; `bgb` is our own name.
  public func result(_ row: GoalRow) -> GoalResult {
    var best: (server: String, value: Double)?
    if let theirs = row.theirs {
      for peer in row.peers {
        guard let value = self[peer, theirs], value < best?.value ?? .infinity else { continue }
        best = (peer, value)
      }
    }
    return GoalResult(
      row: row, ours: self["bgb", row.ours].map { $0 * row.times }, best: best,
      byRound: ratios(row))
  }

  /// Ours by the best peer's of the same round; none of a round in which one of them is missing.
  private func ratios(_ row: GoalRow) -> [Double] {
    guard let theirs = row.theirs else { return [] }
    let peers = row.peers.map { runs($0, theirs) }.filter { !$0.isEmpty }
    return runs("bgb", row.ours).compactMap { round, ours in
      let values = peers.compactMap { $0[round] }.filter { $0 > 0 }
      guard values.count == peers.count, let best = values.min() else { return nil }
      return ours * row.times / best
    }
  }

  private func runs(_ server: String, _ figure: GoalRow.Figure) -> [Int: Double] {
    guard let connections = sizes[figure.size] else { return [:] }
    return rounds[Key(connections: connections, server: server, figure: figure.name)] ?? [:]
  }

  /// The middle one, or the mean of the middle two; nil of nothing.
  public static func median(_ values: [Double]) -> Double? {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }
}
