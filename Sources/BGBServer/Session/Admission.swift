// Who comes next among the newcomers. A handshake is the one expensive thing that strangers can
// ask for, so they wait in three lines:
//
//     begun      handshakes under way whose peer has answered: first, for they hold memory
//     resuming   offer to resume, a quarter of a full handshake: next
//     full       everybody else; at least every fourth of those who begin, so that nobody starves
//
// Those of the last two lines are parked: a socket and a small record, no TLS object. How many may
// be under way, and how long one turn may take for it, the shard decides. Pure: tokens only.

import Reactor

/// The lines of newcomers.
struct Admission {
  /// A line of tokens, first in, first out; both ends O(1), amortised.
  private struct Line {
    private var tokens: [Token] = []
    private var head = 0

    var isEmpty: Bool { head == tokens.count }
    var count: Int { tokens.count - head }

    mutating func append(_ token: Token) { tokens.append(token) }

    mutating func popFirst() -> Token? {
      guard head < tokens.count else { return nil }
      let token = tokens[head]
      head += 1
      if head == tokens.count {
        tokens.removeAll(keepingCapacity: tokens.count < 1_024)
        head = 0
      } else if head >= 1_024, head * 2 > tokens.count {
        tokens.removeFirst(head)
        head = 0
      }
      return token
    }

    var first: Token? { head < tokens.count ? tokens[head] : nil }
  }

  /// Of so many who begin, one is from the line of full handshakes if anybody waits there.
  static let fullEvery = 4

  private var begun = Line()
  private var resuming = Line()
  private var full = Line()
  private var sinceFull = 0
  /// Handshakes in the order in which they began; some are over by now.
  private var order = Line()

  /// Whether a handshake under way can go on.
  var hasBegun: Bool { !begun.isEmpty }
  /// Whether somebody waits to begin.
  var hasParked: Bool { !resuming.isEmpty || !full.isEmpty }
  /// How many wait to begin; those who have gone meanwhile count until their turn.
  var parkedCount: Int { resuming.count + full.count }

  /// A handshake under way has bytes to work on.
  mutating func goOn(_ token: Token) { begun.append(token) }

  /// A newcomer has told what it wants and waits for its handshake.
  mutating func park(_ token: Token, resumes: Bool) {
    if resumes { resuming.append(token) } else { full.append(token) }
  }

  /// The handshake that goes on next; nil when none can.
  mutating func nextBegun() -> Token? { begun.popFirst() }

  /// The newcomer whose handshake begins next; nil when nobody waits.
  mutating func nextParked() -> Token? {
    if sinceFull >= Admission.fullEvery - 1 || resuming.isEmpty, let token = full.popFirst() {
      sinceFull = 0
      return token
    }
    sinceFull = min(sinceFull + 1, Admission.fullEvery)
    return resuming.popFirst()
  }

  /// Handshakes whose order is remembered; those that were over before all that are not, are not
  /// among them.
  var orderedCount: Int { order.count }

  /// A handshake has begun; ``oldest(where:)`` must be asked now and then, or the line grows.
  mutating func began(_ token: Token) { order.append(token) }

  /// The handshake that began first, of those for which `isUnderWay` holds.
  mutating func oldest(where isUnderWay: (Token) -> Bool) -> Token? {
    while let token = order.first {
      if isUnderWay(token) { return token }
      _ = order.popFirst()
    }
    return nil
  }
}

/// What handshakes cost this server, measured as they happen; and what follows from it.
struct HandshakeMeter {
  /// The part of the loop's time that handshakes may take when agents are told when to come back:
  /// pushes, answers and reports need the rest.
  static let share = 0.5

  /// The mean cost of a finished handshake, in nanoseconds, of the last few dozen.
  private(set) var nanosecondsEach: Double
  private var spent: UInt64 = 0

  /// Begins with a cautious guess: a full handshake.
  init(nanosecondsEach: Double = 2_000_000) { self.nanosecondsEach = nanosecondsEach }

  /// Time was spent in a handshake.
  mutating func spend(_ nanoseconds: UInt64) { spent &+= nanoseconds }

  /// A handshake was finished; what failed ones cost is borne by those that succeed.
  mutating func finish() {
    // A single stall of the machine must not decide: at most four times the mean at once.
    let bounded = min(Double(spent), nanosecondsEach * 4)
    nanosecondsEach += (bounded - nanosecondsEach) / 32
    spent = 0
  }

  /// Handshakes a second that this server takes without harm.
  var perSecond: Double { HandshakeMeter.share * 1_000_000_000 / max(1, nanosecondsEach) }

  /// Milliseconds over which so many agents must spread their return.
  func window(for agents: Int) -> UInt64 {
    UInt64((Double(max(0, agents)) * 1_000 / perSecond).rounded(.up))
  }
}
