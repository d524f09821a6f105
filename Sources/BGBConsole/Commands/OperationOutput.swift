// How `bgb op` shows an operation and follows one: shared by start, watch, show and cancel.

import ArgumentParser
import BGBModel

extension ProgressPainter.Style: ExpressibleByArgument {}
extension WaitGoal: ExpressibleByArgument {}

/// How long and for what a command waits.
struct WaitOptions: ParsableArguments {
  // Not `defaultAsFlag`: with it, `--wait=delivered` is read as a bare `--wait`. The bare form is
  // spelled out by `ConsoleProgram` before parsing.
  @Option(help: "What to wait for: terminal (every target is done) or delivered.")
  var wait: WaitGoal = .terminal

  @Option(help: "Stop waiting after this time, such as 90s or 10m, and exit with 6.")
  var timeout: String?

  @Option(help: "How progress is shown: auto, plain, json or none.")
  var progress: ProgressPainter.Style = .auto

  func validate() throws {
    if let timeout, NumberText.seconds(of: timeout) == nil {
      throw ValidationError("--timeout must be a duration such as 90s, 10m or 1h30m")
    }
  }
}

/// Shows operations.
struct OperationOutput {
  let client: SiteClient
  let console: Console
  let output: OutputOptions

  /// Prints an operation as it is.
  func show(_ item: JSONValue, elapsed: Int64? = nil) throws(ConsoleError) {
    guard let operation = OperationStatus(item) else {
      throw ConsoleError(.failure, "the manager's answer is not an operation")
    }
    switch output.format {
    case .json, .jsonl: console.out(item.encoded + "\n")
    case .name: console.out(operation.operationID + "\n")
    case .table:
      console.out(
        OperationReport.text(operation, reasons: try reasons(operation), elapsed: elapsed))
    case .csv:
      let fields: [(title: String, text: String)] =
        [
          ("operation", operation.operationID), ("task", operation.taskID),
          ("action", operation.action), ("target", operation.target), ("state", operation.state),
          ("total", String(operation.total)), ("delivered", String(operation.deliveredCount)),
        ] + TaskState.allCases.map { (title: $0.name, text: String(operation[$0])) }
      output.print(Sheet(fields: fields, item: item, name: operation.operationID), console)
    }
  }

  /// Follows an operation to its end, prints it, and says how the program ends.
  func follow(_ operationID: String, _ waiting: WaitOptions) throws(ConsoleError) -> ExitStatus {
    var watch = OperationWatch(
      client: client, console: console, goal: waiting.wait,
      timeoutSeconds: waiting.timeout.flatMap { NumberText.seconds(of: $0) },
      style: waiting.progress)
    let format = output.format
    if format == .jsonl {
      watch.onChange = { operation in console.out(operation.item.encoded + "\n") }
    }
    let result = try watch.run(operationID)
    let operation = result.operation
    switch result.ending {
    case .interrupted:
      console.talk(
        "Stopped watching; operation \(operation.operationID) goes on. "
          + "Look at it later with: bgb op watch \(operation.operationID)\n")
      return .interrupted
    case .timeout:
      console.talk(
        "Stopped waiting after \(waiting.timeout ?? ""); operation \(operation.operationID) goes "
          + "on. Look at it later with: bgb op watch \(operation.operationID)\n")
      if format != .jsonl { try show(operation.item) }
      return .stoppedWaiting
    case .reached:
      let elapsed =
        result.sawItRun
        ? operation.createdAt.map { max(0, console.now().since($0) / 1000) } : nil
      if format != .jsonl { try show(operation.item, elapsed: elapsed) }
      return waiting.wait == .delivered && !operation.isOver
        ? ExitStatus(delivered: operation) : ExitStatus(of: operation)
    }
  }

  private func reasons(_ operation: OperationStatus) throws(ConsoleError)
    -> [OperationReport.Reason]
  {
    var targets: [JSONValue] = []
    for state in [TaskState.failed, .rejected] where operation[state] > 0 {
      targets += try client.items(
        "/v1/operations/\(SiteClient.escape(operation.operationID))/targets",
        query: [("state", state.name)], limit: 1000)
    }
    return OperationReport.reasons(of: targets)
  }
}

extension ExitStatus {
  /// What it means when every target has the task or can never get it.
  init(delivered operation: OperationStatus) {
    let missing = operation[.expired] + operation[.cancelled]
    self = operation.state == "cancelled" ? .cancelled : missing > 0 ? .undelivered : .done
  }
}
