// JSON of the API: what is written can be read, what is not JSON is refused where it goes wrong.

import Testing

@testable import BGBManager

@Suite("JSON")
struct JSONTests {
  private func read(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

  @Test(
    "Values survive writing and reading",
    arguments: [
      JSONValue.null, .bool(true), .integer(Int64.min), .integer(Int64.max), .number(1.5),
      .text(""), .text("a\"\\/\u{8}\u{c}\n\r\t\u{0}\u{7f}\u{2028}<script>&äß中🦫"), .list([]),
      .object([]), .list([.list([.object([.init(name: "k", value: .list([.null]))])])]),
      .members(["b": .integer(1), "a": .text("order is kept")]),
    ])
  func roundTrip(_ value: JSONValue) throws {
    #expect(try read(value.encoded) == value)
  }

  @Test("Nothing in a written text can end a script or a line")
  func escapes() {
    let text = JSONValue.text("</script>\n\u{2028}\u{9b}31m").encoded
    #expect(!text.contains("<") && !text.contains("\n") && !text.contains("\u{2028}"))
    #expect(!text.contains("\u{9b}"))
  }

  @Test(
    "What is not JSON is refused",
    arguments: [
      "", " ", "nul", "truefalse", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1",
      "9223372036854775808", "1e999", "\"", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
      "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\u{1}\"", "[", "[1", "[1,", "[1,]", "[,1]", "]", "{",
      "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "{\"a\":1,\"a\":2}",
      "1 2", "[1]x", "'a'", "NaN", "Infinity", "/* */1",
    ])
  func refused(_ text: String) {
    #expect(throws: JSONError.self) { try read(text) }
  }

  @Test("Depth is bounded, and the bound costs no stack")
  func depth() throws {
    let deep = JSONReader.depthMax
    let nested = { (count: Int) in
      String(repeating: "[", count: count) + String(repeating: "]", count: count)
    }
    _ = try read(nested(deep))
    #expect(throws: JSONError.tooDeep(position: deep)) { try read(nested(deep + 1)) }
    #expect(throws: JSONError.tooDeep(position: deep)) {
      try read(String(repeating: "[", count: 1_000_000))
    }
  }

  @Test("Bytes that are not UTF-8 are refused before anything else")
  func notUTF8() {
    for bytes: [UInt8] in [[0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0xED, 0xA0, 0x80]] {
      #expect(throws: JSONError.notUTF8) { try JSONReader.read(bytes) }
    }
  }

  @Test("Every prefix of a document is refused or whole")
  func prefixes() throws {
    let text = #"{"action":"quick-scan","target":{"clients":["pc-1"]},"n":[1,2.5,-3e2,"\u00e4"]}"#
    for length in 0..<text.utf8.count {
      #expect(throws: JSONError.self) {
        try JSONReader.read(Array(text.utf8.prefix(length)))
      }
    }
    _ = try read(text)
  }

  @Test(
    "Percent signs of a path",
    arguments: [
      ("All%20Systems", "All Systems"), ("%C3%A4", "ä"), ("%2f", "/"), ("a+b", "a+b"),
      ("%", nil), ("%2", nil), ("%zz", nil), ("%ff", nil), ("%C3", nil),
    ] as [(String, String?)])
  func percent(_ text: String, _ decoded: String?) {
    #expect(text.percentDecoded == decoded)
  }
}
