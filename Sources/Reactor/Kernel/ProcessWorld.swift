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
