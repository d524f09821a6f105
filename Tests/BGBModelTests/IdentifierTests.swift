// One identity has one spelling.

import BGBModel
import Testing

@Suite struct IdentifierTests {
  static let text = "01234567-89ab-4cde-8f01-23456789abcd"

  @Test func uuidTextGoesBothWays() throws {
    let id = try #require(ClientID(IdentifierTests.text))
    #expect(id.bits == Bits128(high: 0x0123_4567_89ab_4cde, low: 0x8f01_2345_6789_abcd))
    #expect(id.description == IdentifierTests.text)
    #expect(id.uri == "urn:bgb:client:" + IdentifierTests.text)
    #expect(ClientID(uri: id.uri) == id)
    #expect(Bits128(bytes: id.bits.bytes[...]) == id.bits)
  }

  @Test(arguments: [
    "", "0", "01234567-89AB-4cde-8f01-23456789abcd", "0123456789ab4cde8f0123456789abcd",
    "01234567-89ab-4cde-8f01-23456789abcd ", " 01234567-89ab-4cde-8f01-23456789abcd",
    "01234567-89ab-4cde-8f01-23456789abc", "01234567-89ab-4cde-8f01-23456789abcde",
    "01234567_89ab-4cde-8f01-23456789abcd", "01234567-89ab-4cde-8f0123-456789abcd",
    "g1234567-89ab-4cde-8f01-23456789abcd", "01234567-89ab-4cde-8f01-23456789abc\u{301}",
    "{1234567-89ab-4cde-8f01-23456789abcd",
  ])
  func otherSpellingsAreRefused(_ text: String) {
    #expect(ClientID(text) == nil)
    #expect(TaskID(text) == nil)
    #expect(ClientID(uri: ClientID.uriPrefix + text) == nil)
  }

  @Test func everyPlaceTakesTheSixteenDigitsAndNoOtherCharacter() throws {
    let dashes: Set = [8, 13, 18, 23]
    for place in IdentifierTests.text.utf8.indices.enumerated().map(\.offset) {
      for byte in UInt8(0)..<128 {
        var text = Array(IdentifierTests.text.utf8)
        text[place] = byte
        let written = String(decoding: text, as: UTF8.self)
        let isRight =
          dashes.contains(place)
          ? byte == UInt8(ascii: "-") : "0123456789abcdef".utf8.contains(byte)
        #expect((ClientID(written) != nil) == isRight, "\(written)")
        #expect((ClientID("<\(written)".dropFirst()) != nil) == isRight, "\(written)")
        if isRight { #expect(ClientID(written)?.description == written) }
      }
    }
  }

  @Test(arguments: ["urn:bgb:Client:", "urn:bgb:server:", "", "URN:BGB:CLIENT:"])
  func otherPrefixesAreRefused(_ prefix: String) {
    #expect(ClientID(uri: prefix + IdentifierTests.text) == nil)
  }

  @Test func randomNumbersAreVersion4() {
    var generator = Seeded(1)
    for _ in 0..<100 {
      let text = Array(Bits128(random: &generator).text.utf8)
      #expect(text[14] == UInt8(ascii: "4"))
      #expect("89ab".utf8.contains(text[19]))
    }
  }

  @Test func orderIsThatOfTheBytes() {
    let numbers = [
      Bits128(high: 0, low: .max), Bits128(high: 1, low: 0), Bits128(high: 1, low: 1),
      Bits128(high: .max, low: 0),
    ]
    #expect(numbers.shuffled().sorted() == numbers)
    for (low, high) in zip(numbers, numbers.dropFirst()) {
      #expect(low.bytes.lexicographicallyPrecedes(high.bytes))
    }
  }

  @Test func sixteenBytesAreNeeded() {
    #expect(Bits128(bytes: [UInt8](repeating: 0, count: 15)[...]) == nil)
    #expect(Bits128(bytes: [UInt8](repeating: 0, count: 17)[...]) == nil)
  }

  @Test(arguments: ["S01", "XYZ", "000"]) func siteCodes(_ text: String) {
    #expect(SiteCode(text)?.description == text)
  }

  @Test(arguments: ["", "S1", "S012", "s01", "S-1", "é1", "S0\u{301}"])
  func otherSiteCodesAreRefused(_ text: String) { #expect(SiteCode(text) == nil) }

  @Test func keyIDHasSixteenDigits() {
    #expect(KeyID(0xAB).description == "00000000000000ab")
    #expect(KeyID(.max).description == "ffffffffffffffff")
  }
}

/// A source of randomness that gives the same numbers for the same seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
