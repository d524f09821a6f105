// The file in which the servers of a site keep their ticket keys: readable by its owner alone,
// replaced as a whole or not at all, and made only once when several servers start together.
import Glibc
import Reactor

/// A file of ticket keys.
public struct TicketKeyFile: Sendable {
  /// More than a file of ``TicketKeys/keysMax`` keys can have.
  private static let bytesMax = 4096

  /// The file's path.
  public let path: String

  /// Names the file; nothing is read yet.
  public init(path: String) { self.path = path }

  /// Reads the keys, or nil if there is no such file.
  /// - Throws: a sentence if the file cannot be read, is not of this format, or others may read it.
  public func load() throws(TLSSetupError) -> TicketKeys? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    if file < 0 && errno == ENOENT { return nil }
    guard file >= 0 else { throw failure("cannot be opened") }
    defer { close(file) }
    var status = stat()
    guard unsafe fstat(file, &status) == 0 else { throw failure("cannot be examined") }
    guard status.st_mode & 0o077 == 0 else {
      throw TLSSetupError(
        "the ticket keys in \(path) may be read by others than their owner: set its mode to 0600")
    }
    var bytes = [UInt8](repeating: 0, count: Self.bytesMax)
    var count = 0
    while count < bytes.count {
      let got = unsafe bytes.withUnsafeMutableBytes { room in
        unsafe Glibc.read(file, room.baseAddress?.advanced(by: count), room.count - count)
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw failure("cannot be read") }
      if got == 0 { break }
      count += got
    }
    guard let text = String(validating: bytes.prefix(count), as: UTF8.self),
      let keys = TicketKeys(fileText: text)
    else { throw TLSSetupError("\(path) is not a file of ticket keys: remove it, or restore it") }
    return keys
  }

  /// Reads the keys, or makes the file with one fresh key; of several servers that start together
  /// one makes it and all read the same.
  /// - Parameter now: seconds since 1970.
  public func loadOrMake(now: Int64) throws(TLSSetupError) -> TicketKeys {
    if let keys = try load() { return keys }
    try store(try TicketKeys.fresh(now: now), replacing: false)
    guard let keys = try load() else { throw failure("vanished after it was made") }
    return keys
  }

  /// Puts a fresh key in front of those in the file and returns them all.
  /// - Parameter now: seconds since 1970.
  public func rotate(now: Int64) throws(TLSSetupError) -> TicketKeys {
    var keys = try loadOrMake(now: now)
    try keys.rotate(now: now)
    try store(keys, replacing: true)
    return keys
  }

  /// Writes a file beside the real one and moves it there, so that no reader ever sees half of it.
  private func store(_ keys: TicketKeys, replacing: Bool) throws(TLSSetupError) {
    let draft = "\(path).\(getpid()).tmp"
    unsafe unlink(draft)
    let file = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw failure("cannot be made") }
    defer { unsafe unlink(draft) }
    let bytes = Array(keys.fileText.utf8)
    let written = unsafe Glibc.write(file, bytes, bytes.count)
    let synced = fsync(file)
    let closed = close(file)
    guard written == bytes.count, synced == 0, closed == 0 else {
      throw failure("cannot be written")
    }
    if replacing {
      guard unsafe rename(draft, path) == 0 else { throw failure("cannot be replaced") }
    } else {
      // A link refuses to replace: whoever comes second finds the first one's keys.
      guard unsafe link(draft, path) == 0 || errno == EEXIST else {
        throw failure("cannot be made")
      }
    }
  }

  private func failure(_ what: String) -> TLSSetupError {
    TLSSetupError("the file of ticket keys \(path) \(what): \(Errno.current)")
  }
}
