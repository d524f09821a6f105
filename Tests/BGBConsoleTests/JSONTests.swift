// What the console reads and writes as JSON.

import Testing

@testable import BGBConsole

@Suite struct JSONTests {
  @Test(arguments: [
    "null", "true", "[]", "{}", #"{"a":[1,-2,3.5,1e3],"b":{"c":"x\"\\\/\b\f\n\r\té😀"}}"#,
    "[9223372036854775807,-9223372036854775808]", " [ 1 , 2 ] ",
  ])
  func whatIsWrittenReadsBackTheSame(_ text: String) throws {
    let value = try JSONReader.read(Array(text.utf8))
    #expect(try JSONReader.read(Array(value.encoded.utf8)) == value)
  }

  @Test(arguments: [
    "", "nul", "[1,]", "{\"a\"}", "{a:1}", "\"", "\"\\x\"", "\"\\ud800\"", "\"\\ud800\\u0041\"",
    "01", "+1", "--1", "1.", ".5", "[1] 2", "\"a\nb\"", "1e999", "-", "{\"a\":1,}", "\"\\u+123\"",
    String(repeating: "[", count: 100) + String(repeating: "]", count: 100),
  ])
  func whatIsNotJSONIsRefused(_ text: String) {
    #expect(throws: JSONFault.self) { try JSONReader.read(Array(text.utf8)) }
  }

  @Test func invalidUTF8IsRefused() {
    #expect(throws: JSONFault.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
  }

  @Test func everyPrefixOfADocumentIsRefusedWithoutATrap() {
    let bytes = Array(#"{"a":[1,true,null,"A😀"],"b":-1.5e2}"#.utf8)
    for count in 0..<bytes.count {
      #expect(throws: JSONFault.self) { try JSONReader.read(Array(bytes.prefix(count))) }
    }
  }

  @Test func lookupsNeverFail() throws {
    let value = try JSONReader.read(Array(#"{"a":{"b":1},"a":2}"#.utf8))
    #expect(value["a"]["b"].integer == 1)
    #expect(value["x"]["y"].cell == "")
    #expect(value["a"].items.isEmpty)
  }
}
