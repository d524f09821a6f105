// A child with a pipe to its standard input and one from its standard output: the swarm's other
// processes, and the console that it drives. The pointers live for one call each.

import Glibc
import Reactor

/// A running program.
final class ChildProcess {
  /// Its number.
  let process: pid_t
  /// What it writes, non-blocking; -1 after its end was read.
  private(set) var output: Int32
  private var input: Int32
  private var errors: Int32 = -1
  private var status: Int32?

  /// Starts a program by its absolute path, in a process group of its own, so that a Ctrl-C at the
  /// terminal is the parent's business; with `keepsErrors` what it says on standard error waits for
  /// ``readErrors()``, as far as a pipe holds it.
  ///
  /// The corresponding C function is `posix_spawn`.
  init(_ path: String, _ arguments: [String], keepsErrors: Bool = false) throws(Errno) {
    var pipes: [Int32] = []
    for _ in 0..<(keepsErrors ? 3 : 2) {
      var ends: [Int32] = [-1, -1]
      guard unsafe pipe(&ends) == 0 else {
        let error = Errno.current
        for number in pipes { close(number) }
        throw error
      }
      pipes += ends
    }
    for number in pipes { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
    for index in 1..<pipes.count / 2 { _ = fcntl(pipes[2 * index], F_SETFL, O_NONBLOCK) }
    var process: pid_t = 0
    let code = ChildProcess.spawn(
      path, arguments, input: pipes[0], output: pipes[3], errors: keepsErrors ? pipes[5] : 2,
      &process)
    for index in [0, 3] + (keepsErrors ? [5] : []) { close(pipes[index]) }
    guard code == 0 else {
      for index in [1, 2] + (keepsErrors ? [4] : []) { close(pipes[index]) }
      throw Errno(rawValue: code)
    }
    self.process = process
    input = pipes[1]
    output = pipes[2]
    errors = keepsErrors ? pipes[4] : -1
  }

  deinit {
    endInput()
    for number in [output, errors] where number >= 0 { close(number) }
  }

  /// What it said on standard error, once it has ended.
  func readErrors() -> String {
    guard errors >= 0 else { return "" }
    var piece = [UInt8](repeating: 0, count: 65_536)
    let count = unsafe Glibc.read(errors, &piece, piece.count)
    return String(decoding: piece.prefix(max(0, count)), as: UTF8.self)
  }

  private static func spawn(
    _ path: String, _ arguments: [String], input: Int32, output: Int32, errors: Int32,
    _ process: inout pid_t
  ) -> Int32 {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors, 2)
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    // The parent blocks signals for its signal descriptor; a child begins without that.
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setpgroup(&attributes, 0)
    let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK
    unsafe posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: Int(flags)))
    var pointers = unsafe ([path] + arguments).map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
    return unsafe posix_spawn(&process, path, &actions, &attributes, pointers, environ)
  }

  /// Writes a text whole, waiting if need be; false when nobody reads it.
  @discardableResult
  func write(_ text: String) -> Bool {
    guard input >= 0 else { return false }
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { all in
        unsafe Glibc.write(input, all.baseAddress?.advanced(by: written), all.count - written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      written += count
    }
    return true
  }

  /// Lets the child read the end of its input.
  func endInput() {
    guard input >= 0 else { return }
    close(input)
    input = -1
  }

  /// What it wrote since the last call; nil once it has closed its output.
  func read() -> [UInt8]? {
    guard output >= 0 else { return nil }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe Glibc.read(output, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      if count > 0 {
        bytes += piece[..<count]
        continue
      }
      if count == 0 && bytes.isEmpty {
        close(output)
        output = -1
        return nil
      }
      return bytes
    }
  }

  /// The status it exited with, 128 and the signal's number for one that was ended; nil while it
  /// runs.
  func exitStatus() -> Int32? {
    if let status { return status }
    var raw: Int32 = 0
    guard unsafe waitpid(process, &raw, WNOHANG) == process else { return nil }
    let signal = raw & 0x7F
    let known = signal == 0 ? raw >> 8 & 0xFF : 128 + signal
    status = known
    return known
  }

  /// Sends it a signal, unless it is gone.
  func send(_ signal: Int32) { if exitStatus() == nil { kill(process, signal) } }
}

/// What the kernel says of any process.
enum ProcessClock {
  /// CPU of all threads of a process since its start, in nanoseconds; nil when there is none.
  ///
  /// The corresponding C functions are `clock_getcpuclockid` and `clock_gettime`.
  static func nanoseconds(of process: Int32) -> Int64? {
    var clock: clockid_t = 0
    guard unsafe clock_getcpuclockid(process, &clock) == 0 else { return nil }
    var time = timespec()
    guard unsafe clock_gettime(clock, &time) == 0 else { return nil }
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// The path of this program.
  ///
  /// The corresponding C function is `readlink` on `/proc/self/exe`.
  static func ownPath() -> String? {
    var bytes = [CChar](repeating: 0, count: 4_096)
    let count = unsafe readlink("/proc/self/exe", &bytes, bytes.count)
    guard count > 0, count < bytes.count else { return nil }
    return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A piece of standard input, waiting for it; nil at its end.
  static func readInput() -> [UInt8]? {
    var piece = [UInt8](repeating: 0, count: 4_096)
    while true {
      let count = unsafe Glibc.read(0, &piece, piece.count)
      if count < 0 && errno == EINTR { continue }
      return count > 0 ? Array(piece[..<count]) : nil
    }
  }
}
