// The goals' file holds rows that can be judged, and the judgement is what the rows say.

import Foundation
import SwarmKit
import SwarmPeers
import Testing

@Suite struct GoalTableTests {
  private static let line = "F5 | push | F1 | large | 1 | bgb | F1 | main | 1.3 | 1/1 | 1.15-1.19"

  private func result(
    _ line: String, _ medians: [String], main: Int = 10, large: Int? = 50
  ) throws -> GoalResult {
    var sizes: [GoalSize: Int] = [.main: main, .storm: main]
    sizes[.large] = large
    var numbers = GoalMedians(sizes: sizes)
    let taken = medians.map { numbers.take(line: $0) }
    #expect(!taken.contains(false))
    return numbers.result(try #require(GoalRow(line: line)))
  }

  @Test func everyRowOfTheFileIsOfFiguresThatAreTaken() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Benchmarks/Thresholds/goals.tsv")
    let (rows, badLine) = GoalRow.read(try String(contentsOf: file, encoding: .utf8))
    #expect(badLine == nil)
    let figures = Set(PeerFigure.allCases.map(\.rawValue))
    let peers: Set = [
      "mosquitto", "nats", "haproxy", "nginx", "nginx-no-tickets", "floor", "floor-plain", "bgb",
    ]
    for row in rows where row.leftOut == nil {
      #expect(figures.contains(row.ours.name), "\(row.name)")
      #expect(row.theirs.map { figures.contains($0.name) } ?? true, "\(row.name)")
      #expect(row.peers.allSatisfy(peers.contains), "\(row.name)")
    }
    let names = Set(rows.map(\.name))
    let wanted: Set = [
      "M1", "M2", "M3", "M4", "M5", "H1", "H1b", "H2", "H3", "H4", "H5", "F1", "F2", "F3", "F4",
      "F5", "F6", "F7", "I1", "I2", "S1", "S2", "S3", "S4", "P1",
    ]
    #expect(names.isSuperset(of: wanted))
    #expect(rows.allSatisfy { $0.leftOut == nil })
    for row in rows {
      // An aim that asks less than what must be would never be missed.
      let judged = try [0.0, 1e9].map { value in
        try result(
          "x | x | a | main | 1 | - | - | - | \(row.must ?? "-") | \(row.aim ?? "-") | -",
          ["10|bgb|a|\(value)"]
        ).verdict
      }
      #expect(judged.first == .reached, "\(row.name)")
      #expect(judged.last == (row.must == nil ? .notYet : .missed), "\(row.name)")
    }
  }

  @Test(
    arguments: [
      ("", nil), ("a | b", nil),
      ("x | w | a | main | 1 | - | - | - | 3 | 0", nil),
      ("x | w | a | huge | 1 | - | - | - | 3 | 0 | 0", nil),
      ("x | w | a | main | 1 | nats | - | main | 3 | 0 | 0", nil),
      ("x | w | a | main | 1 | - | b | main | 3 | 0 | 0", nil),
      ("x | w | a | main | 1 | - | - | - | - | - | 0", nil),
      ("x | w | a | main | 1 | - | - | - | 1/0 | 0 | 0", nil),
      ("x | w | a | main | 1 | - | - | - | 1/2/3 | 0 | 0", nil),
      ("x | w | a | main | 1 | - | - | - | 3 | 0 | 0", "x"),
      ("x | w | a | main | 1 | - | - | - | 3 | 0 | 0 | it cannot be", "x"),
    ] as [(String, String?)])
  func aLineIsARowOrNone(line: String, name: String?) {
    #expect(GoalRow(line: line)?.name == name)
  }

  @Test func aFileTellsItsFirstBadLine() {
    #expect(GoalRow.read("# words\n\n\(Self.line)\n").rows.count == 1)
    #expect(GoalRow.read("# words\n\n\(Self.line)\nhello\n").badLine == 4)
    #expect(GoalRow.read("\(Self.line)\n\(Self.line)\n").badLine == 2, "each name once")
  }

  @Test(
    arguments: [
      (["50|bgb|F1|10", "10|bgb|F1|10"], .reached),
      (["50|bgb|F1|12", "10|bgb|F1|10"], .mustReached),
      (["50|bgb|F1|13.1", "10|bgb|F1|10"], .missed),
      (["50|bgb|F1|13.1", "50|nats|F1|10", "10|bgb|F2|10"], .notMeasured),
      (["50|bgb|F1|13.1", "10|bgb|F1|0"], .notMeasured),
      (["50|bgb|F1|-4", "10|bgb|F1|10"], .notMeasured),
      ([], .notMeasured),
    ] as [([String], GoalVerdict)])
  func aRatioIsJudgedByMustAndAim(medians: [String], verdict: GoalVerdict) throws {
    let result = try result(Self.line, medians)
    #expect(result.verdict == verdict)
    #expect(result.fails == (verdict == .missed || verdict == .notMeasured))
    #expect(try self.result(Self.line, medians, large: nil).verdict == .notMeasured)
  }

