// What the sessions of a process have seen so far, as numbers that can be added up over processes.

/// The numbers.
public enum SwarmCounter: String, CaseIterable, Sendable {
  /// Sessions of this process.
  case sessions
  /// Signed in now.
  case online
  /// Attempts begun.
  case attempts
  /// Handshakes done.
  case connects
  /// Of those, resumed.
  case resumed
  /// Sign-ins that the server took.
  case welcomes
  /// Connections that ended without our doing, signed in or not.
  case lost
  /// Of those, sessions that were signed in.
  case sessionsLost
  /// Connections that the scenario cut.
  case cuts
  /// Sessions that the scenario sent away with a goodbye.
  case rests
  /// Tasks received.
  case received
  /// Tasks received by sessions that had them already.
  case repeated
  /// Tasks ended.
  case ended
  /// Confirmations that outcomes are stored, by their number.
  case stored
  /// Tasks refused.
  case refused
  /// Sessions that do not read now.
  case deaf
  /// Half-open connections that stand now.
  case halfOpen
  /// Half-open connections that the server ended.
  case halfOpenEnded
  /// Keep-alives sent by a flood.
  case flooded

  /// Its place among all of them: they are counted for each event of thousands of sessions, and to
  /// look for one in their list would cost more than anything else that is noted.
  public var place: Int {
    switch self {
    case .sessions: 0
    case .online: 1
    case .attempts: 2
    case .connects: 3
    case .resumed: 4
    case .welcomes: 5
    case .lost: 6
    case .sessionsLost: 7
    case .cuts: 8
    case .rests: 9
    case .received: 10
    case .repeated: 11
    case .ended: 12
    case .stored: 13
    case .refused: 14
    case .deaf: 15
    case .halfOpen: 16
    case .halfOpenEnded: 17
    case .flooded: 18
    }
  }
}

/// The counters of one process, or of many.
public struct SwarmTally: Equatable, Sendable {
  private var values = [Int](repeating: 0, count: SwarmCounter.allCases.count)
  /// Ends of connections that nobody asked for, by their kind.
  public var errors: [String: Int] = [:]

  /// All zero.
  public init() {}

  /// A counter.
  public subscript(counter: SwarmCounter) -> Int {
    get { values[counter.place] }
    set { values[counter.place] = newValue }
  }

  /// The sum of two.
  public static func + (left: SwarmTally, right: SwarmTally) -> SwarmTally {
    var sum = left
    for index in sum.values.indices { sum.values[index] += right.values[index] }
    sum.errors.merge(right.errors) { $0 + $1 }
    return sum
  }

  /// As a line between processes.
  public var line: ControlLine {
    var line = ControlLine("tally")
    for counter in SwarmCounter.allCases { line[counter.rawValue] = String(self[counter]) }
    for (kind, count) in errors { line["error.\(kind)"] = String(count) }
    return line
  }

  /// Reads what `line` wrote.
  public init(_ line: ControlLine) {
    for (key, value) in line.numbers {
      if let counter = SwarmCounter(rawValue: key) {
        self[counter] = value
      } else if key.hasPrefix("error.") {
        errors[String(key.dropFirst(6))] = value
      }
    }
  }

  /// One line for people.
  public func progress(task: (number: Int, received: Int, answered: Int)?) -> String {
    var text = "swarm: \(self[.online])/\(self[.sessions]) online"
    text += ", \(self[.resumed])/\(self[.connects]) resumed"
    if let task {
      text += ", task \(task.number): \(task.received) got it, \(task.answered) answered"
    }
    let parts: [(SwarmCounter, String)] = [
      (.sessionsLost, "lost"), (.cuts, "cut"), (.rests, "left"), (.deaf, "deaf"),
      (.halfOpen, "half open"), (.flooded, "flooded"), (.refused, "refused"),
    ]
    for (counter, word) in parts where self[counter] > 0 { text += ", \(self[counter]) \(word)" }
    let failed = errors.values.reduce(0, +)
    return failed > 0 ? text + ", \(failed) errors" : text
  }
}
