// A way to another port that can be opened and closed: what a firewall's rule is to the agents
// behind it.

import Foundation
import Glibc
import Synchronization

/// Carries connections to another port as long as it is open.
final class Relay: Sendable {
  let port: UInt16
  private let listener: Int32
  private let connections = Mutex<Set<Int32>>([])

  /// Opens a port, or a free one.
  init(port: UInt16 = 0, to target: UInt16) throws {
    (listener, self.port) = try Sockets.listen(port)
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { break }
        Thread.detachNewThread { [self] in carry(connection, to: target) }
      }
      Glibc.close(listener)
    }
  }

  private func carry(_ connection: Int32, to target: UInt16) {
    defer { Glibc.close(connection) }
    guard let way = Sockets.connect(target) else { return }
    defer { Glibc.close(way) }
    connections.withLock { _ = $0.insert(connection) }
    defer { connections.withLock { _ = $0.remove(connection) } }
    let back = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      Sockets.copy(from: way, to: connection)
      back.signal()
    }
    Sockets.copy(from: connection, to: way)
    back.wait()
  }

  /// Closes the port and breaks what it carries.
  func close() {
    shutdown(listener, Int32(SHUT_RDWR))
    connections.withLock { for one in $0 { shutdown(one, Int32(SHUT_RDWR)) } }
  }
}
