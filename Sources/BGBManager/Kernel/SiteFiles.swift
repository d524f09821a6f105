// The few things the manager does with files besides reports: small files read whole, folders made,
// modes set, owners asked. Reports go through the drop box and nothing else.

import Glibc
import Reactor

/// Whole-file and folder calls, each with an explicit bound.
enum SiteFiles {
  /// Reads a file of at most `limit` bytes; a pipe with nothing in it is an error and no wait.
  static func read(_ path: String, limit: Int) throws(Errno) -> [UInt8] {
    let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    if number == -1 { throw .current }
    let descriptor = Descriptor(owning: number)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while bytes.count <= limit {
      let count = unsafe Glibc.read(descriptor.raw, &buffer, buffer.count)
      if count == -1 {
        if Errno.current == .interrupted { continue }
        throw .current
      }
      if count == 0 { return bytes }
      bytes.append(contentsOf: buffer.prefix(count))
    }
    throw Errno(rawValue: EFBIG)
  }

  /// Makes a folder with this mode unless it is there.
  static func makeFolder(_ path: String, mode: UInt32) throws(Errno) {
    if unsafe mkdir(path, mode) == -1, Errno.current != .exists { throw .current }
  }

  /// Sets the mode of a file.
  static func setMode(_ path: String, _ mode: UInt32) throws(Errno) {
    if unsafe chmod(path, mode) == -1 { throw .current }
  }

  /// Gives a file to a group.
  static func setGroup(_ path: String, _ groupID: UInt32) throws(Errno) {
    if unsafe chown(path, uid_t.max, groupID) == -1 { throw .current }
  }

  /// Whether there is something of this name.
  static func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  /// Whether there is a folder of this name that can be read.
  static func isFolder(_ path: String) -> Bool {
    let number = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard number != -1 else { return false }
    Descriptor(owning: number).close()
    return true
  }

  /// The names in a folder, in order, without those that begin with a dot; none if it is not there.
  static func names(in path: String) -> [String] {
    guard let folder = unsafe opendir(path) else { return [] }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        unsafe String(cString: UnsafeRawPointer(pointer).assumingMemoryBound(to: CChar.self))
      }
      if !name.hasPrefix(".") { names.append(name) }
    }
    return names.sorted()
  }

  /// The name of this machine.
  static func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    let bytes = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    return String(decoding: bytes, as: UTF8.self)
  }
}
