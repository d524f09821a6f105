// The agent's own logs as one archive, bounded, for a person to fetch.

import BGBModel

/// Collects the agent's logs.
enum LogCollection {
  /// Bytes of logs that are collected at most; the newest files come first.
  static let bytesMax = 20 << 20

  /// Packs the logs of a folder into a `.tar.gz` in the outbox and tells where it is.
  static func collect(
    from logFolder: String?, into outbox: String, _ order: ActionOrder, stop: StopFlag
  ) -> ActionResult {
    guard let logFolder else {
      return .failed("the agent logs to standard error and keeps no file")
    }
    guard AgentFile.isExecutable("/bin/tar") else { return .failed("/bin/tar is not installed") }
    var names: [String] = []
    var bytes = 0
    for name in AgentFile.names(in: logFolder)
    where name.contains(".log") || name.contains(".lo_") {
      guard let size = SystemFacts.size(of: "\(logFolder)/\(name)") else { continue }
      guard bytes + size <= LogCollection.bytesMax else { continue }
      bytes += size
      names.append(name)
    }
    guard !names.isEmpty else { return .failed("there are no logs in \(logFolder)") }
    do throws(FileError) {
      try AgentFile.makeFolder(outbox)
    } catch {
      return .failed("\(error)")
    }
    let archive = "\(outbox)/logs-\(order.key.task).tar.gz"
    let run = ProcessRun.run(
      ProcessOrder(
        // Names from a folder may begin with a dash: everything behind `--` is a name.
        ["/bin/tar", "--create", "--gzip", "--file", archive, "--directory", logFolder, "--"]
          + names, milliseconds: order.runMilliseconds), stop: stop)
    // tar exits with 1 when a file grew while it was read: a log does.
    guard run.isSuccess || run.end == .exited(1), let size = SystemFacts.size(of: archive) else {
      return ActionResult(run, of: "tar")
    }
    return .succeeded("\(archive), \(size) bytes, \(names.count) files")
  }
}
