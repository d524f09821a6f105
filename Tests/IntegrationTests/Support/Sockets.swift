// Blocking sockets for the parts of a network that the tests play themselves, one thread a
// direction.

import Foundation
import Glibc
import Synchronization

/// Sockets on this computer.
enum Sockets {
  /// A listener on a port of 127.0.0.1, or on a free one.
  static func listen(_ port: UInt16 = 0) throws -> (Int32, UInt16) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var on: Int32 = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    var address = loopback(port)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(listener, address, length) == 0 && getsockname(listener, address, &length) == 0
      }
    }
    guard bound, Glibc.listen(listener, 64) == 0 else {
      close(listener)
      throw StageError.failed("cannot listen on port \(port)")
    }
    return (listener, UInt16(bigEndian: address.sin_port))
  }

  /// Ports below those that the system gives to whoever connects or asks for any
  /// (`ip_local_port_range`, ip(7)): a port from there could be somebody's own until its program
  /// starts, or while that is down.
  private static let reserved: Range<UInt16> = 20_000..<32_000
  /// Where the next search begins; runs beside each other begin in different places.
  private static let search = Mutex(
    reserved.lowerBound + UInt16(truncatingIfNeeded: getpid() % 120) * 100)

  /// A port on which nobody listens, given out once in this process.
  static func freePort() throws -> UInt16 {
    try search.withLock { next in
      for _ in reserved {
        let port = next
        next = port + 1 < reserved.upperBound ? port + 1 : reserved.lowerBound
        guard let (listener, _) = try? listen(port) else { continue }
        close(listener)
        return port
      }
      throw StageError.failed("no port is free in \(reserved)")
    }
  }

  /// A connection to a port, or nil.
  static func connect(_ port: UInt16) -> Int32? {
    let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = loopback(port)
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected != 0 else { return connection }
    close(connection)
    return nil
  }

  private static func loopback(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  /// Sends all; says whether the other side is still there.
  @discardableResult
  static func send(_ connection: Int32, _ bytes: some Sequence<UInt8>) -> Bool {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// What came, at least one byte; nil at the end.
  static func read(_ connection: Int32, atMost count: Int = 16_384) -> [UInt8]? {
    var piece = [UInt8](repeating: 0, count: count)
    let got = Glibc.read(connection, &piece, count)
    return got > 0 ? Array(piece.prefix(got)) : nil
  }

  /// All that comes until the end or until nothing came for so long.
  static func readAll(_ connection: Int32, patienceMilliseconds: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    while hasMore(connection, within: patienceMilliseconds), let piece = read(connection) {
      bytes += piece
    }
    return bytes
  }

  /// Whether there is something to read, or the end.
  static func hasMore(_ connection: Int32, within milliseconds: Int32 = 0) -> Bool {
    var one = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
    return poll(&one, 1, milliseconds) == 1
  }

  /// Carries bytes until one side ends, and passes the end on.
  static func copy(from source: Int32, to sink: Int32) {
    while let piece = read(source), send(sink, piece) {}
    shutdown(sink, Int32(SHUT_WR))
  }

  /// Makes the next close a reset.
  static func breakOff(_ connection: Int32) {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(
      connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
    shutdown(connection, Int32(SHUT_RDWR))
  }
}

/// The server's counters.
enum Metrics {
  /// Everything that the health listener on a port tells; empty when nobody answers.
  static func read(_ port: UInt16) -> [String: Int] {
    guard let connection = Sockets.connect(port) else { return [:] }
    defer { close(connection) }
    Sockets.send(connection, "GET /metrics HTTP/1.1\r\nHost: health\r\n\r\n".utf8)
    let text = String(
      decoding: Sockets.readAll(connection, patienceMilliseconds: 5_000), as: UTF8.self)
    var values: [String: Int] = [:]
    for line in text.split(separator: "\n") where line.hasPrefix("bgb_") {
      let words = line.split(separator: " ")
      if words.count == 2 { values[String(words[0])] = Int(words[1]) }
    }
    return values
  }
}
