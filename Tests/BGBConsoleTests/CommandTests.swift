// Whole command lines against a manager of canned answers: what is asked, what is printed where,
// and the exit code.

import BGBModel
import Foundation
import Testing

@testable import BGBConsole

@Suite struct CommandTests {
  private let client =
    #"{"resourceID":1,"clientID":"0b1c0f3e-8f0e-4c2e-9a53-2d8a35c9f001","name":"pc-1","#
    + #""tags":["a"],"blocked":false,"createdAt":"2026-11-23T18:00:00.000Z","hostname":"h\u001b","#
    + #""operatingSystem":"Debian","agentVersion":"1","addresses":[],"presence":null}"#

  @Test func listsFollowAllPages() throws {
    let manager = try FakeManager([
      "GET /v1/clients": [
        FakeManager.answer(200, #"{"items":[\#(client),\#(client)],"next":"2"}"#),
        FakeManager.answer(200, #"{"items":[\#(client)],"next":null}"#),
      ]
    ])
    defer { manager.stop() }
    let said = run(["client", "list", "--online", "--site", manager.folder, "-o", "name"])
    #expect(said == (0, "pc-1\npc-1\npc-1\n", ""))
    #expect(
      manager.seen.map(\.path) == [
        "/v1/clients?online=true&limit=1000", "/v1/clients?online=true&limit=1000&after=2",
      ])
  }

  @Test func theSiteComesFromFlagThenEnvironment() throws {
    let manager = try FakeManager([
      "GET /v1/clients/pc-1": [FakeManager.answer(200, client)]
    ])
    defer { manager.stop() }
    let said = run(["client", "show", "pc-1"], environment: ["BGB_SITE": manager.folder])
    #expect(said.code == 0)
    #expect(said.out.contains("hostname     h\\u{1b}\n"))
    let other = run(
      ["client", "show", "pc-1", "--site", "/nowhere"], environment: ["BGB_SITE": manager.folder])
    #expect(other.code == 9)
    #expect(other.out.isEmpty)
    #expect(other.talk.contains("/nowhere/run/manager.sock"))
  }

  @Test(arguments: [
    (400, 2), (403, 8), (404, 1), (409, 1), (413, 2), (500, 1), (503, 9), (429, 9),
  ])
  func errorsCarryCodeMessageAndNextStep(_ status: Int, _ code: Int32) throws {
    let body = #"{"error":{"code":"BGB-2107","message":"no \u001b way","hint":"Do this."}}"#
    let manager = try FakeManager([
      "GET /v1/site": [FakeManager.answer(status, body, headers: "Retry-After: 7\r\n")]
    ])
    defer { manager.stop() }
    let said = run(["site", "show", "--site", manager.folder])
    #expect(said.code == code)
    #expect(said.out.isEmpty)
    #expect(said.talk == "bgb: no \\u{1b} way (BGB-2107)\n  Do this. Retry after 7 s.\n")
  }

  @Test func namesInPathsAreEncoded() throws {
    let manager = try FakeManager([:])
    defer { manager.stop() }
    for name in ["a/b?c", "..", "All Systems", "ü"] {
      _ = run(["collection", "remove", name, "--site", manager.folder])
    }
    #expect(
      manager.seen.map(\.path) == [
        "/v1/collections/a%2Fb%3Fc", "/v1/collections/%2E%2E", "/v1/collections/All%20Systems",
        "/v1/collections/%C3%BC",
      ])
  }

