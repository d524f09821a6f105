// `bgb-agent doctor` between real programs: what it says when all is well, when the server is away,
// and when the client is blocked; and that it disturbs nobody.

import Foundation
import Testing

@Suite(.serialized) struct DoctorTests {
  private func doctor(_ stage: Stage, _ arguments: [String] = []) throws -> Finished {
    try run(
      "bgb-agent",
      ["doctor", "--config", stage.path("clients/pc1/agent.yaml"), "--hold", "1s"] + arguments)
  }

  private func json(_ stage: Stage) throws -> (status: Int32, report: [String: Any]) {
    let finished = try doctor(stage, ["-o", "json"])
    let report = try JSONSerialization.jsonObject(with: Data(finished.output.utf8))
    #expect(finished.talk.isEmpty, "nothing but data when nobody watches: \(finished.talk)")
    return (finished.status, try #require(report as? [String: Any]))
  }

  /// `place/check` of all checks with a status.
  private func checks(_ report: [String: Any], _ status: String) -> Set<String> {
    let checks = report["checks"] as? [[String: Any]] ?? []
    return Set(
      checks.filter { $0["status"] as? String == status }.map {
        "\($0["place"] as? String ?? "")/\($0["check"] as? String ?? "")"
      })
  }

  @Test func itTellsAHealthyWayFromADeadOneAndFromABlockedClient() throws {
    let stage = try Stage()
    try stage.startServer()
    try stage.addClients(["pc1"])
    try stage.startAgent("pc1")
    try stage.waitOnline(1)

    let well = try json(stage)
    #expect(well.status == 0, "\(well.report)")
    #expect(well.report["summary"] as? String == "works over TCP and HTTPS")
    #expect(checks(well.report, "failed").isEmpty)
    let good: Set = [
      "here/settings", "here/files", "here/certificate", "tcp/name", "tcp/connect", "tcp/tls",
      "https/proxy", "https/name", "https/connect", "https/tls", "https/server", "https/clock",
      "https/poll",
    ]
    #expect(checks(well.report, "ok") == good)
    #expect((well.report["works"] as? [Any])?.count == 2)
    // The agent kept the session that it had.
    #expect(try stage.metric("sign_ins_total") == 1)
    #expect(try stage.metric("online_clients") == 1)
    let table = try doctor(stage)
    #expect(table.status == 0)
    #expect(table.output.contains("sees this client online over TCP since"))

    try stage.bgb(["client", "block", "pc1"])
    try eventually("the server knows that it is blocked", within: 20) {
      try doctor(stage, ["-o", "json"]).status == 16
    }
    let blocked = try json(stage)
    #expect(blocked.status == 16)
    #expect(checks(blocked.report, "failed") == ["https/server"])
    #expect((blocked.report["works"] as? [Any])?.isEmpty == true)

    stage.crashServer()
    let dead = try json(stage)
    #expect(dead.status == 11)
    #expect(checks(dead.report, "failed") == ["tcp/connect", "https/connect"])
    #expect((dead.report["summary"] as? String)?.hasPrefix("no way works; TCP to") == true)
  }
}
