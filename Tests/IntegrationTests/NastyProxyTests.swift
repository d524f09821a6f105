// The nasty proxy: lies are recognised and never believed, cuts at any byte cost nothing but time,
// and what was said once cannot be said again by somebody else.

import Foundation
import Glibc
import Testing

@Suite(.serialized) struct NastyProxyTests {
  /// What stands in the way, and what an agent's log must say of it.
  private static let lies: [(client: String, ways: Nastiness, words: String)] = [
    (
      "portal",
      Nastiness(
        lie: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 42\r\n\r\n"
          + "<html><body>Welcome to Hotel</body></html>"), "disconnected"
    ),
    (
      "redirect",
      Nastiness(lie: "HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n"),
      "captive portal"
    ),
    (
      "gateway",
      Nastiness(lie: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\nbad\n"), "502"
    ),
    (
      "asks",
      Nastiness(
        lie: "HTTP/1.1 407 Proxy Authentication Required\r\n"
          + "Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"),
      "asks for another user or password"
    ),
    ("garbage", Nastiness(lie: "\u{16}\u{3}\u{1}\u{2} SSH-2.0 what?\r\n\r\n"), "no proxy"),
    ("truncated", Nastiness(lie: "HTTP/1.1 200 Connection estab"), "no proxy"),
    ("silent", Nastiness(lie: ""), "no proxy"),
    (
      "html",
      Nastiness(
        fakeServer: "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Log in</html>"),
      "disconnected"
    ),
  ]

  private func yaml(_ proxy: NastyProxy) -> String {
    "transport: https\nproxy:\n  url: \"http://127.0.0.1:\(proxy.port)\"\n"
  }

  @Test func whatIsNotOurServerIsNamedAndNeverBelieved() throws {
    let stage = try Stage()
    try stage.startServer()
    var proxies: [NastyProxy] = []
    defer { for proxy in proxies { proxy.stop() } }
    for (client, ways, _) in NastyProxyTests.lies {
      let proxy = try NastyProxy(ways, seed: 1)
      proxies.append(proxy)
      try stage.addClients([client], yaml: yaml(proxy))
      try stage.startAgent(client)
    }
    for (client, _, words) in NastyProxyTests.lies {
      try eventually("\(client) is told as it is, twice: \(words)") {
        stage.agentLog(client).components(separatedBy: words).count > 2
      }
      #expect(!stage.agentLog(client).contains("signed in"))
    }
    #expect(try stage.metric("handshakes_full_total") == 0)
    #expect(try stage.metric("online_clients") == 0)
    // The portal was satisfied: everybody comes, and nothing of before has stuck.
    let operation = try stage.mark()
    for proxy in proxies { proxy.become(Nastiness()) }
    let names = NastyProxyTests.lies.map(\.client)
    try stage.waitConnected(names.count, over: "https")
    try stage.expectDone([operation], names)
  }

  @Test func cutsAtAnyByteLoseAndDoubleNothing() throws {
    let stage = try Stage()
    try stage.startServer()
    // The shortest budgets end within a handshake, the longest within a few operations.
    let chaos = Nastiness(cutAfter: 1_500...7_000, holdMilliseconds: 25)
    let proxy = try NastyProxy(chaos, seed: 20_260_801)
    let relay = try NastyProxy(to: stage.port, chaos, seed: 20_260_802)
    defer {
      proxy.stop()
      relay.stop()
    }
    let names = try addThreePairs(stage, proxy, relay)
    for name in names { try stage.startAgent(name) }
    try eventually("all are there") { try stage.metric("online_clients") == names.count }
    let watch = OnlineWatch(stage)
    var operations: [Int] = []
    for number in 0..<30 {
      operations.append(try stage.mark())
      // Now and then everything breaks at once, whatever is on its way.
      if number % 5 == 2 { proxy.cutAll() }
      if number % 5 == 4 { relay.cutAll() }
      // No faster than the first of them works, so that there is something to cut.
      try? eventually("somebody has done it", within: 0.7) {
        names.contains { stage.runCount($0) == operations.count }
      }
    }
    let cuts = proxy.cuts + relay.cuts
    // Enough of it: agents that waited longer and longer find a path that holds.
    for one in [proxy, relay] { one.become(Nastiness(holdMilliseconds: 25)) }
    try stage.expectDone(operations, names, within: 150)
    watch.stop()
    #expect(cuts > 8)
    #expect(watch.most == names.count, "nobody is there twice")
    #expect(!stage.httpsLog().contains("out of step"), "an honest agent goes on where it was cut")
    // Nobody was taken in who did not hear of it, but for Welcomes that were cut.
    let told = names.map { stage.agentLog($0).components(separatedBy: "signed in").count - 1 }
    #expect(told.reduce(0, +) <= (try stage.metric("sign_ins_total")))

    try replaysAreNotTakenIn(stage, names, [proxy, relay])
  }

  /// Two that only poll, two that only have TCP, and two that move between them.
  private func addThreePairs(
    _ stage: Stage, _ proxy: NastyProxy, _ relay: NastyProxy
  ) throws -> [String] {
    let names = ["https1", "https2", "tcp1", "tcp2", "both1", "both2"]
    let way = "proxy:\n  url: \"http://127.0.0.1:\(proxy.port)\"\n"
    for name in names {
      let rule =
        name.hasPrefix("both") ? "tcp-retry: 1s" : "transport: \(name.filter(\.isLetter))"
      try stage.addClients(
        [name], yaml: "\(rule)\n\(way)", tcp: "127.0.0.1:\(relay.port)")
    }
    return names
  }

  /// Says again to the server what its clients said, byte by byte, while they are away.
  private func replaysAreNotTakenIn(
    _ stage: Stage, _ names: [String], _ proxies: [NastyProxy]
  ) throws {
    for name in names { stage.agent(name)?.stop() }
    try eventually("the server is calm") {
      try stage.metric("newcomers") == 0 && stage.metric("outcomes_unstored") == 0
    }
    let before = Metrics.read(stage.healthPort)
    // Who was cut before saying anything began no handshake that could be refused.
    let count = proxies.reduce(0) { sum, proxy in
      sum + proxy.replay(Array(proxy.recordings.filter { !$0.bytes.isEmpty }.prefix(15)))
    }
    #expect(count > 15)
    // What an agent began before it was stopped may fail now, too.
    let failed = "bgb_handshakes_failed_total"
    try eventually("the server has refused all of them") {
      try stage.metric("handshakes_failed_total") >= before[failed, default: 0] + count
    }
    let after = Metrics.read(stage.healthPort)
    for name in [
      "sign_ins", "http_logins", "polls", "frames_in", "acknowledgements", "outcomes",
      "handshakes_full", "handshakes_resumed",
    ] {
      #expect(after["bgb_\(name)_total"] == before["bgb_\(name)_total"], "\(name)")
    }
  }
}
