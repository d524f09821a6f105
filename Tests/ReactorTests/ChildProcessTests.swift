// Children with a link: what they inherit, how they end, and locks that end with their owner.

import Dispatch
import Glibc
import Synchronization
import Testing

@testable import Reactor

@Suite struct ChildProcessTests {
  /// Starts a shell whose descriptor 3 is one end of a pair; gives the other end.
  private func shell(_ script: String) throws -> (ChildProcess, Int32) {
    let pair = try SocketPair()
    return try pair.split { mine, theirs in
      let child = try ChildProcess.start(
        ["/bin/sh", "-c", script], environment: ["WORD=hello"], link: theirs)
      return (child, mine.release())
    }
  }

  private func end(_ child: ChildProcess) -> ChildProcess.End {
    while true {
      if let end = child.reap() { return end }
      usleep(1_000)
    }
  }

  @Test func aChildSpeaksOverItsLink() throws {
    let (child, number) = try shell("echo $WORD >&3; exit 7")
    let link = Descriptor(owning: number)
    #expect(end(child) == .exited(7))
    var room = [UInt8](repeating: 0, count: 64)
    #expect(StreamSocket.read(link.raw, into: &room) == .moved(6))
    #expect(room.prefix(6) == Array("hello\n".utf8)[...])
    // With the child its end is gone: nobody else holds a copy.
    #expect(StreamSocket.read(link.raw, into: &room) == .ended)
  }

  @Test func aChildIsEndedBySignals() throws {
    let (child, number) = try shell("exec sleep 60")
    let link = Descriptor(owning: number)
    #expect(child.reap() == nil)
    child.signal(SIGKILL)
    let end = end(child)
    #expect(end == .signalled(SIGKILL) && "\(end)" == "killed by signal 9")
    link.close()
  }

  @Test func aProgramThatIsNotThereIsAnError() throws {
    #expect(throws: Errno.notFound) { try start(["/no/such/program"]) }
    #expect(throws: Errno.invalidArgument) { try start(["/bin/sh\0x"]) }
    #expect(throws: Errno.invalidArgument) { try start([]) }
  }

  private func start(_ argv: [String]) throws {
    let pair = try SocketPair()
    try pair.split { _, theirs in
      _ = try ChildProcess.start(argv, environment: [], link: theirs)
    }
  }

  @Test func ourProgramHasAPath() throws {
    #expect(try ProcessProgram.path().hasPrefix("/"))
  }

  @Test func aLockHasOneHolder() throws {
    let path = "/tmp/bgb-lock-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    defer { unlink(path) }
    var held = try ProcessLock.take(path)
    #expect(held != nil)
    #expect(try ProcessLock.take(path) == nil)
    held = nil
    #expect(try ProcessLock.take(path) != nil)
  }

  @Test func whoWaitsForALockHasItNext() throws {
    let path = "/tmp/bgb-lock-\(getpid())-\(UInt32.random(in: 0 ... .max))"
    defer { unlink(path) }
    var held = try ProcessLock.take(path)
    #expect(held != nil)
    let order = Mutex<[String]>([])
    let isWaiting = DispatchSemaphore(value: 0)
    let thread = try KernelThread.start(name: "waits") {
      isWaiting.signal()
      let lock = try? ProcessLock.wait(path)
      order.withLock { $0.append(lock == nil ? "no lock" : "the second") }
    }
    isWaiting.wait()
    order.withLock { $0.append("the first") }
    held = nil
    thread.join()
    #expect(order.withLock { $0 } == ["the first", "the second"])
    #expect(throws: Errno.notFound) { try ProcessLock.wait("/nothing/here/lock") }
  }
}
