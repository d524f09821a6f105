// A small file that nobody but its owner may read: ticket keys, a kept session. It is replaced as a
// whole or not at all, so that a reader finds the old content or the new one, and never half of
// either.
import Glibc
public import Reactor

/// A file of a few kilobytes with mode 0600.
public struct SecretFile: Sendable {
  /// Why the file could not be read or written.
  public enum Failure: Error, Equatable, Sendable {
    /// The kernel refused, with its reason.
    case system(Errno)
    /// Others than the owner may read it, so that its content is no secret any more.
    case readableByOthers
    /// It is larger than the limit.
    case tooLarge
  }

  /// The file's path.
  public let path: String
  /// The most bytes that are read.
  public let bytesMax: Int

  /// Names the file; nothing is read yet.
  public init(path: String, bytesMax: Int = 16 * 1024) {
    self.path = path
    self.bytesMax = bytesMax
  }

  /// Reads the file, or answers nil if there is none.
  public func load() throws(Failure) -> [UInt8]? {
    let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    if number < 0 && errno == ENOENT { return nil }
    guard number >= 0 else { throw .system(.current) }
    let file = Descriptor(owning: number)
    var status = stat()
    guard unsafe fstat(file.raw, &status) == 0 else { throw .system(.current) }
    guard status.st_mode & 0o077 == 0 else { throw .readableByOthers }
    var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
    var count = 0
    while count < bytes.count {
      let got = unsafe bytes.withUnsafeMutableBytes { room in
        unsafe Glibc.read(file.raw, room.baseAddress?.advanced(by: count), room.count - count)
      }
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { throw .system(.current) }
      if got == 0 { break }
      count += got
    }
    guard count <= bytesMax else { throw .tooLarge }
    bytes.removeLast(bytes.count - count)
    return bytes
  }

  /// Replaces the file, or makes it.
  public func store(_ bytes: [UInt8]) throws(Failure) {
    try place(bytes) { draft in unsafe rename(draft, path) }
  }

  /// Makes the file; whoever comes second finds it made already, which is no failure.
  public func storeIfAbsent(_ bytes: [UInt8]) throws(Failure) {
    // A link refuses to replace, where a rename would not.
    try place(bytes) { draft in
      let result = unsafe link(draft, path)
      return result == -1 && errno == EEXIST ? 0 : result
    }
  }

  /// Removes the file, if there is one.
  public func remove() throws(Failure) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw .system(.current) }
  }

  /// Waits until no other process or thread holds the file's lock, and holds it.
  ///
  /// The lock is a file beside it, because the file itself is replaced by each change.
  func lock() throws(Failure) -> ProcessLock {
    do throws(Errno) {
      return try ProcessLock.wait("\(path).lock")
    } catch {
      throw .system(error)
    }
  }

  /// Writes a draft beside the file, durably, and has it put in place.
  private func place(
    _ bytes: [UInt8], _ put: (String) -> Int32
  ) throws(Failure) {
    // Threads of one process may make the file at the same time as well.
    let draft = "\(path).\(getpid())-\(UInt32.random(in: 0 ... .max)).tmp"
    let number = unsafe open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard number >= 0 else { throw .system(.current) }
    defer { unsafe unlink(draft) }
    try write(bytes, to: Descriptor(owning: number))
    guard put(draft) == 0 else { throw .system(.current) }
    try syncFolder()
  }

  private func write(
    _ bytes: [UInt8], to file: consuming Descriptor
  ) throws(Failure) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { bytes in
        unsafe Glibc.write(
          file.raw, bytes.baseAddress?.advanced(by: written), bytes.count - written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw .system(.current) }
      written += count
    }
    guard fsync(file.raw) == 0 else { throw .system(.current) }
  }

  /// Without this the new name may not survive a power cut.
  private func syncFolder() throws(Failure) {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
    let folder = parts.isEmpty ? "." : parts.joined(separator: "/") + "/"
    let number = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number >= 0 else { throw .system(.current) }
    let descriptor = Descriptor(owning: number)
    guard fsync(descriptor.raw) == 0 else { throw .system(.current) }
  }
}

extension SecretFile.Failure: CustomStringConvertible {
  /// What to read after the file's name.
  public var description: String {
    switch self {
    case .system(let error): "cannot be read or written: \(error)"
    case .readableByOthers: "may be read by others than its owner: set its mode to 0600"
    case .tooLarge: "is larger than such a file can be"
    }
  }
}
