// Bounds as a person writes them, and the judgement of a run.

import SwarmKit
import Testing

@Suite struct VerdictTests {
  @Test(arguments: [
    ("p99<2000ms", "p99", Bound.Relation.below, 2_000.0), ("lost=0", "lost", .equals, 0),
    ("online>=99.9%", "online", .atLeast, 99.9), ("storm.p99.9<=60s", "storm.p99.9", .atMost, 60),
    ("a>1", "a", .above, 1),
  ])
  func aBoundIsReadAsItIsWritten(
    text: String, figure: String, relation: Bound.Relation, value: Double
  ) throws {
    let bound = try #require(Bound(text))
    #expect(bound.figure == figure)
    #expect(bound.relation == relation)
    #expect(bound.value == value)
    #expect(bound.description == text)
  }

  @Test(arguments: ["", "p99", "<5", "p99<", "p99<five", "p 99<5", "p99<5 apples", "p99<5kg"])
  func whatIsNoBoundIsRefused(text: String) { #expect(Bound(text) == nil) }

  @Test(arguments: [
    ("f<5", 4.9, true), ("f<5", 5, false), ("f<=5", 5, true), ("f<=5", 5.1, false),
    ("f>5", 5, false), ("f>5", 5.1, true), ("f>=5", 5, true), ("f>=5", 4.9, false),
    ("f=5", 5, true), ("f=5", 5.1, false),
  ])
  func aFigureAtTheEdgeIsJudgedByTheSign(text: String, figure: Double, holds: Bool) throws {
    #expect(try #require(Bound(text)).holds(for: figure) == holds)
  }

  @Test func aVerdictNamesEachBoundWithItsFigure() throws {
    let bounds = try ["p99<2000ms", "lost=0"].map { try #require(Bound($0)) }
    let good = Verdict(bounds, figures: ["p99": 1_234.5, "lost": 0])
    #expect(good.passes)
    #expect(good.text.contains("pass  p99<2000ms"))
    #expect(good.text.contains("1235"))
    #expect(good.text.hasSuffix("verdict: pass\n"))
    let bad = Verdict(bounds, figures: ["p99": 10, "lost": 1])
    #expect(!bad.passes)
    #expect(bad.text.contains("FAIL  lost=0"))
  }

  @Test func whatWasNotMeasuredWasNotKept() throws {
    let verdict = Verdict([try #require(Bound("p99<5"))], figures: [:])
    #expect(!verdict.passes)
    #expect(verdict.text.contains("not measured"))
  }
}
