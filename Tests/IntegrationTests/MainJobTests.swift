// The main job with real processes: click, database, queue, server, TLS, agent, outcome, report,
// import, counter.

import Foundation
import Glibc
import Testing

@Suite(.serialized) struct MainJobTests {
  @Test func anOperationReachesOnlineAgentsAndItsOutcomesComeBack() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1", "pc2", "pc3"])
    try stage.startAgent("pc1")
    try stage.startAgent("pc2")
    try stage.waitOnline(2)
    let operation = try stage.start(
      "site-defined", ["--collection", "All Systems", "--param", "name=mark"])
    try eventually("both have done it") { try stage.counts(operation)["succeeded"] == 2 }
    let counts = try stage.counts(operation)
    #expect(counts["queued"] == 1)
    #expect(counts.values.reduce(0, +) == 3)
    #expect(stage.runCount("pc1") == 1)
    #expect(stage.runCount("pc2") == 1)
    #expect(stage.runCount("pc3") == 0)
    // The third comes within the validity and gets it, once.
    try stage.startAgent("pc3")
    try eventually("the third has done it") { try stage.counts(operation)["succeeded"] == 3 }
    #expect(stage.runCount("pc3") == 1)
    try stage.verify(operation)
  }

  @Test func policyIsDownloadedAndUnchangedTheSecondTime() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1"])
    let document = stage.path("base.json")
    try "{\"wallpaper\":\"blue\"}".write(toFile: document, atomically: true, encoding: .utf8)
    try stage.bgb(["policy", "put", "base", "--collection", "All Systems", "--file", document])
    try stage.startAgent("pc1")
    try stage.waitOnline(1)
    for _ in 0..<2 {
      let answer = try stage.bgb([
        "op", "start", "download-computer-policy", "--collection", "All Systems", "--yes", "--wait",
      ])
      #expect(answer.status == 0)
    }
    let stored = try FileManager.default.subpathsOfDirectory(
      atPath: stage.path("clients/pc1/state"))
    let texts = stored.compactMap {
      try? String(contentsOfFile: stage.path("clients/pc1/state/\($0)"), encoding: .utf8)
    }
    #expect(texts.contains { $0.contains("\"wallpaper\":\"blue\"") })
    #expect(try stage.metric("policy_requests_total") >= 2)
  }

  @Test func aBlockedClientIsCutWithinSecondsAndStaysOut() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1", "pc2"])
    try stage.startAgent("pc1")
    try stage.startAgent("pc2")
    try stage.waitOnline(2)
    try stage.bgb(["client", "block", "pc1"])
    try eventually("the blocked client is cut", within: 5) {
      try stage.metric("online_clients") == 1
    }
    // A refused agent stays away for a while by itself; started anew it tries at once.
    stage.agent("pc1")?.stop()
    try stage.startAgent("pc1")
    try eventually("it is refused again") { try stage.metric("refused_total") >= 2 }
    #expect(try stage.metric("online_clients") == 1)
    try stage.bgb(["client", "unblock", "pc1"])
    stage.agent("pc1")?.stop()
    try stage.startAgent("pc1")
    try eventually("it is back") { try stage.metric("online_clients") == 2 }
  }

  @Test func aWithdrawnOperationDoesNotReachLateClients() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1", "pc2"])
    try stage.startAgent("pc1")
    try stage.waitOnline(1)
    let operation = try stage.start(
      "site-defined", ["--collection", "All Systems", "--param", "name=mark"])
    try eventually("the first has done it") { try stage.counts(operation)["succeeded"] == 1 }
    try stage.bgb(["op", "cancel", "\(operation)"])
    try stage.startAgent("pc2")
    try stage.waitOnline(2)
    let counts = try stage.counts(operation)
    #expect(counts["succeeded"] == 1)
    #expect(counts["cancelled"] == 1)
    #expect(stage.runCount("pc2") == 0)
    try stage.verify(operation)
  }

  @Test func reloadOfSettingsAndCertificatesDropsNobody() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1", "pc2"])
    try stage.startAgent("pc1")
    try stage.startAgent("pc2")
    try stage.waitOnline(2)
    try stage.setServer(["keep-alive": "7m"])
    for _ in 0..<3 { stage.server?.signal(SIGHUP) }
    try eventually("the reload is in the log") {
      try stage.serverLog().contains("reloaded")
    }
    // A broken file changes nothing and nobody.
    try stage.setServer(["keep-alive": "many", "listen": "nowhere"])
    stage.server?.signal(SIGHUP)
    try eventually("the refusal is in the log") {
      try stage.serverLog().contains("reload refused")
    }
    #expect(try stage.metric("online_clients") == 2)
    #expect(try stage.metric("sign_ins_total") == 2)
    let operation = try stage.start(
      "site-defined", ["--collection", "All Systems", "--param", "name=mark"])
    try eventually("both have done it") { try stage.counts(operation)["succeeded"] == 2 }
    #expect(stage.server?.stop() == 0)
    #expect(try stage.metric("online_clients") == -1, "a stopped server answers nobody")
  }

  /// The one-hour rule with real processes and the shortest validity there is; virtual time has the
  /// boundaries to the millisecond (ShardTests, PushLedgerTests, TaskCheckTests).
  @Test func afterItsValidityATaskIsNeverRun() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["early", "late"])
    let operation = try stage.start(
      "site-defined",
      ["--collection", "All Systems", "--param", "name=mark", "--validity", "1m"])
    try stage.startAgent("early")
    try eventually("the early one has done it") { try stage.counts(operation)["succeeded"] == 1 }
    try eventually("the rest has expired", within: 120) {
      try stage.counts(operation)["expired"] == 1
    }
    try stage.startAgent("late")
    try stage.waitOnline(2)
    #expect(stage.runCount("early") == 1)
    #expect(stage.runCount("late") == 0)
    #expect(try stage.counts(operation)["expired"] == 1)
    try stage.verify(operation)
  }
}
