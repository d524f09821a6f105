// Bounds that a run has to keep, as a person writes them: `p99<2000ms`, `lost=0`, `online>=99.9%`.
// Each is judged by a figure of the report; a figure that is missing fails its bound, for a run that
// did not measure something has not kept it.

/// One bound.
public struct Bound: Equatable, Sendable, CustomStringConvertible {
  /// How the figure stands to the value.
  public enum Relation: String, CaseIterable, Sendable {
    /// Not above.
    case atMost = "<="
    /// Not below.
    case atLeast = ">="
    /// Below.
    case below = "<"
    /// Above.
    case above = ">"
    /// Exactly.
    case equals = "="
  }

  /// The figure's name.
  public var figure: String
  /// How it must stand.
  public var relation: Relation
  /// To this value.
  public var value: Double
  /// As it was written.
  public var description: String

  /// Reads a bound; nil when it is none.
  ///
  /// Units behind the number are for the reader, and only those of the figure: `ms`, `s`, `us`, `%`,
  /// `KB` and `B` change nothing.
  public init?(_ text: String) {
    guard
      let relation = Relation.allCases.first(where: { text.contains($0.rawValue) }),
      let range = text.firstRange(of: relation.rawValue)
    else { return nil }
    let name = text[..<range.lowerBound]
    var number = text[range.upperBound...]
    while let last = number.last, !last.isNumber, last != "." { number.removeLast() }
    let unit = text[range.upperBound...].dropFirst(number.count)
    guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "." }),
      ["", "ms", "s", "us", "%", "KB", "B", "x"].contains(unit), let value = Double(number)
    else { return nil }
    figure = String(name)
    self.relation = relation
    self.value = value
    description = text
  }

  /// Whether a figure keeps it.
  public func holds(for figure: Double) -> Bool {
    switch relation {
    case .atMost: figure <= value
    case .atLeast: figure >= value
    case .below: figure < value
    case .above: figure > value
    case .equals: figure == value
    }
  }
}

/// A bound with what came of it.
public struct Judgement: Equatable, Sendable {
  /// The bound.
  public var bound: Bound
  /// The figure; nil when it was not measured.
  public var measured: Double?

  /// Whether it was kept.
  public var passes: Bool { measured.map(bound.holds) ?? false }

  /// One line: pass or FAIL, the bound, the figure.
  public var line: String {
    let word = passes ? "pass" : "FAIL"
    let value = measured.map(NumberForm.short) ?? "not measured"
    return "\(word)  \(NumberForm.padded(bound.description, 28)) \(value)"
  }
}

/// The bounds of a run and their judgement.
public struct Verdict: Sendable {
  /// Each bound, in the order they were given.
  public var judgements: [Judgement]

  /// Judges the figures.
  public init(_ bounds: [Bound], figures: [String: Double]) {
    judgements = bounds.map { Judgement(bound: $0, measured: figures[$0.figure]) }
  }

  /// Whether all were kept.
  public var passes: Bool { judgements.allSatisfy(\.passes) }

  /// The lines, and one for the whole.
  public var text: String {
    judgements.map { $0.line + "\n" }.joined()
      + (passes ? "verdict: pass\n" : "verdict: FAIL\n")
  }
}
