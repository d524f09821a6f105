// What a stage tells about the workers of its server.

import Foundation
import Glibc

extension Stage {
  /// The worker processes of the server that runs, by their number.
  func workers() -> [(number: Int, process: pid_t)] {
    guard let server, server.isRunning else { return [] }
    let parent = server.process.processIdentifier
    let text =
      (try? String(contentsOfFile: "/proc/\(parent)/task/\(parent)/children", encoding: .utf8))
      ?? ""
    let workers = text.split(separator: " ").compactMap { word -> (number: Int, process: pid_t)? in
      guard let process = pid_t(word),
        let line = try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8)
      else { return nil }
      let words = line.split(separator: "\0")
      guard let place = words.firstIndex(of: "--worker"), words.indices.contains(place + 1),
        let number = Int(words[place + 1])
      else { return nil }
      return (number, process)
    }
    return workers.sorted { $0.number < $1.number }
  }

  /// A figure of one worker; -1 when it is not told.
  func workerMetric(_ name: String, _ number: Int) -> Int {
    Metrics.read(healthPort)["bgb_\(name){worker=\"\(number)\"}"] ?? -1
  }

  /// Status and text of the health listener.
  func health(_ path: String) throws -> String {
    let answer = try run(
      "/usr/bin/curl", ["-s", "-w", "%{http_code}", "http://127.0.0.1:\(healthPort)/\(path)"])
    let lines = answer.output.split(separator: "\n")
    return "\(lines.last ?? "") \(lines.first ?? "")"
  }

  /// The servers as the site lists them.
  func serverRows() throws -> [(name: String, online: Int, state: String)] {
    let rows = try json(["server", "list"]) as? [[String: Any]] ?? []
    return rows.map { row in
      (
        row["name"] as? String ?? "", row["onlineCount"] as? Int ?? -1,
        row["state"] as? String ?? ""
      )
    }
  }
}
