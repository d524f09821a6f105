// The words of fallback reasons: what reports, databases and operators read.

import BGBModel
import Testing

@Suite struct FallbackReasonTests {
  @Test func numbersAndWordsAreForEver() {
    #expect(
      FallbackReason.allCases.map { "\($0.rawValue) \($0.name)" } == [
        "0 none", "1 timed-out", "2 refused", "3 unreachable", "4 reset", "5 tls-failed",
        "6 not-our-server", "7 unresolved", "8 unstable", "9 configured",
      ])
  }

  @Test(arguments: FallbackReason.allCases) func isFoundByItsWord(_ reason: FallbackReason) {
    #expect(FallbackReason(named: reason.name) == reason)
  }

  @Test(arguments: ["", "timedOut", "TIMED-OUT", "timed-out ", "10"])
  func otherWordsAreNone(_ word: String) {
    #expect(FallbackReason(named: word) == nil)
  }
}
