// Starting and following operations: the question, the request, the end, and the exit code.

import BGBModel
import Testing

@testable import BGBConsole

@Suite struct OperationTests {
  private let preview = FakeManager.answer(200, #"{"targets":4,"online":3}"#)

  private func manager(
    final: String, preview: String? = nil, events: [String]? = nil
  ) throws -> FakeManager {
    try FakeManager([
      "POST /v1/operations/preview": [preview ?? self.preview],
      "POST /v1/operations": [FakeManager.answer(201, operation(counts: ["queued": 4]))],
      "GET /v1/operations/7": [FakeManager.answer(200, operation(counts: ["queued": 4]))],
      "GET /v1/operations/7/events": events ?? [
        FakeManager.stream([("operation", final), ("end", final)])
      ],
      "GET /v1/operations/7/targets": [FakeManager.answer(200, #"{"items":[],"next":null}"#)],
    ])
  }

  private let start = ["op", "start", "quick-scan", "--collection", "Lab"]

  @Test func aStartAsksPreviewsAndFollowsToTheEnd() throws {
    let manager = try manager(final: operation(state: "completed", counts: ["succeeded": 4]))
    defer { manager.stop() }
    let said = run(
      start + ["--site", manager.folder, "--validity", "2h", "--spread", "90s", "--rate", "5"],
      answers: ["y"], canAsk: true)
    #expect(said.code == 0)
    #expect(said.talk.hasPrefix("Quick Scan on 'Lab': 3 online now of 4 targets. Start? [y/N] "))
    #expect(said.talk.contains("operation 7 started"))
    #expect(said.talk.contains("4/4 delivered  4 ok  100%"))
    #expect(said.out.hasPrefix("Quick Scan on Lab, operation 7: completed after 2m10s\n"))
    let sent = try #require(manager.seen.first { $0.path == "/v1/operations" })
    #expect(
      sent.body.encoded
        == #"{"action":"quick-scan","parameters":{},"target":{"collection":"Lab"},"#
        + #""validitySeconds":7200,"spreadSeconds":90,"ratePerSecond":5}"#)
    #expect(Bits128(sent.headers["idempotency-key"] ?? "") != nil)
  }

  @Test(arguments: [
    (["succeeded": 4], "completed", 0), (["succeeded": 3, "failed": 1], "completed", 4),
    (["succeeded": 3, "rejected": 1], "completed", 4),
    (["succeeded": 3, "unknown": 1], "completed", 4),
    (["succeeded": 3, "expired": 1], "completed", 5),
    (["failed": 1, "expired": 3], "completed", 4),
    (["succeeded": 1, "cancelled": 3], "cancelled", 7),
  ])
  func theExitCodeSaysHowItEnded(_ counts: [String: Int], _ state: String, _ code: Int32) throws {
    let manager = try manager(final: operation(state: state, counts: counts))
    defer { manager.stop() }
    #expect(run(["op", "watch", "7", "--site", manager.folder]).code == code)
  }

  @Test func aRefusedQuestionStartsNothing() throws {
    let manager = try manager(final: "{}")
    defer { manager.stop() }
    for answer in [["n"], [""], []] {
      let said = run(start + ["--site", manager.folder], answers: answer, canAsk: true)
      #expect(said.code == 1)
    }
    let nobody = run(start + ["--site", manager.folder])
    #expect(nobody.code == 2)
    #expect(nobody.talk.contains("Give --yes"))
    #expect(!manager.seen.contains { $0.path == "/v1/operations" })
  }

  @Test func noTargetsAndDryRunsStartNothing() throws {
    let empty = FakeManager.answer(200, #"{"targets":0,"online":0}"#)
    let manager = try manager(final: "{}", preview: empty)
    defer { manager.stop() }
    #expect(run(start + ["--yes", "--site", manager.folder]).code == 3)
    #expect(run(start + ["--dry-run", "--site", manager.folder]).code == 3)
    let full = try self.manager(final: "{}")
    defer { full.stop() }
    let said = run(start + ["--dry-run", "-o", "json", "--site", full.folder])
    #expect(said == (0, "{\"targets\":4,\"online\":3}\n", ""))
    #expect(!(manager.seen + full.seen).contains { $0.path == "/v1/operations" })
  }

  @Test func detachPrintsTheIdAndNothingElse() throws {
    let manager = try manager(final: "{}")
    defer { manager.stop() }
    let said = run(start + ["--yes", "--detach", "-q", "--site", manager.folder])
    #expect(said == (0, "7\n", ""))
    #expect(!manager.seen.contains { $0.path.hasSuffix("/events") })
  }

  @Test func aLostAnswerIsAskedForAgainWithTheSameKey() throws {
    let manager = try FakeManager([
      "POST /v1/operations/preview": [preview],
      "POST /v1/operations": [
        "", FakeManager.answer(503, "{}"),
        FakeManager.answer(200, operation(counts: ["queued": 4])),
      ],
    ])
    defer { manager.stop() }
    #expect(run(start + ["--yes", "--detach", "--site", manager.folder]).code == 0)
    let keys = manager.seen.filter { $0.path == "/v1/operations" }.map {
      $0.headers["idempotency-key"]
    }
    #expect(keys.count == 3)
    #expect(Set(keys).count == 1)
  }

  @Test func jsonLinesCarryEachChangeOnce() throws {
    let states = [
      operation(counts: ["pushed": 4]), operation(counts: ["pushed": 4]),
      operation(state: "completed", counts: ["succeeded": 4]),
    ]
    let events = FakeManager.stream(states.map { ("operation", $0) })
    let manager = try manager(final: "", events: [events])
    defer { manager.stop() }
    let said = run(
      ["op", "watch", "7", "-o", "jsonl", "--progress", "none", "--site"]
        + [manager.folder])
    #expect(said.code == 0)
    #expect(said.talk.isEmpty)
    let lines = try said.out.split(separator: "\n").map { try JSONReader.read(Array($0.utf8)) }
    #expect(lines.map { $0["counts"]["pushed"].integer } == [0, 4, 0])
  }

  @Test func aBrokenStreamIsTakenUpAgain() throws {
    let done = operation(state: "completed", counts: ["succeeded": 4])
    let manager = try manager(
      final: "",
      events: [
        FakeManager.stream([("operation", operation(counts: ["pushed": 4]))]), "",
        FakeManager.answer(503, "{}"), FakeManager.stream([("operation", done)]),
      ])
    defer { manager.stop() }
    #expect(run(["op", "watch", "7", "--site", manager.folder]).code == 0)
    #expect(manager.seen.filter { $0.path.hasSuffix("/events") }.count == 4)
  }

  @Test func deliveredIsEnoughWhenAskedFor() throws {
    let half = operation(counts: ["started": 3, "succeeded": 1])
    let manager = try manager(final: half)
    defer { manager.stop() }
    let said = run(["op", "watch", "7", "--wait", "delivered", "--site", manager.folder])
    #expect(said.code == 0)
    #expect(said.out.contains("still active"))
    let expired = try self.manager(
      final: operation(counts: ["started": 3, "expired": 1]))
    defer { expired.stop() }
    let other = run(["op", "watch", "7", "--wait=delivered", "--site", expired.folder])
    #expect(other.code == 5)
  }

  @Test func timeoutAndInterruptTellHowToComeBack() throws {
    let open = FakeManager.stream([("operation", operation(counts: ["pushed": 4]))])
    let manager = try manager(final: "", events: [open])
    defer { manager.stop() }
    var ticks: Int64 = 0
    let late = run(["op", "watch", "7", "--timeout", "30s", "--site", manager.folder]) {
      $0.ticks = {
        ticks += 1000
        return ticks
      }
    }
    #expect(late.code == 6)
    #expect(late.talk.contains("bgb op watch 7"))
    var asked = 0
    let stopped = run(["op", "watch", "7", "--site", manager.folder]) {
      $0.isInterrupted = {
        asked += 1
        return asked > 4
      }
    }
    #expect(stopped.code == 130)
    #expect(stopped.out.isEmpty)
    #expect(stopped.talk.contains("bgb op watch 7"))
  }

  @Test func aBareWaitMeansTheEnd() {
    #expect(ConsoleProgram.spelledOut(["--wait"]) == ["--wait=terminal"])
    #expect(ConsoleProgram.spelledOut(["--wait", "--yes"]) == ["--wait=terminal", "--yes"])
    #expect(ConsoleProgram.spelledOut(["--wait", "delivered"]) == ["--wait", "delivered"])
  }

  @Test(arguments: [
    (["no-such"], "there is no action"), (["exclude-path"], "needs the parameter 'path'"),
    (["exclude-path", "--param", "path=relative"], "outside its bounds"),
    (["exclude-path", "--param", "path"], "name=value"),
    (["quick-scan", "--param", "x=1"], "no parameter 'x'"),
    (["quick-scan", "--validity", "10s"], "--validity must be a duration"),
    (["quick-scan", "--spread", "2d"], "--spread must be a duration"),
    (["quick-scan", "--rate=-1"], "--rate must be"),
    (["quick-scan", "--client", "pc-1"], "either --collection NAME or --client ID"),
  ])
  func faultsAreToldBeforeAnybodyIsAsked(_ words: [String], _ expected: String) {
    let said = run(["op", "start"] + words + ["--collection", "Lab", "--site", "/nowhere"])
    #expect(said.code == 2)
    #expect(said.talk.contains(expected), "\(said.talk)")
  }

  @Test func theOriginalsWordsAreUnderstood() throws {
    let request = try StartRequest(
      action: "clientnotificationrequestmachinepolicynow", collection: nil, clients: ["a", "b"],
      parameters: [], validity: "1h", spread: "0", rate: 0)
    #expect(request.action == .downloadComputerPolicy)
    #expect(request.body["target"].encoded == #"{"clients":["a","b"]}"#)
    #expect(request.targetName == "2 clients")
  }
}

@Suite struct StartConfirmationTests {
  private func demand(
    _ actionClass: ActionClass, targets: Int64, yes: Bool = false, confirmed: Int64? = nil,
    canAsk: Bool = true
  ) -> StartConfirmation.Demand {
    StartConfirmation.demand(
      title: "T", actionClass: actionClass, target: "'C'", targets: targets, online: 1, yes: yes,
      confirmed: confirmed, canAsk: canAsk)
  }

  @Test func destructiveOnManyWantsTheNumber() {
    guard case .number(11, let question) = demand(.destructive, targets: 11, yes: true) else {
      Issue.record("no number was demanded")
      return
    }
    #expect(question.contains("1 online now of 11 targets"))
    #expect(demand(.destructive, targets: 10, yes: true) == .nothing)
    #expect(demand(.disruptive, targets: 100_000, yes: true) == .nothing)
    #expect(demand(.destructive, targets: 11, confirmed: 11, canAsk: false) == .nothing)
    for refused in [
      demand(.destructive, targets: 11, yes: true, canAsk: false),
      demand(.destructive, targets: 11, yes: true, confirmed: 10),
    ] {
      guard case .refuse = refused else {
        Issue.record("\(refused)")
        continue
      }
    }
  }

  @Test func answersAreReadStrictly() {
    let yes = StartConfirmation.Demand.yes(question: "")
    for answer in ["y", " Y ", "yes"] { #expect(StartConfirmation.isMet(yes, by: answer)) }
    for answer in ["", "n", "yy", nil] { #expect(!StartConfirmation.isMet(yes, by: answer)) }
    let number = StartConfirmation.Demand.number(1200, question: "")
    for answer in ["1200", "1,200 "] { #expect(StartConfirmation.isMet(number, by: answer)) }
    for answer in ["y", "120", "12000", nil] {
      #expect(!StartConfirmation.isMet(number, by: answer))
    }
  }
}
