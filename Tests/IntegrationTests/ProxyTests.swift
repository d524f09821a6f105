// Agents behind real proxies: open ones, ones that ask who they are, ones that say no, ones that
// go away, and ones that cut what is idle.

import Foundation
import Glibc
import Testing

@Suite(
  .serialized,
  .enabled(if: OuterProgram.hasSquid && OuterProgram.hasTinyproxy, "needs squid and tinyproxy"))
struct ProxyTests {
  private static let user = (name: "ann", password: "p:w and more")

  /// The settings of an agent behind a proxy.
  private func yaml(
    _ stage: Stage, port: UInt16, user: String? = nil, password: String? = nil
  ) throws -> String {
    var lines = "transport: https\nproxy:\n  url: \"http://127.0.0.1:\(port)\"\n"
    if let user, let password {
      let file = stage.path("password-\(port)-\(password.count)")
      try (password + "\n").write(toFile: file, atomically: true, encoding: .utf8)
      chmod(file, 0o600)
      lines += "  user: \(user)\n  password-file: \"\(file)\"\n"
    }
    return lines
  }

  @Test func agentsComeThroughProxiesOfAllKinds() throws {
    let stage = try Stage()
    try stage.startServer()
    let (user, password) = ProxyTests.user
    let proxies: [(client: String, proxy: OuterProgram, asks: Bool)] = [
      ("squid", try .squid("http_access allow all"), false),
      ("basic", try .squid("basic", user: ProxyTests.user), true),
      ("digest", try .squid("digest", user: ProxyTests.user), true),
      ("tiny", try .tinyproxy("ConnectPort \(stage.httpsPort)"), false),
      ("tinybasic", try .tinyproxy("ConnectPort \(stage.httpsPort)\nBasicAuth ann secret"), true),
    ]
    for (client, proxy, asks) in proxies {
      let secret = client == "tinybasic" ? "secret" : password
      try stage.addClients(
        [client],
        yaml: yaml(
          stage, port: proxy.port, user: asks ? user : nil, password: asks ? secret : nil))
      try stage.startAgent(client)
    }
    let names = proxies.map(\.client)
    try stage.waitConnected(names.count, over: "https")
    let operation = try stage.mark()
    try stage.expectDone([operation], names)
    let document = stage.path("base.json")
    try "{\"wallpaper\":\"red\"}".write(toFile: document, atomically: true, encoding: .utf8)
    try stage.bgb(["policy", "put", "base", "--collection", "All Systems", "--file", document])
    try stage.bgb([
      "op", "start", "download-computer-policy", "--collection", "All Systems", "--yes", "--wait",
    ])
    #expect(try stage.metric("policy_requests_total") >= names.count)
    for name in names {
      try eventually("the site knows the way of \(name)") {
        try stage.presence(name)["channel"] as? String == "https"
      }
    }
    #expect(try stage.metric("http_logins_total") == names.count)
  }

  @Test func aProxyThatSaysNoIsNamedAndTriedAgain() throws {
    let stage = try Stage()
    try stage.startServer()
    let denying = try OuterProgram.squid("http_access deny all")
    let basic = try OuterProgram.squid("basic", user: ProxyTests.user)
    let digest = try OuterProgram.squid("digest", user: ProxyTests.user)
    let closed = try OuterProgram.tinyproxy("ConnectPort 1")
    let nobody = try Sockets.freePort()
    let cases: [(client: String, yaml: String, words: String)] = [
      ("denied", try yaml(stage, port: denying.port), "HTTP status 403"),
      ("closed", try yaml(stage, port: closed.port), "HTTP status 403"),
      ("unasked", try yaml(stage, port: basic.port), "asks for another user or password"),
      (
        "wrongbasic", try yaml(stage, port: basic.port, user: "ann", password: "other"),
        "asks for another user or password"
      ),
      (
        "wrongdigest", try yaml(stage, port: digest.port, user: "ann", password: "others"),
        "asks for another user or password"
      ),
      ("nobody", try yaml(stage, port: nobody), "the proxy is not reachable"),
    ]
    for (client, yaml, words) in cases {
      try stage.addClients([client], yaml: yaml)
      try stage.startAgent(client)
      try eventually("\(client) says why, and tries again") {
        stage.agentLog(client).components(separatedBy: words).count > 2
      }
    }
    #expect(try stage.metric("http_logins_total") == 0)
    #expect(try stage.metric("handshakes_full_total") == 0, "nothing came to the server at all")
    // Whoever finds an open door later comes in by itself.
    let open = try OuterProgram.tinyproxy("ConnectPort \(stage.httpsPort)")
    let relay = try Relay(port: nobody, to: open.port)
    defer { relay.close() }
    try stage.waitConnected(1, over: "https")
  }

  @Test func aProxyThatIsRestartedLosesNothing() throws {
    let stage = try Stage()
    try stage.startServer()
    let squid = try OuterProgram.squid("http_access allow all")
    let tiny = try OuterProgram.tinyproxy("ConnectPort \(stage.httpsPort)")
    let names = ["squid", "tiny"]
    for (name, proxy) in zip(names, [squid, tiny]) {
      try stage.addClients([name], yaml: yaml(stage, port: proxy.port))
      try stage.startAgent(name)
    }
    try stage.waitConnected(2, over: "https")
    var operations = [try stage.mark()]
    try stage.expectDone(operations, names)
    let watch = OnlineWatch(stage)
    for _ in 0..<2 {
      for proxy in [squid, tiny] { proxy.stop() }
      // This one finds held polls that are dead by now.
      operations.append(try stage.mark())
      for proxy in [squid, tiny] { try proxy.start() }
      try stage.expectDone(operations, names)
    }
    watch.stop()
    #expect(watch.fewest == 2, "a session outlives its proxy")
    #expect(watch.most == 2)
  }

  @Test func aProxyThatCutsWhatIsIdleTeachesShorterPolls() throws {
    let stage = try Stage()
    try stage.startServer()
    let tiny = try OuterProgram.tinyproxy("ConnectPort \(stage.httpsPort)", idleSeconds: 8)
    try stage.addClients(["pc1"], yaml: yaml(stage, port: tiny.port))
    try stage.startAgent("pc1")
    try stage.waitConnected(1, over: "https")
    let watch = OnlineWatch(stage)
    let first = try stage.mark()
    try stage.expectDone([first], ["pc1"])
    try eventually("the server learned", within: 90) {
      stage.httpsLog().contains("polls are cut on this path")
    }
    let cut = try stage.metric("polls_cut_total")
    #expect(cut >= 2, "one cut alone teaches nothing")
    #expect(stage.httpsLog().contains("poll-seconds=6"))
    // Polls now end before the proxy ends them.
    let polls = try stage.metric("polls_total")
    try eventually("three polls are held to their end") {
      try stage.metric("polls_total") >= polls + 3
    }
    let second = try stage.mark()
    try stage.expectDone([first, second], ["pc1"])
    watch.stop()
    #expect(try stage.metric("polls_cut_total") == cut)
    #expect(watch.fewest == 1)
    #expect(watch.most == 1)
    #expect(try stage.metric("http_logins_total") == 1, "all of it was one session")
  }
}
