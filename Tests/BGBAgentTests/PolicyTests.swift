// Policies over real HTTPS: fetched once, stored whole or not at all, their tasks judged like
// pushes.

import BGBModel
import BGBSigning
import Glibc
import HTTPClient
import Testing

@testable import BGBAgent

@Suite(.serialized) struct PolicyTests {
  let site: TestSite
  let server: FakePolicyServer
  let folder = TestFolder()
  let files: (certificate: String, key: String)

  init() throws {
    site = try TestSite()
    server = try FakePolicyServer(site)
    files = try site.client(testClient)
  }

  private func fetch(
    hook: [String] = [], url: String? = nil, proxy: ProxyChoice? = nil
  ) -> ActionResult {
    let download = PolicyDownload(
      PolicySettings(
        certificateFile: files.certificate, keyFile: files.key, authorityFile: site.authorityFile,
        folder: "\(folder.path)/policy", applyHook: hook, proxy: proxy))
    let order = ActionOrder(
      key: TaskKey(client: testClient, task: TaskID(Bits128(high: 0, low: 1))),
      action: .downloadComputerPolicy, parameters: .none, runMilliseconds: 10_000)
    return download.fetch(from: url ?? server.url, order, stop: StopFlag())
  }

  private var stored: String? { AgentFile.text("\(folder.path)/policy/policy.json") }

  private func answer(_ body: String, tag: String) {
    server.state.withLock {
      $0.body = body
      $0.tag = tag
    }
  }

  @Test func `a policy is fetched, stored and fetched again only when it changed`() {
    let body = #"{"policies":[{"name":"a","version":1,"document":{"x":1}}],"tasks":[]}"#
    answer(body, tag: "\"one\"")
    let first = fetch()
    #expect(first.state == .succeeded, "\(first.text)")
    #expect(first.text == "1 policy stored")
    #expect(stored == body)
    #expect(fetch().text == "the policy has not changed")
    answer(#"{"policies":[],"tasks":[]}"#, tag: "\"two\"")
    #expect(fetch().text == "0 policies stored")
    let requests = server.state.withLock { $0.requests }
    #expect(requests.count == 3)
    #expect(requests.allSatisfy { $0.hasPrefix("GET /bgb/policy HTTP/1.1\r\n") })
    server.stop()
  }

  @Test func `a broken answer leaves the old policy`() {
    let body = #"{"policies":[],"tasks":[],"mark":1}"#
    answer(body, tag: "\"one\"")
    #expect(fetch().state == .succeeded)
    answer(#"{"policies":[],"tasks":[],"mark":2}"#, tag: "\"two\"")
    server.state.withLock { $0.cutAfter = 20 }
    #expect(fetch().state == .failed)
    #expect(stored == body)
    server.state.withLock { $0.cutAfter = nil }
    answer("{\"policies\":[}", tag: "\"three\"")
    #expect(fetch().state == .failed)
    #expect(stored == body)
    server.state.withLock { $0.status = "503 Service Unavailable" }
    #expect(fetch().text == "the management point answered 503")
    #expect(stored == body)
    server.state.withLock { $0.status = "200 OK" }
    answer(#"{"policies":[],"tasks":[],"mark":4}"#, tag: "\"four\"")
    #expect(fetch().state == .succeeded)
    #expect(stored?.contains("4") == true)
    #expect(
      AgentFile.names(in: "\(folder.path)/policy") == ["policy.etag", "policy.json"],
      "no draft stays behind")
    server.stop()
  }

  @Test func `the hook is told, and told again until it succeeds`() {
    let witness = "\(folder.path)/witness"
    let body = #"{"policies":[],"tasks":[]}"#
    answer(body, tag: "\"one\"")
    let failing = fetch(hook: ["/bin/false"])
    #expect(failing.state == .failed)
    let copied = fetch(hook: ["/bin/cp", "--target-directory=\(folder.path)"])
    #expect(copied.state == .succeeded, "\(copied.text)")
    #expect(AgentFile.text("\(folder.path)/policy.json") == body)
    _ = fetch(hook: ["/usr/bin/touch", witness])
    #expect(!AgentFile.exists(witness), "an unchanged policy needs no hook")
    server.stop()
  }

  @Test func `tasks in a policy that also travel by policy are handed over`() throws {
    let exclude = TaskWish(
      action: ClientAction.excludePath.rawValue,
      parameters: ActionParameters([.init(name: "path", text: "/srv")]),
      targets: [testClient, otherClient])
    let scan = TaskWish(action: ClientAction.quickScan.rawValue)
    let tasks = [exclude, scan].map { wish in
      let push = site.key.push(wish)
      let path = push.path.map { "\"\(Base64.encode($0))\"" }.joined(separator: ",")
      return """
        {"statement":"\(Base64.encode(push.task.statement))",\
        "signature":"\(Base64.encode(push.task.signature))","leafIndex":0,"path":[\(path)]}
        """
    }.joined(separator: ",")
    answer(#"{"policies":[],"tasks":[\#(tasks),{"statement":"!"},7]}"#, tag: "\"one\"")
    let result = fetch()
    #expect(result.state == .succeeded, "\(result.text)")
    #expect(result.policyTasks.count == 1, "a scan travels by push alone")
    // The desk takes it once, by whichever way it comes.
    let desk = TestDesk(key: site.key)
    desk.welcome()
    for _ in 0..<3 {
      for task in result.policyTasks { desk.desk.policyTask(testClient, task, at: desk.now) }
      desk.sync()
    }
    #expect(desk.begun.map(\.action) == [.excludePath])
    #expect(desk.acks.isEmpty)
    desk.finish()
    #expect(desk.outcomes.map(\.pushID) == [0])
    desk.push(exclude, pushID: 9)
    desk.sync()
    #expect(desk.begun.isEmpty)
    #expect(desk.outcomes.last?.pushID == 9)
    server.stop()
  }

  @Test func `only https is fetched, and only from our own authority`() throws {
    #expect(fetch(url: "http://localhost:1").state == .failed)
    let stranger = try FakePolicyServer(try TestSite())
    let result = fetch(url: stranger.url)
    #expect(result.state == .failed)
    #expect(stranger.state.withLock { $0.requests }.isEmpty)
    #expect(stored == nil)
    stranger.stop()
    server.stop()
  }

  @Test func `the proxy that leads to the host is used, and its password not shown`() {
    // Nobody listens on port 1.
    let proxy = ProxyServer(host: "127.0.0.1", port: 1, user: "ann", password: "secret")
    let through = fetch(
      proxy: ProxyChoice(setting: proxy, isOff: false, exempt: ["other"], environment: [:]))
    #expect(through.state == .failed)
    #expect(through.text.contains("the proxy is not reachable"), "\(through.text)")
    #expect(!through.text.contains("secret"))
    #expect(server.state.withLock { $0.requests }.isEmpty)
    let exempt = fetch(
      proxy: ProxyChoice(setting: proxy, isOff: false, exempt: ["localhost"], environment: [:]))
    #expect(exempt.state == .succeeded, "\(exempt.text)")
    server.stop()
  }
}
