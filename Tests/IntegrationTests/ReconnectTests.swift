// Coming back without the certificate, with real processes: over restarts of either end, through
// the end of the keys, and not past the deny list.

import Foundation
import Glibc
import Testing

@Suite(.serialized) struct ReconnectTests {
  private func stage() throws -> Stage {
    let stage = try Stage()
    try stage.startServer()
    // Over HTTPS, where an agent looks for a server that is just not there, no identity counts.
    try stage.addClients(["pc1"], yaml: "transport: tcp")
    try stage.startAgent("pc1")
    try stage.waitOnline(1)
    try eventually("the identity is on the agent's disk") { kept(stage).count > 100 }
    return stage
  }

  /// What the agent's file holds.
  private func kept(_ stage: Stage) -> Data {
    (try? Data(contentsOf: URL(fileURLWithPath: stage.path("clients/pc1/state/reconnect"))))
      ?? Data()
  }

  /// Ends the agent and starts it anew, as many sign-ins later.
  private func restartAgent(_ stage: Stage, signIns: Int) throws {
    stage.agent("pc1")?.crash()
    try stage.startAgent("pc1")
    try eventually("signed in again") { try stage.metric("sign_ins_total") == signIns }
  }

  @Test func aRestartOfEitherEndCostsNoFullHandshake() throws {
    let stage = try stage()
    // On a busy machine the first sign-in may have taken more than one attempt.
    let full = try stage.metric("handshakes_full_total")
    #expect(full >= 1)
    #expect(try stage.metric("handshakes_reconnect_total") == 0)
    try restartAgent(stage, signIns: 2)
    #expect(try stage.metric("handshakes_reconnect_total") == 1)
    #expect(try stage.metric("handshakes_full_total") == full)
    stage.crashServer()
    try stage.startServer()
    try eventually("signed in at the new server") { try stage.metric("sign_ins_total") == 1 }
    #expect(try stage.metric("handshakes_reconnect_total") == 1)
    #expect(try stage.metric("handshakes_full_total") == 0)
  }

  @Test func removingTheKeysMakesAgentsShowTheirCertificates() throws {
    let stage = try stage()
    let first = kept(stage)
    let full = try stage.metric("handshakes_full_total")
    try FileManager.default.removeItem(atPath: stage.path("servers/reconnect.keys"))
    stage.server?.signal(SIGHUP)
    try eventually("reloaded") { try stage.serverLog().contains("reloaded") }
    try restartAgent(stage, signIns: 2)
    #expect(try stage.metric("handshakes_full_total") > full)
    #expect(try stage.metric("handshakes_reconnect_total") == 0)
    #expect(try stage.metric("reconnect_refused_total") == 1)
    // It got another one with its Welcome.
    try eventually("another identity is on the disk") {
      kept(stage).count > 100 && kept(stage) != first
    }
    try restartAgent(stage, signIns: 3)
    #expect(try stage.metric("handshakes_reconnect_total") == 1)
  }

  @Test func aBlockedClientDoesNotComeBackByItsIdentity() throws {
    let stage = try stage()
    try stage.bgb(["client", "block", "pc1"])
    try eventually("cut") { try stage.onlineCount() == 0 }
    stage.agent("pc1")?.crash()
    try stage.startAgent("pc1")
    try eventually("had the key, and was refused") {
      try stage.metric("handshakes_reconnect_total") == 1
        && stage.metric("refused_total") == 2
    }
    #expect(try stage.onlineCount() == 0)
    #expect(try stage.metric("sign_ins_total") == 1)
  }
}
