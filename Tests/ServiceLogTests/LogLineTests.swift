// The spellings of a line, above all that no message can become two lines.

import Logging
import Testing

@testable import ServiceLog

@Suite struct LogLineTests {
  private let moment = LogMoment(
    year: 2026, month: 11, day: 3, hour: 8, minute: 5, second: 9, milliseconds: 7)

  private func line(
    _ message: String, _ metadata: [(key: String, value: String)] = [],
    level: Logger.Level = .info
  ) -> LogLine {
    LogLine(
      moment: moment, level: level, component: "BGBServer", message: message, metadata: metadata,
      thread: 42, origin: "Shard.swift:7")
  }

  private func text(_ line: LogLine, _ format: LogFormat) -> String {
    String(decoding: line.bytes(format), as: UTF8.self)
  }

  @Test func textShowsTimeLevelComponentAndPairs() {
    let line = line("signed in", [("client", "a1"), ("why", "two words"), ("none", "")])
    #expect(
      text(line, .text)
        == "2026-11-03T08:05:09.007Z INFO     BGBServer signed in client=a1 "
        + "why=\"two words\" none=\"\"\n"
    )
  }

  @Test func cmtraceIsTheOriginalsRecord() {
    #expect(
      text(line("signed in", [("client", "a1")], level: .error), .cmtrace)
        == "<![LOG[signed in client=a1]LOG]!><time=\"08:05:09.007+000\" date=\"11-03-2026\" "
        + "component=\"BGBServer\" context=\"\" type=\"3\" thread=\"42\" file=\"Shard.swift:7\">\n"
    )
    #expect(text(line("w", level: .warning), .cmtrace).contains("type=\"2\""))
    #expect(text(line("w", level: .notice), .cmtrace).contains("type=\"1\""))
  }

  @Test func jsonQuotesEverything() {
    #expect(
      text(line("say \"hi\"\\\u{7}", [("k\n", "v\u{2028}")]), .json)
        == #"{"time":"2026-11-03T08:05:09.007Z","level":"info","component":"BGBServer","#
        + #""message":"say \"hi\"\\\u0007","metadata":{"k\n":"v\u2028"},"thread":42}"# + "\n")
  }

  @Test(arguments: LogFormat.allCases)
  func hostileTextStaysOnItsLine(_ format: LogFormat) {
    let hostile = "a\r\nINFO forged \u{1B}[2J \u{202E}desrever \u{85} ]LOG]!><time"
    let bytes = line(hostile, [("name\n=x", hostile)]).bytes(format)
    #expect(bytes.filter { $0 == UInt8(ascii: "\n") }.count == 1)
    #expect(bytes.last == UInt8(ascii: "\n"))
    let shown = String(decoding: bytes.dropLast(), as: UTF8.self).unicodeScalars
    #expect(!shown.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
    #expect(!shown.contains("\u{202E}"))
    if format == .cmtrace {
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.split(separator: "]LOG]!>", omittingEmptySubsequences: false).count == 2)
    }
  }

  @Test(arguments: LogFormat.allCases)
  func aLineNeverExceedsWhatAPipeKeepsWhole(_ format: LogFormat) {
    let long = String(repeating: "\u{1}é", count: 100_000)
    let many = (0..<100).map { (key: "k\($0)" + long, value: long) }
    let bytes = line(long, many).bytes(format)
    #expect(bytes.count <= LogLine.bytesMax)
    #expect(bytes.last == UInt8(ascii: "\n"))
    #expect(String(validating: bytes, as: UTF8.self) != nil)
  }

  @Test func pairsCannotBeForgedByValues() {
    let shown = text(line("m", [("a", "1 b=2"), ("c", "x\"y"), ("d e", "z")]), .text)
    #expect(shown.hasSuffix("m a=\"1 b=2\" c=\"x\\\"y\" d_e=z\n"))
  }
}
