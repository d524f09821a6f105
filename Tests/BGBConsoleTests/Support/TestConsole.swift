// A console whose ends are strings and whose clock stands still.

import BGBModel

@testable import BGBConsole

/// What a run said.
final class Said {
  var out = ""
  var talk = ""
}

/// Runs one command line; returns its exit code and what it said.
func run(
  _ arguments: [String], answers: [String] = [], canAsk: Bool = false,
  environment: [String: String] = [:], configure: (Console) -> Void = { _ in }
) -> (code: Int32, out: String, talk: String) {
  let console = Console()
  let said = Said()
  var answers = answers
  console.out = { said.out += $0 }
  console.talk = { said.talk += $0 }
  console.answer = { answers.isEmpty ? nil : answers.removeFirst() }
  console.canAsk = canAsk
  console.talkIsTerminal = false
  console.environment = environment
  console.now = { moment }
  // A watch that never ends would hang the suite; after so many waits it is interrupted and fails.
  var pauses = 0
  console.pause = { _ in pauses += 1 }
  console.beginInterruption = {}
  console.isInterrupted = { pauses > 100 }
  configure(console)
  let code = ConsoleProgram.run(arguments, in: console)
  return (code, said.out, said.talk)
}

/// When all tests happen.
let moment = WallTime(rfc3339: "2026-11-23T18:02:10.000Z") ?? WallTime(milliseconds: 0)

/// An operation as the API tells it.
func operation(
  _ id: Int = 7, state: String = "active", total: Int = 4, counts: [String: Int],
  target: String = "Lab"
) -> String {
  let all = TaskState.allCases.map { "\"\($0.name)\":\(counts[$0.name] ?? 0)" }
  let delivered = TaskState.allCases.filter(\.countsAsDelivered).reduce(0) {
    $0 + (counts[$1.name] ?? 0)
  }
  let final = TaskState.allCases.filter(\.isFinal).reduce(0) { $0 + (counts[$1.name] ?? 0) }
  return #"{"operationID":\#(id),"taskID":"0b1c0f3e-8f0e-4c2e-9a53-2d8a35c9f001","#
    + #""action":"quick-scan","title":"Quick Scan","target":"\#(target)","#
    + #""requestedBy":"local:root","createdAt":"2026-11-23T18:00:00.000Z","#
    + #""expiresAt":"2026-11-23T19:00:00.000Z","state":"\#(state)","#
    + #""counts":{\#(all.joined(separator: ","))},"total":\#(total),"#
    + #""deliveredCount":\#(delivered),"finalCount":\#(final)}"#
}

/// The same, read.
func status(
  state: String = "active", total: Int = 4, counts: [String: Int]
) throws -> OperationStatus? {
  OperationStatus(
    try JSONReader.read(Array(operation(state: state, total: total, counts: counts).utf8)))
}
