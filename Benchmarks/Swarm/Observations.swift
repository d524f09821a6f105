// What the swarm saw, counted: connections, tasks, answers, and how long after the first of its
// sessions each session got a task.

import BGBAgent
import BGBModel
import Glibc
import Histogram
import Reactor

/// Counters of a swarm; belongs to the loop's thread.
final class Observations {
  private struct TaskView {
    var firstAt: Int64
    var receivedAt: [Int64] = []
    var receivedOver: [ChannelKind: [Int64]] = [:]
    var endedAt: [Int64] = []
    var states: [TaskState: Int] = [:]
  }

  private let sessions: Int
  private let expectTasks: Int?
  private var online: Set<ClientID> = []
  private var transports: [ClientID: ChannelKind] = [:]
  private var climbs = 0
  private var carriersLost = 0
  private var resumed = 0
  private var connects = 0
  private var disconnects = 0
  private var refused = 0
  private var stored = 0
  private var tasks: [TaskID: TaskView] = [:]
  private var order: [TaskID] = []
  private var lastPrinted: UInt64 = 0
  private let startedAt = MonotonicClock.now()
  private var allOnlineAfter: UInt64?
  private let isTerminal = isatty(2) == 1

  init(sessions: Int, expectTasks: Int?) {
    self.sessions = sessions
    self.expectTasks = expectTasks
  }

  /// Whether every session has answered as many tasks as were expected.
  var isComplete: Bool {
    guard let expectTasks, order.count >= expectTasks else { return false }
    let ended = tasks.values.reduce(0) { $0 + $1.endedAt.count }
    return ended >= expectTasks * sessions
  }

  /// Counts one event.
  func note(_ client: ClientID, _ event: AgentEvent) {
    let now = WallClock.nowMilliseconds()
    switch event {
    case .trying, .climbFailed: return
    case .connected(let isResumed, let transport):
      connects += 1
      if isResumed { resumed += 1 }
      transports[client] = transport
    case .carrierLost: carriersLost += 1
    case .climbed:
      climbs += 1
      transports[client] = .tcp
    case .welcomed:
      online.insert(client)
      if online.count == sessions, allOnlineAfter == nil {
        allOnlineAfter = MonotonicClock.now().since(startedAt)
      }
    case .disconnected:
      disconnects += 1
      online.remove(client)
    case .task(let event): note(event, over: transports[client] ?? .tcp, now)
    }
    printProgress(isLast: false)
  }

  private func note(_ event: DeskEvent, over transport: ChannelKind, _ now: Int64) {
    switch event {
    case .received(let task, _, _):
      if tasks[task] == nil {
        tasks[task] = TaskView(firstAt: now)
        order.append(task)
      }
      tasks[task]?.receivedAt.append(now)
      tasks[task]?.receivedOver[transport, default: []].append(now)
    case .ended(let outcome):
      tasks[outcome.taskID]?.endedAt.append(now)
      tasks[outcome.taskID]?.states[outcome.state, default: 0] += 1
    case .refused: refused += 1
    case .stored: stored += 1
    case .cancelAsked, .journalFailed, .journalRepaired: return
    }
  }

  /// Sessions that are online over HTTPS.
  private var overHTTPS: Int { online.count { transports[$0] == .https } }

  /// One line for people on standard error, redrawn at most five times a second.
  func printProgress(isLast: Bool) {
    let now = MonotonicClock.now().milliseconds
    let pause: UInt64 = isTerminal ? 200 : 10_000
    guard isLast || now &- lastPrinted >= pause else { return }
    lastPrinted = now
    var line = "swarm: \(online.count)/\(sessions) online (\(overHTTPS) over HTTPS), "
    line += "\(resumed)/\(connects) resumed"
    if let last = order.last, let task = tasks[last] {
      line += ", task \(order.count): \(task.receivedAt.count) got it, \(task.endedAt.count) ended"
    }
    if refused > 0 { line += ", \(refused) refused" }
    StandardError.write(isTerminal && !isLast ? "\r\u{1B}[K" + line : line + "\n")
  }

  /// Everything as one JSON object.
  func json() -> String {
    var parts: [String] = [
      "\"sessions\":\(sessions)", "\"online\":\(online.count)", "\"connects\":\(connects)",
      "\"resumed\":\(resumed)", "\"disconnects\":\(disconnects)", "\"refused\":\(refused)",
      "\"overHTTPS\":\(overHTTPS)", "\"climbs\":\(climbs)", "\"carriersLost\":\(carriersLost)",
      "\"allOnlineMilliseconds\":\(allOnlineAfter.map(String.init) ?? "null")",
    ]
    let views = order.compactMap { id in tasks[id].map { json(id, $0) } }
    parts.append("\"tasks\":[\(views.joined(separator: ","))]")
    return "{" + parts.joined(separator: ",") + "}\n"
  }

  private func json(_ id: TaskID, _ view: TaskView) -> String {
    let states = view.states.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "\"\($0.key.name)\":\($0.value)" }.joined(separator: ",")
    let byTransport = ChannelKind.allCases.compactMap { kind in
      view.receivedOver[kind].map { "\"\(kind.name)\":\(percentiles($0, view.firstAt))" }
    }.joined(separator: ",")
    return "{\"taskID\":\"\(id)\",\"firstReceivedAt\":\"\(WallTime(milliseconds: view.firstAt))\","
      + "\"received\":\(view.receivedAt.count),\"ended\":\(view.endedAt.count),"
      + "\"states\":{\(states)},"
      + "\"receivedAfterFirstMilliseconds\":\(percentiles(view.receivedAt, view.firstAt)),"
      + "\"byTransport\":{\(byTransport)},"
      + "\"endedAfterFirstMilliseconds\":\(percentiles(view.endedAt, view.firstAt))}"
  }

  private func percentiles(_ moments: [Int64], _ first: Int64) -> String {
    var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
    for moment in moments { histogram.record(UInt64(max(0, moment - first))) }
    let (middle, tail) = (
      histogram.valueAtPercentile(50), histogram.valueAtPercentile(99)
    )
    return "{\"p50\":\(middle),\"p99\":\(tail),\"max\":\(histogram.max)}"
  }
}
