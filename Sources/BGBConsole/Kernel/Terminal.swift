// The module's unsafe room: the calls on terminals, files, signals and the environment that take
// pointers. Nothing here decides anything.

import Glibc
import Synchronization

/// The terminal and what belongs to the process.
enum Terminal {
  /// Whether a descriptor is a terminal.
  static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

  /// Columns of the terminal behind a descriptor; 80 when it does not say.
  @safe static func columns(_ descriptor: Int32) -> Int {
    var size = winsize()
    guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Writes all of a text; says whether it went.
  @safe static func write(_ text: String, to descriptor: Int32) -> Bool {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        unsafe Glibc.write(descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
      }
      if count == -1, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Reads everything from a descriptor up to a limit; nil when it is longer or cannot be read.
  @safe static func readAll(_ descriptor: Int32, bytesMax: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= bytesMax {
      let count = unsafe piece.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      }
      if count == -1, errno == EINTR { continue }
      guard count >= 0 else { return nil }
      if count == 0 { return bytes }
      bytes += piece.prefix(count)
    }
    return nil
  }

  /// Reads a file up to a limit.
  @safe static func readFile(_ path: String, bytesMax: Int) -> [UInt8]? {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return readAll(descriptor, bytesMax: bytesMax)
  }

  /// The variables of the environment.
  @safe static func environment() -> [String: String] {
    var result: [String: String] = [:]
    var entry = unsafe environ
    while let pointer = unsafe entry.pointee {
      let text = unsafe String(cString: pointer)
      if let sign = text.firstIndex(of: "=") {
        result[String(text[..<sign])] = String(text[text.index(after: sign)...])
      }
      unsafe entry += 1
    }
    return result
  }

  /// Monotonic milliseconds.
  @safe static func ticks() -> Int64 { milliseconds(CLOCK_BOOTTIME) }

  /// Milliseconds since 1970.
  @safe static func wallMilliseconds() -> Int64 { milliseconds(CLOCK_REALTIME) }

  @safe private static func milliseconds(_ clock: clockid_t) -> Int64 {
    var now = timespec()
    unsafe clock_gettime(clock, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }

  /// Waits.
  @safe static func pause(milliseconds: Int64) {
    var time = timespec(
      tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
    _ = unsafe nanosleep(&time, nil)
  }
}

/// Folders and files of a site, besides those with keys.
enum Folder {
  /// Makes a folder; an existing one is fine; returns the `errno`, or 0.
  @safe static func make(_ path: String, mode: UInt32) -> Int32 {
    unsafe mkdir(path, mode_t(mode)) == 0 || errno == EEXIST ? 0 : errno
  }

  /// Makes a folder that must not exist yet; returns the `errno`, or 0.
  @safe static func makeNew(_ path: String, mode: UInt32) -> Int32 {
    unsafe mkdir(path, mode_t(mode)) == 0 ? 0 : errno
  }

  /// Whether something is there.
  @safe static func exists(_ path: String) -> Bool {
    unsafe access(path, F_OK) == 0
  }

  /// Removes the given files of a folder and, when nothing is left, the folder itself.
  @safe static func remove(_ path: String, files: [String]) {
    for file in files { _ = unsafe unlink(path + "/" + file) }
    _ = unsafe rmdir(path)
  }

  /// The kernel's words for an error number.
  @safe static func words(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}

/// Ctrl-C while watching: the first one is noted, the second one ends the program.
enum Interruption {
  private static let noted = Atomic<Bool>(false)

  /// Whether it came.
  static var hasCome: Bool { noted.load(ordering: .relaxed) }

  /// Notes interrupts from now on instead of dying of them.
  static func begin() {
    // Touched here first: a signal handler must not be the one that makes it.
    noted.store(false, ordering: .relaxed)
    signal(SIGINT) { _ in
      if Interruption.hasCome { _exit(130) }
      Interruption.note()
    }
  }

  private static func note() { noted.store(true, ordering: .relaxed) }
}
