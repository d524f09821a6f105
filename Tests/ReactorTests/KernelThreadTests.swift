// A thread runs its body once, under its name, and can be waited for.

import Glibc
import Reactor
import Synchronization
import Testing

@Suite struct KernelThreadTests {
  @Test func runsItsBodyUnderItsName() throws {
    let seen = Mutex("")
    let thread = try KernelThread.start(name: "loop 3 of the server") {
      let name = ownThreadName()
      seen.withLock { $0 = name }
    }
    thread.join()
    #expect(seen.withLock { $0 } == "loop 3 of the s")
  }

  @Test func aNiceThreadGivesWayAndNobodyElseDoes() throws {
    let own = getpriority(Int32(PRIO_PROCESS.rawValue), 0)
    let seen = Mutex<Int32>(-1)
    let thread = try KernelThread.start(name: "polite", niceness: own + 3) {
      let niceness = getpriority(Int32(PRIO_PROCESS.rawValue), 0)
      seen.withLock { $0 = niceness }
    }
    thread.join()
    #expect(seen.withLock { $0 } == own + 3)
    #expect(getpriority(Int32(PRIO_PROCESS.rawValue), 0) == own)
  }

  @Test func releasesWhatTheBodyHeld() throws {
    final class Held: Sendable {}
    weak var watched: Held?
    do {
      let held = Held()
      watched = held
      let thread = try KernelThread.start(name: "holder") { _ = held }
      thread.join()
    }
    #expect(watched == nil)
  }

  @Test func aStackThatIsTooSmallIsAnError() {
    #expect(throws: Errno.invalidArgument) {
      _ = try KernelThread.start(name: "tiny", stackSize: 1_000) {}
    }
  }

  @Test func aThreadThatIsNotJoinedGoesOnAlone() throws {
    let bell = try Bell()
    _ = try KernelThread.start(name: "alone") { bell.ring() }
    #expect(awaitReadable(bell.fd))
  }
}

/// The calling thread's name as the kernel shows it to everybody.
private func ownThreadName() -> String {
  let file = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC)
  defer { close(file) }
  var room = [UInt8](repeating: 0, count: 64)
  let got = max(0, read(file, &room, room.count))
  return String(decoding: room.prefix(got).prefix { $0 != 10 }, as: UTF8.self)
}
