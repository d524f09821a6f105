// Follows an operation by its event stream until it is over, delivered, overdue or interrupted. A
// manager that restarts ends the stream; the watch then asks again, for the operation goes on
// without it.

import BGBModel
import HTTPClient

/// What a watch waits for.
enum WaitGoal: String, Hashable, CaseIterable, Sendable {
  /// Every target has a final state.
  case terminal
  /// Every target has the task, or can never get it.
  case delivered
}

/// Follows one operation.
struct OperationWatch {
  /// How long a manager may be away before the watch gives up.
  static let patienceMilliseconds: Int64 = 60_000
  /// Between two attempts to reach a manager that is away.
  static let retryMilliseconds: Int64 = 1_000

  /// Why a watch ended.
  enum Ending: Hashable {
    /// What was waited for has come.
    case reached
    /// The time for waiting was over.
    case timeout
    /// Ctrl-C.
    case interrupted
  }

  /// What a watch saw.
  struct Result: Hashable {
    /// The last state.
    var operation: OperationStatus
    /// Why it ended.
    var ending: Ending
    /// Whether the operation was under way when the watch began.
    var sawItRun: Bool
  }

  let client: SiteClient
  let console: Console
  let goal: WaitGoal
  let timeoutSeconds: Int64?
  let style: ProgressPainter.Style
  /// Gets each new state, for `-o jsonl`.
  var onChange: (OperationStatus) -> Void = { _ in }

  /// Watches until the end; returns the last state seen.
  func run(_ operationID: String) throws(ConsoleError) -> Result {
    let watched = Watched(
      client: client, console: console, goal: goal, onChange: onChange,
      painter: ProgressPainter(style: style, isTerminal: console.talkIsTerminal))
    watched.deadline = timeoutSeconds.map { console.ticks() + $0 * 1000 }
    console.beginInterruption()
    defer { watched.close() }
    watched.take(try client.send(.get, "/v1/operations/\(SiteClient.escape(operationID))"))
    var lastSeen = console.ticks()
    while watched.ending == nil {
      let path = "/v1/operations/\(SiteClient.escape(operationID))/events"
      var request = client.request(.get, path, nil, [(name: "Accept", value: "text/event-stream")])
      request.timeoutMilliseconds = 0
      var reader = ServerSentEventReader()
      do {
        let response = try request.stream(
          onLine: { line in
            lastSeen = watched.console.ticks()
            if let event = reader.take(line) { watched.take(event) }
            return watched.ending == nil
          }, shouldStop: { watched.turn() })
        if !response.isSuccess, response.status != 503 { throw SiteClient.refusal(response) }
      } catch let error as ConsoleError {
        throw error
      } catch let error as HTTPError {
        if error == .stopped { break }
        guard console.ticks() - lastSeen < OperationWatch.patienceMilliseconds else {
          throw client.explain(error)
        }
      } catch { throw ConsoleError(.failure, "\(error)") }
      if !watched.turn() { console.pause(OperationWatch.retryMilliseconds) }
    }
    guard let last = watched.last else {
      throw ConsoleError(.failure, "the manager's answer is not an operation")
    }
    return Result(
      operation: last, ending: watched.ending ?? .interrupted, sawItRun: watched.sawItRun)
  }
}

/// What a watch knows so far.
private final class Watched {
  let client: SiteClient
  let console: Console
  let goal: WaitGoal
  let onChange: (OperationStatus) -> Void
  var painter: ProgressPainter
  var last: OperationStatus?
  var deadline: Int64?
  var ending: OperationWatch.Ending?
  var sawItRun = false

  init(
    client: SiteClient, console: Console, goal: WaitGoal,
    onChange: @escaping (OperationStatus) -> Void, painter: ProgressPainter
  ) {
    self.client = client
    self.console = console
    self.goal = goal
    self.onChange = onChange
    self.painter = painter
  }

  func take(_ event: ServerSentEvent) {
    guard let value = try? JSONReader.read(Array(event.data.utf8)) else { return }
    take(value)
  }

  func take(_ value: JSONValue) {
    guard let operation = OperationStatus(value) else { return }
    if operation != last { onChange(operation) }
    last = operation
    if !operation.isOver { sawItRun = true }
    if operation.isOver || (goal == .delivered && operation.isDelivered) { ending = .reached }
    draw(isLast: ending != nil)
  }

  /// Asked about ten times a second; true ends the watch.
  func turn() -> Bool {
    if ending == nil, console.isInterrupted() { ending = .interrupted }
    if ending == nil, let deadline, console.ticks() >= deadline { ending = .timeout }
    if ending == nil { draw(isLast: false) }
    return ending != nil
  }

  private func draw(isLast: Bool) {
    guard let last, !console.isQuiet else { return }
    let text = painter.paint(
      last, now: console.now(), ticks: console.ticks(), columns: console.columns(), isLast: isLast)
    if let text { console.talk(text) }
  }

  func close() {
    let rest = painter.close()
    if !rest.isEmpty { console.talk(rest) }
  }
}
