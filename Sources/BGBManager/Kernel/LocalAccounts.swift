// Who stands behind a number of the kernel: names and groups of local accounts, for the actor in
// the audit and for the question whether a caller belongs to the site's group.

import Glibc

/// What the kernel says about the process at the other end of a Unix socket (`struct ucred`).
///
/// The layout is the kernel's: three 32-bit numbers in this order.
struct PeerCredential: Hashable, Sendable {
  /// The process when it connected.
  var processID: Int32
  /// Its effective user.
  var userID: UInt32
  /// Its effective group.
  var groupID: UInt32
}

/// The account database of this machine.
enum LocalAccounts {
  /// Groups of one user looked at, at most: what Linux lets a process have.
  private static let groupsMax = 65_536

  /// The name of a user, or its number where the database has no name.
  static func name(of userID: UInt32) -> String {
    account(userID)?.name ?? String(userID)
  }

  /// Whether a user belongs to a group, first or supplementary.
  ///
  /// The corresponding C function is `getgrouplist`.
  static func isMember(_ userID: UInt32, of groupID: UInt32) -> Bool {
    guard let account = account(userID) else { return false }
    if account.groupID == groupID { return true }
    var count: Int32 = 64
    while count <= groupsMax {
      var groups = [gid_t](repeating: 0, count: Int(count))
      var found = count
      if unsafe getgrouplist(account.name, account.groupID, &groups, &found) != -1 {
        return groups.prefix(Int(found)).contains(groupID)
      }
      count *= 4
    }
    return false
  }

  /// The number of a group by its name; nil when there is none.
  ///
  /// The corresponding C function is `getgrnam_r`.
  static func group(named name: String) -> UInt32? {
    var entry = unsafe Glibc.group()
    var buffer = [CChar](repeating: 0, count: 65_536)
    var result: UnsafeMutablePointer<group>?
    guard unsafe getgrnam_r(name, &entry, &buffer, buffer.count, &result) == 0 else { return nil }
    return unsafe result?.pointee.gr_gid
  }

  /// The corresponding C function is `getpwuid_r`.
  private static func account(_ userID: UInt32) -> (name: String, groupID: UInt32)? {
    var entry = unsafe passwd()
    var buffer = [CChar](repeating: 0, count: 16_384)
    var result: UnsafeMutablePointer<passwd>?
    let code = unsafe getpwuid_r(userID, &entry, &buffer, buffer.count, &result)
    guard code == 0, let found = unsafe result, let name = unsafe found.pointee.pw_name else {
      return nil
    }
    return (name: unsafe String(cString: name), groupID: unsafe found.pointee.pw_gid)
  }
}
