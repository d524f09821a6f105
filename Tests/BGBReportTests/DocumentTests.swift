// The examples of docs/REPORTS.md are what the code writes, byte for byte.

import BGBModel
import BGBReport
import Glibc
import Testing

private let document: String = {
  let here = #filePath
  let root = here.split(separator: "/").dropLast(3).joined(separator: "/")
  guard let file = fopen("/\(root)/docs/REPORTS.md", "r") else { return "" }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 1 << 20)
  let count = fread(&bytes, 1, bytes.count, file)
  return String(decoding: bytes[..<count], as: UTF8.self)
}()

/// The text of the block with this word behind its fence.
private func example(_ word: String) -> String {
  guard let start = document.firstRange(of: "\n```\(word)\n") else { return "" }
  let rest = document[start.upperBound...]
  guard let end = rest.firstRange(of: "```\n") else { return "" }
  return String(rest[..<end.lowerBound])
}

@Suite struct DocumentTests {
  @Test(arguments: [("BOS", presenceReport), ("BTS", outcomeReport)])
  func examplesAreWhatTheCodeWrites(_ word: String, _ report: Report) throws {
    let shown = example(word)
    let last = try #require(shown.split(separator: "\n").last)
    let signature = try #require(Base64.decode(last.dropFirst("SIGNATURE ".count)))
    #expect(text(ReportFile.encode(report) { _ in signature }) == shown)
    #expect(try ReportFile.decode(Array(shown.utf8)) { _, _, _ in true } == report)
  }

  @Test func everyWordIsInTheDocument() {
    let words =
      TaskState.allCases.map(\.name) + PresenceReason.allCases.map(\.name)
      + ChannelKind.allCases.map(\.name) + FallbackReason.allCases.map(\.name)
    for word in words { #expect(document.contains("`\(word)`"), "\(word)") }
    #expect(document.contains("at most \(Limits.reportBytesMax >> 20) MiB"))
  }
}
