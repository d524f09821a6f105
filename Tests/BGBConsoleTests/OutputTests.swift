// Tables, CSV, JSON and names; above all, that hostile names do nothing.

import BGBModel
import Testing

@testable import BGBConsole

@Suite struct OutputTests {
  private let listing = Listing(
    columns: [
      Column("name", field: "name"), Column("count", field: "count", isNumber: true),
      Column("last report", field: "tags"),
    ],
    items: [
      .members(["name": .text("pc-1"), "count": .integer(7), "tags": .texts(["a", "b"])]),
      .members(["name": .text("日本\u{1B}[2J"), "count": .integer(-1234), "tags": .null]),
    ]
  ) { $0["name"].cell }

  @Test func tableAlignsByColumnsOnTheTerminal() {
    #expect(
      listing.text(.table, headers: true) == """
        NAME           COUNT  LAST REPORT
        pc-1               7  a,b
        日本\\u{1b}[2J  -1234

        """)
    #expect(listing.text(.table, headers: false).hasPrefix("pc-1"))
  }

  @Test func csvHasFieldNamesAndKeepsNumbers() {
    #expect(
      listing.text(.csv, headers: true)
        == "name,count,last-report\npc-1,7,\"a,b\"\n日本\u{1B}[2J,-1234,\n")
  }

  @Test func jsonIsOneDocumentAndJsonlOneALine() throws {
    let document = try JSONReader.read(Array(listing.text(.json, headers: true).utf8))
    #expect(document == .list(listing.items))
    let lines = listing.text(.jsonl, headers: true).split(separator: "\n")
    #expect(try lines.map { try JSONReader.read(Array($0.utf8)) } == listing.items)
    #expect(!listing.text(.json, headers: true).contains("\u{1B}"))
  }

  @Test func namesAreOneALine() {
    #expect(listing.text(.name, headers: true) == "pc-1\n日本\\u{1b}[2J\n")
  }

  @Test(arguments: OutputFormat.allCases)
  func nothingIsStillValid(_ format: OutputFormat) throws {
    let empty = Listing(columns: listing.columns, items: []) { _ in "" }
    let text = empty.text(format, headers: true)
    switch format {
    case .json: #expect(try JSONReader.read(Array(text.utf8)) == .list([]))
    case .csv: #expect(text == "name,count,last-report\n")
    case .table, .jsonl, .name: #expect(text.isEmpty)
    }
  }

  @Test(arguments: [
    ("=1+1", "\"'=1+1\""), ("@x", "\"'@x\""), ("-2+3", "\"'-2+3\""), ("+1", "\"'+1\""),
    ("\tx", "\"'\tx\""), ("plain", "plain"), ("a\"b", "\"a\"\"b\""), ("a\nb", "\"a\nb\""),
    ("a=1", "a=1"), ("", ""),
  ])
  func csvEscapesFormulasAndQuotes(_ text: String, _ field: String) {
    #expect(TerminalText.csv(text) == field)
  }

  @Test(arguments: [
    "\u{1B}[31m", "\u{9B}31m", "\u{7}", "\r", "\n", "\u{202E}", "\u{2066}", "\u{200B}", "\u{FEFF}",
    "\u{E0041}", "\u{7F}", "\u{85}",
  ])
  func nothingThatActsReachesATerminal(_ hostile: String) {
    let shown = TerminalText.shown("a" + hostile + "b")
    #expect(!shown.unicodeScalars.contains(where: TerminalText.isUnsafe))
    #expect(shown.hasPrefix("a\\") && shown.hasSuffix("b"))
    let json = JSONValue.text(hostile).encoded
    #expect(!json.unicodeScalars.contains { TerminalText.isUnsafe($0) && $0.value < 0x10000 })
  }

  @Test(arguments: [
    (0, "0"), (7, "7"), (999, "999"), (1000, "1,000"), (47_188, "47,188"),
    (1_234_567, "1,234,567"), (-1000, "-1,000"),
  ])
  func numbersAreGrouped(_ number: Int, _ text: String) {
    #expect(NumberText.grouped(number) == text)
  }

  @Test(arguments: [
    (0, "0s"), (59, "59s"), (60, "1m"), (130, "2m10s"), (3600, "1h"), (5430, "1h30m"),
    (86_400, "1d"), (90_061, "1d1h"), (-5, "0s"),
  ])
  func durationsHaveTwoUnits(_ seconds: Int64, _ text: String) {
    #expect(NumberText.duration(seconds: seconds) == text)
  }

  @Test(arguments: [("90s", 90), ("1h30m", 5400), ("1d", 86_400), ("0", 0)])
  func durationsAreRead(_ text: String, _ seconds: Int64) {
    #expect(NumberText.seconds(of: text) == seconds)
  }

  @Test(arguments: ["", "5", "m", "1m1h", "1x", "9223372036854775807d", "-1m", "1 m", "٣m"])
  func whatIsNoDurationIsNot(_ text: String) { #expect(NumberText.seconds(of: text) == nil) }

  @Test func errorsShowCodeAndNextStepOnTheirLines() {
    let error = ConsoleError(.failure, "no\nway", code: "BGB-1", hint: "a\u{7}")
    #expect(error.lines == "bgb: no\\nway (BGB-1)\n  a\\u{7}")
    #expect(ConsoleError(.failure, "plain").lines == "bgb: plain")
  }

  @Test func percentIsHundredOnlyAtTheEnd() {
    #expect(NumberText.percent(0, of: 3) == 0)
    #expect(NumberText.percent(99_999, of: 100_000) == 99)
    #expect(NumberText.percent(3, of: 3) == 100)
    #expect(NumberText.percent(0, of: 0) == 100)
    #expect(NumberText.percent(.max, of: .max) == 100)
  }
}
