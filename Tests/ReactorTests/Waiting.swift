// Waiting for an event of one descriptor, with an end that only a broken product reaches.

import CEpollShim
import Glibc
import Reactor

/// Waits until the descriptor can be read; false after ten seconds.
func awaitReadable(_ fd: Int32) -> Bool { clinux_poll(fd, Int16(POLLIN), 10_000) > 0 }

/// Waits until the descriptor can be written; false after ten seconds.
func awaitWritable(_ fd: Int32) -> Bool { clinux_poll(fd, Int16(POLLOUT), 10_000) > 0 }

/// Whether the descriptor can be read right now.
func isReadable(_ fd: Int32) -> Bool { clinux_poll(fd, Int16(POLLIN), 0) > 0 }

/// One write of a whole array, in a form that an expectation can inspect.
func write(_ bytes: [UInt8], to fd: Int32) -> SocketStep { StreamSocket.write(fd, bytes.span) }

/// Both ends of a pipe.
func makePipe() throws -> (reading: Int32, writing: Int32) {
  var ends: [Int32] = [-1, -1]
  guard pipe(&ends) == 0 else { throw Errno.current }
  return (ends[0], ends[1])
}

/// A connected pair over loopback TCP: the one that connected and the one that was accepted.
struct ConnectedPair: ~Copyable {
  let client: Descriptor
  let server: Descriptor

  init() throws {
    let listener = try Listener(.loopback(port: 0))
    let connecting = try StreamSocket.connect(to: listener.boundAddress)
    guard awaitReadable(listener.fd), case .accepted(let accepted, _) = listener.accept() else {
      throw Errno.timedOut
    }
    guard awaitWritable(connecting.raw) else { throw Errno.timedOut }
    try StreamSocket.finishConnect(connecting.raw)
    client = connecting
    server = accepted
  }
}
