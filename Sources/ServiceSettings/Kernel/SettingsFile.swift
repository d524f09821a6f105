// The module's unsafe room: reading a whole small file without Foundation.

import Glibc

/// Reading of configuration files.
enum SettingsFile {
  /// Bytes of a configuration file at most; more is a mistake in the path.
  static let bytesMax = 1 << 20

  /// The text of a file.
  @safe static func read(_ path: String) throws(SettingsError) -> String {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw unreadable(path, words(of: errno)) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe piece.withUnsafeMutableBytes { buffer in
        unsafe Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      }
      if count == -1 {
        if errno == EINTR { continue }
        throw unreadable(path, words(of: errno))
      }
      if count == 0 { break }
      bytes += piece.prefix(count)
      guard bytes.count <= bytesMax else { throw unreadable(path, "larger than 1 MiB") }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw unreadable(path, "not UTF-8 text")
    }
    return text
  }

  private static func unreadable(_ path: String, _ reason: String) -> SettingsError {
    SettingsError([.unreadable(path: path, reason: reason)])
  }

  @safe private static func words(of code: Int32) -> String {
    unsafe String(cString: strerror(code))
  }
}
