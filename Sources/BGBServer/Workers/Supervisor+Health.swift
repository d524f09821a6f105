// What the supervisor says of its workers: health, readiness, and the sum of their figures with a
// few of each worker beside it.

import BGBModel
import Glibc
import Reactor
import Transports

/// Figures that were asked for and come in one by one.
struct FigureRound {
  /// Workers that have not answered yet.
  private(set) var missing: Set<Int> = []
  /// What the others said.
  var texts: [Int: String] = [:]
  /// Who waits for the sum.
  var askers: [Token] = []

  /// Whether a round is under way.
  var isUnderWay: Bool { !askers.isEmpty }
  /// Whether everybody has answered who can.
  var isComplete: Bool { isUnderWay && missing.isEmpty }

  /// Begins a round.
  mutating func begin(asking workers: [Int]) {
    missing = Set(workers)
    texts = [:]
  }

  /// A worker answered.
  mutating func take(_ text: String, from worker: Int) {
    guard missing.remove(worker) != nil else { return }
    texts[worker] = text
  }

  /// A worker will not answer.
  mutating func forget(_ worker: Int) { missing.remove(worker) }
}

extension Supervisor {
  /// How long an answer to `/metrics` waits for a worker.
  static let figuresMilliseconds: UInt64 = 2_000

  /// Answers a request, at once or when the workers have said their figures.
  func answer(_ question: HealthDesk.Question) {
    switch question.path {
    case "/healthz": health?.answer(question.token, healthiness)
    case "/readyz": health?.answer(question.token, readiness)
    case "/metrics": askFigures(question.token)
    default:
      health?.answer(
        question.token, .text(404, "no such route; try /healthz, /readyz or /metrics"))
    }
  }

  private var healthiness: HTTPResponse {
    let alive = seats.count { $0.child != nil }
    let complaints = seats.compactMap(\.complaint)
    if alive == 0 { return .text(503, "no worker runs") }
    return .text(200, complaints.isEmpty ? "ok" : "degraded: " + complaints.joined(separator: "; "))
  }

  private var readiness: HTTPResponse {
    if case .stopping = phase { return .text(503, "draining") }
    let complaints = seats.compactMap(\.complaint)
    return complaints.isEmpty
      ? .text(200, "ready") : .text(503, complaints.joined(separator: "; "))
  }

  // MARK: Figures

  private func askFigures(_ asker: Token) {
    let isFirst = !figures.isUnderWay
    figures.askers.append(asker)
    guard isFirst else { return }
    let asked = seats.filter { $0.link != nil }.map(\.number)
    figures.begin(asking: asked)
    for number in asked { send(.metrics, to: number - 1) }
    if figures.isComplete { return finishFigures() }
    arm(OwnTimer.figures, afterMilliseconds: Supervisor.figuresMilliseconds)
  }

  /// A worker said its figures.
  func noteFigures(_ text: String, _ index: Int) {
    seats[index].counted = MetricsSum.counters(of: text)
    figures.take(text, from: seats[index].number)
    if figures.isComplete { finishFigures() }
  }

  /// Answers everybody who waits, with what there is.
  func finishFigures() {
    guard figures.isUnderWay else { return }
    var sum = MetricsSum()
    for number in figures.texts.keys.sorted() { sum.add(figures.texts[number] ?? "") }
    sum.add(counted: retired)
    let text = sum.text + ownFigures()
    for asker in figures.askers { health?.answer(asker, .text(200, text)) }
    figures = FigureRound()
  }

  private func ownFigures() -> String {
    var text = ""
    func family(_ name: String, _ kind: String, _ help: String, _ lines: [(String, Double?)]) {
      text += "# HELP bgb_\(name) \(help)\n# TYPE bgb_\(name) \(kind)\n"
      for (labels, value) in lines {
        if let value { text += "bgb_\(name)\(labels) \(MetricsSum.number(value))\n" }
      }
    }
    func each(_ figure: (WorkerSeat) -> Double?) -> [(String, Double?)] {
      seats.map { ("{worker=\"\($0.number)\"}", figure($0)) }
    }
    let usages = seats.map { seat in seat.child.flatMap { ProcessProgram.usage(of: $0.processID) } }
    family("workers", "gauge", "Worker processes wanted.", [("", Double(seats.count))])
    family(
      "workers_ready", "gauge", "Worker processes that serve.",
      [("", Double(seats.count { $0.isReady }))])
    family(
      "worker_restarts_total", "counter", "Starts after a worker ended by itself.",
      each { Double($0.restarts) })
    family(
      "worker_hangs_total", "counter", "Workers that were killed because they did not answer.",
      each { Double($0.hangs) })
    family(
      "worker_ready", "gauge", "1 if the worker serves.", each { $0.isReady ? 1 : 0 })
    family(
      "worker_online_clients", "gauge", "Clients signed in at the worker.",
      each { seat in
        guard let told = figures.texts[seat.number] else { return nil }
        var sum = MetricsSum()
        sum.add(told)
        return sum.value("bgb_online_clients")
      })
    family(
      "worker_cpu_milliseconds_total", "counter", "CPU time of the worker's process.",
      each { seat in usages[seat.number - 1].map { Double($0.cpuMilliseconds) } })
    family(
      "worker_resident_bytes", "gauge", "Memory of the worker's process in RAM.",
      each { seat in usages[seat.number - 1].map { Double($0.residentBytes) } })
    return text
  }
}
