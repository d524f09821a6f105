// Documents and tables that must agree: the OpenAPI file with the routes, the status messages with
// their catalogue; and the rule for who may call.

import BGBModel
import Glibc
import SiteDatabase
import Testing

@testable import BGBManager

@Suite("Catalogues and callers")
struct CatalogueTests {
  private static func document(_ name: String) throws -> String {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    let bytes = try SiteFiles.read("/\(root)/docs/\(name)", limit: 1 << 20)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("The OpenAPI file has exactly the routes that there are")
  func openAPI() throws {
    var described: Set<String> = []
    var path = ""
    for line in try CatalogueTests.document("openapi.yaml").split(separator: "\n") {
      if line == "components:" { break }
      if line.hasPrefix("  /") { path = String(line.dropFirst(2).dropLast()) }
      for method in ["get", "post", "put", "delete"] where line == "    \(method):" {
        described.insert("\(method.uppercased()) \(path)")
      }
    }
    let routes = try TestSite().manager().administration.routes
    let real = routes.map { "\($0.method.rawValue) \($0.path)" }
    #expect(Set(real).count == real.count, "a route is there twice")
    #expect(described == Set(real))
  }

  private static func events() throws -> [ManagerEvent] {
    [
      .started(version: "1", site: try #require(SiteCode("S01"))), .stopped,
      .reportRejected(file: "f", reason: "r"), .presenceGap(server: "s", expected: 1, found: 2),
      .presenceResynced(server: "s"), .inboxUnreadable(reason: "r"), .inboxBacklog(files: 500),
      .databaseUnavailable(reason: "r"), .databaseBack,
      .certificateNearExpiry(what: "w", days: 3), .certificateExpired(what: "w"),
      .peerRefused(user: "u"), .settingsReloaded, .settingsRefused(reason: "r"),
    ]
  }

  @Test("Every event of the manager stands in the manual with its number and severity")
  func statusMessages() throws {
    let manual = try CatalogueTests.document("STATUS-MESSAGES.md")
    for event in try CatalogueTests.events() {
      #expect(manual.contains("| \(event.messageID) | \(event.severity) |"), "\(event)")
      #expect(event.text.isPrintable && event.text.hasSuffix("."))
    }
    let numbers = try CatalogueTests.events().map(\.messageID)
    #expect(numbers == Array(9850...9863))
    #expect(manual.components(startingWith: "| 985").count == 10)
  }

  @Test("A subject is told once in its quiet time, other subjects at once")
  func quiet() throws {
    let site = try TestSite()
    let desk = try site.manager().desk
    #expect(desk.tell(.peerRefused(user: "eve")) && !desk.tell(.peerRefused(user: "eve")))
    #expect(desk.tell(.peerRefused(user: "mallory")))
    site.clock.advance(milliseconds: 3_599_999)
    #expect(!desk.tell(.peerRefused(user: "eve")))
    site.clock.advance(milliseconds: 1)
    #expect(desk.tell(.peerRefused(user: "eve")))
    #expect(desk.tell(.databaseBack) && desk.tell(.databaseBack))
  }

  @Test("Root, the manager's account and its group may call, others may not")
  func callers() {
    let rule = CallerRule(ownUserID: 54_321, groupID: 54_322)
    func judge(_ user: UInt32, _ group: UInt32) -> Bool {
      let peer = PeerCredential(processID: 1, userID: user, groupID: group)
      if case .admitted = rule.judge(peer) { return true }
      return false
    }
    #expect(judge(0, 0) && judge(54_321, 1) && judge(54_399, 54_322))
    #expect(!judge(54_399, 54_398))
    // nobody (65534) is in no group of that number.
    #expect(!judge(65_534, 65_534))
    #expect(
      rule.judge(PeerCredential(processID: 1, userID: 0, groupID: 0))
        == .admitted(actor: "local:root"))
    #expect(MemoryLayout<PeerCredential>.size == 12)
  }
}

extension String {
  fileprivate func components(startingWith prefix: String) -> [Substring] {
    split(separator: "\n").filter { $0.hasPrefix(prefix) }
  }
}
