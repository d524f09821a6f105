// The one rule for servers' certificates, as a table of identities.

import BGBModel
import Testing
import Transports

@testable import BGBAgent

@Suite struct ServerRuleTests {
  @Test func onlyANotificationServerOfOurSiteIsTaken() throws {
    let digest = CertificateFingerprint([UInt8](repeating: 7, count: 32).span)
    let fingerprint = try #require(digest)
    func peer(_ uris: [String], _ purposes: CertificatePurposes = .serverAuthentication)
      -> PeerIdentity
    {
      PeerIdentity(
        uris: uris, uriCount: uris.count, commonName: "x", serial: "1", fingerprint: fingerprint,
        notBefore: 100, notAfter: 200, purposes: purposes, isAuthority: false)
    }
    let good = peer(["urn:bgb:server:S01:mp1"])
    let cases: [(PeerIdentity?, Int64, CertificateRefusal?)] = [
      (good, 150, nil), (good, 99, .notYetValid), (good, 200, .expired), (nil, 150, .noCertificate),
      (peer(["urn:bgb:server:X09:mp1"]), 150, .badName(.malformed)),
      (peer([testClient.uri]), 150, .badName(.malformed)), (peer([]), 150, .badName(.none)),
      (peer(good.uris, .clientAuthentication), 150, .wrongPurpose),
    ]
    for (peer, now, refusal) in cases {
      #expect(ServerRule.refusal(of: peer, site: TestSite.code, now: now) == refusal)
    }
  }
}
