// Where everything of a site stands within its folder.

import Glibc

/// The paths of one site.
struct SiteFolder: Hashable, Sendable {
  /// The longest path a Unix socket can have on Linux, without the closing NUL.
  static let socketPathBytesMax = 107

  /// The folder itself, without a slash at the end.
  let path: String

  /// Takes a folder's path.
  init(_ path: String) {
    var trimmed = path
    while trimmed.utf8.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.path = trimmed
  }

  /// The folder that a flag names, else the environment's `BGB_SITE`, else `.bgb`.
  static func find(flag: String?, environment: [String: String]) -> SiteFolder {
    SiteFolder(flag ?? environment["BGB_SITE"] ?? ".bgb")
  }

  var settings: String { "\(path)/manager.yaml" }
  var database: String { "\(path)/site.db" }
  var authority: String { "\(path)/ca" }
  var taskKey: String { "\(path)/keys/task.key" }
  var taskPublicKeys: String { "\(path)/keys/task.pub" }
  var inbox: String { "\(path)/inbox/bgb.box" }
  var run: String { "\(path)/run" }
  var socket: String { "\(path)/run/manager.sock" }
  var lock: String { "\(path)/run/manager.lock" }
  var logs: String { "\(path)/logs" }
  var log: String { "\(path)/logs/bgbmgr.log" }
  var servers: String { "\(path)/servers" }
}
