// Reads what the servers and the kernel hold at a moment: the processes that were named and all
// below them, so that a parent with workers is one server.

import Reactor
import SwarmKit

/// Takes samples.
struct ServerSampler {
  /// The processes that were named.
  let roots: [Int32]
  /// When the run began.
  let startedAt = MonotonicClock.now()

  /// The named processes and their descendants that live now.
  func processes() -> [Int32] {
    var found: [Int32] = []
    var next = roots
    while let process = next.popLast() {
      guard !found.contains(process), ProcessClock.nanoseconds(of: process) != nil else { continue }
      found.append(process)
      for thread in (try? Folder.names(in: "/proc/\(process)/task")) ?? [] {
        let text = ServerSampler.text("/proc/\(process)/task/\(thread)/children")
        next += text.split(separator: " ").compactMap { Int32($0) }
      }
    }
    return found.sorted()
  }

  /// A sample of now.
  func sample(_ name: String, online: Int) -> ServerSample {
    let milliseconds = Int64(clamping: MonotonicClock.now().since(startedAt))
    var sample = ServerSample(name: name, milliseconds: milliseconds, online: online)
    sample.processes = processes().map { process in
      var one = ProcessSample(process: process)
      one.nanoseconds = ProcessClock.nanoseconds(of: process) ?? 0
      one.takeMemory(smapsRollup: ServerSampler.text("/proc/\(process)/smaps_rollup"))
      return one
    }
    sample.takeSlabs(meminfo: ServerSampler.text("/proc/meminfo"))
    sample.takeSockets(sockstat: ServerSampler.text("/proc/net/sockstat"))
    return sample
  }

  /// Resident memory of this process, in bytes.
  static func ownMemory() -> Int64 {
    var own = ProcessSample(process: 0)
    own.takeMemory(smapsRollup: text("/proc/self/smaps_rollup"))
    return own.resident
  }

  /// The memory of the swarm's own processes, for the cost of a session.
  func memory(of processes: [Int32]) -> ServerSample {
    var sample = ServerSample(name: "swarm", milliseconds: 0, online: 0)
    sample.processes = processes.map { process in
      var one = ProcessSample(process: process)
      one.nanoseconds = ProcessClock.nanoseconds(of: process) ?? 0
      one.takeMemory(smapsRollup: ServerSampler.text("/proc/\(process)/smaps_rollup"))
      return one
    }
    return sample
  }

  /// CPU of some processes until now, in nanoseconds.
  static func nanoseconds(of processes: [Int32]) -> Int64 {
    processes.reduce(0) { $0 + (ProcessClock.nanoseconds(of: $1) ?? 0) }
  }

  private static func text(_ path: String) -> String {
    String(decoding: (try? Folder.read(path, limit: 1 << 20)) ?? [], as: UTF8.self)
  }
}
