// How figures are taken from /proc, put in order, and written.
import Testing

@testable import SwarmPeers

@Suite("Figures of a run over a peer")
struct PeerFiguresTests {
  @Test(
    "a value is written with four decimals at most",
    arguments: [
      (0, "0"), (1, "1"), (0.5, "0.5"), (24_517.25, "24517.25"), (0.00004, "0"), (1.99996, "2"),
      (0.0301, "0.0301"), (-12.5, "-12.5"), (.infinity, "0"), (.nan, "0"),
    ] as [(Double, String)])
  func text(_ value: Double, _ expected: String) {
    #expect(PeerFigures.text(value) == expected)
  }

  @Test("the report is JSON with flat figures, whatever the server is called")
  func json() {
    var figures = PeerFigures(server: "a\"b", dialect: .nats, connections: 500)
    figures.note(.idleMemory, 62_800)
    figures.note(.pushTail, 938.5)
    figures.failures = ["connect: refused": 2]
    #expect(
      figures.json
        == "{\"server\":\"a b\",\"dialect\":\"nats\",\"connections\":500,"
        + "\"figures\":{\"M1\":62800,\"F3\":938.5},\"failures\":{\"connect: refused\":2}}\n")
    #expect(figures.lines.count == 3)
    #expect(figures.lines[0].hasPrefix("M1 "))
  }

  @Test("every figure has a name of its own, and words without the table's bar")
  func names() {
    #expect(Set(PeerFigure.allCases.map(\.words)).count == PeerFigure.allCases.count)
    #expect(PeerFigure.allCases.allSatisfy { !$0.words.contains("|") && !$0.words.contains("'") })
  }

  @Test("a percentile is a value that occurred")
  func percentiles() {
    let values = Array(1...200)
    #expect(percentile(values, 500) == 100)
    #expect(percentile(values, 990) == 198)
    #expect(percentile(values, 1_000) == 200)
    #expect(percentile([7], 0) == 7)
    #expect(percentile([Int](), 500) == nil)
  }

  @Test("numbers of /proc stand behind blanks or tabs")
  func proc() {
    let text = "VmPeak:\t  99 kB\nVmRSS:\t   1234 kB\nPss:                 77 kB\n"
    #expect(ProcessProbe.kilobytes("VmRSS:", in: text) == 1234)
    #expect(ProcessProbe.kilobytes("Pss:", in: text) == 77)
    #expect(ProcessProbe.kilobytes("Slab:", in: text) == 0)
  }

  @Test("a process that is not there uses nothing, and ourselves something")
  func probe() {
    #expect(ProcessProbe(processIDs: [Int32.max]).residentBytes() == 0)
    #expect(!ProcessProbe(processIDs: [Int32.max]).isAlive)
    #expect(ProcessProbe.slabBytes() > 0)
  }
}
