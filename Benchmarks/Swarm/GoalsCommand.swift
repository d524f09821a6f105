// `bgb-swarm goals`: the goals' table out of the medians of many runs. scripts/peers and
// scripts/goals make the medians.

import ArgumentParser
import Reactor
import SwarmKit

/// Judges medians by the goals.
struct GoalsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "goals",
    abstract: "Prints the goals' table; ends with 1 when one that must be reached was not.",
    discussion: """
      The medians are lines of CONNECTIONS|SERVER|FIGURE|VALUE; the same with |ROUND is a run. What
      is held against a peer is judged by the median of the rounds' ratios. See scripts/goals.
      """)

  @Option(help: "The goals, a file as Benchmarks/Thresholds/goals.tsv.")
  var goals: String

  @Option(help: "The medians, a file.")
  var medians: String

  @Option(help: "Connections at which servers are compared.")
  var main: Int

  @Option(help: "Connections of the storms; as --main if not given.")
  var storm: Int?

  @Option(help: "Connections of the large run.")
  var large: Int?

  @Option(help: "Write the table here, as Markdown.")
  var markdown: String?

  @Option(help: "Write it here, as JSON.")
  var json: String?

  @Flag(help: "Only rows whose figures are both there; ends with 0.")
  var measuredOnly = false

  func run() throws {
    do throws(SwarmError) {
      guard try judge() || measuredOnly else { throw SwarmError(description: "") }
    } catch {
      if !error.description.isEmpty { StandardError.write("bgb-swarm: \(error)\n") }
      throw ExitCode(1)
    }
  }

  private func judge() throws(SwarmError) -> Bool {
    let (rows, badLine) = GoalRow.read(try text(goals))
    if let badLine { throw SwarmError(description: "\(goals): line \(badLine) is no goal") }
    var sizes: [GoalSize: Int] = [.main: main, .storm: storm ?? main]
    sizes[.large] = large
    var numbers = GoalMedians(sizes: sizes)
    for line in try text(medians).split(separator: "\n") {
      guard numbers.take(line: line) else {
        throw SwarmError(description: "\(medians): '\(line)' is no median")
      }
    }
    var report = GoalReport(rows, numbers, sizes: sizes)
    if measuredOnly { report.results.removeAll { $0.value == nil } }
    print(report.markdown)
    if !measuredOnly { print(report.summary) }
    StandardOutput.flush()
    if let markdown { try Laboratory.write(markdown, report.markdown + "\n" + report.summary) }
    if let json { try Laboratory.write(json, report.json.encoded() + "\n") }
    return report.passes
  }

  private func text(_ path: String) throws(SwarmError) -> String {
    do throws(Errno) {
      return String(decoding: try Folder.read(path, limit: 1 << 24), as: UTF8.self)
    } catch {
      throw SwarmError(description: "\(path) cannot be read: \(error)")
    }
  }
}