  @Test func anEmptyListIsFineUnlessAskedOtherwise() throws {
    let manager = try FakeManager([
      "GET /v1/policies": [FakeManager.answer(200, #"{"items":[],"next":null}"#)]
    ])
    defer { manager.stop() }
    #expect(run(["policy", "list", "--site", manager.folder]) == (0, "", ""))
    #expect(run(["policy", "list", "--fail-empty", "--site", manager.folder]).code == 3)
  }

  @Test(arguments: [
    ["frobnicate"], ["op", "start"], ["op", "start", "quick-scan", "--wait", "x", "--rate", "q"],
    ["client", "add", "../x"], ["client", "add", "x", "--count", "0"], ["trace", "nothing"],
    ["site", "init", "--code", "toolong"], ["client", "tag", "x"],
    ["op", "watch", "7", "-o", "xml"],
    ["op", "list", "--limit=-1"], ["collection", "add", "x"],
  ])
  func wrongUsageExitsWithTwo(_ arguments: [String]) {
    let said = run(arguments)
    #expect(said.code == 2)
    #expect(said.out.isEmpty)
    #expect(!said.talk.isEmpty)
  }

  @Test func helpIsDataAndBeginsWithExamples() {
    let said = run(["op", "start", "--help"])
    #expect(said.code == 0)
    #expect(said.talk.isEmpty)
    #expect(said.out.contains("Examples:"))
    let examples = said.out.range(of: "Examples:")?.lowerBound ?? said.out.endIndex
    let options = said.out.range(of: "OPTIONS:")?.lowerBound ?? said.out.startIndex
    #expect(examples < options)
    for code in ExitStatus.allCases { #expect(run(["--help"]).out.contains("\(code.rawValue) ")) }
  }

  @Test func theSubjectOfATraceIsLookedUp() throws {
    let manager = try FakeManager([
      "GET /v1/operations/7": [FakeManager.answer(200, operation(counts: [:]))],
      "GET /v1/clients/pc-1": [FakeManager.answer(200, client)],
      "GET /v1/trace": [
        FakeManager.answer(
          200,
          #"{"steps":[{"at":"t","component":"agent","what":"started","detail":"","#
            + #""sincePreviousMilliseconds":1204}]}"#)
      ],
    ])
    defer { manager.stop() }
    let said = run(["trace", "7@pc-1", "--site", manager.folder, "--no-headers"])
    #expect(said == (0, "t  1,204 ms  agent  started\n", ""))
    #expect(
      manager.seen.last?.path
        == "/v1/trace?task=0b1c0f3e-8f0e-4c2e-9a53-2d8a35c9f001"
        + "&client=0b1c0f3e-8f0e-4c2e-9a53-2d8a35c9f001")
  }

  @Test(arguments: [
    (#""online":true,"channel":"tcp","fallback":"none","channelSince":"T""#, "tcp since T", "tcp"),
    (
      #""online":true,"channel":"https","fallback":"timed-out","channelSince":"T""#,
      "https (tcp timed-out) since T", "https"
    ),
    (
      #""online":true,"channel":"https","fallback":"configured","channelSince":null"#,
      "https (configured)", "https"
    ),
    (
      #""online":true,"channel":"https","fallback":"none","channelSince":"T""#, "https since T",
      "https"
    ),
    (
      #""online":false,"channel":"https","fallback":"\u001b","channelSince":"T""#,
      #"https (tcp \u{1b})"#, ""
    ),
  ])
  func theTransportOfAClientIsShown(_ presence: String, _ row: String, _ cell: String) throws {
    let known = client.replacing(#""presence":null"#, with: #""presence":{\#(presence)}"#)
    let manager = try FakeManager([
      "GET /v1/clients/pc-1": [FakeManager.answer(200, known)],
      "GET /v1/clients": [FakeManager.answer(200, #"{"items":[\#(known)],"next":null}"#)],
    ])
    defer { manager.stop() }
    let shown = run(["client", "show", "pc-1", "--site", manager.folder])
    #expect(shown.out.contains("transport     \(row)\n"), "\(shown.out)")
    let listed = run(["client", "list", "-o", "csv", "--site", manager.folder])
    let lines = listed.out.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false)
    }
    #expect(lines.first?[2] == "transport" && lines.last?[2] == cell[...], "\(listed.out)")
  }

  @Test func onlineClientsAreCountedInTheOriginalsWords() throws {
    let servers =
      #""servers":[{"serverID":1,"name":"mp-1","online":1204,"lastReport":"T","ageSeconds":9}]"#
    let mixed =
      #"{"online":1203,"total":2000,"channels":{"tcp":1201,"https":3},"#
      + #""fallbacks":{"timed-out":2,"configured":1},\#(servers)}"#
    let plain =
      #"{"online":1204,"total":2000,"channels":{"tcp":1204,"https":0},"fallbacks":{},\#(servers)}"#
    let manager = try FakeManager(["GET /v1/presence": [FakeManager.answer(200, mixed)]])
    defer { manager.stop() }
    let table = run(["online", "--site", manager.folder])
    #expect(
      table.out == """
        Total online clients: 1,204 (TCP: 1,201 HTTP: 3) of 2,000
        Not over TCP: timed-out 2, configured 1
        SERVER  ONLINE  LAST REPORT  AGE
        mp-1      1204  T            9s

        """)
    let csv = run(["online", "-o", "csv", "--site", manager.folder])
    #expect(csv.out == "server,online,last-report,age\nmp-1,1204,T,9s\n")
    #expect(csv.talk.hasPrefix("Total online clients: 1,204 (TCP: 1,201 HTTP: 3)"))
    #expect(run(["online", "-o", "json", "--site", manager.folder]).out == mixed + "\n")
    let other = try FakeManager(["GET /v1/presence": [FakeManager.answer(200, plain)]])
    defer { other.stop() }
    let all = run(["online", "--no-headers", "--site", other.folder])
    #expect(
      all.out == """
        Total online clients: 1,204 (TCP: 1,204 HTTP: 0) of 2,000
        mp-1  1204  T  9s

        """)
  }

  @Test func tagsAreAddedAndRemoved() throws {
    let manager = try FakeManager([
      "GET /v1/clients/pc-1": [FakeManager.answer(200, client)],
      "PUT /v1/clients/pc-1/tags": [FakeManager.answer(200, client)],
    ])
    defer { manager.stop() }
    let code = run(
      ["client", "tag", "pc-1", "--add", "b", "--add", "c", "--remove", "a", "-q", "--site"]
        + [manager.folder]
    ).code
    #expect(code == 0)
    #expect(manager.seen.last?.body["tags"] == .texts(["b", "c"]))
  }

  @Test func aPolicyComesFromTheStandardInput() throws {
    let manager = try FakeManager([
      "PUT /v1/policies/p": [
        FakeManager.answer(200, #"{"name":"p","version":1,"collection":"Lab","document":"{}"}"#)
      ]
    ])
    defer { manager.stop() }
    let arguments = [
      "policy", "put", "p", "--collection", "Lab", "--file", "-", "--site", manager.folder,
    ]
    let said = run(arguments) { $0.input = { _ in Array(#"{"z":1,"a":[2]}"#.utf8) } }
    #expect(said.code == 0)
    #expect(manager.seen.last?.body["document"].encoded == #"{"z":1,"a":[2]}"#)
    for bad in ["[1]", "{", ""] {
      #expect(run(arguments) { $0.input = { _ in Array(bad.utf8) } }.code == 2)
    }
  }
}
