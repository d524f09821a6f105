// The loop sleeps exactly as long as it may: never with work in hand, never past a timer.

import Reactor
import Testing

@Suite struct LoopTests {
  @Test func neverSleepsWithLeftovers() throws {
    let time = ManualTime()
    let loop = try Loop(time: time.source)
    #expect(loop.sleepMilliseconds(maySleep: false) == 0)
    _ = loop.arm(afterMilliseconds: 500, payload: 1)
    #expect(loop.sleepMilliseconds(maySleep: false) == 0)
    #expect(loop.sleepMilliseconds(maySleep: true) == 500)
  }

  @Test func sleepsUntilTheNextTimerAndNoLonger() throws {
    let time = ManualTime(now: Ticks(milliseconds: (1 << 32) - 100))
    let loop = try Loop(time: time.source)
    #expect(loop.sleepMilliseconds(maySleep: true) == 60_000, "nothing armed: the ceiling")
    _ = loop.arm(afterMilliseconds: 15 * 60_000, payload: 1)
    #expect(loop.sleepMilliseconds(maySleep: true) == 60_000, "a far timer: the ceiling")
    let near = loop.arm(afterMilliseconds: 1_234, payload: 2)
    #expect(loop.sleepMilliseconds(maySleep: true) == 1_234)
    // The turn itself takes time: it is taken off the sleep.
    time.advance(by: 1_000)
    #expect(loop.sleepMilliseconds(maySleep: true) == 234)
    time.advance(by: 5_000)
    #expect(loop.sleepMilliseconds(maySleep: true) == 0, "late, but not negative")
    loop.wheel.disarm(near)
  }

  @Test func timersFireExactlyUnderAManualClock() throws {
    let time = ManualTime()
    let loop = try Loop(time: time.source)
    for (payload, distance) in [(1, 900_000), (2, 3_600_000), (3, 10)] as [(UInt64, UInt64)] {
      _ = loop.arm(afterMilliseconds: distance, payload: payload)
    }
    var fired: [(payload: UInt64, at: UInt64)] = []
    let start = loop.now
    while let wake = loop.wheel.nextWake() {
      time.advance(to: wake - 1)
      #expect(try loop.wait(maySleep: true) == 0)
      #expect(loop.gatherExpired() == 0, "a millisecond early")
      #expect(loop.sleepMilliseconds(maySleep: true) == 1)
      time.advance(to: wake)
      _ = try loop.wait(maySleep: true)
      for _ in 0..<loop.gatherExpired() {
        if let payload = loop.popExpired() { fired.append((payload, loop.now.since(start))) }
      }
    }
    #expect(fired.map(\.payload) == [3, 1, 2])
    #expect(fired.map(\.at) == [10, 900_000, 3_600_000])
  }

  @Test func theTimeIsTheSameThroughoutATurn() throws {
    let time = ManualTime()
    let loop = try Loop(time: time.source)
    let before = loop.now
    time.advance(by: 77)
    #expect(loop.now == before)
    _ = try loop.wait(maySleep: true)
    #expect(loop.now == before + 77)
    #expect(loop.turns == 1)
  }

  @Test func aTimerArmedForNowByAHandlerWaitsForTheNextTurn() throws {
    let time = ManualTime()
    let loop = try Loop(time: time.source)
    _ = loop.arm(afterMilliseconds: 0, payload: 1)
    var handled = 0
    for _ in 0..<loop.gatherExpired() {
      guard loop.popExpired() != nil else { continue }
      handled += 1
      _ = loop.arm(afterMilliseconds: 0, payload: 1)
    }
    #expect(handled == 1, "or this turn would never end")
    #expect(loop.sleepMilliseconds(maySleep: true) == 0, "and the next one must not sleep")
  }

  @Test func doesNotSleepUnderAManualClock() throws {
    let loop = try Loop(time: ManualTime().source)
    _ = loop.arm(afterMilliseconds: 3_600_000, payload: 1)
    #expect(try loop.wait(maySleep: true) == 0)
  }

  @Test func aRealTimerIsNeverEarly() throws {
    let loop = try Loop()
    let deadline = loop.now + 15
    _ = loop.wheel.arm(deadline: deadline, payload: 9)
    var turns = 0
    while loop.gatherExpired() == 0 {
      #expect(try loop.wait(maySleep: true) == 0)
      turns += 1
    }
    #expect(loop.now >= deadline)
    #expect(MonotonicClock.now() >= deadline)
    #expect(turns <= 2, "it slept instead of spinning")
    #expect(loop.popExpired() == 9)
  }

  @Test func aLetterEndsTheSleep() throws {
    let loop = try Loop()
    let mailbox = try Mailbox<String>()
    try loop.poller.add(mailbox.bell.fd, .bell, .readable)
    let thread = try KernelThread.start(name: "writer") { mailbox.post("wake up") }
    #expect(try loop.wait(maySleep: true) == 1)
    #expect(loop.ready[0].token == .bell)
    var letters: [String] = []
    mailbox.takeAll(into: &letters)
    #expect(letters == ["wake up"])
    thread.join()
    #expect(loop.sleepMilliseconds(maySleep: true) > 0)
  }

  @Test func companyIsWaitedForUnlessSomebodyIsInAHurry() throws {
    let loop = try Loop()
    let (patient, hurried) = (try Bell(), try Bell())
    try loop.poller.add(patient.fd, .bell, .readable)
    try loop.poller.add(hurried.fd, .signals, .readable)
    try loop.hurry(for: hurried.fd)
    let began = loop.time.now()
    patient.ring()
    #expect(try loop.wait(maySleep: true, companyMilliseconds: 30) == 1)
    #expect(loop.now.since(began) >= 30)
    #expect(loop.pauses == 1)
    // Hurried, the longest pause ends at once, or this test never does.
    hurried.ring()
    #expect(try loop.wait(maySleep: true, companyMilliseconds: .max) == 2)
    // Work in hand waits for nobody.
    hurried.silence()
    #expect(try loop.wait(maySleep: false, companyMilliseconds: .max) == 1)
    #expect(loop.pauses == 2)
  }

  @Test func aManualClockWaitsForNoCompany() throws {
    let time = ManualTime()
    let loop = try Loop(time: time.source)
    #expect(try loop.wait(maySleep: true, companyMilliseconds: .max) == 0)
    #expect(loop.pauses == 0)
  }
}
