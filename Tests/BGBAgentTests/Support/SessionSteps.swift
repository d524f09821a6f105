// Steps as a list of their own, for tests that look at one message's.

import BGBAgent
import BGBWire
import Reactor

extension AgentSession {
  mutating func received(_ message: Message, at now: Ticks) -> [SessionStep] {
    var steps: [SessionStep] = []
    received(message, at: now, into: &steps)
    return steps
  }
}
