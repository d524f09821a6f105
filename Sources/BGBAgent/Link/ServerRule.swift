// Whom an agent takes for a server of its site: the one rule, for the loop's connections and for
// the doctor's.

import BGBModel
import Transports

/// The rule for certificates of servers.
enum ServerRule {
  /// Why a peer is no notification server of a site; nil when it is one.
  ///
  /// Any other holder of a certificate of the site's authority, a client for one, must not be able
  /// to play server. The time is in seconds since 1970.
  static func refusal(of peer: PeerIdentity?, site: SiteCode, now: Int64) -> CertificateRefusal? {
    guard let peer else { return .noCertificate }
    do throws(CertificateRefusal) {
      _ = try peer.admit(
        for: .serverAuthentication, uriPrefix: uriPrefix(of: site), now: now)
      return nil
    } catch {
      return error
    }
  }

  /// How the URI in a server's certificate begins.
  static func uriPrefix(of site: SiteCode) -> String { "urn:bgb:server:\(site):" }
}
