// The kernel's error number as a typed error: small, comparable, switchable.
//
// Would-block is not thrown anywhere in this module: it is a case of the step a read or write
// returns. Numbers that can only mean a bug of our own (EBADF, EFAULT) are not thrown either: they
// trap where they are seen, because a wrong descriptor number may by then belong to somebody else's
// connection.

import CEpollShim
import Glibc

/// An error number of the kernel.
public struct Errno: Error, Equatable, Hashable, Sendable, CustomStringConvertible {
  /// The number as `errno` has it.
  public let rawValue: Int32

  /// Makes an error of a number as `errno` has it.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// The calling thread's `errno`; meaningful only right after a call that failed.
  public static var current: Errno { Errno(rawValue: errno) }

  /// The operation would have to wait (EAGAIN, which is EWOULDBLOCK on Linux).
  public static let wouldBlock = Errno(rawValue: EAGAIN)
  /// A signal arrived first (EINTR).
  public static let interrupted = Errno(rawValue: EINTR)
  /// The connection attempt goes on in the background (EINPROGRESS).
  public static let inProgress = Errno(rawValue: EINPROGRESS)
  /// The process has no descriptor left (EMFILE).
  public static let processFilesExhausted = Errno(rawValue: EMFILE)
  /// The machine has no descriptor left (ENFILE).
  public static let systemFilesExhausted = Errno(rawValue: ENFILE)
  /// Nobody listens there (ECONNREFUSED).
  public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
  /// The peer reset the connection (ECONNRESET).
  public static let connectionReset = Errno(rawValue: ECONNRESET)
  /// The connection died before it was accepted (ECONNABORTED).
  public static let connectionAborted = Errno(rawValue: ECONNABORTED)
  /// The peer closed its reading side (EPIPE).
  public static let brokenPipe = Errno(rawValue: EPIPE)
  /// Nothing was heard for too long (ETIMEDOUT).
  public static let timedOut = Errno(rawValue: ETIMEDOUT)
  /// The address is taken (EADDRINUSE).
  public static let addressInUse = Errno(rawValue: EADDRINUSE)
  /// The address is not one of this machine, or no port is left (EADDRNOTAVAIL).
  public static let addressNotAvailable = Errno(rawValue: EADDRNOTAVAIL)
  /// The path of a Unix socket does not fit its address (ENAMETOOLONG).
  public static let nameTooLong = Errno(rawValue: ENAMETOOLONG)
  /// An argument is not acceptable (EINVAL).
  public static let invalidArgument = Errno(rawValue: EINVAL)
  /// There is no such file or registration (ENOENT).
  public static let notFound = Errno(rawValue: ENOENT)
  /// It is there already (EEXIST).
  public static let exists = Errno(rawValue: EEXIST)
  /// Not permitted (EACCES).
  public static let accessDenied = Errno(rawValue: EACCES)

  /// The kernel's sentence and the number, as in `Connection refused (111)`.
  public var description: String {
    let text = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard let base = buffer.baseAddress, let text = unsafe clinux_error_text(rawValue, base, 256)
      else { return "unknown error" }
      return unsafe String(cString: text)
    }
    return "\(text) (\(rawValue))"
  }
}

/// Turns the -1 of a system call into a thrown ``Errno`` and passes every other result on.
@inline(__always)
@discardableResult
func resultOrErrno(_ result: Int32) throws(Errno) -> Int32 {
  if result == -1 { throw Errno.current }
  return result
}

/// Traps when the last call failed for a reason that can only be a bug of this process.
@inline(never)
func trapIfOurFault(_ error: Errno, _ call: StaticString) {
  precondition(error.rawValue != EBADF, "\(call): a descriptor that is not open was used")
  precondition(error.rawValue != EFAULT, "\(call): memory that is not ours was passed")
}
