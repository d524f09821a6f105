// The API as its callers meet it: a running manager, its real socket, real requests.

import BGBModel
import BGBSigning
import Glibc
import ServiceLifecycle
import SiteDatabase
import Synchronization
import Testing

@testable import BGBManager

/// Runs a manager for the time of a test.
func withRunningManager(
  _ site: TestSite, overrides: [String: String] = [:],
  _ body: @Sendable (SocketClient, NotificationManager) async throws -> Void
) async throws {
  let manager = try site.manager(overrides: overrides)
  let group = try manager.services(signals: [], reload: nil)
  let client = SocketClient(path: site.folder.socket)
  try await withThrowingTaskGroup(of: Void.self) { tasks in
    tasks.addTask { try await group.run() }
    do {
      while (try? await client.send("GET", "/healthz"))?.status != 200 { await Task.yield() }
      try await body(client, manager)
    } catch {
      await group.triggerGracefulShutdown()
      throw error
    }
    await group.triggerGracefulShutdown()
    try await tasks.waitForAll()
  }
  await manager.finish()
}

@Suite("API over its socket", .serialized)
struct APISocketTests {
  let site: TestSite

  init() throws { site = try TestSite() }

  private static func request(named name: String) throws -> String {
    JSONValue.text(try CertificateRequest.make(name: name).requestPEM).encoded
  }

