// A folder through which reports travel between two programs. The writer makes a file appear whole
// or not at all; the reader trusts no name and follows nothing. Every call opens the folder anew,
// so that one that is moved or mounted over is noticed. The only system calls of this module are
// here.

import BGBModel
import Glibc

/// Why a folder or file of a drop box could not be used.
public struct DropError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What was tried, such as `write`.
  public let operation: String
  /// The file or folder.
  public let name: String
  /// The system's number of the error.
  public let errno: Int32

  /// A sentence for operators.
  public var description: String {
    guard let words = unsafe strerror(errno) else { return "cannot \(operation) \(name)" }
    return unsafe "cannot \(operation) \(name): \(String(cString: words))"
  }
}

/// What a scan of a drop box found.
public struct DropBoxContents: Hashable, Sendable {
  /// Reports, in the order in which they are to be imported.
  public var reports: [ReportName] = []
  /// Files that a writer has not finished, or left behind when it died.
  public var unfinished: [String] = []
  /// Everything else: not ours, to be put in quarantine.
  public var strays: [String] = []
  /// How many names are not UTF-8: no call here can reach such files, a person must remove them.
  public var unreachable = 0
}

/// A folder of report files, written by servers and emptied by the manager.
public struct DropBox: Sendable {
  /// The name of the folder for refused files, within the drop box.
  public static let quarantineFolder = "bad"
  /// Ends the names of files that are being written.
  static let unfinishedSuffix = ".tmp"
  /// Ends the names of the files that say why one was refused.
  static let reasonSuffix = ".reason"

  /// The folder.
  public let directory: String

  /// Takes a folder, which must exist.
  public init(_ directory: String) throws(DropError) {
    self.directory = directory
    _ = try OpenFolder(directory)
  }

  /// Makes a file appear under its name, whole and durable: a file of that name is replaced.
  ///
  /// Written as `NAME.tmp` in the same folder, synced, renamed, and the folder synced.
  public func drop(_ name: ReportName, _ bytes: [UInt8]) throws(DropError) {
    let folder = try OpenFolder(directory)
    try folder.write(name.text + DropBox.unfinishedSuffix, bytes)
    try folder.move(name.text + DropBox.unfinishedSuffix, to: name.text, in: folder)
    try folder.sync()
  }

  /// Everything in the folder, sorted; the quarantine itself is left out.
  public func scan() throws(DropError) -> DropBoxContents {
    var contents = DropBoxContents()
    for bytes in try OpenFolder(directory).names() {
      guard let name = String(validating: bytes, as: UTF8.self) else {
        contents.unreachable += 1
        continue
      }
      if name == DropBox.quarantineFolder { continue }
      if let report = ReportName(name) {
        contents.reports.append(report)
      } else if name.hasSuffix(DropBox.unfinishedSuffix),
        ReportName(String(name.dropLast(DropBox.unfinishedSuffix.count))) != nil
      {
        contents.unfinished.append(name)
      } else {
        contents.strays.append(name)
      }
    }
    contents.reports.sort()
    contents.unfinished.sort()
    contents.strays.sort()
    return contents
  }

  /// The finished reports, in the order in which they are to be imported.
  public func list() throws(DropError) -> [ReportName] { try scan().reports }

  /// How many bytes the finished reports have together.
  public func waitingBytes() throws(DropError) -> Int {
    let folder = try OpenFolder(directory)
    return try list().reduce(0) { sum, name in
      // A file of any size may lie there under a report's name.
      sum.addingReportingOverflow(folder.size(name.text) ?? 0).partialValue
    }
  }

  /// The bytes of a file; symbolic links, folders, pipes and what exceeds the limit are refused
  /// (`ELOOP`, `EINVAL`, `EFBIG`), and nothing can make this call wait.
  public func read(_ name: String, limit: Int) throws(DropError) -> [UInt8] {
    try OpenFolder(directory).read(name, limit: limit)
  }

  /// Removes a file, durably.
  public func remove(_ name: String) throws(DropError) {
    let folder = try OpenFolder(directory)
    try folder.remove(name)
    try folder.sync()
  }

  /// Moves a file of any kind into the quarantine and writes the reason beside it, as
  /// `NAME.reason`.
  ///
  /// A file of the same name that is there already stays: this one gets a number behind its name.
  /// The reason is written first, so that a crash between the two leaves the file where it was.
  public func quarantine(_ name: String, reason: String) throws(DropError) {
    let folder = try OpenFolder(directory)
    let quarantine = try folder.subfolder(DropBox.quarantineFolder)
    let place = try quarantine.freeName(like: name)
    try quarantine.write(place + DropBox.reasonSuffix, Array((reason + "\n").utf8))
    try folder.move(name, to: place, in: quarantine)
    try quarantine.sync()
    try folder.sync()
  }
}

/// An open folder; every name is used relative to it.
private struct OpenFolder: ~Copyable {
  private let descriptor: Int32
  private let path: String

  init(_ path: String) throws(DropError) {
    descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    self.path = path
    guard descriptor != -1 else { throw DropError(operation: "open", name: path, errno: errno) }
  }

