// Hardware and software of this computer, stored as text files in the agent's own folder; the
// outcome carries the summary.

import BGBModel
import BGBWire

/// Processor, memory, disks and network.
enum HardwareInventory {
  /// Collects and stores `hardware.txt`.
  static func collect(into folder: String) -> ActionResult {
    let (release, machine) = SystemFacts.kernel()
    let processors = AgentFile.text("/proc/cpuinfo", limit: 4 << 20) ?? ""
    let models = lines(processors, key: "model name")
    let count = lines(processors, key: "processor").count
    let memory = lines(AgentFile.text("/proc/meminfo") ?? "", key: "MemTotal").first ?? "unknown"
    let product = AgentFile.text("/sys/class/dmi/id/product_name").map(trimmed) ?? "unknown"
    var report = [
      "machine: \(machine)", "product: \(product)", "kernel: \(release)", "processors: \(count)",
      "processor-model: \(models.first ?? "unknown")", "memory: \(memory)",
    ]
    for name in AgentFile.names(in: "/sys/block") where !name.hasPrefix("loop") {
      let sectors = AgentFile.text("/sys/block/\(name)/size").map(trimmed).flatMap { UInt64($0) }
      report.append("disk: \(name) \((sectors ?? 0) / 2_097_152) GiB")
    }
    if let space = SystemFacts.space(of: "/") {
      report.append("root: \(space.total >> 30) GiB, free \(space.free >> 30) GiB")
    }
    for name in AgentFile.names(in: "/sys/class/net") {
      let address = AgentFile.text("/sys/class/net/\(name)/address").map(trimmed) ?? ""
      report.append("network: \(name) \(address)")
    }
    if let failure = InventoryFile.store(report, as: "hardware.txt", in: folder) { return failure }
    let summary = "\(count) x \(models.first ?? machine), memory \(memory), kernel \(release)"
    return .succeeded(
      summary, live: [LiveData.Value(name: "hardware", text: String(summary.cut(toBytes: 1_024)))])
  }

  /// The values of `key : value` lines.
  private static func lines(_ text: String, key: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      guard let colon = line.firstIndex(of: ":"), trimmed(line[..<colon]) == key else { return nil }
      return trimmed(line[line.index(after: colon)...])
    }
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    var text = Substring(text)
    while let first = text.first, first.isWhitespace { text.removeFirst() }
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}

/// Installed packages.
enum SoftwareInventory {
  /// Collects and stores `software.txt`: package, version, architecture and size of each.
  static func collect(
    into folder: String, _ order: ActionOrder, stop: StopFlag
  ) -> ActionResult {
    let argv: [String]
    if AgentFile.isExecutable("/usr/bin/dpkg-query") {
      argv = [
        "/usr/bin/dpkg-query", "-W",
        "-f=${Package}\\t${Version}\\t${Architecture}\\t${Installed-Size}\\n",
      ]
    } else if AgentFile.isExecutable("/usr/bin/rpm") {
      argv = [
        "/usr/bin/rpm", "-qa", "--qf", "%{NAME}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{SIZE}\\n",
      ]
    } else {
      return .failed("neither dpkg-query nor rpm is installed")
    }
    let run = ProcessRun.run(
      ProcessOrder(argv, milliseconds: order.runMilliseconds, outputBytesMax: 16 << 20),
      stop: stop)
    guard run.isSuccess else { return ActionResult(run, of: "the list of packages") }
    let list = String(decoding: run.output, as: UTF8.self)
    let packages = list.split(separator: "\n").map(String.init)
    if let failure = InventoryFile.store(packages, as: "software.txt", in: folder) {
      return failure
    }
    let summary = "\(packages.count) packages"
    return .succeeded(summary, live: [LiveData.Value(name: "software", text: summary)])
  }
}

/// Where inventories are stored.
enum InventoryFile {
  /// Stores lines; a result when that fails.
  static func store(_ lines: [String], as name: String, in folder: String) -> ActionResult? {
    do throws(FileError) {
      try AgentFile.makeFolder(folder)
      let text = lines.joined(separator: "\n") + "\n"
      try AgentFile.replace("\(folder)/\(name)", with: Array(text.utf8))
      return nil
    } catch {
      return .failed("the inventory was not stored: \(error)")
    }
  }
}
