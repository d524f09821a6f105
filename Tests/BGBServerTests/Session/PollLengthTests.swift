// The length of polls: configured, asked for, learned from cuts; never below its minimum.

import BGBModel
import Testing

@testable import BGBServer

struct PollLengthTests {
  @Test func itBeginsWithTheSettingsOrWithLessIfAsked() {
    #expect(PollLength(configured: 300, asked: nil).seconds == 300)
    #expect(PollLength(configured: 300, asked: 45).seconds == 45)
    #expect(PollLength(configured: 300, asked: 900).seconds == 300)
    #expect(PollLength(configured: 300, asked: 0).seconds == Limits.pollSecondsMinimum)
    #expect(PollLength(configured: 1, asked: nil).seconds == Limits.pollSecondsMinimum)
    #expect(PollLength(configured: .max, asked: .max).seconds == Limits.pollSecondsMaximum)
  }

  @Test func twoCutsInARowTeachThreeQuartersOfTheShorter() {
    var length = PollLength(configured: 300, asked: nil)
    let first = length.wasCut(after: 60)
    #expect(!first)
    #expect(length.seconds == 300)
    let second = length.wasCut(after: 62)
    #expect(second)
    #expect(length.seconds == 45)
  }

  @Test func aPollHeldToItsEndForgetsACut() {
    var length = PollLength(configured: 300, asked: nil)
    _ = length.wasCut(after: 60)
    length.wasHeld()
    _ = length.wasCut(after: 60)
    #expect(length.seconds == 300)
  }

  @Test func cutsThatAreNotAlikeTeachNothing() {
    var length = PollLength(configured: 300, asked: nil)
    for seconds in [250, 6, 90, 30, 200, 10] as [UInt32] {
      let changed = length.wasCut(after: seconds)
      #expect(!changed)
    }
    #expect(length.seconds == 300)
    let learned = length.wasCut(after: 11)
    #expect(learned, "two alike in a row do")
    #expect(length.seconds == 7)
  }

  @Test func whatWasLearnedIsTriedAgain() {
    var length = PollLength(configured: 60, asked: 45)
    for _ in 1..<PollLength.heldBeforeLonger { length.wasHeld() }
    #expect(length.seconds == 45)
    length.wasHeld()
    #expect(length.seconds == 56)
    for _ in 0..<2 * PollLength.heldBeforeLonger { length.wasHeld() }
    #expect(length.seconds == 60, "never more than the settings say")
  }

  @Test func earlyCutsTeachNothing() {
    var length = PollLength(configured: 300, asked: nil)
    for _ in 0..<10 {
      let changed = length.wasCut(after: Limits.pollSecondsMinimum - 1)
      #expect(!changed)
    }
    #expect(length.seconds == 300)
  }

  @Test func theMinimumIsNeverPassed() {
    var length = PollLength(configured: 300, asked: nil)
    for _ in 0..<20 { _ = length.wasCut(after: 6) }
    #expect(length.seconds == Limits.pollSecondsMinimum)
    for _ in 0..<4 { _ = length.wasCut(after: .max) }
    #expect(length.seconds == Limits.pollSecondsMinimum)
  }
}
