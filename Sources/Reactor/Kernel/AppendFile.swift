// A file that only grows: what a journal is written to. It knows nothing of records. A failed sync
// is final: the kernel marks the pages clean after it, so a later success would be a lie (USENIX
// ATC 2020, "Can applications recover from fsync failures?"); the file is dead then and every
// further call says so.

import Glibc

/// A file opened for appending, owned by one thread.
public final class AppendFile {
  private let descriptor: Descriptor
  private var failure: Errno?
  /// Bytes in the file.
  public private(set) var size: Int

  /// Opens a file, making it with mode 0600 if it is not there.
  ///
  /// Not through a symbolic link.
  ///
  /// The corresponding C function is `open`.
  public init(path: String) throws(Errno) {
    let flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW
    let fd = unsafe open(path, flags, 0o600)
    guard fd >= 0 else { throw .current }
    descriptor = Descriptor(owning: fd)
    var status = stat()
    guard unsafe fstat(fd, &status) == 0 else { throw .current }
    size = Int(status.st_size)
  }

  /// Appends all bytes; they are not durable before `sync` returned.
  public func append(_ bytes: [UInt8]) throws(Errno) {
    if let failure { throw failure }
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
        return unsafe write(descriptor.raw, rest.baseAddress, rest.count)
      }
      if count < 0 {
        let error = Errno.current
        if error == .interrupted { continue }
        failure = error
        throw error
      }
      written += count
      size += count
    }
  }

  /// Makes everything appended so far durable.
  ///
  /// The corresponding C function is `fdatasync`.
  public func sync() throws(Errno) {
    if let failure { throw failure }
    guard fdatasync(descriptor.raw) == 0 else {
      let error = Errno.current
      failure = error
      throw error
    }
  }

  /// Cuts the file to its first bytes: a torn record at its end goes.
  ///
  /// The C function is `ftruncate`.
  public func truncate(to bytes: Int) throws(Errno) {
    if let failure { throw failure }
    guard ftruncate(descriptor.raw, off_t(bytes)) == 0 else { throw .current }
    size = bytes
  }
}

/// A folder of such files.
public enum Folder {
  /// Makes a folder with mode 0700, if it is not there, and its parents.
  public static func make(_ path: String) throws(Errno) {
    if unsafe mkdir(path, 0o700) == 0 { return }
    let error = Errno.current
    if error == .exists { return }
    guard error == .notFound, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw error
    }
    try make(String(path[..<slash]))
    guard unsafe mkdir(path, 0o700) == 0 || Errno.current == .exists else { throw .current }
  }

  /// The names in a folder, sorted, without `.` and `..`.
  public static func names(in path: String) throws(Errno) -> [String] {
    guard let folder = unsafe opendir(path) else { throw .current }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
          unsafe String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Makes renames and removals in a folder durable.
  ///
  /// The corresponding C function is `fsync`.
  public static func sync(_ path: String) throws(Errno) {
    let fd = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard fd >= 0 else { throw .current }
    let descriptor = Descriptor(owning: fd)
    guard fsync(descriptor.raw) == 0 else { throw .current }
  }

  /// Removes a file.
  ///
  /// The corresponding C function is `unlink`.
  public static func remove(_ path: String) throws(Errno) {
    guard unsafe unlink(path) == 0 else { throw .current }
  }

  /// Renames a file, replacing what has the new name.
  ///
  /// The corresponding C function is `rename`.
  public static func rename(_ path: String, to newPath: String) throws(Errno) {
    guard unsafe Glibc.rename(path, newPath) == 0 else { throw .current }
  }

  /// Opens a regular file for reading and says its size in bytes.
  ///
  /// Not through a symbolic link, and a pipe or device is refused without waiting for it.
  static func openRegular(_ path: String, size: inout Int) throws(Errno) -> Descriptor {
    let fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard fd >= 0 else { throw .current }
    let descriptor = Descriptor(owning: fd)
    var status = stat()
    guard unsafe fstat(fd, &status) == 0 else { throw .current }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .invalidArgument }
    size = Int(status.st_size)
    return descriptor
  }

  /// Reads a whole regular file of at most `limit` bytes; a larger one is `ENAMETOOLONG`'s sibling
  /// `EFBIG`.
  ///
  /// Not through a symbolic link, and a pipe or device is refused without waiting for it.
  public static func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
    var size = 0
    let descriptor = try openRegular(path, size: &size)
    guard size <= limit else { throw Errno(rawValue: EFBIG) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while bytes.count <= limit {
      let count = unsafe chunk.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(descriptor.raw, buffer.baseAddress, buffer.count)
      }
      if count < 0 {
        let error = Errno.current
        if error == .interrupted { continue }
        throw error
      }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
    }
    throw Errno(rawValue: EFBIG)
  }
}
