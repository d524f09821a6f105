// The folder in which the workers of a server leave each other the targets that one of them has
// read from the site. A file is named after the signed root of its targets, so it is never out of
// date and serves every operation on the same ones; it may vanish at any time, for the site has
// everything.

import BGBModel
import Logging
import Reactor
import SiteDatabase
import Transports

/// The tables of targets of a server with several workers; calls block, on the site's thread.
struct TargetTables: Sendable {
  /// Fewer targets than this are read from the site by each worker: that takes a millisecond.
  static let targetsMin = 1_000
  /// Files older than this go when another is written; tasks that live longer are read anew by a
  /// worker that starts later.
  static let keptSeconds: Int64 = 86_400

  private static let suffix = ".targets"
  private static let unfinished = "new"

  private let folder: String
  private let time: TimeSource
  private let log: Logger

  /// Names the folder; it is made when the first table is.
  init(folder: String, time: TimeSource, log: Logger) {
    self.folder = folder
    self.time = time
    self.log = log
  }

  /// The targets with this root: those that another worker left here, or what `read` says, which
  /// only one worker asks at a time.
  ///
  /// Without a folder that can be used, what `read` says.
  func table(
    root: [UInt8], count: Int, read: () throws(SiteLinkError) -> [TargetRecord]
  ) throws(SiteLinkError) -> TargetTable {
    guard count >= TargetTables.targetsMin else { return TargetTable(try read()) }
    if let known = find(root, count) { return known }
    guard let lock = lock() else { return TargetTable(try read()) }
    defer { withExtendedLifetime(lock) {} }
    if let known = find(root, count) { return known }
    let table = TargetTable(try read())
    // What is not what was signed is refused by whoever asked, and nobody else shall find it.
    return table.targets.root == root ? keep(table) : table
  }

  /// Waits while another worker reads.
  private func lock() -> ProcessLock? {
    do throws(Errno) {
      try Folder.make(folder)
      return try ProcessLock.wait("\(folder)/lock")
    } catch {
      log.warning(
        "workers cannot share tables of targets",
        metadata: ["folder": "\(folder)", "error": "\(error)"])
      return nil
    }
  }

  private func find(_ root: [UInt8], _ count: Int) -> TargetTable? {
    let start = hexadecimal(root) + "-"
    for name in (try? Folder.names(in: folder)) ?? [] where name.hasPrefix(start) {
      guard TargetTables.madeAt(name) != nil,
        let file = try? PlacedFile(path: "\(folder)/\(name)"),
        let table = TargetTable(reading: file, count: count), table.targets.root == root
      else { continue }
      return table
    }
    return nil
  }

  /// Writes a table, and removes what is of no more use: files that cannot be read, old ones, and
  /// what a process left unfinished; returns the table with its lowest nodes in that file.
  private func keep(_ table: TargetTable) -> TargetTable {
    let now = time.wall() / 1000
    let start = hexadecimal(table.targets.root) + "-"
    do throws(Errno) {
      for name in try Folder.names(in: folder) where name != "lock" {
        let madeAt = TargetTables.madeAt(name) ?? .min
        // Of these targets there is one only if it could not be read.
        if madeAt < now - TargetTables.keptSeconds || madeAt > now || name.hasPrefix(start) {
          try Folder.remove("\(folder)/\(name)")
        }
      }
      let path = "\(folder)/\(TargetTables.unfinished)"
      // Not synced: what a loss of power leaves half written is known by its checksums.
      guard let reading = try table.write(to: AppendFile(path: path)) else { return table }
      let place = "\(folder)/\(start)\(now)\(TargetTables.suffix)"
      try Folder.rename(path, to: place)
      return reading(try PlacedFile(path: place))
    } catch {
      log.warning(
        "a table of targets is not kept", metadata: ["folder": "\(folder)", "error": "\(error)"])
      return table
    }
  }

  /// When a file was made, in seconds since 1970, by its name; nil for other files.
  private static func madeAt(_ name: String) -> Int64? {
    guard name.hasSuffix(suffix), let dash = name.lastIndex(of: "-") else { return nil }
    return Int64(name[name.index(after: dash)...].dropLast(suffix.count))
  }
}
