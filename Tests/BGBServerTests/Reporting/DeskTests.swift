// Confirmation only after durability, each session told once; report numbers without gaps.

import BGBModel
import Reactor
import Testing

@testable import BGBServer

struct OutcomeDeskTests {
  private let one = Token(generation: 1, index: 1)
  private let two = Token(generation: 1, index: 2)

  @Test func nobodyIsConfirmedBeforeTheJournalSaysSo() {
    var desk = OutcomeDesk()
    desk.keep(Sample.outcome(1), confirm: one, sequence: 10)
    desk.keep(Sample.outcome(2), confirm: two, sequence: 20)
    let posted = desk.takeUnposted(at: Ticks(milliseconds: 1))
    #expect(posted?.records.count == 2)
    let answer1 = desk.takeUnposted(at: Ticks(milliseconds: 1))
    #expect(answer1 == nil)
    #expect(desk.unstoredCount == 2)
    let result1 = desk.stored(upTo: 0)
    #expect(result1.isEmpty)
    let result2 = desk.stored(upTo: 1)
    #expect(result2 == [OutcomeDesk.Confirmation(token: one, upTo: 10)])
    let result3 = desk.stored(upTo: 2)
    #expect(result3 == [OutcomeDesk.Confirmation(token: two, upTo: 20)])
    #expect(desk.unstoredCount == 0)
  }

  @Test func aLoneOutcomeIsPostedAtOnceAndAWaveInLumps() {
    var desk = OutcomeDesk()
    func due(_ at: UInt64) -> Ticks? { desk.postDue(at: Ticks(milliseconds: at)) }
    #expect(due(1_000) == nil)
    desk.keep(Sample.outcome(1), confirm: one, sequence: 1)
    #expect(due(1_000) == Ticks(milliseconds: 1_000))
    _ = desk.takeUnposted(at: Ticks(milliseconds: 1_000))
    #expect(due(1_000) == nil)
    desk.keep(Sample.outcome(2), confirm: two, sequence: 1)
    let next = 1_000 + OutcomeDesk.postMilliseconds
    #expect(due(1_001) == Ticks(milliseconds: next))
    #expect(due(next) == Ticks(milliseconds: next))
    #expect(due(next + 500) == Ticks(milliseconds: next + 500))
    for number in 3...UInt64(OutcomeDesk.postRecords) {
      desk.keep(Sample.outcome(number), confirm: two, sequence: number)
    }
    #expect(due(1_002) == Ticks(milliseconds: next))
    desk.keep(Sample.outcome(1), confirm: one, sequence: 2)
    #expect(due(1_002) == Ticks(milliseconds: 1_002))
  }

  @Test func confirmationsComeInTheOrderOfTheRecordsAndOnce() {
    var desk = OutcomeDesk()
    for sequence in 1...3 as ClosedRange<UInt64> {
      desk.keep(Sample.outcome(1), confirm: one, sequence: sequence)
      desk.keep(Sample.outcome(2), confirm: two, sequence: sequence + 100)
    }
    let first = desk.stored(upTo: 3)
    #expect(first.map(\.token) == [one, two, one])
    #expect(first.map(\.upTo) == [1, 101, 2])
    let rest = desk.stored(upTo: 6)
    #expect(rest.map(\.upTo) == [102, 3, 103])
    let nothing = desk.stored(upTo: 6)
    #expect(nothing.isEmpty)
  }

  @Test func whatIsToldAgainIsConfirmedWithoutARecord() {
    var desk = OutcomeDesk()
    desk.expect(confirm: one, sequence: 9)
    let known = desk.stored(upTo: desk.durable)
    #expect(known == [OutcomeDesk.Confirmation(token: one, upTo: 9)])
    desk.keep(Sample.outcome(1), confirm: one, sequence: 1)
    desk.expect(confirm: two, sequence: 9)
    let early = desk.stored(upTo: 0)
    #expect(early.isEmpty, "the record that it repeats may be the one under way")
    let both = desk.stored(upTo: 1)
    #expect(both.map(\.upTo) == [1, 9])
    #expect(desk.collected.count == 1)
  }

  @Test func recoveredOutcomesComeFirstInTheReport() {
    var desk = OutcomeDesk()
    desk.keep(Sample.outcome(2), confirm: one, sequence: 1)
    desk.recover([Sample.outcome(1)])
    let result5 = desk.takeCollected()
    #expect(result5.map(\.clientID) == [Sample.client(1), Sample.client(2)])
    let result6 = desk.takeCollected()
    #expect(result6.isEmpty)
  }
}

struct ReportDeskTests {
  private func desk() throws -> ReportDesk {
    ReportDesk(
      identity: ReportIdentity(site: try Sample.site(), serverID: ServerID(3), epoch: 7))
  }

  @Test func theFirstPresenceReportIsFullAndTheNextAreDeltas() throws {
    var desk = try desk()
    let first = desk.presenceHeader(at: Sample.start)
    #expect(first.scope == .full)
    #expect(first.sequence == 1)
    let result7 = desk.presenceHeader(at: Sample.start)
    #expect(result7.scope == .delta)
    desk.requestFull()
    let third = desk.presenceHeader(at: Sample.start)
    #expect(third.scope == .full)
    #expect(third.sequence == 3)
  }

  @Test func aRoundIsCutIntoReportsOfBoundedSize() throws {
    var desk = try desk()
    let count = Limits.outcomesPerReportMax * 2 + 1
    let records = (1...UInt64(count)).map { Sample.outcome($0) }
    let answer2 = desk.beginOutcomes(records, at: Sample.start)
    #expect(answer2 == 3)
    #expect(!desk.mayCut)
    let reports = desk.takeCut()
    #expect(reports.map(\.header.sequence) == [1, 2, 3])
    #expect(reports.map(\.body.count) == [5_000, 5_000, 1])
    for sequence in 1...3 as ClosedRange<UInt64> {
      #expect(!desk.isIdle)
      desk.delivered(.outcomes, sequence: sequence)
    }
    #expect(desk.isIdle)
    #expect(desk.mayCut)
  }
}
