// The port at which a site's servers take agents over HTTPS, when nobody says otherwise.

import Glibc

/// The usual port of HTTPS listeners.
enum HTTPSPort {
  /// 443, which networks let through; 8443 where only root may open that and we are not root.
  static var usual: UInt16 { geteuid() == 0 ? 443 : 8443 }

  /// The HTTPS point on the host of a `host:port`.
  static func point(_ managementPoint: String) -> String {
    let colon = managementPoint.lastIndex(of: ":") ?? managementPoint.endIndex
    return "\(managementPoint[..<colon]):\(usual)"
  }
}
