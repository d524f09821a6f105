// Lines that nobody of us wrote, in files whose checksum is right: what a compromised server could
// sign. Each is refused with the error that names it.

import BGBModel
import Testing

@testable import BGBReport

@Suite struct ReportLineTests {
  /// A file of these lines with a right checksum.
  private func file(_ header: String, _ records: [String], count: Int? = nil) -> [UInt8] {
    var bytes = Array((header + "\n").utf8)
    for record in records { bytes += Array((record + "\n").utf8) }
    let sum = CRC32C.checksum(bytes)
    let end = ReportFooter.endLine(count: count ?? records.count, checksum: sum)
    return bytes + Array("\(end)\nSIGNATURE -\n".utf8)
  }

  private func decode(_ bytes: [UInt8]) throws(ReportError) -> Report {
    try ReportFile.decode(bytes) { _, _, _ in true }
  }

  static let bos =
    "BGB-REPORT 1 BOS site=S01 server=3 epoch=5 sequence=12 scope=full "
    + "written=2026-11-23T18:00:00.123Z count=1"
  static let bts =
    "BGB-REPORT 1 BTS site=S01 server=3 epoch=5 sequence=12 scope=delta "
    + "written=2026-11-23T18:00:00.123Z count=1"
  static let presence =
    "01234567-89ab-4cde-0000-000000000001\tonline\t2026-11-23T17:59:00.123Z\t"
    + "2026-11-23T18:00:00.000Z\tsignedIn\ttcp\t41\tpc-7\tDebian\tagent\t192.0.2.7"
    + "\tnone\t2026-11-23T17:58:00.123Z"
  static let outcome =
    "01234567-89ab-4cde-0000-000000000001\t01234567-89ab-4cde-0000-000000000009\tfailed\t-2\t3\t"
    + "2026-11-23T18:00:00.123Z\ttext"

  @Test func theseLinesAreRead() throws {
    _ = try decode(file(ReportLineTests.bos, [ReportLineTests.presence]))
    _ = try decode(file(ReportLineTests.bts, [ReportLineTests.outcome]))
  }

