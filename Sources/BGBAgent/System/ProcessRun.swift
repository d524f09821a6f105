// A program run for an action: an argv array and nothing that a shell would read, an absolute path,
// a clean environment, no inherited descriptor, no input, a process group of its own. It ends by
// itself, by its deadline, or because the agent stops; then the whole group gets SIGTERM and, two
// seconds later, SIGKILL. Its output is kept up to a bound and read on beyond it, so that it never
// blocks on us.
//
// The second of the two files with unsafe code in this module; the pointers live for one call each.

import BGBModel
import Glibc
import Reactor
import Synchronization

/// What to run.
public struct ProcessOrder: Equatable, Sendable {
  /// The program, an absolute path, and its arguments.
  public var argv: [String]
  /// The environment, complete.
  public var environment: [String]
  /// It is ended after this many milliseconds.
  public var milliseconds: UInt64
  /// Bytes of output that are kept.
  public var outputBytesMax: Int

  /// A plain environment with the system's paths and no more.
  public static let plainEnvironment = [
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "HOME=/",
  ]

  /// Joins the parts.
  public init(
    _ argv: [String], environment: [String] = ProcessOrder.plainEnvironment,
    milliseconds: UInt64 = 60_000, outputBytesMax: Int = 65_536
  ) {
    self.argv = argv
    self.environment = environment
    self.milliseconds = milliseconds
    self.outputBytesMax = outputBytesMax
  }
}

/// How a program ended.
public struct ProcessResult: Equatable, Sendable {
  /// The ways a program ends.
  public enum End: Equatable, Sendable {
    /// By itself, with this status.
    case exited(Int32)
    /// By a signal that was not ours.
    case signalled(Int32)
    /// It reached its deadline and was ended.
    case timedOut
    /// The agent stops and ended it.
    case stopped
    /// It could not be started, for this reason.
    case notStarted(String)
  }

  /// How it ended.
  public var end: End
  /// What it wrote to both streams, up to the bound.
  public var output: [UInt8]
  /// Bytes beyond the bound, which were read and dropped.
  public var droppedBytes: Int

  /// Whether it exited with 0.
  public var isSuccess: Bool { end == .exited(0) }

  /// The output as text for people: printable, without a last line break.
  public var text: String { ProcessResult.printable(output) }

  /// A short sentence on the end.
  public var sentence: String {
    switch end {
    case .exited(let status): "it exited with \(status)"
    case .signalled(let signal): "it was ended by signal \(signal)"
    case .timedOut: "it ran longer than allowed and was ended"
    case .stopped: "the agent was stopped"
    case .notStarted(let reason): "it could not be started: \(reason)"
    }
  }

  /// Bytes as text without control characters other than line breaks.
  static func printable(_ bytes: [UInt8]) -> String {
    var text = ""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      let shown = scalar == "\n" || String(scalar).isPrintable
      text.unicodeScalars.append(shown ? scalar : " ")
    }
    while text.hasSuffix("\n") || text.hasSuffix(" ") { text.removeLast() }
    return text
  }
}

/// Runs programs; blocks the calling thread.
public enum ProcessRun {
  /// The patience between SIGTERM and SIGKILL, in milliseconds.
  static let graceMilliseconds: UInt64 = 2_000
  /// How long output is waited for once the program itself is gone.
  static let lastWordsMilliseconds: UInt64 = 200

  /// Runs a program to its end.
  public static func run(_ order: ProcessOrder, stop: StopFlag = StopFlag()) -> ProcessResult {
    guard let program = order.argv.first, program.hasPrefix("/") else {
      return refusal("the program is no absolute path")
    }
    guard !order.argv.contains(where: { $0.utf8.contains(0) }) else {
      return refusal("an argument holds a NUL")
    }
    guard AgentFile.isExecutable(program) else { return refusal("\(program) cannot be executed") }
    var pipes: [Int32] = [-1, -1]
    // One at a time: between making a pipe and marking it, no other child may be born with it.
    let started: Result<pid_t, Errno> = gate.withLock { _ in
      guard unsafe pipe(&pipes) == 0 else { return .failure(.current) }
      closeOnExec()
      let result = spawn(order, output: pipes[1])
      close(pipes[1])
      return result
    }
    guard pipes[0] >= 0 else { return refusal("no descriptor is left") }
    defer { close(pipes[0]) }
    switch started {
    case .failure(let error): return refusal(error.description)
    case .success(let process):
      _ = fcntl(pipes[0], F_SETFL, O_NONBLOCK)
      return watch(process, order, output: pipes[0], stop: stop)
    }
  }

