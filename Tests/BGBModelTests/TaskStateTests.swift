// States only move forward, and counters always add up to the snapshot.

import BGBModel
import Testing

@Suite struct TaskStateTests {
  /// For each old state, which states may replace it.
  static let successors: [TaskState: Set<TaskState>] = {
    let final: Set<TaskState> = [.succeeded, .failed, .expired, .cancelled, .rejected, .unknown]
    return [
      .queued: final.union([.pushed, .delivered, .started, .deferred]),
      .pushed: final.union([.delivered, .started, .deferred]),
      .delivered: final.union([.started, .deferred]), .started: final.union([.deferred]),
      .deferred: final, .succeeded: [], .failed: [], .cancelled: [], .rejected: [],
      .expired: [.succeeded, .failed, .rejected],
      .unknown: [.succeeded, .failed, .cancelled, .rejected],
    ]
  }()

  @Test(arguments: TaskState.allCases) func onlyTheListedOnesReplace(_ old: TaskState) {
    let replacing = Set(TaskState.allCases.filter { $0.replaces(old) })
    #expect(replacing == TaskStateTests.successors[old])
  }

  @Test func nothingReplacesItself() {
    for state in TaskState.allCases { #expect(!state.replaces(state)) }
  }

  @Test func noOrderOfNewsGoesInCircles() {
    // From every state, following any replacements ends: the relation has no cycle.
    func walk(_ state: TaskState, _ path: Set<TaskState>) {
      for next in TaskState.allCases where next.replaces(state) {
        #expect(!path.contains(next), "\(state) -> \(next)")
        if !path.contains(next) { walk(next, path.union([next])) }
      }
    }
    walk(.queued, [.queued])
  }

  @Test func wordsFindTheirState() {
    for state in TaskState.allCases { #expect(TaskState(named: state.name) == state) }
    #expect(TaskState(named: "Queued") == nil)
    for word in TaskState.allCases.map(\.name) + ["Queued", "queue", "queuedd", "", "\u{3C}"] {
      let read = TaskState(named: Array(word.utf8).span)
      #expect(read == TaskState(named: word))
    }
  }

  @Test func countsAddUp() {
    var counts = OutcomeCounts(queued: 10)
    counts[.queued] -= 4
    counts[.pushed] += 1
    counts[.succeeded] += 1
    counts[.rejected] += 1
    counts[.expired] += 1
    #expect(counts.total == 10)
    #expect(counts.delivered == 2)
    #expect(counts.final == 3)
  }

  @Test func rejectionsHaveDistinctCodes() {
    #expect(TaskRejection.allCases.map(\.rawValue) == Array(1...13))
  }

  @Test func printableTextHoldsNoControls() {
    #expect("größer 漢字 🟢".isPrintable)
    for scalar in ["\u{0}", "\n", "\u{1B}", "\u{7F}", "\u{9B}", "\u{2028}", "\u{202E}", "\u{2066}"]
    {
      #expect(!("a" + scalar).isPrintable)
    }
  }
}