  @Test(arguments: [
    ("1 BOS", "2 BOS"), ("BOS", "BXS"), ("site=S01", "site=s01"), ("site=S01", "server=3"),
    ("server=3", "server=03"), ("server=3", "server=4294967296"), ("epoch=5", "epoch=-5"),
    ("epoch=5", "epoch=+5"), ("sequence=12", "sequence=0"), ("sequence=12", "sequence="),
    ("scope=full", "scope=FULL"), ("scope=full", "scope=full "), ("00.123Z", "00Z"),
    ("written=2026-11", "written=2026-13"), ("count=1", "count=01"), ("count=1", "count=-1"),
    (" epoch", "  epoch"), ("BGB-", "BGB-\u{301}"), ("count=1", "count=1 more=2"),
  ])
  func otherHeadersAreRefused(_ part: String, _ other: String) {
    let header = ReportLineTests.bos.replacing(part, with: other, maxReplacements: 1)
    #expect(throws: ReportError.badHeader(line: 1)) {
      try decode(file(header, [ReportLineTests.presence]))
    }
  }

  @Test func outcomesAreNeverFull() {
    let header = ReportLineTests.bts.replacing("delta", with: "full")
    #expect(throws: ReportError.badHeader(line: 1)) {
      try decode(file(header, [ReportLineTests.outcome]))
    }
  }

  @Test(arguments: [
    ("online", "ONLINE"), ("online", ""), ("signedIn", "signedin"), ("tcp", "udp"),
    ("\t41", "\t041"), ("\t41", "\t18446744073709551616"), ("17:59:00.123Z", "17:59:00Z"),
    ("0123", "ABCD"), ("pc-7", ""), ("pc-7", "a%0ab"), ("pc-7", "a%2"),
    ("pc-7", "a%61"), ("pc-7", "%2D%"), ("pc-7", "\u{1B}[m"), ("pc-7", "%C3"), ("pc-7", "a%00"),
    ("192.0.2.7", "192.0.2.7,"), ("192.0.2.7", ",192.0.2.7"), ("192.0.2.7", "a,,b"),
    ("\tagent", ""), ("\tagent", "\tagent\tmore"), ("192.0.2.7", "192.0.2.7\r"),
    ("none", "None"), ("none", ""), ("none", "timedOut"), ("none\t", ""), ("\tnone", ""),
    ("17:58:00.123Z", "17:58:00Z"), ("17:58:00.123Z", ""), ("17:58:00.123Z", "17:58:00.123Z\t"),
  ])
  func otherPresenceRecordsAreRefused(_ part: String, _ other: String) {
    let line = ReportLineTests.presence.replacing(part, with: other, maxReplacements: 1)
    #expect(throws: ReportError.badRecord(line: 2)) {
      try decode(file(ReportLineTests.bos, [line]))
    }
  }

  @Test(arguments: [
    ("failed", "exploded"), ("\t-2", "\t-02"), ("\t-2", "\t2147483648"), ("\t3", "\t-3"),
    ("\ttext", ""), ("text", ""), ("text", "a\tb"), ("text", "50%"), ("0009\t", "0009"),
  ])
  func otherOutcomeRecordsAreRefused(_ part: String, _ other: String) {
    let line = ReportLineTests.outcome.replacing(part, with: other, maxReplacements: 1)
    #expect(throws: ReportError.badRecord(line: 2)) {
      try decode(file(ReportLineTests.bts, [line]))
    }
  }

  @Test func recordsOfTheOtherKindAreRefused() {
    #expect(throws: ReportError.badRecord(line: 2)) {
      try decode(file(ReportLineTests.bos, [ReportLineTests.outcome]))
    }
    #expect(throws: ReportError.badRecord(line: 2)) {
      try decode(file(ReportLineTests.bts, [ReportLineTests.presence]))
    }
  }

  @Test func fieldsBeyondTheirLimitsAreRefused() {
    let long = String(repeating: "x", count: 256)
    for part in ["pc-7", "Debian", "agent", "192.0.2.7"] {
      let line = ReportLineTests.presence.replacing(part, with: long, maxReplacements: 1)
      #expect(throws: ReportError.badRecord(line: 2)) {
        try decode(file(ReportLineTests.bos, [line]))
      }
    }
    let addresses = (0..<17).map { "10.0.0.\($0)" }.joined(separator: ",")
    let line = ReportLineTests.presence.replacing("192.0.2.7", with: addresses)
    #expect(throws: ReportError.badRecord(line: 2)) {
      try decode(file(ReportLineTests.bos, [line]))
    }
    let huge = String(repeating: "x", count: Limits.reportLineBytesMax + 1)
    #expect(throws: ReportError.lineTooLong(line: 2)) {
      try decode(file(ReportLineTests.bos, [huge]))
    }
    #expect(throws: ReportError.lineTooLong(line: 1)) {
      try decode(file(huge, [ReportLineTests.presence]))
    }
  }

  @Test func countsMustAgree() {
    #expect(throws: ReportError.wrongCount(line: 1)) { try decode(file(ReportLineTests.bos, [])) }
    let other = ReportLineTests.presence.replacing("000001\t", with: "000002\t")
    #expect(throws: ReportError.wrongCount(line: 1)) {
      try decode(file(ReportLineTests.bos, [ReportLineTests.presence, other]))
    }
    #expect(throws: ReportError.badEnd(line: 3)) {
      try decode(file(ReportLineTests.bos, [ReportLineTests.presence], count: 2))
    }
  }

  @Test func aClientComesOnceInAPresenceReport() {
    let header = ReportLineTests.bos.replacing("count=1", with: "count=2")
    #expect(throws: ReportError.repeatedClient(line: 3)) {
      try decode(file(header, [ReportLineTests.presence, ReportLineTests.presence]))
    }
  }

  @Test(arguments: [
    "", "SIGNATURE", "SIGNATURE ", "SIGNATURE  -", "SIGNATURE AAAA", "signature -", "SIGNATURE -x",
  ])
  func otherSignatureLinesAreRefused(_ line: String) {
    var bytes = file(ReportLineTests.bos, [ReportLineTests.presence])
    bytes.removeLast("SIGNATURE -\n".utf8.count)
    #expect(throws: ReportError.badSignatureLine(line: 4)) {
      try decode(bytes + Array((line + "\n").utf8))
    }
  }

  @Test func notTextIsRefused() {
    var bytes = Array((ReportLineTests.bts + "\n").utf8)
    bytes += Array(ReportLineTests.outcome.utf8) + [0xFF, 0x0A]
    let end = ReportFooter.endLine(count: 1, checksum: CRC32C.checksum(bytes))
    #expect(throws: ReportError.badText(line: 2)) {
      try decode(bytes + Array("\(end)\nSIGNATURE -\n".utf8))
    }
    #expect(throws: ReportError.empty) { try decode([]) }
    #expect(throws: ReportError.torn) { try decode(Array("BGB-REPORT 1".utf8)) }
  }

  @Test(arguments: hostileTexts) func escapingHasOneSpelling(_ text: String) throws {
    for alsoComma in [false, true] {
      let escaped = ReportText.escape(text, alsoComma: alsoComma)
      let back = ReportText.unescape(
        Array(escaped.utf8).span, limit: 100, alsoComma: alsoComma)
      #expect(back.map { Array($0.utf8) } == Array(text.utf8))
      #expect(escaped.isPrintable && !escaped.isEmpty)
      #expect(!alsoComma || !escaped.utf8.contains(UInt8(ascii: ",")))
    }
  }

  // MARK: Fields read from bytes

  /// What the standard library reads, if it would write it in the same way.
  private func number<Value: FixedWidthInteger>(_ text: String, _: Value.Type) -> Value? {
    guard let value = Value(text), Array(String(value).utf8) == Array(text.utf8) else { return nil }
    return value
  }

  /// Whatever spelling somebody tries, only the one that is written is read.
  @Test(arguments: [
    "", "0", "-0", "00", "-", "--1", "+1", "1", "-1", "01", "-01", " 1", "1 ", "1_0", "9a", "0x1",
    "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
    "18446744073709551615", "18446744073709551616", "99999999999999999999999", "\u{661}",
    "1\u{301}",
    "1.0", "1e3", "-10", "100",
  ])
  func numbersHaveOneSpelling(_ text: String) {
    let bytes = Array(text.utf8)
    func isReadAlike<Value: FixedWidthInteger>(_ type: Value.Type) -> Bool {
      ReportText.number(bytes.span, type) == number(text, type)
    }
    #expect(isReadAlike(Int32.self))
    #expect(isReadAlike(UInt32.self))
    #expect(isReadAlike(UInt64.self))
    #expect(isReadAlike(Int.self))
  }

  /// The text whose escaped form this is, found by taking every `%XX` for a byte.
  private func unescaped(_ field: String, limit: Int, alsoComma: Bool) -> String? {
    let parts = field.utf8.split(separator: UInt8(ascii: "%"), omittingEmptySubsequences: false)
    var bytes = parts.first.map(Array.init) ?? []
    for part in parts.dropFirst() {
      let digits = String(decoding: part.prefix(2), as: UTF8.self)
      guard let byte = UInt8(digits, radix: 16) else { return nil }
      bytes += [byte] + part.dropFirst(2)
    }
    let text = field == "-" ? "" : String(decoding: bytes, as: UTF8.self)
    let isWritten =
      Array(ReportText.escape(text, alsoComma: alsoComma).utf8) == Array(field.utf8)
    return isWritten && text.utf8.count <= limit && !text.utf8.contains(0) ? text : nil
  }

  @Test(
    arguments: hostileTexts
      + [
        "", "%", "%4", "%41", "%0a", "%0A", "%00", "%C3", "%C3%A9", "a%2Db", "%2D", "\u{E9}", "a,b",
        "a%2Cb", "%7F", "a%", "%%", "-", "--", "%2D-",
      ])
  func escapedFieldsAreReadInOneSpelling(_ field: String) {
    for limit in [0, 1, 2, 100] {
      for alsoComma in [false, true] {
        let read = ReportText.unescape(
          Array(field.utf8).span, limit: limit, alsoComma: alsoComma)
        let expected = unescaped(field, limit: limit, alsoComma: alsoComma)
        #expect(
          read.map { Array($0.utf8) } == expected.map { Array($0.utf8) },
          "limit \(limit), comma \(alsoComma)")
      }
    }
    let noText = ReportText.unescape([0x61, 0xFF].span, limit: 9)
    #expect(noText == nil)
  }

  @Test func fieldsEndWithTheLine() {
    func fields(_ text: String, _ count: Int) -> ([String?], Bool) {
      let bytes = Array(text.utf8)
      var fields = LineFields(bytes.span)
      let read = (0..<count).map { _ in ReportText.text(fields.next()) }
      return (read, fields.isAtEnd)
    }
    #expect(fields("a\t\tbc", 3) == (["a", "", "bc"], true))
    #expect(fields("a\t\tbc", 2) == (["a", ""], false))
    #expect(fields("a\t", 1) == (["a"], false))
    #expect(fields("a\t", 2) == (["a", ""], true))
    #expect(fields("a", 3) == (["a", "", ""], true))
    #expect(fields("", 1) == ([""], true))
  }

  @Test func wordsBeforeAValueAreAskedFor() {
    func value(_ field: String) -> String? {
      let bytes = Array("\(field) x".utf8)
      var words = LineFields(bytes.span, separator: " ")
      return ReportText.text(words.next(behind: "a="))
    }
    #expect(value("a=12") == "12")
    #expect(value("a=") == "")
    #expect(value("a") == "" && value("") == "" && value("b=12") == "" && value("A=1") == "")
  }
}
