// Distributions: what was recorded is found again, they add up over processes, and they are drawn.

import SwarmKit
import Testing

@Suite struct LatencyHistogramTests {
  private func ramp(_ count: UInt64) -> LatencyHistogram {
    var histogram = LatencyHistogram()
    for value in 1...count { histogram.record(value * 1_000) }
    return histogram
  }

  @Test func percentilesAreRightToThreeDigits() {
    let histogram = ramp(1_000)
    #expect(histogram.count == 1_000)
    for (percentile, wanted) in [(50.0, 500.0), (99, 990), (99.9, 999), (100, 1_000)] {
      let got = histogram.milliseconds(at: percentile)
      #expect(abs(got - wanted) <= wanted / 1_000 + 0.001, "\(percentile): \(got)")
    }
    #expect(abs(histogram.meanMilliseconds - 500.5) < 0.01)
    #expect(LatencyHistogram().milliseconds(at: 99) == 0)
  }

  @Test func theTextOfOneIsReadAsTheSame() throws {
    let histogram = ramp(3_000)
    let read = try #require(LatencyHistogram(text: histogram.text))
    #expect(read.count == histogram.count)
    #expect(read.text == histogram.text)
    #expect(LatencyHistogram(text: "")?.count == 0)
    for bad in ["1", "1:", "a:1", "1:-1", "1:2:3"] { #expect(LatencyHistogram(text: bad) == nil) }
  }

  @Test func aTimeBeyondTheRoomIsRecordedToo() throws {
    var histogram = LatencyHistogram()
    histogram.record(1_000)
    let hour: UInt64 = 3_600_000_000
    histogram.record(hour)
    #expect(histogram.count == 2)
    #expect(abs(histogram.maxMilliseconds - 3_600_000) <= 3_600)
    #expect(try #require(LatencyHistogram(text: histogram.text)).text == histogram.text)
  }

  @Test func theSumOfTwoIsWhatBothRecorded() {
    var left = LatencyHistogram()
    left.record(1_000, count: 99)
    var right = LatencyHistogram()
    right.record(500_000)
    left.add(right)
    #expect(left.count == 100)
    #expect(left.milliseconds(at: 99) < 2)
    #expect(left.maxMilliseconds > 499)
  }

  @Test func theCurveRisesToTheLongest() {
    let curve = ramp(10_000).curve()
    #expect(curve.first?.percentile == 0)
    #expect(curve.last?.percentile == 100)
    for (before, after) in zip(curve, curve.dropFirst()) {
      #expect(before.percentile < after.percentile)
      #expect(before.milliseconds <= after.milliseconds)
    }
    #expect(LatencyHistogram().curve().isEmpty)
  }

  @Test func theTextHasALineAPercentile() {
    let text = HistogramText.draw(ramp(1_000), title: "push")
    #expect(text.hasPrefix("push: 1000 recorded"))
    #expect(text.split(separator: "\n").count == HistogramText.percentiles.count + 1)
    #expect(text.contains("p99.9"))
    #expect(HistogramText.draw(LatencyHistogram(), title: "x") == "x: nothing was recorded\n")
  }

  @Test(arguments: [
    (0.0, "0"), (1, "1"), (0.5, "0.5"), (12.345, "12.35"), (99.9, "99.9"), (1234.5, "1235"),
    (-2.25, "-2.25"), (100.04, "100"),
  ])
  func numbersAreShort(number: Double, text: String) { #expect(NumberForm.short(number) == text) }

  @Test func thePlotHasACurveForEachAndEscapesNames() {
    var plot = PercentilePlot(title: "a < b & c")
    #expect(plot.isEmpty)
    plot.add("nothing", LatencyHistogram())
    #expect(plot.isEmpty)
    plot.add("push <1>", ramp(1_000))
    plot.add("storm", ramp(20))
    let svg = plot.svg
    #expect(svg.hasPrefix("<svg xmlns="))
    #expect(svg.hasSuffix("</svg>\n"))
    #expect(svg.count(of: "<polyline") == 2)
    #expect(svg.contains("a &lt; b &amp; c"))
    #expect(svg.contains("push &lt;1&gt;: 1000"))
    #expect(!svg.contains("nan") && !svg.contains("inf"))
  }
}

extension String {
  /// How often a text occurs.
  fileprivate func count(of text: String) -> Int { ranges(of: text).count }
}