  private init(adopting descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  deinit { if descriptor != -1 { _ = close(descriptor) } }

  private func error(_ operation: String, _ name: String) -> DropError {
    let code = errno
    return DropError(operation: operation, name: "\(path)/\(name)", errno: code)
  }

  /// Names with a slash would leave the folder; the empty name and the two dots are the folder's
  /// own.
  private func check(_ name: String) throws(DropError) {
    let isOutside = name.utf8.contains { $0 == UInt8(ascii: "/") || $0 == 0 }
    guard !isOutside, !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255 else {
      throw DropError(operation: "use", name: "\(path)/\(name)", errno: EINVAL)
    }
  }

  func names() throws(DropError) -> [[UInt8]] {
    // A descriptor of its own, for closedir closes it and the reading position belongs to it.
    let copy = unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy != -1 else { throw error("list", "") }
    guard let stream = unsafe fdopendir(copy) else {
      let failure = error("list", "")
      _ = close(copy)
      throw failure
    }
    defer { unsafe closedir(stream) }
    var names: [[UInt8]] = []
    while true {
      errno = 0
      guard let entry = unsafe readdir(stream) else { break }
      let bytes = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { name in
        unsafe Array(name.prefix { $0 != 0 })
      }
      if bytes != Array(".".utf8), bytes != Array("..".utf8) { names.append(bytes) }
    }
    guard errno == 0 else { throw error("list", "") }
    return names
  }

  func write(_ name: String, _ bytes: [UInt8]) throws(DropError) {
    try check(name)
    // What a dead writer left under this name is removed, not followed or overwritten in place.
    _ = unsafe unlinkat(descriptor, name, 0)
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
    let file = unsafe openat(descriptor, name, flags, mode_t(0o640))
    guard file != -1 else { throw error("create", name) }
    defer { _ = close(file) }
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { source in
        unsafe Glibc.write(
          file, source.baseAddress?.advanced(by: written), bytes.count - written)
      }
      if count == -1 {
        if errno == EINTR { continue }
        throw abandon(name, error("write", name))
      }
      written += count
    }
    guard fsync(file) == 0 else { throw abandon(name, error("sync", name)) }
  }

  /// Removes a file that could not be finished, and passes the reason on.
  private func abandon(_ name: String, _ reason: DropError) -> DropError {
    _ = unsafe unlinkat(descriptor, name, 0)
    return reason
  }

  func read(_ name: String, limit: Int) throws(DropError) -> [UInt8] {
    try check(name)
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC
    let file = unsafe openat(descriptor, name, flags)
    guard file != -1 else { throw error("open", name) }
    defer { _ = close(file) }
    var facts = stat()
    guard unsafe fstat(file, &facts) == 0 else { throw error("examine", name) }
    guard facts.st_mode & S_IFMT == S_IFREG else {
      throw DropError(operation: "read", name: "\(path)/\(name)", errno: EINVAL)
    }
    guard facts.st_size >= 0, facts.st_size <= off_t(limit) else {
      throw DropError(operation: "read", name: "\(path)/\(name)", errno: EFBIG)
    }
    var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
    var filled = 0
    while filled < bytes.count {
      let room = bytes.count - filled
      let count = unsafe bytes.withUnsafeMutableBytes { target in
        unsafe Glibc.read(file, target.baseAddress?.advanced(by: filled), room)
      }
      if count == 0 { break }
      if count == -1 {
        if errno == EINTR { continue }
        throw error("read", name)
      }
      filled += count
    }
    return Array(bytes[..<filled])
  }

  /// The bytes of what has this name; nil when nothing has.
  func size(_ name: String) -> Int? {
    var facts = stat()
    guard unsafe fstatat(descriptor, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return Int(facts.st_size)
  }

  func remove(_ name: String) throws(DropError) {
    try check(name)
    guard unsafe unlinkat(descriptor, name, 0) == 0 else { throw error("remove", name) }
  }

  func move(_ name: String, to newName: String, in other: borrowing OpenFolder) throws(DropError) {
    try check(name)
    guard unsafe renameat(descriptor, name, other.descriptor, newName) == 0 else {
      throw error("move", name)
    }
  }

  func sync() throws(DropError) {
    guard fsync(descriptor) == 0 else { throw error("sync", "") }
  }

  func subfolder(_ name: String) throws(DropError) -> OpenFolder {
    guard unsafe mkdirat(descriptor, name, 0o750) == 0 || errno == EEXIST else {
      throw error("create", name)
    }
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    let opened = unsafe openat(descriptor, name, flags)
    guard opened != -1 else { throw error("open", name) }
    return OpenFolder(adopting: opened, path: "\(path)/\(name)")
  }

  /// The name, or the name with a number behind it, that nothing here has yet.
  func freeName(like name: String) throws(DropError) -> String {
    try check(name)
    // Room for the number and for ".reason" within the 255 bytes of a file name.
    let base = String(name.cut(toBytes: 230))
    for number in 0..<10_000 {
      let candidate = number == 0 ? base : "\(base).\(number)"
      if isFree(candidate), isFree(candidate + DropBox.reasonSuffix) { return candidate }
    }
    throw DropError(operation: "quarantine", name: "\(path)/\(name)", errno: EEXIST)
  }

  private func isFree(_ name: String) -> Bool {
    var facts = stat()
    return unsafe fstatat(descriptor, name, &facts, AT_SYMLINK_NOFOLLOW) == -1 && errno == ENOENT
  }
}
