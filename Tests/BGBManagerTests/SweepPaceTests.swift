// When a sweep is due, at its boundaries in virtual time.

import BGBModel
import BGBReport
import Reactor
import SiteDatabase
import Testing

@testable import BGBManager

@Suite("The pace of sweeps")
struct SweepPaceTests {
  private let start = Ticks(milliseconds: 10_000)
  private let much = SweepPace.muchBytes

  /// A pace whose last sweep was at the start, and whose next one is an hour away.
  private func swept() -> SweepPace {
    var pace = SweepPace()
    pace.swept(isMoreWaiting: false, interval: 3_600_000, at: start)
    return pace
  }

  @Test("Due at first, an interval after each sweep, and at once with a backlog")
  func regular() {
    var pace = SweepPace()
    #expect(pace.due == .zero)
    pace.swept(isMoreWaiting: false, interval: 5_000, at: start)
    #expect(pace.due == start + 5_000)
    pace.swept(isMoreWaiting: true, interval: 5_000, at: start)
    #expect(pace.due == start)
  }

  @Test("Little is loaded at once")
  func little() {
    var pace = swept()
    pace.hear(bytes: much - 1, at: start + 7)
    #expect(pace.due == start + 7)
  }

  @Test("Much waits until no more has come for a moment")
  func quiet() {
    var pace = swept()
    pace.hear(bytes: much, at: start)
    #expect(pace.due == start + Limits.sweepQuietMilliseconds)
    pace.hear(bytes: much * 2, at: start + 200)
    #expect(pace.due == start + 200 + Limits.sweepQuietMilliseconds)
  }

  @Test("Much that goes on coming is loaded when the first of it has waited long enough")
  func longest() {
    var pace = swept()
    for moment in stride(from: UInt64(0), through: 1_500, by: 100) {
      pace.hear(bytes: much, at: start + moment)
      #expect(
        pace.due
          == start + min(moment + Limits.sweepQuietMilliseconds, Limits.sweepGatherMilliseconds))
    }
    pace.swept(isMoreWaiting: false, interval: 3_600_000, at: start + 1_500)
    pace.hear(bytes: much, at: start + 2_000)
    #expect(pace.due == start + 2_000 + Limits.sweepQuietMilliseconds)
  }

  @Test("Waiting for more never puts off the regular sweep")
  func regularStays() {
    var pace = SweepPace()
    pace.swept(isMoreWaiting: false, interval: 250, at: start)
    pace.hear(bytes: much, at: start + 100)
    #expect(pace.due == start + 250)
  }

  @Test("The rounds leave a large report for a moment and load it then, whole")
  func rounds() throws {
    let site = try TestSite()
    let clients = try site.addClients(2_500)
    let server = try site.addServer()
    let operation = try site.start(validityMilliseconds: 3_600_000)
    var rounds = try site.manager().rounds()
    _ = rounds.go(heard: false, at: start)
    try server.drop(
      server.header(.outcomes, sequence: 1),
      server.outcomes(clients, of: operation.taskID, .succeeded))
    let next = rounds.go(heard: true, at: start + 1)
    #expect(next == start + 1 + Limits.sweepQuietMilliseconds)
    #expect(site.files.count == 1)
    _ = rounds.go(heard: false, at: next)
    #expect(site.files.isEmpty)
    let summary = try #require(try site.store.operation(operation.operationID))
    #expect(summary.counts[.succeeded] == 2_500)
  }
}
