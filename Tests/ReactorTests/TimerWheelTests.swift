// The wheel keeps its promises: exact moments, exact order, exact wake-ups, at any distance and
// number.

import Reactor
import Testing

@Suite struct TimerWheelTests {
  static let minute: UInt64 = 60_000

  /// Where random schedules begin: ordinary, and on the far side of every carry that could go
  /// wrong.
  static let beginnings: [UInt64] = [
    0, 1_000, (1 << 32) - 500, (1 << 36) - 3, (1 << 48) - 1, (1 << 60) - 1_000,
    UInt64.max - 5_000_000,
  ]

  // MARK: against the slow twin

  @Test(arguments: beginnings, [1, 2, 3, 4] as [UInt64])
  func agreesWithItsSlowTwin(beginning: UInt64, seed: UInt64) {
    var numbers = SeededNumbers(seed: seed ^ beginning)
    let start = Ticks(milliseconds: beginning)
    let wheel = TimerWheel(now: start)
    var twin = TimerWheelTwin(now: start)
    var handles: [UInt64: TimerHandle] = [:]
    var payloads: [UInt64] = []

    for step in UInt64(0)..<1_500 {
      switch numbers.next() % 10 {
      case 0...3:
        let deadline = Self.deadline(from: wheel.now, &numbers)
        handles[step] = wheel.arm(deadline: deadline, payload: step)
        payloads.append(step)
        twin.arm(deadline: deadline, payload: step)
      case 4:
        guard let payload = payloads.randomElement(using: &numbers), let handle = handles[payload]
        else { continue }
        #expect(wheel.disarm(handle) == twin.disarm(payload))
      case 5:
        guard let payload = payloads.randomElement(using: &numbers), let handle = handles[payload]
        else { continue }
        let deadline = Self.deadline(from: wheel.now, &numbers)
        #expect(wheel.move(handle, to: deadline) == twin.move(payload, to: deadline))
      case 6, 7:
        let moment = Self.deadline(from: wheel.now, &numbers)
        #expect(
          wheel.advance(to: moment)
            == {
              twin.advance(to: moment); return twin.expiredCount
            }())
      default:
        #expect(wheel.popExpired() == twin.popExpired())
      }
      #expect(wheel.count == twin.count)
      if let lowest = twin.lowest {
        let wake = wheel.nextWake()?.milliseconds ?? .max
        #expect(wake <= lowest, "a wake-up must never be late")
        #expect(wake >= twin.present)
      } else {
        #expect(wheel.nextWake() == nil)
      }
      if step % 50 == 0 { wheel.checkInvariants() }
    }
    Self.drain(wheel, &twin)
  }

  /// Distances of every size, from the past to beyond the year.
  private static func deadline(from now: Ticks, _ numbers: inout SeededNumbers) -> Ticks {
    if numbers.next() % 12 == 0 { return now - numbers.next() % 100 }
    let size = numbers.next() % 37
    return now + numbers.next() % (1 << size)
  }

  private static func drain(_ wheel: TimerWheel, _ twin: inout TimerWheelTwin) {
    wheel.advance(to: .never)
    twin.advance(to: .never)
    while let payload = twin.popExpired() { #expect(wheel.popExpired() == payload) }
    #expect(wheel.popExpired() == nil)
    #expect(wheel.count == 0)
    wheel.checkInvariants()
  }

  // MARK: exact moments

  @Test(arguments: [1, 63, 64, 65, 4_095, 4_096, 15 * minute, 60 * minute, 30 * 24 * 60 * minute])
  func firesExactlyOnItsMillisecond(distance: UInt64) {
    for beginning in Self.beginnings + [12_345_678, 987_654_321] {
      let wheel = TimerWheel(now: Ticks(milliseconds: beginning))
      let deadline = wheel.now + distance
      guard deadline != .never else { continue }
      _ = wheel.arm(deadline: deadline, payload: 7)
      #expect(wheel.nextWake() == deadline, "a coarse slot must not wake early")
      #expect(wheel.advance(to: deadline - 1) == 0)
      #expect(wheel.popExpired() == nil)
      #expect(wheel.nextWake() == deadline)
      #expect(wheel.advance(to: deadline) == 1)
      #expect(wheel.popExpired() == 7)
      wheel.checkInvariants()
    }
  }

  @Test func firesExactlyWhenTimeMovesMillisecondByMillisecond() {
    let wheel = TimerWheel(now: Ticks(milliseconds: (1 << 32) - 3_000))
    var fired: [UInt64] = []
    for distance in stride(from: UInt64(1), through: 9_000, by: 7) {
      _ = wheel.arm(deadline: wheel.now + distance, payload: wheel.now.milliseconds + distance)
    }
    for _ in 0..<9_000 {
      wheel.advance(to: wheel.now + 1)
      while let due = wheel.popExpired() {
        #expect(due == wheel.now.milliseconds)
        fired.append(due)
      }
    }
    #expect(fired.count == 1_286)
    #expect(wheel.count == 0)
  }

  @Test func crossesTheWrapOfThirtyTwoBits() {
    let wrap = UInt64(1) << 32
    let wheel = TimerWheel(now: Ticks(milliseconds: wrap - 2))
    for deadline in [wrap + 1, wrap, wrap - 1] {
      _ = wheel.arm(deadline: Ticks(milliseconds: deadline), payload: deadline)
    }
    var order: [UInt64] = []
    while let wake = wheel.nextWake() {
      wheel.advance(to: wake)
      while let payload = wheel.popExpired() { order.append(payload) }
    }
    #expect(order == [wrap - 1, wrap, wrap + 1])
  }

  @Test func aDeadlineThatNeverComesNeverFires() {
    let wheel = TimerWheel(now: .zero)
    let handle = wheel.arm(deadline: .never, payload: 1)
    #expect(wheel.advance(to: Ticks(milliseconds: .max - 1)) == 0)
    #expect(wheel.isArmed(handle))
    #expect(wheel.disarm(handle))
  }

  // MARK: order

  @Test func equalDeadlinesFireInTheOrderOfArming() {
    let wheel = TimerWheel(now: .zero)
    let deadline = Ticks(milliseconds: 70_000)
    // Armed from different distances, so that they arrive in the same slot by different cascades.
    for payload in UInt64(0)..<40 {
      _ = wheel.arm(deadline: deadline, payload: payload)
      wheel.advance(to: wheel.now + 1_749)
    }
    wheel.advance(to: deadline)
    #expect((0..<40).map { _ in wheel.popExpired() } == (0..<40).map { UInt64($0) })
  }

  @Test func aPastDeadlineIsPoppedAfterThoseAlreadyExpired() {
    let wheel = TimerWheel(now: Ticks(milliseconds: 100))
    _ = wheel.arm(deadline: Ticks(milliseconds: 110), payload: 1)
    #expect(wheel.advance(to: Ticks(milliseconds: 120)) == 1)
    _ = wheel.arm(deadline: Ticks(milliseconds: 50), payload: 2)
    #expect(wheel.expiredCount == 2)
    #expect(wheel.nextWake() == wheel.now, "an expired timer forbids sleeping")
    #expect(wheel.popExpired() == 1)
    #expect(wheel.popExpired() == 2)
  }

  // MARK: handles

  @Test func aHandleIsStaleOnceItsTimerIsGone() {
    let wheel = TimerWheel(now: .zero)
    let first = wheel.arm(deadline: Ticks(milliseconds: 10), payload: 1)
    #expect(wheel.disarm(first))
    #expect(!wheel.disarm(first))
    let second = wheel.arm(deadline: Ticks(milliseconds: 10), payload: 2)
    #expect(!wheel.disarm(first), "the entry is reused, the handle is not")
    #expect(!wheel.move(first, to: .zero))
    wheel.advance(to: Ticks(milliseconds: 10))
    #expect(wheel.popExpired() == 2)
    #expect(!wheel.isArmed(second))
    #expect(!wheel.disarm(second))
  }

  @Test func anExpiredTimerCanStillBeDisarmedBeforeItIsPopped() {
    let wheel = TimerWheel(now: .zero)
    let handles = (0..<3).map { wheel.arm(deadline: Ticks(milliseconds: 5), payload: $0) }
    #expect(wheel.advance(to: Ticks(milliseconds: 5)) == 3)
    #expect(wheel.disarm(handles[1]))
    #expect(wheel.move(handles[0], to: Ticks(milliseconds: 9)))
    #expect(wheel.popExpired() == 2)
    #expect(wheel.popExpired() == nil)
    #expect(wheel.nextWake() == Ticks(milliseconds: 9))
    wheel.checkInvariants()
  }

  @Test func timeDoesNotGoBack() {
    let wheel = TimerWheel(now: Ticks(milliseconds: 500))
    _ = wheel.arm(deadline: Ticks(milliseconds: 600), payload: 1)
    #expect(wheel.advance(to: Ticks(milliseconds: 400)) == 0)
    #expect(wheel.now == Ticks(milliseconds: 500))
    #expect(wheel.nextWake() == Ticks(milliseconds: 600))
  }

  // MARK: what it costs

  @Test func disarmingCostsAtMostOneIdleWakeUp() {
    let wheel = TimerWheel(now: .zero)
    let early = wheel.arm(deadline: Ticks(milliseconds: 900_000), payload: 1)
    _ = wheel.arm(deadline: Ticks(milliseconds: 950_000), payload: 2)
    #expect(wheel.disarm(early))
    var wakes = 0
    while wheel.popExpired() == nil, let wake = wheel.nextWake() {
      wheel.advance(to: wake)
      wakes += 1
    }
    #expect(wheel.now == Ticks(milliseconds: 950_000))
    #expect(wakes <= 2)
  }

  @Test func aMillionTimersExpireInOrderAndCascadeAtMostThreeTimesEach() {
    let million = 1_000_000
    let hour = 60 * Self.minute
    var numbers = SeededNumbers(seed: 42)
    let beginning: UInt64 = 3_000_000_000
    let wheel = TimerWheel(now: Ticks(milliseconds: beginning), reserving: million)
    for _ in 0..<million {
      let deadline = beginning + 1 + numbers.next() % hour
      _ = wheel.arm(deadline: Ticks(milliseconds: deadline), payload: deadline)
    }
    #expect(wheel.count == million)
    var fired = 0
    var latest: UInt64 = 0
    var inOrder = true
    var exact = true
    while let wake = wheel.nextWake() {
      wheel.advance(to: wake)
      while let deadline = wheel.popExpired() {
        inOrder = inOrder && deadline >= latest
        exact = exact && deadline == wake.milliseconds
        latest = deadline
        fired += 1
      }
    }
    #expect(inOrder)
    #expect(exact, "every wake-up was for exactly the timers of its millisecond")
    #expect(fired == million)
    // An hour is four digits: an entry begins at most at the fourth level and moves down three
    // times, once more if a carry into the fifth digit fell into the hour.
    #expect(wheel.cascades <= UInt64(million) * 4)
    #expect(wheel.cascades >= UInt64(million) * 2, "they are counted")
    wheel.checkInvariants()
  }
}
