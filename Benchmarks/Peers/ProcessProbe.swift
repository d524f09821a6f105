// What the kernel says of a server's processes: CPU, resident and proportional memory. Read from
// /proc, so that any server can be measured, whatever it tells of itself.
import Reactor

/// The processes of one server.
struct ProcessProbe {
  let processIDs: [Int32]

  /// Nanoseconds of CPU that all threads used, user and system, since they began.
  func cpuNanoseconds() -> UInt64 {
    var sum: UInt64 = 0
    for process in processIDs {
      let tasks = (try? Folder.names(in: "/proc/\(process)/task")) ?? []
      for task in tasks {
        let text = Self.text("/proc/\(process)/task/\(task)/schedstat")
        sum &+= text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
      }
    }
    return sum
  }

  /// Resident bytes, each shared page counted once for each process.
  func residentBytes() -> Int { sum("status", "VmRSS:") }

  /// Bytes with shared pages divided among those who share them.
  func proportionalBytes() -> Int { sum("smaps_rollup", "Pss:") }

  /// Whether all of them live.
  var isAlive: Bool {
    processIDs.allSatisfy { !Self.text("/proc/\($0)/stat").isEmpty }
  }

  private func sum(_ file: String, _ label: String) -> Int {
    processIDs.reduce(0) { $0 + Self.kilobytes(label, in: Self.text("/proc/\($1)/\(file)")) * 1024 }
  }

  /// Bytes of the kernel's slab, of the whole machine.
  static func slabBytes() -> Int { kilobytes("Slab:", in: text("/proc/meminfo")) * 1024 }

  /// The number behind a label, in the manner of /proc.
  static func kilobytes(_ label: String, in text: String) -> Int {
    for line in text.split(separator: "\n") where line.hasPrefix(label) {
      let words = line.dropFirst(label.count).split { $0 == " " || $0 == "\t" }
      return words.first.flatMap { Int($0) } ?? 0
    }
    return 0
  }

  private static func text(_ path: String) -> String {
    ((try? Folder.read(path, limit: 1 << 20)) ?? nil).map { String(decoding: $0, as: UTF8.self) }
      ?? ""
  }
}
