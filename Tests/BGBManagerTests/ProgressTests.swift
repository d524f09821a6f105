// Progress: who is woken by what, and which events follow from what the database says.

import BGBModel
import SiteDatabase
import Testing

@testable import BGBManager

@Suite("Progress")
struct ProgressTests {
  private func summary(_ state: OperationState, _ counts: OutcomeCounts) -> OperationSummary {
    OperationSummary(
      operationID: OperationID(1), taskID: TaskID(Bits128(high: 1, low: 2)), actionCode: 2,
      targetName: "All Systems", requestedBy: "test", createdAt: WallTime(milliseconds: 0),
      expiresAt: WallTime(milliseconds: 1), state: state, counts: counts)
  }

  @Test("One event at once, one for each change, none for silence, and one end")
  func events() {
    var progress = ProgressEvents()
    var counts = OutcomeCounts(queued: 2)
    #expect(progress.events(for: nil).isEmpty)
    #expect(progress.events(for: summary(.active, counts)).map(\.name) == ["operation"])
    #expect(progress.events(for: summary(.active, counts)).isEmpty)
    #expect(progress.events(for: nil).isEmpty)
    counts[.queued] = 0
    counts[.succeeded] = 2
    #expect(progress.events(for: summary(.active, counts)).map(\.name) == ["operation"])
    let last = progress.events(for: summary(.completed, counts))
    #expect(last.map(\.name) == ["operation", "end"] && last.last?.isEnd == true)
    counts[.failed] = 1
    #expect(progress.events(for: summary(.completed, counts)).isEmpty)
  }

  @Test("A cancelled operation ends only when nobody can answer any more")
  func cancelled() {
    var progress = ProgressEvents()
    var counts = OutcomeCounts(queued: 0)
    counts[.started] = 1
    counts[.cancelled] = 4
    #expect(!progress.events(for: summary(.cancelled, counts)).contains { $0.isEnd })
    counts[.started] = 0
    counts[.succeeded] = 1
    #expect(progress.events(for: summary(.cancelled, counts)).contains { $0.isEnd })
  }

  @Test("An event is two lines and a blank one, whatever the data holds")
  func framing() {
    var counts = OutcomeCounts(queued: 1)
    counts[.failed] = 1
    var hostile = summary(.active, counts)
    hostile.targetName = "a\n\ndata: forged\r\nevent: end"
    var progress = ProgressEvents()
    for event in progress.events(for: hostile) {
      let lines = event.text.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count == 4 && lines[2].isEmpty && lines[3].isEmpty)
      #expect(!event.text.contains("\r"))
    }
  }

  @Test("A touch wakes the watchers of that operation and nobody else")
  func hub() async {
    let hub = ProgressHub()
    let (one, two) = (hub.watch(OperationID(1)), hub.watch(OperationID(2)))
    hub.touch([OperationID(1), OperationID(1)])
    hub.touch([OperationID(1)])
    hub.close()
    var wakes = [0, 0]
    if let one { for await _ in one { wakes[0] += 1 } }
    if let two { for await _ in two { wakes[1] += 1 } }
    // Three touches before a look are one.
    #expect(wakes == [1, 0])
    #expect(hub.count == 0)
    #expect(hub.watch(OperationID(1)) == nil)
  }

  @Test("Watchers are bounded, and one that goes makes room")
  func bounds() {
    let hub = ProgressHub()
    var streams = (0..<ProgressHub.watchersMax).map { hub.watch(OperationID(Int64($0) + 1)) }
    #expect(streams.allSatisfy { $0 != nil })
    #expect(hub.watch(OperationID(1)) == nil)
    streams.removeLast()
    #expect(hub.count == ProgressHub.watchersMax - 1)
    #expect(hub.watch(OperationID(1)) != nil)
  }
}
