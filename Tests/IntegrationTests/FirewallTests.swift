// A firewall that closes and opens the TCP port while operations start all the time: the short form
// of `scripts/campaign firewall`.

import Testing

@Suite(.serialized) struct FirewallTests {
  @Test(.enabled(if: NetworkNamespace.obstacle == nil, "\(NetworkNamespace.obstacle ?? "")"))
  func operationsSurviveAFirewallThatChangesItsMind() throws {
    let run = FirewallRun(
      walls: [.reject, .drop], seconds: 6, operationSeconds: 1.5, say: { _ in })
    let result = try run.run()
    #expect(result.faults == [])
    #expect(result.operations >= 8)
    #expect(result.takeovers > 0 || result.signIns > 1, "the firewall was felt")
  }
}
