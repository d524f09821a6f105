// Programs as actions run them: what they get, what ends them, what is kept of them.

import BGBModel
import Glibc
import Reactor
import Testing

@testable import BGBAgent

@Suite struct ProcessRunTests {
  let folder = TestFolder()

  private func script(_ text: String) throws -> String {
    let path = folder.write("script", "#!/bin/sh\n" + text)
    #expect(chmod(path, 0o700) == 0)
    return path
  }

  @Test func `status and output come back`() throws {
    let run = ProcessRun.run(ProcessOrder([try script("echo out; echo err >&2; exit 3")]))
    #expect(run.end == .exited(3))
    #expect(run.text == "out\nerr")
    let result = ActionResult(run, of: "it")
    #expect(result.state == .failed)
    #expect(result.code == 3)
    #expect(result.text.contains("out\nerr"))
  }

  @Test(arguments: [
    "; rm -rf /", "$(id)", "`id`", "a\nb", "--help", "../../etc/passwd", "a b", "*", "${IFS}", "'",
    "\"", "\\", "|cat", "\u{202E}x", "", "💣",
  ])
  func `whatever stands in an argument is one argument`(_ argument: String) throws {
    let program = try script("printf '%s' \"$#:\"; printf '%s' \"$1\" | od -An -tx1 | tr -d ' \\n'")
    let run = ProcessRun.run(ProcessOrder([program, argument]))
    let hexadecimal = argument.utf8.map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
    #expect(run.text == "1:" + hexadecimal)
  }

  @Test func `an argument with a NUL is refused`() {
    let run = ProcessRun.run(ProcessOrder(["/bin/echo", "a\0b"]))
    guard case .notStarted = run.end else {
      Issue.record("it ran: \(run)")
      return
    }
  }

  @Test(arguments: ["echo", "./echo", "/no/such/program", "/etc/passwd", ""])
  func `what is no program of an absolute path is not started`(_ program: String) {
    let run = ProcessRun.run(ProcessOrder([program]))
    guard case .notStarted(let reason) = run.end else {
      Issue.record("it ran: \(run)")
      return
    }
    #expect(!reason.isEmpty)
  }

  @Test func `a program gets a clean world`() throws {
    setenv("LD_PRELOAD_CANARY", "x", 1)
    var pipes: [Int32] = [0, 0]
    #expect(pipe(&pipes) == 0)  // Inheritable on purpose.
    defer { for end in pipes { close(end) } }
    let environment = ProcessRun.run(ProcessOrder(["/usr/bin/env"])).text
    #expect(environment.split(separator: "\n").map(String.init) == ProcessOrder.plainEnvironment)
    // The list's own descriptor is the 3.
    let descriptors = ProcessRun.run(ProcessOrder(["/bin/ls", "/proc/self/fd"])).text
    #expect(descriptors == "0\n1\n2\n3")
    #expect(ProcessRun.run(ProcessOrder(["/bin/readlink", "/proc/self/fd/0"])).text == "/dev/null")
    let status = ProcessRun.run(ProcessOrder(["/bin/cat", "/proc/self/status"])).text
    for name in ["SigBlk", "SigIgn"] {
      let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
      let mask = line?.split(separator: " ").last.flatMap { UInt64($0, radix: 16) }
      // 32 and 33 belong to the C library itself.
      #expect(mask.map { $0 & 0x7FFF_FFFF } == 0, "\(line ?? "")")
    }
    let group = try script("ps -o pgid= -p $$ | tr -d ' '; echo $$")
    let lines = ProcessRun.run(ProcessOrder([group])).text.split(separator: "\n")
    #expect(lines.count == 2 && lines.first == lines.last, "it leads a group of its own")
  }

  @Test func `the deadline ends the whole group`() throws {
    let program = try script("sleep 600 & echo $!; sleep 600")
    let run = ProcessRun.run(ProcessOrder([program], milliseconds: 300))
    #expect(run.end == .timedOut)
    let child = try #require(Int32(run.text))
    #expect(isGone(child), "the child in the background lives on")
  }

  @Test func `who ignores SIGTERM is killed`() throws {
    let program = try script("trap '' TERM; echo ready; while true; do sleep 0.05; done")
    let run = ProcessRun.run(ProcessOrder([program], milliseconds: 200))
    #expect(run.end == .timedOut)
    #expect(run.text == "ready")
  }

  @Test func `a child that keeps the output open does not keep us`() throws {
    let program = try script("sleep 600 & echo $!; exit 0")
    let run = ProcessRun.run(ProcessOrder([program], milliseconds: 60_000))
    #expect(run.end == .exited(0))
    let child = try #require(Int32(run.text))
    #expect(isGone(child))
  }

  @Test func `output is bounded and the program never blocks on it`() throws {
    let run = ProcessRun.run(
      ProcessOrder(
        [try script("head -c 10000000 /dev/zero | tr '\\0' x")], outputBytesMax: 65_536))
    #expect(run.end == .exited(0))
    #expect(run.output.count == 65_536)
    #expect(run.droppedBytes == 10_000_000 - 65_536)
  }

  @Test func `a program that closes its output is still waited for`() throws {
    let run = ProcessRun.run(ProcessOrder([try script("exec >&- 2>&-; sleep 0.1; exit 7")]))
    #expect(run.end == .exited(7))
  }

  @Test func `the agent's stop ends it`() throws {
    let flag = StopFlag()
    let program = try script("echo up; sleep 600")
    let stopper = try KernelThread.start(name: "stop") {
      usleep(100_000)
      flag.raise()
    }
    let run = ProcessRun.run(ProcessOrder([program]), stop: flag)
    stopper.join()
    #expect(run.end == .stopped)
  }

  @Test func `output is shown without control characters`() throws {
    let run = ProcessRun.run(ProcessOrder([try script("printf 'a\\033[2Jb\\000c\\r\\nd\\n\\n'")]))
    #expect(run.text == "a [2Jb c \nd")
  }
}

/// Whether a process ended; as an orphan it may wait for its reaping a while.
private func isGone(_ process: Int32) -> Bool {
  for _ in 0..<2_000 {
    guard let status = AgentFile.text("/proc/\(process)/stat") else { return true }
    if status.split(separator: " ").dropFirst(2).first == "Z" { return true }
    usleep(1_000)
  }
  return false
}
