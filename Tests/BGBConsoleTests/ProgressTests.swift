// The progress line: what it says, when it is drawn, and what it leaves on the terminal.

import BGBModel
import Testing

@testable import BGBConsole

@Suite struct ProgressTests {
  private func big() throws -> OperationStatus {
    try #require(
      try status(
        total: 47_188, counts: ["succeeded": 39_870, "failed": 10, "unknown": 2, "queued": 7_306]))
  }

  @Test func theLineSaysWhatIsKnown() throws {
    #expect(
      ProgressLine.text(try big(), now: moment)
        == "quick-scan op 7  39,882/47,188 delivered  39,870 ok  12 failed  7,306 waiting  84%  "
        + "2m10s, expires in 57m50s")
  }

  @Test func aFinishedOneDoesNotExpire() throws {
    let done = try #require(try status(state: "completed", counts: ["succeeded": 3, "expired": 1]))
    #expect(
      ProgressLine.text(done, now: moment)
        == "quick-scan op 7  3/4 delivered  3 ok  1 expired  100%  2m10s")
  }

  @Test func aTerminalIsDrawnAtMostFiveTimesASecond() throws {
    var painter = ProgressPainter(style: .auto, isTerminal: true)
    let operation = try big()
    var drawn = 0
    for ticks in stride(from: 0, to: 1000, by: 10) {
      let text = painter.paint(operation, now: moment, ticks: Int64(ticks), columns: 300)
      if let text {
        drawn += 1
        #expect(text.hasPrefix("\r") && text.hasSuffix("\u{1B}[K"))
      }
    }
    #expect(drawn == 5)
    #expect(
      painter.paint(operation, now: moment, ticks: 1000, columns: 300, isLast: true) != nil)
    #expect(painter.close() == "\n")
    #expect(painter.close() == "")
  }

  @Test func aNarrowTerminalIsNotOverrun() throws {
    var painter = ProgressPainter(style: .auto, isTerminal: true)
    let text = painter.paint(try big(), now: moment, ticks: 0, columns: 40) ?? ""
    #expect(TerminalText.width(String(text.dropFirst().dropLast(3))) <= 39)
    #expect(text.contains("…"))
  }

  @Test func elsewhereALineComesEveryTenSeconds() throws {
    var painter = ProgressPainter(style: .auto, isTerminal: false)
    let operation = try big()
    var lines: [String] = []
    for ticks in stride(from: 0, through: 30_000, by: 500) {
      let now = moment.adding(milliseconds: Int64(ticks))
      let text = painter.paint(operation, now: now, ticks: Int64(ticks), columns: 20)
      if let text { lines.append(text) }
    }
    #expect(lines.count == 4)
    #expect(lines.allSatisfy { $0.hasSuffix("\n") && !$0.contains("\r") && !$0.contains("\u{1B}") })
    #expect(painter.close() == "")
  }

  @Test func stylesAreObeyed() throws {
    let operation = try big()
    var silent = ProgressPainter(style: .none, isTerminal: true)
    #expect(silent.paint(operation, now: moment, ticks: 0, columns: 80, isLast: true) == nil)
    var plain = ProgressPainter(style: .plain, isTerminal: true)
    #expect(plain.paint(operation, now: moment, ticks: 0, columns: 80)?.hasSuffix("\n") == true)
    var json = ProgressPainter(style: .json, isTerminal: true)
    #expect(
      json.paint(operation, now: moment, ticks: 0, columns: 80) == operation.item.encoded + "\n")
  }

  @Test func theReportListsEveryGroupWithItsCommand() throws {
    let operation = try #require(
      try status(
        state: "completed", total: 1200, counts: ["succeeded": 1190, "failed": 9, "expired": 1]))
    let reasons = [
      OperationReport.Reason(state: "failed", code: "2", text: "no \u{1B}scanner", count: 9)
    ]
    #expect(
      OperationReport.text(operation, reasons: reasons, elapsed: 130) == """
        Quick Scan on Lab, operation 7: completed after 2m10s
          targeted    1,200  bgb op targets 7
          delivered   1,199
          succeeded   1,190  bgb op targets 7 --state succeeded
          failed          9  bgb op targets 7 --state failed
            9 × code 2: no \\u{1b}scanner
          expired         1  bgb op targets 7 --state expired

        """)
  }

  @Test func reasonsAreCountedAndTheCommonestComeFirst() {
    func target(_ code: Int64, _ text: String) -> JSONValue {
      .members(["state": .text("failed"), "code": .integer(code), "text": .text(text)])
    }
    let targets =
      [target(1, "a"), target(2, "b\nmore"), target(2, "b\nelse")]
      + (10..<40).map { target($0, "\($0)") }
    let reasons = OperationReport.reasons(of: targets)
    #expect(reasons.count == OperationReport.reasonsMax)
    #expect(reasons[0] == OperationReport.Reason(state: "failed", code: "2", text: "b", count: 2))
  }
}
