// Waking a server the moment something was committed for it: a datagram to a Unix socket beside the
// database. The table is the truth and the bell only an alarm, so a lost ring costs a second (the
// longest sleep between two looks at the table) and never a message.

import BGBModel
import Glibc
import SiteDatabase
import Synchronization

/// The doorbells of one site, as one process rings and hears them.
///
/// Sockets are named through `/proc/self/fd/N/`, for a Unix socket's name has room for 107 bytes
/// and a site's path may be longer.
final class Doorbells: Sendable {
  private let directory: OwnedDescriptor
  private let sender: OwnedDescriptor
  private let heard = Mutex<[ServerID: OwnedDescriptor]>([:])
  private let interrupted = Mutex<Set<ServerID>>([])

  private static let news = UInt8(ascii: "m")
  private static let interrupt = UInt8(ascii: "i")

  /// Prepares to ring; makes the directory `run` beside the database if need be.
  init(besides path: String) throws(StoreError) {
    let run = FileLock.directory(of: path) + "/run"
    _ = unsafe mkdir(run, 0o770)
    directory = OwnedDescriptor(unsafe Glibc.open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC))
    sender = OwnedDescriptor(Doorbells.datagramSocket())
    guard directory.isOpen, sender.isOpen else {
      throw .damaged("cannot use \(run): \(unsafe String(cString: strerror(errno)))")
    }
  }

  /// Rings at a server, if it listens; never blocks.
  func ring(_ serverID: ServerID) { send(Doorbells.news, to: serverID) }

  /// Ends a wait, of this process or another one.
  func interruptWait(of serverID: ServerID) {
    interrupted.withLock { _ = $0.insert(serverID) }
    send(Doorbells.interrupt, to: serverID)
  }

  /// Whether somebody in this process asked for the end of the wait, once.
  func takeInterrupt(of serverID: ServerID) -> Bool {
    interrupted.withLock { $0.remove(serverID) != nil }
  }

  /// Begins to listen for a server; a second listener takes the bell over from the first.
  func listen(for serverID: ServerID) {
    heard.withLock { heard in
      guard heard[serverID] == nil else { return }
      let socket = OwnedDescriptor(Doorbells.datagramSocket())
      guard socket.isOpen, var address = address(of: serverID) else { return }
      _ = unsafe unlinkat(directory.raw, Doorbells.name(of: serverID), 0)
      let bound = unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe bind(socket.raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
      guard bound == 0 else { return }
      // A ring is a write: managers of the same group may, whatever the umask is.
      _ = unsafe fchmodat(directory.raw, Doorbells.name(of: serverID), 0o660, 0)
      heard[serverID] = socket
    }
  }

  /// Why a sleep was over.
  enum Waking {
    case timePassed
    case rung
    /// The other descriptor is readable, and the bell did not ring.
    case committed
    /// The wait shall end.
    case interrupted
  }

  /// Sleeps until the bell rings, the other descriptor is readable, or the time has passed.
  func wait(for serverID: ServerID, upTo time: Duration, or other: Int32 = -1) -> Waking {
    let (seconds, rest) = time.components
    let milliseconds = seconds * 1000 + rest / 1_000_000_000_000_000 + 1
    let socket = heard.withLock { $0[serverID] }
    // Without a socket (a directory that cannot be written) this is a plain sleep.
    var entries = [
      pollfd(fd: socket?.raw ?? -1, events: Int16(POLLIN), revents: 0),
      pollfd(fd: other, events: Int16(POLLIN), revents: 0),
    ]
    _ = unsafe poll(&entries, 2, Int32(clamping: milliseconds))
    var waking = entries[1].revents == 0 ? Waking.timePassed : .committed
    guard let socket else { return waking }
    var byte: UInt8 = 0
    while unsafe recv(socket.raw, &byte, 1, Int32(MSG_DONTWAIT)) == 1 {
      if waking != .interrupted { waking = byte == Doorbells.interrupt ? .interrupted : .rung }
    }
    return waking
  }

  private func send(_ byte: UInt8, to serverID: ServerID) {
    guard var address = address(of: serverID) else { return }
    var byte = byte
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    // Nobody listens, or the queue is full and the listener is awake anyway: both are fine.
    _ = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe sendto(
          sender.raw, &byte, 1, flags, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }

  private static func name(of serverID: ServerID) -> String { "server-\(serverID).bell" }

  private func address(of serverID: ServerID) -> sockaddr_un? {
    let path = "/proc/self/fd/\(directory.raw)/\(Doorbells.name(of: serverID))"
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let fits = unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
      guard path.utf8.count < room.count else { return false }
      unsafe room.copyBytes(from: path.utf8)
      return true
    }
    return fits ? address : nil
  }

  private static func datagramSocket() -> Int32 {
    let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    return socket(AF_UNIX, kind, 0)
  }
}

/// A descriptor that closes with its last owner.
final class OwnedDescriptor: Sendable {
  let raw: Int32

  init(_ raw: Int32) { self.raw = raw }

  deinit { if raw >= 0 { close(raw) } }

  var isOpen: Bool { raw >= 0 }
}
