// Making and looking at the database file with plain system calls, before SQLite touches it, and
// one lock so that two programs started at once do not both create or migrate.

import Glibc
import SiteDatabase

/// A lock on the directory of a file, held while the database is made or migrated.
///
/// On the directory and not on the file: closing any descriptor of a database file drops the locks
/// that SQLite holds on it in the same process.
struct FileLock {
  private let descriptor: Int32

  /// Waits for the lock.
  init(besides path: String) throws(StoreError) {
    let directory = FileLock.directory(of: path)
    let opened = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard opened >= 0 else { throw FileLock.failure("cannot open the directory \(directory)") }
    descriptor = opened
    while flock(descriptor, LOCK_EX) == -1 {
      guard errno == EINTR else {
        close(descriptor)
        throw FileLock.failure("cannot lock the directory \(directory)")
      }
    }
  }

  /// Lets others in.
  func end() { close(descriptor) }

  /// Makes an empty file that the owner and the group may use, unless there is one already.
  ///
  /// SQLite gives its log files the same mode.
  static func makeFile(_ path: String) throws(StoreError) {
    let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let made = unsafe Glibc.open(path, flags, 0o660)
    if made >= 0 {
      close(made)
    } else if errno != EEXIST {
      throw failure("cannot create \(path)")
    }
  }

  /// Whether there is a plain file, or a link to one.
  static func isRegularFile(_ path: String) -> Bool {
    var status = stat()
    return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// The directory part of a path.
  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func failure(_ what: String) -> StoreError {
    .damaged("\(what): \(unsafe String(cString: strerror(errno)))")
  }
}