  private static let gate = Mutex<Void>(())

  /// Marks every descriptor but the standard ones: also what some library opened stays ours.
  private static func closeOnExec() {
    for name in AgentFile.names(in: "/proc/self/fd") {
      if let descriptor = Int32(name), descriptor > 2 {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      }
    }
  }

  private static func refusal(_ reason: String) -> ProcessResult {
    ProcessResult(end: .notStarted(reason), output: [], droppedBytes: 0)
  }

  /// The corresponding C function is `posix_spawn`.
  private static func spawn(_ order: ProcessOrder, output: Int32) -> Result<pid_t, Errno> {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 2)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // The loop blocks signals for its signal descriptor and OpenSSL's context ignores SIGPIPE: a
    // child gets neither.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    unsafe posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: Int(flags)))

    var process: pid_t = 0
    let code = unsafe withStrings(order.argv) { argv in
      unsafe withStrings(order.environment) { environment in
        unsafe posix_spawn(&process, order.argv[0], &actions, &attributes, argv, environment)
      }
    }
    return code == 0 ? .success(process) : .failure(Errno(rawValue: code))
  }

  /// Lends texts as a C array that ends with null.
  private static func withStrings<Result>(
    _ texts: [String],
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var pointers = unsafe texts.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe release(pointers) }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
      // The array holds at least the null, so it has an address.
      guard let base = buffer.baseAddress else { preconditionFailure("an array of one is empty") }
      return unsafe body(base)
    }
  }

  private static func release(_ pointers: [UnsafeMutablePointer<CChar>?]) {
    for index in unsafe pointers.indices { unsafe free(pointers[index]) }
  }

  // MARK: Watching

  private static func watch(
    _ process: pid_t, _ order: ProcessOrder, output: Int32, stop: StopFlag
  ) -> ProcessResult {
    var result = ProcessResult(end: .timedOut, output: [], droppedBytes: 0)
    var ours: ProcessResult.End?
    var termSentAt: Ticks?
    let deadline = MonotonicClock.now() + order.milliseconds
    while true {
      let isOver = !drain(output, order.outputBytesMax, into: &result, waitMilliseconds: 20)
      var status: Int32 = 0
      if unsafe waitpid(process, &status, WNOHANG) == process {
        finish(process, output, order.outputBytesMax, &result, isOver: isOver)
        result.end = ours ?? end(of: status)
        return result
      }
      let now = MonotonicClock.now()
      if ours == nil, stop.isRaised || now >= deadline {
        ours = stop.isRaised ? .stopped : .timedOut
        termSentAt = now
        kill(-process, SIGTERM)
      }
      if let termSentAt, now >= termSentAt + graceMilliseconds { kill(-process, SIGKILL) }
      // The pipe is closed while the program runs on: there is nothing to poll.
      if isOver { ThreadSleep.milliseconds(10) }
    }
  }

  /// The program is gone: hears what is left, then ends whatever of its group still lives.
  private static func finish(
    _ process: pid_t, _ output: Int32, _ limit: Int, _ result: inout ProcessResult, isOver: Bool
  ) {
    let until = MonotonicClock.now() + lastWordsMilliseconds
    var isOpen = !isOver
    while isOpen, MonotonicClock.now() < until {
      isOpen = drain(output, limit, into: &result, waitMilliseconds: 20)
    }
    // Children it left behind: they were part of the action and end with it.
    kill(-process, SIGKILL)
  }

  /// Reads what there is; false at the end of the stream.
  private static func drain(
    _ output: Int32, _ limit: Int, into result: inout ProcessResult, waitMilliseconds: Int32
  ) -> Bool {
    var wait = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&wait, 1, waitMilliseconds) > 0 else { return true }
    var piece = [UInt8](repeating: 0, count: 16_384)
    let got = unsafe read(output, &piece, piece.count)
    if got == 0 { return false }
    guard got > 0 else { return errno == EAGAIN || errno == EINTR }
    let room = max(0, limit - result.output.count)
    result.output += piece[..<min(got, room)]
    result.droppedBytes += max(0, got - room)
    return true
  }

  private static func end(of status: Int32) -> ProcessResult.End {
    // WIFEXITED and its kin are macros, which Swift does not see.
    status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signalled(status & 0x7F)
  }
}
