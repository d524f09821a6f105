// The table of actions and the values they take: no two rows alike, and every bound held.

import BGBModel
import Testing

@Suite struct ClientActionTests {
  @Test func codesAreTheOriginals() {
    let codes: [UInt16] = [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 17, 20, 21, 22, 1000]
    #expect(ClientAction.allCases.map(\.rawValue) == codes)
  }

  @Test func wordsAreUniqueAndFindTheirAction() {
    for action in ClientAction.allCases {
      #expect(ClientAction(named: action.name) == action)
      #expect(ClientAction(named: action.originalName.uppercased()) == action)
      #expect(!action.title.isEmpty)
    }
    #expect(Set(ClientAction.allCases.map(\.title)).count == ClientAction.allCases.count)
    #expect(ClientAction(named: "") == nil)
    #expect(ClientAction(named: "full scan") == nil)
  }

  @Test func onlyEndpointProtectionThatIsNoScanTravelsByPolicy() {
    #expect(
      ClientAction.allCases.filter(\.travelsByPolicy)
        == [.downloadDefinition, .excludePath, .allowThreat, .restoreQuarantinedItem])
  }

  @Test func endpointProtectionNeedsItsPermission() {
    for action in ClientAction.allCases {
      let isProtection = action.originalName.hasPrefix("EndpointProtection")
      #expect(action.permission == (isProtection ? .enforceSecurity : .notifyResource))
    }
  }

  @Test(arguments: [
    ("/", true), ("/a", true), ("/a/b c", true), ("/..a/b..", true), ("/a/.", true), ("", false),
    ("a", false), ("/a/", false), ("/a/../b", false), ("/..", false), ("../a", false),
    ("/a\n", false), ("/a\u{0}b", false), ("/\u{202E}a", false), ("/a/..\u{301}/b", true),
    // A combining mark behind a slash makes one character of both; the directory above is still
    // meant.
    ("/a/../\u{301}b", false), ("/a\u{301}", true),
  ])
  func paths(_ text: String, _ isAdmitted: Bool) {
    #expect(ParameterKind.path.admits(text) == isAdmitted)
  }

  @Test(arguments: [
    ("a", true), ("Win.Test-EICAR_HDB-1", true), ("", false), ("-a", false), (".a", false),
    ("a b", false), ("a/b", false), ("a;b", false), ("é", false), ("a\u{301}", false),
    ("12345678", true), ("123456789", true), ("abcdefghijklmnopqrstu", false),
  ])
  func words(_ text: String, _ isAdmitted: Bool) {
    #expect(ParameterKind.word(bytesMax: 20).admits(text) == isAdmitted)
  }

  @Test(arguments: [
    ("0", true), ("60", true), ("61", false), ("-1", false), ("+5", false), ("05", false),
    ("", false), ("5 ", false), ("0x5", false), ("99999999999999999999", false), ("٥", false),
  ])
  func numbers(_ text: String, _ isAdmitted: Bool) {
    #expect(ParameterKind.number(0...60).admits(text) == isAdmitted)
  }

  @Test func textsArePrintableAndBounded() {
    #expect(ParameterKind.text(bytesMax: 4).admits("größ") == false)
    #expect(ParameterKind.text(bytesMax: 6).admits("größ"))
    #expect(ParameterKind.text(bytesMax: 6).admits("a\u{1B}[m") == false)
  }

  private func check(_ action: ClientAction, _ values: [(String, String)]) throws(ParameterError) {
    try ActionParameters(values.map { .init(name: $0.0, text: $0.1) }).check(for: action)
  }

  @Test func valuesFitTheirAction() throws {
    try check(.restart, [])
    try check(.restart, [("message", "Updates"), ("delay-seconds", "600")])
    try check(.excludePath, [("path", "/srv/data")])
    #expect(throws: ParameterError.missing("path")) { try check(.excludePath, []) }
    #expect(throws: ParameterError.unknown("x")) { try check(.quickScan, [("x", "1")]) }
    #expect(throws: ParameterError.repeated("path")) {
      try check(.excludePath, [("path", "/a"), ("path", "/b")])
    }
    #expect(throws: ParameterError.outOfBounds("delay-seconds")) {
      try check(.restart, [("delay-seconds", "86401")])
    }
  }
}
