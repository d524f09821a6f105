// Calendar time as text and back, and sums that saturate.

import BGBModel
import Testing

@Suite struct WallTimeTests {
  static let known: [(Int64, String)] = [
    (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
    (951_782_400_000, "2000-02-29T00:00:00.000Z"), (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
    (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    (1_795_456_800_123, "2026-11-23T18:00:00.123Z"),
    (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
  ]

  @Test(arguments: known) func knownMoments(_ milliseconds: Int64, _ text: String) {
    #expect(WallTime(milliseconds: milliseconds).description == text)
    #expect(WallTime(rfc3339: text)?.milliseconds == milliseconds)
  }

  @Test func randomMomentsComeBack() {
    var generator = Seeded(2)
    for _ in 0..<5_000 {
      let moment = WallTime(
        milliseconds: Int64.random(
          in: -62_167_219_200_000...253_402_300_799_999, using: &generator))
      #expect(WallTime(rfc3339: moment.description) == moment)
    }
  }

  @Test func withoutFraction() {
    #expect(WallTime(rfc3339: "2026-11-23T18:00:00Z")?.milliseconds == 1_795_456_800_000)
  }

  @Test(arguments: [
    "", "2026-11-23", "2026-11-23T18:00:00", "2026-11-23 18:00:00Z", "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
    "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
    "2026-01-01T00:00:60Z", "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00,123Z",
    "+026-01-01T00:00:00Z", "2026-1 -01T00:00:00Z", "2026-01-01t00:00:00Z",
    "2026-01-01T00:00:00.000+", "٢٠٢٦-01-01T00Z",
  ])
  func otherTextsAreRefused(_ text: String) { #expect(WallTime(rfc3339: text) == nil) }

  @Test func extremesAreShownClamped() {
    #expect(WallTime(milliseconds: .max).description == "9999-12-31T23:59:59.999Z")
    #expect(WallTime(milliseconds: .min).description == "0000-01-01T00:00:00.000Z")
  }

  @Test func sumsSaturate() {
    #expect(WallTime(milliseconds: .max).adding(milliseconds: 1).milliseconds == .max)
    #expect(WallTime(milliseconds: .min).adding(milliseconds: -1).milliseconds == .min)
    #expect(WallTime(milliseconds: .max).since(WallTime(milliseconds: .min)) == .max)
    #expect(WallTime(milliseconds: .min).since(WallTime(milliseconds: .max)) == .min)
    #expect(WallTime(milliseconds: 5).since(WallTime(milliseconds: 7)) == -2)
  }
}
