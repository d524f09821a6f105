// A thread of the kernel with a name and a stack of chosen size.
//
// The loop owns its thread for life, so it is no task of a pool: a pool's thread may change under
// it, and blocking in epoll_wait would starve the pool.

import CEpollShim
import Glibc

/// A running thread, to be joined; letting it go without joining detaches it.
public struct KernelThread: ~Copyable, Sendable {
  private let handle: pthread_t

  private init(handle: pthread_t) { self.handle = handle }

  /// Starts a thread that runs the body and ends with it.
  ///
  /// The name shows in `top -H` and debuggers, its first 15 bytes. With a `niceness` from 1 to 19
  /// the thread gives way to others when there are too few processors: nice(2) counts for a thread
  /// on Linux. The corresponding C function is `pthread_create`.
  public static func start(
    name: String, stackSize: Int = 512 * 1024, niceness: Int32 = 0,
    body: @escaping @Sendable () -> Void
  ) throws(Errno) -> KernelThread {
    var attributes = pthread_attr_t()
    unsafe pthread_attr_init(&attributes)
    defer { unsafe pthread_attr_destroy(&attributes) }
    let sized = unsafe pthread_attr_setstacksize(&attributes, stackSize)
    if sized != 0 { throw Errno(rawValue: sized) }

    let start = unsafe Unmanaged.passRetained(Start(name: name, niceness: niceness, body: body))
    var handle = pthread_t()
    let code = unsafe pthread_create(
      &handle, &attributes,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        unsafe clinux_set_thread_name(start.name)
        // More than the parent's is always allowed.
        if start.niceness > 0 { setpriority(Int32(PRIO_PROCESS.rawValue), 0, start.niceness) }
        start.body()
        return nil
      }, start.toOpaque())
    if code != 0 {
      unsafe start.release()
      throw Errno(rawValue: code)
    }
    return KernelThread(handle: handle)
  }

  /// Lets the calling thread do nothing for a while; a signal may end it early.
  ///
  /// The corresponding C function is `usleep`.
  static func pause(microseconds: UInt32) { usleep(microseconds) }

  /// Waits until the thread has ended.
  ///
  /// The corresponding C function is `pthread_join`.
  public consuming func join() {
    let handle = handle
    discard self
    let code = pthread_join(handle, nil)
    precondition(code == 0, "a thread was joined twice, or by itself")
  }

  deinit { pthread_detach(handle) }
}

/// What a new thread needs to begin.
private final class Start: Sendable {
  let name: String
  let niceness: Int32
  let body: @Sendable () -> Void

  init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
    self.name = name
    self.niceness = niceness
    self.body = body
  }
}