  @Test func theBestOfThePeersIsTaken() throws {
    let line = "H3 | w | H3 | main | 1 | nats,nginx,haproxy | H3 | main | 0.5 | 0.4 | -"
    let result = try result(line, ["10|nginx|H3|4", "10|nats|H3|2", "10|bgb|H3|0.9"])
    #expect(result.best?.server == "nats")
    #expect(result.value == 0.45)
    #expect(result.verdict == .mustReached)
  }

  @Test func runsOfTheSameRoundAreHeldAgainstEachOther() throws {
    let line = "H3 | w | H3 | main | 1 | nats,nginx | H3 | main | 0.5 | 0.4 | -"
    let medians = ["10|nats|H3|4", "10|nginx|H3|5", "10|bgb|H3|2.2"]
    // The machine is twice as slow in the second round, and nginx the best in the third.
    let runs = [
      "10|bgb|H3|1.8|1", "10|nats|H3|4|1", "10|nginx|H3|5|1",
      "10|bgb|H3|3.6|2", "10|nats|H3|8|2", "10|nginx|H3|10|2",
      "10|bgb|H3|2.2|3", "10|nats|H3|4|3", "10|nginx|H3|2|3",
    ]
    #expect(try result(line, medians).value == 0.55)
    let paired = try result(line, medians + runs)
    #expect(paired.byRound.sorted() == [0.45, 0.45, 1.1])
    #expect(paired.value == 0.45)
    #expect(paired.verdict == .mustReached)
    // A round that a peer did not run says nothing.
    let less = runs.filter { $0 != "10|nginx|H3|10|2" }
    #expect(try result(line, medians + less).byRound.sorted() == [0.45, 1.1])
    #expect(try result(line, medians + less).value == (0.45 + 1.1) / 2)
  }

  @Test func aFigureByItselfIsMultipliedFirst() throws {
    let line = "I1 | w | I1 | main | 60 | - | - | - | 3 | 0 | 0"
    #expect(try result(line, ["10|bgb|I1|0"]).verdict == .reached)
    #expect(try result(line, ["10|bgb|I1|0.05"]).verdict == .mustReached)
    #expect(try result(line, ["10|bgb|I1|0.051"]).verdict == .missed)
  }

  @Test func theReportSaysWhatFails() throws {
    let text = """
      A | a | A | main | 1 | nats | A | main | 1/16 | 1/32 | 1/51
      B | b | B | main | 1 | - | - | - | 3 | 0 | 0
      C | c | C | main | 1 | - | - | - | - | 100 | 46.7
      D | d | D | main | 1 | - | - | - | 1 | 1 | - | nobody can
      """
    let rows = GoalRow.read(text).rows
    #expect(rows.count == 4)
    let sizes = [GoalSize.main: 18_000]
    var medians = GoalMedians(sizes: sizes)
    let lines = ["18000|bgb|A|800", "18000|nats|A|24517.25", "18000|bgb|C|101"]
    let bad = ["", "1|a|b", "x|a|b|1", "1|a|b|x", "1|a|b|1|x", "1|a|b|1|1|1"]
    let taken = (lines + bad).map { medians.take(line: $0) }
    #expect(taken == lines.map { _ in true } + bad.map { _ in false })
    let report = GoalReport(rows, medians, sizes: sizes)
    #expect(!report.passes)
    let table = report.markdown.split(separator: "\n")
    #expect(table.count == 6)
    #expect(
      table[2]
        == "| A | a | 18000 | 800 | 24517 (nats) | 1/30.6 | 1/16 | 1/32 | 1/51 | must reached |")
    #expect(table[3] == "| B | b | 18000 |  |  |  | 3 | 0 | 0 | not measured |")
    #expect(table[4] == "| C | c | 18000 | 101 |  |  |  | 100 | 46.7 | aim not reached |")
    #expect(
      report.summary == """
        1 must reached, 1 aim not reached, 1 not measured, 1 left out
        not measured: B, b: - of at most 3
        left out: D: nobody can

        """)
    let json = report.json.encoded()
    #expect(json.contains("\"passes\": false"))
    #expect(json.contains("\"ratio\": 0.03263"))
    var better = medians
    _ = better.take(line: "18000|bgb|B|3")
    #expect(GoalReport(rows, better, sizes: sizes).passes)
  }
}
