// A child of this process that runs a program of ours: started with clean signals and one inherited
// descriptor (its link to us, under a fixed number), asked to end by signals, reaped without
// waiting. Every other descriptor of this package is closed on exec, so nothing else goes over.

import Glibc

/// A child process that was started here and not reaped yet.
public struct ChildProcess: Equatable, Sendable {
  /// The number under which a child finds the descriptor that it inherits.
  public static let linkNumber: Int32 = 3

  /// How a child ended.
  public enum End: Equatable, Sendable, CustomStringConvertible {
    /// By itself, with this status.
    case exited(Int32)
    /// By a signal.
    case signalled(Int32)

    /// Such as `killed by signal 9`.
    public var description: String {
      switch self {
      case .exited(let status): "ended with status \(status)"
      case .signalled(let signal): "killed by signal \(signal)"
      }
    }
  }

  /// The process; its number is not used again before it was reaped.
  public let processID: Int32

  /// Starts a program; `argv[0]` is its path.
  ///
  /// The environment is given whole, as `NAME=VALUE`. The child has no blocked signal and the
  /// default for all of them, whatever this process did. The corresponding C function is
  /// `posix_spawn`.
  public static func start(
    _ argv: [String], environment: [String], link: borrowing Descriptor
  ) throws(Errno) -> ChildProcess {
    guard let program = argv.first else { throw .invalidArgument }
    // C would read a text only up to its first zero byte.
    guard !(argv + environment).contains(where: { $0.utf8.contains(0) }) else {
      throw .invalidArgument
    }
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    // Onto its own number this only takes the close-on-exec mark away, as wanted.
    unsafe posix_spawn_file_actions_adddup2(&actions, link.raw, linkNumber)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &all)
    let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
    unsafe posix_spawnattr_setflags(&attributes, Int16(truncatingIfNeeded: Int(flags)))

    var process: pid_t = 0
    let code = unsafe withStrings(argv) { argv in
      unsafe withStrings(environment) { environment in
        unsafe posix_spawn(&process, program, &actions, &attributes, argv, environment)
      }
    }
    guard code == 0 else { throw Errno(rawValue: code) }
    return ChildProcess(processID: process)
  }

  /// Sends a signal; nothing happens to one that has ended and was not reaped yet.
  ///
  /// The corresponding C function is `kill`.
  public func signal(_ number: Int32) { _ = kill(processID, number) }

  /// How it ended, which also reaps it; nil while it runs.
  ///
  /// The value must not be used after an answer. The corresponding C function is `waitpid`.
  public func reap() -> End? {
    var status: Int32 = 0
    guard unsafe waitpid(processID, &status, WNOHANG) == processID else { return nil }
    // WIFEXITED and its kin are macros, which Swift does not see.
    return status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .signalled(status & 0x7F)
  }

  /// In a child: the link to its parent; throws when nothing of that kind was inherited.
  public static func inheritedLink() throws(Errno) -> Descriptor {
    _ = try StreamSocket.peerCredentials(of: linkNumber)
    _ = fcntl(linkNumber, F_SETFD, FD_CLOEXEC)
    return Descriptor(owning: linkNumber)
  }

  /// Lends texts as a C array that ends with null.
  private static func withStrings<Result>(
    _ texts: [String],
    _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
  ) -> Result {
    var pointers = unsafe texts.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
      // The array holds at least the null, so it has an address.
      guard let base = buffer.baseAddress else { preconditionFailure("an array of one is empty") }
      return unsafe body(base)
    }
  }
}

/// Two stream sockets that are connected with each other.
public struct SocketPair: ~Copyable {
  private let first: Descriptor
  private let second: Descriptor

  /// Makes a pair, non-blocking and closed on exec.
  ///
  /// The corresponding C function is `socketpair`.
  public init() throws(Errno) {
    var numbers: [Int32] = [-1, -1]
    let kind = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    try resultOrErrno(unsafe socketpair(AF_UNIX, Int32(kind), 0, &numbers))
    first = Descriptor(owning: numbers[0])
    second = Descriptor(owning: numbers[1])
  }

  /// Takes the pair apart.
  public consuming func split<Result, Failure: Error>(
    _ body: (consuming Descriptor, consuming Descriptor) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(first, second)
  }
}

/// A lock that one process holds, by the name of a file that stays.
///
/// It ends with this object, and with the process, however that ends.
public final class ProcessLock: Sendable {
  private let descriptor: Descriptor

  private init(descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// Takes the lock, or answers nil while another process has it.
  ///
  /// The corresponding C function is `flock`.
  public static func take(_ path: String) throws(Errno) -> ProcessLock? {
    let descriptor = try open(path)
    guard flock(descriptor.raw, LOCK_EX | LOCK_NB) == 0 else {
      let error = Errno.current
      guard error == .wouldBlock else { throw error }
      return nil
    }
    return ProcessLock(descriptor: descriptor)
  }

  /// Takes the lock as soon as no other process has it; blocks the thread until then.
  ///
  /// The corresponding C function is `flock`.
  public static func wait(_ path: String) throws(Errno) -> ProcessLock {
    let descriptor = try open(path)
    while flock(descriptor.raw, LOCK_EX) != 0 {
      let error = Errno.current
      guard error == .interrupted else { throw error }
    }
    return ProcessLock(descriptor: descriptor)
  }

  private static func open(_ path: String) throws(Errno) -> Descriptor {
    let fd = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard fd >= 0 else { throw .current }
    return Descriptor(owning: fd)
  }
}
