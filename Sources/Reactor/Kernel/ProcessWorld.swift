// What a program gets from who started it, and its two streams for people: the environment,
// standard output and standard error, without the C globals that the language rightly calls shared
// state.

import CEpollShim
import Glibc

/// The environment of this process as it was at its start.
public enum ProcessEnvironment {
  /// All variables; what is not UTF-8 is left out.
  ///
  /// Read from `/proc/self/environ` (see proc(5)), for the C variable may change under any thread.
  public static func variables() -> [String: String] {
    guard let bytes = try? Folder.read("/proc/self/environ", limit: 4 << 20) else { return [:] }
    var variables: [String: String] = [:]
    for entry in bytes.split(separator: 0) {
      guard let text = String(validating: entry, as: UTF8.self),
        let equals = text.firstIndex(of: "="), equals > text.startIndex
      else { continue }
      variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
    }
    return variables
  }
}

/// Standard error: what a program says to people.
public enum StandardError {
  /// Writes all of the text; what cannot be written is lost, for there is nobody to tell.
  public static func write(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(2, buffer.baseAddress, buffer.count)
      }
      if count < 0 && Errno.current == .interrupted { continue }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }
}

/// Standard output: a program's data.
public enum StandardOutput {
  /// Sends what `print` holds back while the output is a pipe or a file.
  ///
  /// The corresponding C function is `fflush`.
  public static func flush() { fflush(nil) }
}

/// The C allocator's manners, for a process that holds very many small things for very long.
public enum ProcessMemory {
  /// Sets the allocator up; once, before the first thread.
  ///
  /// Large pieces come from the kernel and go back to it (glibc would learn from the first large
  /// one that is freed to keep them), and threads share two arenas instead of having one each.
  /// The corresponding C function is `mallopt`.
  public static func prepare() { clinux_prepare_allocator() }

  /// Gives free memory back to the kernel, in O(memory held); after something large is over.
  ///
  /// The corresponding C function is `malloc_trim`.
  public static func giveBack() { clinux_trim_allocator() }
}

/// The program that runs in this process.
public enum ProcessProgram {
  /// Its file; after an upgrade that renamed another one over it, the same path leads to the new
  /// one.
  ///
  /// The corresponding C function is `readlink` on `/proc/self/exe`.
  public static func path() throws(Errno) -> String {
    var bytes = [UInt8](repeating: 0, count: 4_096)
    let count = unsafe bytes.withUnsafeMutableBytes { buffer -> Int in
      guard let base = buffer.baseAddress else { return 0 }
      return unsafe readlink("/proc/self/exe", base, buffer.count)
    }
    guard count > 0 else { throw .current }
    return String(decoding: bytes.prefix(count), as: UTF8.self)
  }

  /// CPU time and memory that a process of this machine uses; nil when there is none.
  ///
  /// Read from `/proc/PID/stat` and `/proc/PID/statm` (see proc(5)).
  public static func usage(of processID: Int32) -> ProcessUsage? {
    guard let stat = try? Folder.read("/proc/\(processID)/stat", limit: 8_192),
      let statm = try? Folder.read("/proc/\(processID)/statm", limit: 8_192)
    else { return nil }
    return ProcessUsage(
      stat: String(decoding: stat, as: UTF8.self), statm: String(decoding: statm, as: UTF8.self),
      pageBytes: UInt64(clamping: sysconf(Int32(_SC_PAGESIZE))))
  }

  /// Whether the first thread of a process of this machine sleeps in `epoll_wait`; false when that
  /// cannot be known.
  ///
  /// Read from `/proc/PID/wchan` (see proc(5)), which costs the process nothing.
  public static func waitsForEvents(_ processID: Int32) -> Bool {
    guard let place = try? Folder.read("/proc/\(processID)/wchan", limit: 256) else { return false }
    return isEventWait(String(decoding: place, as: UTF8.self))
  }

  /// Whether a kernel's function is where `epoll_wait` sleeps.
  public static func isEventWait(_ place: String) -> Bool {
    place.hasPrefix("ep_poll") || place.hasPrefix("do_epoll_wait")
  }
}

/// What a process uses.
public struct ProcessUsage: Equatable, Sendable {
  /// CPU time of all its threads, in user and kernel mode.
  public let cpuMilliseconds: UInt64
  /// Memory that is in RAM.
  public let residentBytes: UInt64

  /// Reads the two texts of proc(5); nil when they are none.
  public init?(stat: String, statm: String, pageBytes: UInt64) {
    // The name in parentheses may hold anything, also blanks and parentheses.
    guard let end = stat.lastIndex(of: ")") else { return nil }
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    let pages = statm.split(separator: " ")
    guard fields.count > 12, pages.count > 1, let user = UInt64(fields[11]),
      let system = UInt64(fields[12]), let resident = UInt64(pages[1])
    else { return nil }
    // Linux tells these in hundredths of a second on every machine (USER_HZ).
    cpuMilliseconds = (user &+ system) &* 10
    residentBytes = resident &* pageBytes
  }
}

/// What the kernel lets this process have.
public enum ProcessLimits {
  /// Raises the limit of open files as far as it goes and says where it stands.
  ///
  /// The corresponding C function is `prlimit` with `RLIMIT_NOFILE`.
  public static func raiseOpenFiles() throws(Errno) -> UInt64 {
    var soft: UInt64 = 0
    var hard: UInt64 = 0
    try resultOrErrno(unsafe clinux_get_file_limit(&soft, &hard))
    guard soft < hard else { return soft }
    try resultOrErrno(clinux_set_file_limit(hard))
    return hard
  }
}
