// What the kernel says of this computer. Unsafe by the C structures it reads; each pointer lives
// for one call.

import BGBModel
import Glibc

/// Facts of the running system.
enum SystemFacts {
  /// The computer's name.
  static func hostname() -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard unsafe gethostname(&bytes, 255) == 0 else { return "localhost" }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The addresses of interfaces that are up, without the loopback and link-local ones.
  static func addresses() -> [String] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard unsafe getifaddrs(&list) == 0 else { return [] }
    defer { unsafe freeifaddrs(list) }
    var addresses: [String] = []
    var next = unsafe list
    while let entry = unsafe next {
      unsafe next = entry.pointee.ifa_next
      guard unsafe entry.pointee.ifa_flags & UInt32(IFF_UP) != 0,
        unsafe entry.pointee.ifa_flags & UInt32(IFF_LOOPBACK) == 0,
        let address = unsafe entry.pointee.ifa_addr, let text = unsafe text(of: address),
        !text.hasPrefix("fe80"), !addresses.contains(text)
      else { continue }
      addresses.append(text)
    }
    return Array(addresses.prefix(Limits.addressesMax))
  }

  private static func text(of address: UnsafeMutablePointer<sockaddr>) -> String? {
    let family = unsafe Int32(address.pointee.sa_family)
    let length: Int
    switch family {
    case AF_INET: length = MemoryLayout<sockaddr_in>.size
    case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
    default: return nil
    }
    var bytes = [CChar](repeating: 0, count: 64)
    guard
      unsafe getnameinfo(address, UInt32(length), &bytes, 64, nil, 0, NI_NUMERICHOST) == 0
    else { return nil }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Which boot of the computer this is.
  static func boot() -> Bits128 {
    let text = AgentFile.text("/proc/sys/kernel/random/boot_id", limit: 64) ?? ""
    return Bits128(text.prefix(36)) ?? Bits128(high: 0, low: 0)
  }

  /// The release of the kernel and the kind of machine.
  static func kernel() -> (release: String, machine: String) {
    var names = utsname()
    guard unsafe uname(&names) == 0 else { return ("", "") }
    let release = unsafe withUnsafeBytes(of: &names.release) { string(unsafe Array($0)) }
    let machine = unsafe withUnsafeBytes(of: &names.machine) { string(unsafe Array($0)) }
    return (release, machine)
  }

  private static func string(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// Bytes of the file system that holds a path: all, and free for users.
  static func space(of path: String) -> (total: UInt64, free: UInt64)? {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { return nil }
    let block = UInt64(status.f_frsize)
    return (
      block.multipliedReportingOverflow(by: UInt64(status.f_blocks)).partialValue,
      block.multipliedReportingOverflow(by: UInt64(status.f_bavail)).partialValue
    )
  }

  /// The user and group this process acts as.
  static var ownUser: UInt32 { geteuid() }
  static var ownGroup: UInt32 { getegid() }

  /// Whose a file is.
  struct Ownership: Equatable {
    var mode: UInt32
    var user: UInt32
    var group: UInt32

    /// Whether it is a regular file and no link, folder or device.
    var isRegularFile: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
  }

  /// A file's mode, owner and group; nil when there is none; links are not followed.
  static func ownership(of path: String) -> Ownership? {
    var status = stat()
    guard unsafe lstat(path, &status) == 0 else { return nil }
    return Ownership(mode: status.st_mode, user: status.st_uid, group: status.st_gid)
  }

  /// Gives a file its owner and mode again.
  static func restoreOwnership(
    of path: String, mode: UInt32, user: UInt32, group: UInt32
  ) throws(FileError) {
    // The owner first: a change of owner clears set-id bits, and the mode then says the last word.
    guard unsafe lchown(path, user, group) == 0 else {
      throw FileError(verb: "give back the owner of", path: path, code: errno)
    }
    guard unsafe chmod(path, mode & 0o7777) == 0 else {
      throw FileError(verb: "give back the mode of", path: path, code: errno)
    }
  }

  /// A file's size in bytes; nil when there is none.
  static func size(of path: String) -> Int? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return Int(status.st_size)
  }
}

/// Waiting on a thread that has nothing else to do.
enum ThreadSleep {
  /// Sleeps; a signal may end it early.
  static func milliseconds(_ milliseconds: UInt64) {
    usleep(UInt32(clamping: milliseconds * 1_000))
  }
}
