// `bgb server drain`: what is asked of the manager, how the wait ends, what is refused before.

import BGBModel
import Testing

@testable import BGBConsole

@Suite struct DrainTests {
  private static func row(
    _ name: String, _ state: String, _ total: Int = 0, _ left: Int = 0, _ online: Int = 0
  ) -> String {
    #"{"serverID":1,"name":"\#(name)","epoch":1,"onlineCount":\#(online),"state":"\#(state)","#
      + #""drainTotal":\#(total),"drainLeft":\#(left),"lastReport":null}"#
  }

  private static func items(_ rows: [String]) -> String {
    FakeManager.answer(200, #"{"items":[\#(rows.joined(separator: ","))],"next":null}"#)
  }

  private func manager(_ asked: [String], _ lists: [[String]]) throws -> FakeManager {
    try FakeManager([
      "POST /v1/servers/mp1/drain": [DrainTests.items(asked)],
      "POST /v1/servers/mp1/undrain": [DrainTests.items(asked)],
      "GET /v1/servers": lists.map(DrainTests.items),
    ])
  }

  @Test func theCommandWaitsUntilAllAreEmpty() throws {
    let row = DrainTests.row(_:_:_:_:_:)
    let manager = try manager(
      [row("mp1", "asked", 0, 0, 9_000), row("mp1#2", "asked", 0, 0, 9_000)],
      [
        [row("mp1", "draining", 9_000, 3_000, 0), row("mp1#2", "asked", 0, 0, 0)],
        [
          row("mp1", "drained", 9_000, 0, 0), row("mp1#2", "drained", 9_001, 0, 0),
          row("other", "serving", 0, 0, 5),
        ],
      ])
    defer { manager.stop() }
    let said = run([
      "server", "drain", "mp1", "--within", "2m", "--rate", "500/s", "--stop", "--site",
      manager.folder,
    ])
    #expect(said == (0, "", "mp1 is empty; 18,001 of 18,001 moved, 0 left\n"))
    let sent = try #require(manager.seen.first?.body)
    #expect(sent["withinSeconds"].integer == 120 && sent["ratePerSecond"].integer == 500)
    #expect(sent["stop"].bool == true)
    let seen = manager.seen.map { String($0.path.split(separator: "?")[0]) }
    #expect(seen == ["/v1/servers/mp1/drain", "/v1/servers", "/v1/servers"])
  }

  @Test func aDrainThatIsLateIsAnError() throws {
    let row = DrainTests.row(_:_:_:_:_:)
    let list = [row("mp1", "draining", 100, 40, 0), row("mp1#2", "asked", 0, 0, 3)]
    let manager = try manager(list, [list])
    defer { manager.stop() }
    var ticks: Int64 = 0
    let said = run(["server", "drain", "mp1", "--within", "1s", "--site", manager.folder]) {
      $0.pause = { _ in ticks += 10_000 }
      $0.ticks = { ticks }
      $0.isInterrupted = { false }
    }
    #expect(said.code == 1)
    #expect(said.talk.contains("mp1 is not empty: 60 of 100 moved, 40 left"))
    #expect(said.talk.contains("Does mp1#2 run?"))
    #expect(said.talk.contains("60 of 100 moved, 40 left  10s\n"), "a line every ten seconds")
  }

  @Test func whoIsNotThereAndHasNobodyIsNotWaitedFor() throws {
    let row = DrainTests.row(_:_:_:_:_:)
    let list = [row("mp1", "drained", 5, 0, 0), row("mp1#7", "asked", 0, 0, 0)]
    let manager = try manager(list, [list])
    defer { manager.stop() }
    var ticks: Int64 = 0
    let said = run(["server", "drain", "mp1", "--site", manager.folder]) {
      $0.pause = { _ in ticks += 1_000 }
      $0.ticks = { ticks }
    }
    #expect(said.code == 0)
    #expect(ticks > DrainWatch.silenceMilliseconds && ticks < 10_000)
  }

  @Test func interruptionLeavesTheDrainAlone() throws {
    let list = [DrainTests.row("mp1", "draining", 100, 40, 0)]
    let manager = try manager(list, [list])
    defer { manager.stop() }
    var hasWaited = false
    let said = run(["server", "drain", "mp1", "--site", manager.folder]) {
      $0.pause = { _ in hasWaited = true }
      $0.isInterrupted = { hasWaited }
    }
    #expect(said.code == 6 && said.talk.contains("the drain goes on"))
  }

  @Test func detachedItDoesNotWait() throws {
    let list = [DrainTests.row("mp1", "asked", 0, 0, 0)]
    let manager = try manager(list, [list])
    defer { manager.stop() }
    let said = run(["server", "drain", "mp1", "--detach", "--site", manager.folder])
    #expect(said == (0, "", "mp1 moves its agents away\n"))
    #expect(run(["server", "undrain", "mp1", "--site", manager.folder]).code == 0)
    let paths = manager.seen.map { $0.path }
    #expect(paths == ["/v1/servers/mp1/drain", "/v1/servers/mp1/undrain"])
  }

  @Test func theListShowsTheState() throws {
    let manager = try manager(
      [], [[DrainTests.row("mp1", "draining", 100, 40, 0), DrainTests.row("b", "serving")]])
    defer { manager.stop() }
    let said = run(["server", "list", "--site", manager.folder])
    #expect(said.out.contains("STATE"))
    #expect(said.out.contains("draining, 40 left") && said.out.contains("serving"))
  }

  @Test(arguments: [
    ["--within", "0s"], ["--within", "25h"], ["--within", "soon"], ["--rate", "0/s"],
    ["--rate", "100001"], ["--rate", "5/min"],
  ])
  func wrongNumbersAreWrongUsage(_ option: [String]) {
    #expect(run(["server", "drain", "mp1"] + option).code == 2)
  }
}
