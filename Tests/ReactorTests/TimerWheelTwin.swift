// The slow twin of TimerWheel: the same promises, kept by sorting a list.

import Reactor

/// Timers as anybody would write them first: obviously right, and O(n) everywhere.
struct TimerWheelTwin {
  struct Timer {
    var deadline: UInt64
    var order: UInt64
    var payload: UInt64
  }

  private(set) var present: UInt64
  private var waiting: [UInt64: Timer] = [:]
  private var expired: [Timer] = []
  private var nextOrder: UInt64 = 0

  init(now: Ticks) { present = now.milliseconds }

  var count: Int { waiting.count + expired.count }
  var expiredCount: Int { expired.count }
  var lowest: UInt64? {
    expired.isEmpty ? waiting.values.map(\.deadline).min() : present
  }

  /// Payloads are unique in these tests, so they serve as names.
  mutating func arm(deadline: Ticks, payload: UInt64) {
    let timer = Timer(deadline: deadline.milliseconds, order: nextOrder, payload: payload)
    nextOrder += 1
    if timer.deadline <= present { expired.append(timer) } else { waiting[payload] = timer }
  }

  mutating func disarm(_ payload: UInt64) -> Bool {
    if waiting.removeValue(forKey: payload) != nil { return true }
    guard let place = expired.firstIndex(where: { $0.payload == payload }) else { return false }
    expired.remove(at: place)
    return true
  }

  mutating func move(_ payload: UInt64, to deadline: Ticks) -> Bool {
    guard disarm(payload) else { return false }
    arm(deadline: deadline, payload: payload)
    return true
  }

  mutating func advance(to moment: Ticks) {
    guard moment.milliseconds > present else { return }
    present = moment.milliseconds
    let due = waiting.values.filter { $0.deadline <= present }
      .sorted { ($0.deadline, $0.order) < ($1.deadline, $1.order) }
    for timer in due { waiting.removeValue(forKey: timer.payload) }
    expired += due
  }

  mutating func popExpired() -> UInt64? {
    expired.isEmpty ? nil : expired.removeFirst().payload
  }
}
