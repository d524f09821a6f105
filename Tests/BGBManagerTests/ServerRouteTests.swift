// Servers over the API: workers of one server, and draining them.

import BGBModel
import BGBSigning
import SiteDatabase
import Testing

@testable import BGBManager

@Suite("Server routes")
struct ServerRouteTests {
  private let site: TestSite

  init() throws { site = try TestSite() }

  private func orders(_ name: String) throws -> [BrokerMessage.Content] {
    let server = try #require(try site.store.servers().first { $0.name == name })
    return try site.store.messages(
      for: server.serverID, after: 0, limit: 99, waitMilliseconds: 0
    ).map(\.content)
  }

  @Test("A server with workers has a row for each, and all of them drain together")
  func workers() async throws {
    try await withRunningManager(site) { api, _ in
      let csr = JSONValue.text(try CertificateRequest.make(name: "mp1").requestPEM).encoded
      let key = try SigningKey.generate().publicKey.base64
      func add(_ name: String, _ workers: Int) async throws -> Int {
        try await api.send(
          "POST", "/v1/servers",
          body: #"{"name":"\#(name)","hosts":["localhost"],"csr":\#(csr),"#
            + #""reportKey":"\#(key)","workers":\#(workers)}"#
        ).status
      }
      #expect(try await add("mp1", 3) == 201)
      #expect(try await add("mp1", 2) == 409)
      #expect(try await add("mp2", 0) == 400)
      #expect(try await add("mp2", 65) == 400)
      #expect(try await add("mp10", 1) == 201)
      #expect(try site.store.servers().map(\.name) == ["mp1", "mp1#2", "mp1#3", "mp10"])

      let asked = try await api.send(
        "POST", "/v1/servers/mp1/drain",
        body: #"{"withinSeconds":30,"ratePerSecond":100,"stop":true}"#)
      #expect(asked.status == 200, "\(asked.body)")
      let states = asked.json["items"]?.listValue?.compactMap { $0["state"]?.textValue }
      #expect(states == ["asked", "asked", "asked"])
      let order = DrainOrder(withinSeconds: 30, ratePerSecond: 33, stops: true)
      for name in ["mp1", "mp1#2", "mp1#3"] { #expect(try orders(name) == [.drain(order)]) }
      #expect(try orders("mp10").isEmpty)

      let one = try await api.send("POST", "/v1/servers/mp1%233/drain", body: "{}")
      #expect(one.json["items"]?.listValue?.count == 1, "\(one.body)")
      let standard = DrainOrder(withinSeconds: Limits.drainSeconds)
      #expect(try orders("mp1#3") == [.drain(order), .drain(standard)])
      #expect(try await api.send("POST", "/v1/servers/mp1%231/undrain").status == 200)
      #expect(try orders("mp1") == [.drain(order), .undrain])
      #expect(try orders("mp1#2") == [.drain(order)])

      for (path, body, status) in [
        ("mp3/drain", "{}", 404), ("mp1%239/drain", "{}", 404), ("mp/undrain", "{}", 404),
        ("mp1/drain", #"{"withinSeconds":0}"#, 400),
        ("mp1/drain", #"{"ratePerSecond":-1}"#, 400), ("mp1/drain", #"{"speed":1}"#, 400),
      ] {
        let reply = try await api.send("POST", "/v1/servers/\(path)", body: body)
        #expect(reply.status == status, "\(path) \(body): \(reply.body)")
      }
    }
  }
}
