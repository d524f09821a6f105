// The journal's file on a real disk.

import Glibc

/// A file that grows, with its quarantine beside it.
public final class JournalFile: JournalDisk {
  private let path: String
  private var descriptor: Int32 = -1

  /// Names the file; its folder must exist.
  public init(path: String) { self.path = path }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Everything in the file; nil when there is none.
  public func load() throws(DiskError) -> [UInt8]? {
    do throws(FileError) {
      return try AgentFile.read(path, limit: 1 << 30, followLinks: false)
    } catch {
      throw DiskError(error.description)
    }
  }

  /// Adds bytes at the end.
  public func append(_ bytes: [UInt8]) throws(DiskError) {
    do throws(FileError) {
      try AgentFile.writeAll(try opened(), bytes, path: path)
    } catch {
      throw DiskError(error.description)
    }
  }

  /// Makes what was appended durable.
  ///
  /// The corresponding C function is `fdatasync`.
  public func sync() throws(DiskError) {
    guard descriptor >= 0, fdatasync(descriptor) == 0 else {
      throw DiskError(FileError(verb: "sync", path: path, code: errno).description)
    }
  }

  /// Puts a new file in the place of the old one.
  public func replace(with bytes: [UInt8]) throws(DiskError) {
    do throws(FileError) {
      try AgentFile.replace(path, with: bytes)
      // The old descriptor means the old file: what is appended there would be lost.
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
      _ = try opened()
    } catch {
      throw DiskError(error.description)
    }
  }

  /// Keeps unreadable bytes in `<path>.bad`, the newest only.
  public func quarantine(_ bytes: [UInt8]) {
    try? AgentFile.replace("\(path).bad", with: bytes)
  }

  private func opened() throws(FileError) -> Int32 {
    if descriptor >= 0 { return descriptor }
    descriptor = AgentFile.openToAppend(path)
    guard descriptor >= 0 else { throw FileError(verb: "open", path: path, code: errno) }
    return descriptor
  }
}

@available(*, unavailable)
extension JournalFile: Sendable {}
