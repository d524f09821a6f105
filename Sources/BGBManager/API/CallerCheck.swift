// Who may administer the site through the socket: the kernel says which user stands at the other
// end, and nothing in a request can say otherwise. The socket's mode already keeps others out; this
// is the second lock, and the name for the audit.

import Glibc
import NIOCore

/// The rule for callers of one site.
struct CallerRule: Sendable {
  /// The user that the manager runs as.
  var ownUserID: UInt32
  /// The group whose members may administer.
  var groupID: UInt32

  /// What a caller is.
  enum Verdict: Hashable, Sendable {
    /// May administer; the name for the audit.
    case admitted(actor: String)
    /// May not; the name for the log.
    case refused(user: String)
  }

  /// Judges one caller.
  func judge(_ peer: PeerCredential) -> Verdict {
    let name = LocalAccounts.name(of: peer.userID)
    let isAdmitted =
      peer.userID == 0 || peer.userID == ownUserID || peer.groupID == groupID
      || LocalAccounts.isMember(peer.userID, of: groupID)
    return isAdmitted ? .admitted(actor: "local:\(name)") : .refused(user: name)
  }
}

/// Asks the kernel who connected.
///
/// The corresponding socket option is `SO_PEERCRED`.
func peerCredential(of channel: any Channel) async -> PeerCredential? {
  guard let provider = channel as? any SocketOptionProvider else { return nil }
  // PeerCredential has the kernel's layout: three 32-bit numbers, twelve bytes, no padding.
  let answer: EventLoopFuture<PeerCredential> = provider.unsafeGetSocketOption(
    level: .socket, name: NIOBSDSocket.Option(rawValue: SO_PEERCRED))
  return try? await answer.get()
}
