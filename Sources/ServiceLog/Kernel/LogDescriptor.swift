// The module's unsafe room: the few calls on files and clocks that take pointers. Everything
// outside of this file is safe Swift; nothing here decides anything.

import Glibc

/// An open log file or the standard error stream.
struct LogDescriptor: ~Copyable {
  /// Which file a path leads to, to notice that somebody renamed it.
  struct Identity: Equatable {
    var device: UInt64
    var file: UInt64
    var bytes: Int
    var isRegular: Bool
  }

  private let number: Int32
  private let isOwned: Bool

  private init(number: Int32, isOwned: Bool) {
    self.number = number
    self.isOwned = isOwned
  }

  /// The standard error stream; it is never closed.
  static var standardError: LogDescriptor { LogDescriptor(number: 2, isOwned: false) }

  /// Opens or creates a file for appending, readable by its owner and group.
  init(appendingTo path: String) throws(LogError) {
    let number = unsafe Glibc.open(
      path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0o640)
    guard number >= 0 else {
      let code = errno
      throw LogError(path: path, errno: code, reason: LogDescriptor.words(of: code))
    }
    self.init(number: number, isOwned: true)
  }

  deinit {
    if isOwned { close(number) }
  }

  /// What this descriptor leads to.
  var identity: Identity? {
    var facts = stat()
    guard unsafe fstat(number, &facts) == 0 else { return nil }
    return LogDescriptor.identity(facts)
  }

  /// What a path leads to now.
  static func identity(of path: String) -> Identity? {
    var facts = stat()
    guard unsafe stat(path, &facts) == 0 else { return nil }
    return identity(facts)
  }

  private static func identity(_ facts: stat) -> Identity {
    Identity(
      device: UInt64(facts.st_dev), file: UInt64(facts.st_ino), bytes: Int(facts.st_size),
      isRegular: facts.st_mode & S_IFMT == S_IFREG)
  }

  /// Writes a whole line in one call; says whether all of it went.
  ///
  /// Safe: the pointer is the array's own and does not outlive the call.
  @safe func write(_ line: [UInt8]) -> Bool {
    while true {
      let written = unsafe line.withUnsafeBytes { bytes in
        unsafe Glibc.write(number, bytes.baseAddress, bytes.count)
      }
      if written == -1, errno == EINTR { continue }
      return written == line.count
    }
  }

  /// Whether a pipe or terminal takes up to `PIPE_BUF` bytes within the given time.
  @safe func isWritable(withinMilliseconds wait: Int32) -> Bool {
    var one = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
    return unsafe poll(&one, 1, wait) == 1 && one.revents & Int16(POLLOUT) != 0
  }

  /// Renames a file over another.
  static func rename(_ path: String, to other: String) -> Bool {
    unsafe Glibc.rename(path, other) == 0
  }

  /// The kernel's words for an error number.
  @safe private static func words(of code: Int32) -> String {
    unsafe String(cString: strerror(code))
  }
}

extension LogMoment {
  /// The wall clock now.
  @safe static func now() -> LogMoment {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    var parts = unsafe tm()
    var seconds = time.tv_sec
    _ = unsafe gmtime_r(&seconds, &parts)
    return unsafe LogMoment(
      year: parts.tm_year &+ 1900, month: parts.tm_mon + 1, day: parts.tm_mday, hour: parts.tm_hour,
      minute: parts.tm_min, second: parts.tm_sec, milliseconds: Int32(time.tv_nsec / 1_000_000))
  }
}

/// A number that tells the calling thread from the others of this process.
///
/// Glibc's module has no `gettid`; the page of the thread's descriptor does as well for telling
/// lines apart.
func currentThreadNumber() -> Int32 { Int32(truncatingIfNeeded: pthread_self() >> 12 & 0xFF_FFFF) }
