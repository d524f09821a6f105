// Signals as something to read: blocked for the process, delivered through a descriptor in the
// loop.
//
// A classical handler runs between any two instructions and may call next to nothing. A signal
// descriptor is one more readable descriptor of the turn, so that SIGTERM means drain and SIGHUP
// means reload in plain code. A child started by this process inherits the blocked mask and has to
// be given an empty one.

import CEpollShim
import Glibc

/// A descriptor that reads signals instead of bytes.
public struct SignalDescriptor: ~Copyable {
  private let descriptor: Descriptor

  /// Blocks the signals in the calling thread and makes a descriptor that delivers them.
  ///
  /// Call it on the main thread before any other thread starts: threads inherit the blocked mask,
  /// and a signal that one thread does not block is delivered there. The corresponding C functions
  /// are `pthread_sigmask` and `signalfd`.
  public init(_ signals: [Int32]) throws(Errno) {
    let count = Int32(clamping: signals.count)
    try resultOrErrno(unsafe clinux_block_signals(signals, count))
    descriptor = Descriptor(owning: try resultOrErrno(unsafe clinux_signalfd(signals, count)))
  }

  /// The number to watch for ``Readiness/readable``.
  public var fd: Int32 { descriptor.raw }

  /// The next signal that is pending, or nil when there is none.
  public func next() -> Int32? {
    let signal = clinux_signalfd_next(descriptor.raw)
    if signal == -1 {
      trapIfOurFault(.current, "read of a signal descriptor")
      return nil
    }
    return signal
  }
}

/// What the whole process does about signals that no descriptor reads.
public enum Signals {
  /// Makes writing to a vanished peer an error (EPIPE) instead of the death of the process.
  ///
  /// Our own sends ask for that each time; OpenSSL's and those of other libraries do not.
  public static func ignoreBrokenPipe() {
    _ = clinux_ignore_broken_pipe()
  }
}
