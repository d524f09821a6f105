// Agents that cannot reach the TCP port: they come over HTTPS, work there, and go back when they
// can, without being away in between.

import Foundation
import Glibc
import Testing

@Suite(.serialized) struct FallbackTests {
  /// Agents whose TCP port is closed, online over HTTPS.
  private func polling(_ names: [String], yaml: String = "tcp-retry: 1s") throws -> (Stage, UInt16)
  {
    let stage = try Stage()
    try stage.startServer()
    let closed = try Sockets.freePort()
    try stage.addClients(names, yaml: yaml, tcp: "127.0.0.1:\(closed)")
    for name in names { try stage.startAgent(name) }
    try stage.waitConnected(names.count, over: "https")
    return (stage, closed)
  }

  @Test func aClosedPortLeadsToHTTPSAndAnOpenOneBack() throws {
    let (stage, closed) = try polling(["pc1"])
    try eventually("the site knows which way and why") {
      let presence = try stage.presence("pc1")
      return presence["channel"] as? String == "https"
        && presence["fallback"] as? String == "refused" && presence["channelSince"] is String
    }
    #expect(try stage.onlineCount() == 1)
    let first = try stage.mark()
    try stage.expectDone([first], ["pc1"])
    // The work of a session over TCP is possible here too.
    let document = stage.path("base.json")
    try "{\"wallpaper\":\"green\"}".write(toFile: document, atomically: true, encoding: .utf8)
    try stage.bgb(["policy", "put", "base", "--collection", "All Systems", "--file", document])
    try stage.bgb([
      "op", "start", "download-computer-policy", "--collection", "All Systems", "--yes", "--wait",
    ])

    let watch = OnlineWatch(stage)
    let busy = try stage.mark("busy")
    try eventually("it is being done") { stage.runCount("pc1", "begun") == 1 }
    #expect(try stage.metric("takeovers_total") == 0)
    let relay = try Relay(port: closed, to: stage.port)
    defer { relay.close() }
    try stage.waitConnected(1, over: "tcp")
    try stage.expectDone([first, busy], ["pc1"])
    watch.stop()
    #expect(watch.looks > 10)
    #expect(watch.fewest == 1)
    #expect(watch.most == 1)
    #expect(try stage.metric("takeovers_total") == 1)
    #expect(try stage.metric("sign_ins_total") == 2)
    #expect(stage.agentLog("pc1").contains("back on TCP"))
    try eventually("the site knows that it is back") {
      let presence = try stage.presence("pc1")
      return presence["channel"] as? String == "tcp" && presence["fallback"] as? String == "none"
    }
    #expect(try stage.metric("polled_sessions") == 0, "of the old session nothing is left")
  }

  @Test func aClientThatMayOnlyUseTCPStaysAway() throws {
    let stage = try Stage()
    try stage.startServer()
    let closed = try Sockets.freePort()
    try stage.addClients(["pc1"], yaml: "transport: tcp", tcp: "127.0.0.1:\(closed)")
    try stage.startAgent("pc1")
    try eventually("it tries again and again") {
      stage.agentLog("pc1").components(separatedBy: "disconnected").count > 3
    }
    #expect(try stage.metric("http_logins_total") == 0)
    #expect(!stage.agentLog("pc1").contains("trying HTTPS"))
  }

  @Test func theServerDiesWhileAgentsPoll() throws {
    let names = ["pc1", "pc2", "pc3"]
    let (stage, _) = try polling(names)
    // Before it sees the task, then with pushes under way.
    stage.crashServer()
    let first = try stage.mark()
    try stage.startServer()
    try stage.expectDone([first], names)
    for name in names { stage.agent(name)?.signal(SIGSTOP) }
    let second = try stage.mark()
    try eventually("the pushes are answers by now") {
      try stage.metric("pushes_total") >= names.count
    }
    stage.crashServer()
    try stage.startServer()
    for name in names { stage.agent(name)?.signal(SIGCONT) }
    try stage.expectDone([first, second], names)
    // And with outcomes that only its journal knows.
    let inbox = stage.path("inbox/bgb.box")
    try FileManager.default.moveItem(atPath: inbox, toPath: inbox + ".away")
    let known = try stage.metric("outcomes_final_total")
    let third = try stage.mark()
    try eventually("the outcomes are confirmed") {
      try stage.metric("outcomes_final_total") >= known + names.count
        && stage.metric("outcomes_unstored") == 0
    }
    stage.crashServer()
    for name in names { stage.agent(name)?.crash() }
    try FileManager.default.moveItem(atPath: inbox + ".away", toPath: inbox)
    try stage.startServer()
    for name in names { try stage.startAgent(name) }
    try stage.expectDone([first, second, third], names)
  }

  @Test func anAgentThatStopsSaysGoodbye() throws {
    let (stage, _) = try polling(["pc1", "pc2"])
    #expect(stage.agent("pc1")?.stop() == 0)
    // Without a goodbye it would count for a minute more.
    try eventually("it is offline at once", within: 10) {
      try stage.metric("online_clients") == 1
    }
    #expect(stage.httpsLog().contains("LogOut"))
    try eventually("the site knows it too", within: 10) { try stage.onlineCount() == 1 }
  }

  @Test(.enabled(if: NetworkNamespace.obstacle == nil, "\(NetworkNamespace.obstacle ?? "")"))
  func aPortThatSwallowsEverythingLeadsToHTTPSInTime() throws {
    let net = try NetworkNamespace()
    let stage = try Stage()
    try stage.listen(on: net.serverAddress)
    try stage.startServer()
    try stage.addClients(
      ["pc1"], tcp: "\(net.serverAddress):\(stage.port)",
      https: "\(net.serverAddress):\(stage.httpsPort)")
    try net.set(.drop, port: stage.port)
    let began = Date()
    try stage.startAgent("pc1", namespace: net.agent)
    // The promise: 30 seconds.
    try stage.waitConnected(1, over: "https", within: 30)
    #expect(Date().timeIntervalSince(began) < 30)
    try eventually("the site knows why") {
      try stage.presence("pc1")["fallback"] as? String == "timed-out"
    }
    let operation = try stage.mark()
    try stage.expectDone([operation], ["pc1"])
  }
}
