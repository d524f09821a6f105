// Words of enumerations by their bytes: each is found by its own and by no other's.

import Testing

@testable import BGBModel

@Suite struct WordListTests {
  @Test func everyWordIsFoundByItsBytes() {
    for state in TaskState.allCases {
      #expect(TaskState(named: Array(state.name.utf8).span) == state)
    }
    for reason in PresenceReason.allCases {
      #expect(PresenceReason(named: Array(reason.name.utf8).span) == reason)
    }
    for reason in FallbackReason.allCases {
      #expect(FallbackReason(named: Array(reason.name.utf8).span) == reason)
    }
  }

  @Test(arguments: ["", "a", "Good", "goodb", "goodbye ", "goodby\u{E9}", "goodbye\u{301}"])
  func noOtherWordIsFound(_ word: String) {
    let words = ["good", "goodbye"]
    #expect(WordList.index(of: Array(word.utf8).span, in: words) == nil)
    #expect(WordList.index(of: Array("goodbye".utf8).span, in: words) == 1)
  }
}
