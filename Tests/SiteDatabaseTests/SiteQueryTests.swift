// The query language of collection rules: what it takes, what it refuses and where, and that
// nothing typed into it can bring a manager down.

import BGBModel
import SiteDatabase
import Testing

@Suite("Site queries") struct SiteQueryTests {
  private let client = ClientRecord(
    resourceID: ResourceID(1), clientID: clientID(1), name: "Front-Desk", tags: ["kiosk", "eu:de"],
    isBlocked: false, createdAt: time(0),
    facts: ClientFacts(
      hostname: "desk01.example.net", operatingSystem: "Debian GNU/Linux 12 (bookworm)",
      agentVersion: "", addresses: ["192.0.2.17", "2001:db8::1"]),
    presence: nil)

  private func takes(_ text: String) throws -> Bool {
    try SiteQuery(text).takes(client, of: siteCode)
  }

  @Test(arguments: [
    "hostname == desk01.example.net", "hostname==\"DESK01.example.net\"", "name =~ front-*",
    "os =~ \"Debian*12*\"", "os =~ *book?orm*", "site == S01", "tag == kiosk", "tag == EU:DE",
    "address =~ 192.0.2.*", "address == 2001:db8::1", "tag =~ *", "name != x", "tag != x",
    "name == x || tag == kiosk", "name =~ f* && tag == kiosk", "!(name == x)", "!!(site == S01)",
    "name == x && name == y || site == S01", "!(name == x || name == y)", "  site==S01\n",
    "agent == 1 || site == S01", "HOSTNAME =~ desk??.example.net",
  ])
  func takesTheClient(_ text: String) throws { #expect(try takes(text)) }

  @Test(arguments: [
    "hostname == desk02", "name == front", "os =~ Debian", "tag == kios", "tag != kiosk",
    "address == 192.0.2.1", "site == S02", "!(site == S01)", "name == x || name == y",
    "site == S01 && name == x", "name =~ \"\"", "name =~ ?", "os =~ *bookworm",
    "name =~ f* && !(tag == kiosk)",
  ])
  func leavesTheClient(_ text: String) throws { #expect(try !takes(text)) }

  @Test(arguments: [
    "agent == 1", "agent != 1", "agent =~ *", "!(agent == 1)", "!(agent != 1)", "!!(agent =~ *)",
    "agent == 1 && site == S01", "!(agent == 1 && site == S01)", "agent == 1 || site == S02",
    "!(agent == 1 || site == S02)",
  ])
  func aMissingAttributeNeverMatches(_ text: String) throws { #expect(try !takes(text)) }

  @Test func knowledgeThatSufficesDecides() throws {
    #expect(try takes("!(agent == 1 && site == S02)"), "no, whatever the agent is")
    #expect(try takes("agent == 1 || site == S01"), "yes, whatever the agent is")
  }

  @Test func aClientWithoutTagsHasNone() throws {
    var bare = client
    bare.tags = []
    #expect(try !SiteQuery("tag != kiosk").takes(bare, of: siteCode))
    #expect(try !SiteQuery("!(tag == kiosk)").takes(bare, of: siteCode))
  }

  @Test func patternsMatchCharactersNotBytes() throws {
    var accented = client
    accented.name = "caf\u{E9}"
    #expect(try SiteQuery("name =~ caf?").takes(accented, of: siteCode))
    #expect(try !SiteQuery("name =~ caf??").takes(accented, of: siteCode))
    #expect(try SiteQuery("name == caf\u{E9}").takes(accented, of: siteCode))
    accented.name = "a\"b\\c"
    #expect(try SiteQuery(#"name == "a\"b\\c""#).takes(accented, of: siteCode))
  }

  @Test func patternsWithManyStarsEnd() throws {
    var long = client
    long.name = String(repeating: "a", count: 255)
    let pattern = String(repeating: "a*", count: 120) + "b"
    #expect(try !SiteQuery("name =~ \(pattern)").takes(long, of: siteCode))
    #expect(
      try SiteQuery("name =~ \(String(repeating: "*", count: 500))").takes(long, of: siteCode))
  }

  @Test func andBindsTighterThanOr() throws {
    #expect(
      try SiteQuery("name == a || name == b && !(tag == c)").condition
        == .any([
          .test(.name, .equal, "a"),
          .all([.test(.name, .equal, "b"), .not(.test(.tag, .equal, "c"))]),
        ]))
  }

  @Test(arguments: [
    ("", 0, SiteQueryError.Reason.unexpectedEnd), ("(", 1, .unexpectedEnd),
    ("name", 4, .comparisonExpected), ("name =", 5, .comparisonExpected),
    ("name ==", 7, .valueExpected), ("name == \"abc", 8, .unendedText),
    ("name == \"a\\n\"", 11, .unknownEscape), ("nme == x", 0, .unknownAttribute("nme")),
    ("name == x)", 9, .unexpectedCharacter), ("(name == x", 10, .unexpectedEnd),
    ("name == x name == y", 10, .unexpectedCharacter), ("name == x ||", 12, .unexpectedEnd),
    ("name == x | tag == y", 10, .unexpectedCharacter), ("&& name == x", 0, .unexpectedCharacter),
    ("name === x", 7, .valueExpected), ("name == x; drop", 9, .unexpectedCharacter),
    ("\0", 0, .unexpectedCharacter),
  ])
  func refusalsNameTheirPlace(_ text: String, _ position: Int, _ reason: SiteQueryError.Reason) {
    let error = #expect(throws: SiteQueryError.self) { try SiteQuery(text) }
    #expect(error?.reason == reason)
    #expect(error?.position == position)
  }

  @Test func depthAndLengthAreBounded() throws {
    let deepest = SiteQuery.depthMax - 1
    func nested(_ depth: Int) -> String {
      String(repeating: "(", count: depth) + "site == S01" + String(repeating: ")", count: depth)
    }
    #expect(try takes(nested(deepest)))
    #expect(throws: SiteQueryError.self) { try SiteQuery(nested(deepest + 1)) }
    #expect(throws: SiteQueryError.self) {
      try SiteQuery(String(repeating: "!", count: 4_000) + "site == S01")
    }
    let long = String(repeating: "x", count: SiteQuery.bytesMax)
    #expect(throws: SiteQueryError.self) { try SiteQuery("name == \(long)") }
  }

  @Test func noTextBringsItDown() {
    var random = SplitMix(seed: 20_261_123)
    let pieces = [
      "name", "tag", "os", "name == x", " && site == S01", " || tag =~ k*", "==", "!=", "=~", "&&",
      "||", "!", "(", ")", "\"", "\\", "*", "?", " ",
      "x", "\0", "\u{E9}", "=", "&", "|", "'", ";", "\u{202E}",
    ]
    var read = 0
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0...14, using: &random)).map { _ in
        pieces[Int.random(in: 0..<pieces.count, using: &random)]
      }.joined()
      do throws(SiteQueryError) {
        _ = try SiteQuery(text).takes(client, of: siteCode)
        read += 1
      } catch {
        #expect(error.position >= 0 && error.position <= text.utf8.count)
      }
    }
    #expect(read > 20, "some of them are queries")
  }
}

/// A small seeded source of randomness, so that a failure repeats.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
