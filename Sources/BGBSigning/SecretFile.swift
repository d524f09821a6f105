// Files with keys: created whole and private or not at all, never over an existing one, and refused
// when others may read them. Certificates go the same way with a public mode.

import Glibc

/// Creates and reads the files of keys and certificates.
public enum SecretFile {
  /// Bytes of a key or certificate file at most.
  static let bytesMax = 65_536

  /// Creates a file that must not exist yet, with mode 0600 unless said otherwise, and syncs it.
  ///
  /// The mode is set at creation, so there is no moment in which others could open the file.
  public static func create(
    _ path: String, contents: some Collection<UInt8>, mode: UInt32 = 0o600
  ) throws(SigningError) {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = unsafe open(path, flags, mode_t(mode))
    guard file != -1 else { throw .file(operation: "create", path: path, errno: errno) }
    defer { _ = close(file) }
    let bytes = Array(contents)
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { source in
        unsafe write(file, source.baseAddress?.advanced(by: written), bytes.count - written)
      }
      if count == -1 {
        let code = errno
        if code == EINTR { continue }
        _ = unsafe unlink(path)
        throw .file(operation: "write", path: path, errno: code)
      }
      written += count
    }
    guard fsync(file) == 0 else {
      let code = errno
      _ = unsafe unlink(path)
      throw .file(operation: "sync", path: path, errno: code)
    }
  }

  /// Reads a file of at most 64 KiB; with `secret`, refuses one that its group or others may read.
  public static func read(_ path: String, secret: Bool) throws(SigningError) -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard file != -1 else { throw .file(operation: "open", path: path, errno: errno) }
    defer { _ = close(file) }
    var facts = stat()
    guard unsafe fstat(file, &facts) == 0 else {
      throw .file(operation: "examine", path: path, errno: errno)
    }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw .file(operation: "read", path: path, errno: EINVAL)
    }
    if secret, facts.st_mode & 0o077 != 0 { throw .openToOthers(path: path) }
    guard facts.st_size <= off_t(bytesMax) else {
      throw .file(operation: "read", path: path, errno: EFBIG)
    }
    return try readAll(file, path: path)
  }

  private static func readAll(_ file: Int32, path: String) throws(SigningError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: bytesMax)
    var filled = 0
    while filled < bytesMax {
      let count = unsafe bytes.withUnsafeMutableBytes { target in
        unsafe Glibc.read(file, target.baseAddress?.advanced(by: filled), bytesMax - filled)
      }
      if count == 0 { break }
      if count == -1 {
        let code = errno
        if code == EINTR { continue }
        throw .file(operation: "read", path: path, errno: code)
      }
      filled += count
    }
    return Array(bytes[..<filled])
  }

  /// The system's words for an errno.
  static func words(for code: Int32) -> String {
    guard let words = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: words)
  }
}
