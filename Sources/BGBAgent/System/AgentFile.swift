// Files as the agent needs them: read with a bound, written whole or not at all, synced with their
// folder. One of the two files with unsafe code in this module; the pointers live for one call
// each.

import Glibc

/// A failed call on a file: what was tried, on which path, and the kernel's number.
public struct FileError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was tried, as a verb.
  public let verb: String
  /// On which path.
  public let path: String
  /// The kernel's number.
  public let code: Int32

  /// A sentence.
  public var description: String {
    "cannot \(verb) \(path): \(unsafe String(cString: strerror(code)))"
  }
}

/// Whole files and folders by path.
public enum AgentFile {
  /// Reads a regular file of at most `limit` bytes; nil when there is none.
  ///
  /// With `followLinks` false a symbolic link in the last place is refused.
  public static func read(
    _ path: String, limit: Int = 64 << 20, followLinks: Bool = true
  ) throws(FileError) -> [UInt8]? {
    let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW)
    let file = unsafe open(path, flags)
    if file < 0 && errno == ENOENT { return nil }
    guard file >= 0 else { throw FileError(verb: "open", path: path, code: errno) }
    defer { close(file) }
    var status = stat()
    guard unsafe fstat(file, &status) == 0 else {
      throw FileError(verb: "examine", path: path, code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(verb: "read", path: path, code: EINVAL)
    }
    guard status.st_size <= limit else { throw FileError(verb: "read", path: path, code: EFBIG) }
    return try readAll(file, path: path, limit: limit)
  }

  /// Reads until the end: also what says its size is 0, such as files below /proc.
  private static func readAll(
    _ file: Int32, path: String, limit: Int
  ) throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let got = unsafe Glibc.read(file, &piece, piece.count)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw FileError(verb: "read", path: path, code: errno) }
      if got == 0 { return bytes }
      bytes += piece[..<got]
      guard bytes.count <= limit else { throw FileError(verb: "read", path: path, code: EFBIG) }
    }
  }

  /// The file's text, if it is there and is UTF-8.
  public static func text(_ path: String, limit: Int = 1 << 20) -> String? {
    guard let bytes = (try? read(path, limit: limit)) ?? nil else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Writes a file beside the real one, syncs it, moves it there and syncs the folder, so that no
  /// reader and no loss of power ever sees half of it.
  public static func replace(
    _ path: String, with bytes: [UInt8], mode: UInt32 = 0o600
  ) throws(FileError) {
    let draft = "\(path).\(getpid()).tmp"
    unsafe unlink(draft)
    let file = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    guard file >= 0 else { throw FileError(verb: "make", path: draft, code: errno) }
    do throws(FileError) {
      defer { close(file) }
      try writeAll(file, bytes, path: draft)
      guard fsync(file) == 0 else { throw FileError(verb: "sync", path: draft, code: errno) }
    } catch {
      unsafe unlink(draft)
      throw error
    }
    guard unsafe rename(draft, path) == 0 else {
      let code = errno
      unsafe unlink(draft)
      throw FileError(verb: "replace", path: path, code: code)
    }
    try syncFolder(of: path)
  }

  /// Writes all bytes at the descriptor's place.
  static func writeAll(_ file: Int32, _ bytes: [UInt8], path: String) throws(FileError) {
    var written = 0
    while written < bytes.count {
      let step = unsafe bytes.withUnsafeBytes { all in
        unsafe Glibc.write(file, all.baseAddress?.advanced(by: written), all.count - written)
      }
      if step < 0 && errno == EINTR { continue }
      guard step > 0 else {
        throw FileError(verb: "write", path: path, code: step == 0 ? ENOSPC : errno)
      }
      written += step
    }
  }

  /// Opens or makes a file for appending; -1 with errno when that fails.
  static func openToAppend(_ path: String) -> Int32 {
    unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
  }

  /// Makes a change of names in a folder survive a loss of power.
  static func syncFolder(of path: String) throws(FileError) {
    let folder = parent(of: path)
    let file = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw FileError(verb: "open", path: folder, code: errno) }
    defer { close(file) }
    guard fsync(file) == 0 else { throw FileError(verb: "sync", path: folder, code: errno) }
  }

  /// Makes a folder and its parents, readable by the owner alone.
  public static func makeFolder(_ path: String, mode: UInt32 = 0o700) throws(FileError) {
    if unsafe mkdir(path, mode) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, path != parent(of: path) else {
      throw FileError(verb: "make", path: path, code: errno)
    }
    try makeFolder(parent(of: path), mode: mode)
    if unsafe mkdir(path, mode) != 0 && errno != EEXIST {
      throw FileError(verb: "make", path: path, code: errno)
    }
  }

  /// Removes a file; one that is not there is fine.
  public static func remove(_ path: String) { unsafe unlink(path) }

  /// Moves a file within one file system.
  public static func move(_ path: String, to place: String) throws(FileError) {
    guard unsafe rename(path, place) == 0 else {
      throw FileError(verb: "move", path: path, code: errno)
    }
  }

  /// Makes a second name for a file, or a copy where the file system does not allow that; never
  /// over something that is there.
  static func duplicate(_ path: String, as place: String) throws(FileError) {
    if unsafe linkat(AT_FDCWD, path, AT_FDCWD, place, 0) == 0 { return }
    guard errno == EXDEV || errno == EPERM || errno == EMLINK else {
      throw FileError(verb: "link", path: place, code: errno)
    }
    guard let bytes = try read(path, limit: 1 << 30, followLinks: false) else {
      throw FileError(verb: "read", path: path, code: ENOENT)
    }
    let file = unsafe open(place, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { throw FileError(verb: "make", path: place, code: errno) }
    defer { close(file) }
    try writeAll(file, bytes, path: place)
    guard fsync(file) == 0 else { throw FileError(verb: "sync", path: place, code: errno) }
  }

  /// Whether something is there.
  public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Whether it is there and may be executed.
  public static func isExecutable(_ path: String) -> Bool { unsafe access(path, X_OK) == 0 }

  /// The names in a folder, sorted; none when it cannot be read.
  public static func names(in folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// The path without links and relative parts; nil when nothing is there.
  static func absolute(_ path: String) -> String? {
    guard let real = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(real) }
    return unsafe String(cString: real)
  }

  /// Goes to the root folder: a service holds no other one busy, and what it starts begins there.
  static func leaveFolder() { _ = unsafe chdir("/") }

  /// The folder of a path.
  public static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
