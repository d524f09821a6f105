// One open file descriptor and the one owner that closes it.
//
// A descriptor number is a name that the kernel hands out again at once. Whoever closes a number
// twice, or uses it after closing, talks to somebody else's connection. So the type cannot be
// copied, its end of life closes, and EBADF from close is a trap and never an error to be handled.

import Glibc

/// An open file descriptor, owned.
///
/// May move between threads; is used by one at a time.
public struct Descriptor: ~Copyable, Sendable {
  /// The number, for calls that borrow the descriptor while it stays owned here.
  public let raw: Int32

  /// Takes over an open descriptor that nobody else will close.
  ///
  /// - Precondition: `raw` is not negative.
  public init(owning raw: Int32) {
    precondition(raw >= 0, "a descriptor number is never negative")
    self.raw = raw
  }

  /// Closes now; the same as letting the value go, said aloud.
  public consuming func close() {}

  /// Gives the number up without closing it: the caller owns it from here on.
  public consuming func release() -> Int32 {
    let number = raw
    discard self
    return number
  }

  deinit {
    // Linux frees the number even when close reports EINTR or EIO: never try again.
    if Glibc.close(raw) == -1 { trapIfOurFault(.current, "close") }
  }
}