  @Test("From enrolment to a finished operation: reports come in, the stream follows to its end")
  func wholeLine() async throws {
    try await withRunningManager(site) { [site] api, _ in
      let csr = try APISocketTests.request(named: "pc")
      var clients: [ClientID] = []
      for number in 1...3 {
        let reply = try await api.send(
          "POST", "/v1/clients",
          body: #"{"name":"pc-\#(number)","tags":["lab"],"csr":\#(csr)}"#)
        #expect(reply.status == 201, "\(reply.body)")
        let text = try #require(reply.json["client"]?["clientID"]?.textValue)
        clients.append(try #require(ClientID(text)))
        let pem = try #require(reply.json["certificate"]?.textValue)
        #expect(try CertificateFacts.read(pem: pem).clientID == clients.last)
      }
      let reportKey = try SigningKey.generate()
      let added = try await api.send(
        "POST", "/v1/servers",
        body: #"{"name":"mp1","hosts":["localhost"],"csr":\#(csr),"#
          + #""reportKey":"\#(reportKey.publicKey.base64)"}"#)
      #expect(added.status == 201, "\(added.body)")
      let record = try site.store.registerServer(named: "mp1", at: site.clock.now)
      let server = TestServer(site: site, record: record, key: reportKey)

      let started = try await api.send(
        "POST", "/v1/operations",
        body: #"{"action":"quick-scan","target":{"collection":"All Systems"}}"#)
      #expect(started.status == 201, "\(started.body)")
      let taskID = try #require(TaskID(started.json["taskID"]?.textValue ?? ""))
      let number = try #require(started.json["operationID"]?.integerValue)

      let hasBegun = Mutex(false)
      async let events = api.follow("/v1/operations/\(number)/events") { text in
        if text.contains("event: operation") { hasBegun.withLock { $0 = true } }
      }
      while !hasBegun.withLock({ $0 }) { await Task.yield() }
      try server.drop(
        server.header(.presence, sequence: 1, scope: .full), server.presence(clients))
      try server.drop(
        server.header(.outcomes, sequence: 1),
        server.outcomes(Array(clients[..<2]), of: taskID, .delivered))
      try server.drop(
        server.header(.outcomes, sequence: 2), server.outcomes(clients, of: taskID, .succeeded))
      let text = try await events
      #expect(text.contains("event: end"))
      #expect(text.contains(#""succeeded":3"#))

      let verified = try await api.send("GET", "/v1/operations/\(number)/verify")
      #expect(verified.json["ok"]?.boolValue == true, "\(verified.body)")
      let presence = try await api.send("GET", "/v1/presence")
      #expect(presence.json["online"]?.integerValue == 3, "\(presence.body)")
      #expect(presence.json["channels"]?["tcp"]?.integerValue == 3)
      #expect(presence.body.contains(#""fallbacks":{}"#), "\(presence.body)")
      let story = try await api.send("GET", "/v1/trace?task=\(number)&client=pc-1")
      let steps = try #require(story.json["steps"]?.listValue).compactMap {
        $0["what"]?.textValue
      }
      #expect(steps.first == "created" && steps.contains("delivered"), "\(steps)")
      #expect(steps.contains("succeeded") && steps.contains("imported"), "\(steps)")
    }
  }

  @Test("Which transport a client uses, why not TCP, and since when")
  func transports() async throws {
    let clients = try site.addClients(5)
    try await withRunningManager(site) { [site] api, _ in
      let server = try site.addServer()
      let reports: [([ClientID], ChannelKind, FallbackReason)] = [
        (Array(clients[..<2]), .tcp, .none), ([clients[2]], .https, .timedOut),
        ([clients[3], clients[4]], .https, .configured),
      ]
      for (index, (clients, channel, reason)) in reports.enumerated() {
        let sequence = UInt64(index) + 1
        let header = server.header(
          .presence, sequence: sequence, scope: index == 0 ? .full : .delta)
        let body = server.presence(clients, over: channel, because: reason)
        guard case .presence(let records) = body else { continue }
        _ = try site.store.importPresence(header, records, at: site.clock.now)
      }
      let counts = try await api.send("GET", "/v1/presence")
      let channels = counts.json["channels"]
      #expect(channels?["tcp"]?.integerValue == 2 && channels?["https"]?.integerValue == 3)
      #expect(
        counts.body.contains(#""fallbacks":{"timed-out":1,"configured":2}"#), "\(counts.body)")
      let client = try await api.send("GET", "/v1/clients/\(clients[2])")
      let presence = client.json["presence"]
      #expect(presence?["channel"]?.textValue == "https", "\(client.body)")
      #expect(presence?["fallback"]?.textValue == "timed-out")
      #expect(presence?["channelSince"]?.textValue == site.clock.now.description)
    }
  }

  @Test("The actor is who the kernel says, and the socket is for owner and group")
  func actor() async throws {
    try await withRunningManager(site) { [site] api, _ in
      let reply = try await api.send(
        "POST", "/v1/collections", body: #"{"name":"Lab 1","rules":[{"kind":"everybody"}]}"#)
      #expect(reply.status == 201, "\(reply.body)")
      let audit = try await api.send("GET", "/v1/audit")
      let actors = audit.json["items"]?.listValue?.compactMap { $0["actor"]?.textValue } ?? []
      #expect(actors.contains("local:\(LocalAccounts.name(of: geteuid()))"), "\(actors)")
      var status = stat()
      #expect(stat(site.folder.socket, &status) == 0)
      #expect(status.st_mode & 0o777 == 0o660)
      // A name with a blank travels percent-encoded.
      let again = try await api.send("GET", "/v1/collections/Lab%201")
      #expect(again.json["name"]?.textValue == "Lab 1", "\(again.body)")
    }
  }

  @Test("Requests that are not right are refused with a code and a hint, never with a 500")
  func refusals() async throws {
    _ = try site.addClients(1)
    let deep = String(repeating: "[", count: 10_000)
    let operation = #"{"action":"quick-scan","target":{"clients":["pc-1"]}"#
    let cases: [(String, String, String?, Int)] = [
      ("GET", "/v1/nothing", nil, 404), ("GET", "/v1/clients/nobody", nil, 404),
      ("GET", "/v1/clients?limit=0", nil, 400), ("GET", "/v1/clients?limit=1001", nil, 400),
      ("GET", "/v1/clients?after=-1", nil, 400), ("GET", "/v1/clients?after=99999999999", nil, 400),
      ("GET", "/v1/clients?online=maybe", nil, 400), ("GET", "/v1/operations/0", nil, 404),
      ("GET", "/v1/operations/9223372036854775808", nil, 404),
      ("POST", "/v1/operations", nil, 400), ("POST", "/v1/operations", "{", 400),
      ("POST", "/v1/operations", deep, 400), ("POST", "/v1/operations", "[]", 400),
      ("POST", "/v1/operations", #"{"action":"a","action":"b"}"#, 400),
      ("POST", "/v1/operations", #"{"action":"format-disk","target":{"clients":["pc-1"]}}"#, 400),
      ("POST", "/v1/operations", operation + #","validitySeconds":59}"#, 400),
      ("POST", "/v1/operations", operation + #","validitySeconds":"1h"}"#, 400),
      ("POST", "/v1/operations", operation + #","ratePerSecond":-1}"#, 400),
      ("POST", "/v1/operations", operation + #","parameters":{"path":"/x"}}"#, 400),
      ("POST", "/v1/operations", operation + #","validity":60}"#, 400),
      ("POST", "/v1/operations", #"{"action":"quick-scan","target":{}}"#, 400),
      ("POST", "/v1/operations", #"{"action":"quick-scan","target":{"clients":["no"]}}"#, 404),
      ("POST", "/v1/clients", #"{"name":"../x","csr":"x"}"#, 400),
      ("POST", "/v1/clients", #"{"name":"pc-2","csr":"no pem"}"#, 400),
      ("POST", "/v1/clients", #"{"name":"pc-1","csr":"no pem"}"#, 409),
      ("PUT", "/v1/policies/p", #"{"collection":"All Systems","document":"[1]"}"#, 400),
      ("PUT", "/v1/policies/p", #"{"collection":"None","document":{}}"#, 404),
      ("PUT", "/v1/collections/All%20Systems", #"{"rules":[]}"#, 409),
      ("DELETE", "/v1/collections/None", nil, 404),
    ]
    try await withRunningManager(site) { api, _ in
      for (method, path, body, status) in cases {
        let reply = try await api.send(method, path, body: body)
        let what = "\(method) \(path) \(body?.prefix(80) ?? ""): \(reply.status) \(reply.body)"
        if status == 409 {
          #expect((400..<500).contains(reply.status), "\(what)")
        } else {
          #expect(reply.status == status, "\(what)")
        }
        #expect(reply.json["error"]?["code"]?.textValue?.hasPrefix("BGB-2") == true, "\(what)")
        #expect(reply.json["error"]?["hint"]?.textValue?.isEmpty == false, "\(what)")
      }
      let large = try await api.send(
        "POST", "/v1/clients/batch", body: String(repeating: " ", count: APIServer.bodyBytesMax + 1)
      )
      #expect(large.status == 413)
    }
  }

  @Test("The same idempotency key starts one operation")
  func idempotency() async throws {
    _ = try site.addClients(2)
    try await withRunningManager(site) { api, _ in
      let body = #"{"action":"quick-scan","target":{"collection":"All Systems"}}"#
      let headers = ["Idempotency-Key": "click-1"]
      let first = try await api.send("POST", "/v1/operations", body: body, headers: headers)
      let second = try await api.send("POST", "/v1/operations", body: body, headers: headers)
      #expect(first.status == 201 && second.status == 200)
      #expect(first.json["taskID"] == second.json["taskID"])
      let list = try await api.send("GET", "/v1/operations")
      #expect(list.json["items"]?.listValue?.count == 1)
      let other = try await api.send(
        "POST", "/v1/operations",
        body: #"{"action":"full-scan","target":{"collection":"All Systems"}}"#, headers: headers)
      #expect(other.status == 409, "\(other.body)")
    }
  }

  @Test("A stop ends open progress streams at once, and a stale socket does not stop a start")
  func stopWithStreams() async throws {
    _ = try site.addClients(1)
    let operation = try site.start()
    for _ in 0..<2 {
      let watcher = Mutex<Task<String, any Error>?>(nil)
      try await withRunningManager(site) { api, manager in
        let following = Task {
          try await api.follow("/v1/operations/\(operation.operationID)/events") { _ in }
        }
        watcher.withLock { $0 = following }
        while manager.hub.count < 1 { await Task.yield() }
      }
      let following = try #require(watcher.withLock { $0 })
      let text = try await following.value
      #expect(text.contains("event: operation") && !text.contains("event: end"))
      // What a kill would have left behind.
      unlink(site.folder.socket)
      let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) {
        $0.copyBytes(from: Array(site.folder.socket.utf8))
      }
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          _ = bind(stale, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      close(stale)
    }
  }

  @Test("Busy is 503 with Retry-After, and readiness says so")
  func busy() async throws {
    try await withRunningManager(site) { [site] api, _ in
      #expect(try await api.send("GET", "/readyz").status == 200)
      site.store.fail(with: .unavailable("test"))
      let reply = try await api.send("GET", "/v1/clients")
      #expect(reply.status == 503 && reply.headers["retry-after"] != nil, "\(reply)")
      #expect(try await api.send("GET", "/readyz").status == 503)
      #expect(try await api.send("GET", "/healthz").status == 200)
      site.store.fail(with: nil)
      let metrics = try await api.send("GET", "/metrics")
      #expect(metrics.body.contains("# TYPE bgb_manager_api_requests_total counter"))
    }
  }
}
