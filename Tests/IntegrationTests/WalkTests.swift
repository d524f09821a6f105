// The protocol can be walked by hand: the commands of docs/PROTOCOL.md, taken from there, with a
// real curl against a real server.

import Foundation
import Testing

@Suite(.serialized) struct WalkTests {
  /// The block of the document that is marked as the walk.
  private func commands() throws -> String {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/PROTOCOL.md")
    let document = try String(contentsOf: file, encoding: .utf8)
    let parts = document.components(separatedBy: "```walk\n")
    try #require(parts.count == 2)
    return try #require(parts[1].components(separatedBy: "```").first)
  }

  @Test func curlWalksTheLongPollByTheDocumentsCommands() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1"])
    let script = stage.path("walk.sh")
    try """
    set -eu
    cd '\(stage.path("clients/pc1"))'
    SERVER=localhost:\(stage.httpsPort)
    \(try commands())
    """.write(toFile: script, atomically: true, encoding: .utf8)
    let walk = try Child("/bin/bash", [script], log: URL(fileURLWithPath: stage.path("walk.out")))
    try stage.waitOnline(1)
    try eventually("the poll is held") { try stage.metric("polls_total") == 1 }
    let operation = try stage.start("collect-discovery-data", ["--client", "pc1"])
    walk.process.waitUntilExit()
    #expect(walk.process.terminationStatus == 0, "\(walk.text)")
    let lines = walk.text.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    #expect(lines == ["02", "10", "HTTP/1.1 200 OK"])
    try eventually("offline again") { try stage.metric("online_clients") == 0 }
    #expect(try stage.counts(operation)["queued"] == 1, "nobody acknowledged it")
  }
}
