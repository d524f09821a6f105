// A proxy that does what the test says: each request head takes the next step of the script,
// whatever connection it comes on.

import Foundation
import Glibc
import Synchronization

/// What the proxy does with one request head.
enum ProxyStep: Sendable {
  /// Sends a text and reads on.
  case answer(String)
  /// Sends a text and closes.
  case last(String)
  /// Sends a text, then every byte back that comes.
  case echo(String)
  /// Sends a text, connects to the port that the request names, and carries bytes both ways.
  case relay(String)
  /// Sends a text, then another again and again until the client goes.
  case endless(String, String)
  /// Reads on and says nothing.
  case silence
  /// Breaks the connection off.
  case reset
}

/// A proxy that answers by script.
final class ScriptedProxy: Sendable {
  let port: UInt16
  private let listener: Int32
  private let script: Mutex<[ProxyStep]>
  private let heads = Mutex<[String]>([])
  private let ended = DispatchSemaphore(value: 0)

  /// The request heads so far.
  var seen: [String] { heads.withLock { $0 } }

  init(_ steps: [ProxyStep], family: Int32 = AF_INET) throws {
    script = Mutex(steps)
    (listener, port) = try Loopback.listen(family)
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        Thread.detachNewThread { [self] in serve(connection) }
      }
    }
  }

  /// Ends the accepting thread.
  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  /// Waits until a connection ended, from whichever side.
  func waitForAnEnd() -> Bool { ended.wait(timeout: .now() + 10) == .success }

  private func serve(_ connection: Int32) {
    defer {
      close(connection)
      ended.signal()
    }
    while let head = readHead(connection) {
      heads.withLock { $0.append(head) }
      switch script.withLock({ $0.isEmpty ? ProxyStep.reset : $0.removeFirst() }) {
      case .answer(let text): _ = Loopback.send(connection, text)
      case .last(let text):
        _ = Loopback.send(connection, text)
        return
      case .echo(let text):
        _ = Loopback.send(connection, text)
        return Loopback.copy(from: connection, to: connection)
      case .relay(let text): return relay(connection, head, text)
      case .endless(let text, let more):
        var isThere = Loopback.send(connection, text)
        while isThere { isThere = Loopback.send(connection, more) }
        return
      case .silence: break
      case .reset:
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
          connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
        return
      }
    }
  }

  private func relay(_ connection: Int32, _ head: String, _ text: String) {
    let words = head.split(separator: " ")
    guard words.count > 1, let port = words[1].split(separator: ":").last.flatMap({ UInt16($0) }),
      let target = Loopback.connect(port)
    else { return }
    defer { close(target) }
    _ = Loopback.send(connection, text)
    let back = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      Loopback.copy(from: target, to: connection)
      back.signal()
    }
    Loopback.copy(from: connection, to: target)
    back.wait()
  }

  private func readHead(_ connection: Int32) -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while read(connection, &byte, 1) == 1 {
      bytes.append(byte)
      if bytes.suffix(4) == Array("\r\n\r\n".utf8) { return String(decoding: bytes, as: UTF8.self) }
    }
    return nil
  }
}

/// Sockets on this computer.
enum Loopback {
  /// A listener on a free port.
  static func listen(_ family: Int32 = AF_INET) throws -> (Int32, UInt16) {
    let listener = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var bound: Int32
    var port: UInt16 = 0
    if family == AF_INET6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_addr = in6addr_loopback
      (bound, port) = bind(listener, &address) { $0.sin6_port }
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      (bound, port) = bind(listener, &address) { $0.sin_port }
    }
    guard bound == 0, Glibc.listen(listener, 16) == 0 else {
      close(listener)
      throw POSIXError(.EADDRNOTAVAIL)
    }
    return (listener, UInt16(bigEndian: port))
  }

  private static func bind<Address>(
    _ listener: Int32, _ address: inout Address, _ port: (Address) -> in_port_t
  ) -> (Int32, in_port_t) {
    var length = socklen_t(MemoryLayout<Address>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { general in
        let bound = Glibc.bind(listener, general, length)
        return bound == 0 ? getsockname(listener, general, &length) : bound
      }
    }
    return (bound, port(address))
  }

  /// A port on which nobody listens.
  static func closedPort() throws -> UInt16 {
    let (listener, port) = try listen()
    close(listener)
    return port
  }

  /// A connection to a port, or nil.
  static func connect(_ port: UInt16) -> Int32? {
    let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if connected == 0 { return connection }
    close(connection)
    return nil
  }

  /// Sends all; says whether the other side is still there.
  static func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        rest = rest.dropFirst(count)
      } else {
        guard errno == EAGAIN else { return false }
        wait(connection, POLLOUT)
      }
    }
    return true
  }

  static func send(_ connection: Int32, _ text: String) -> Bool {
    send(connection, Array(text.utf8))
  }

  /// Reads so many bytes, or fewer when the other side ends before.
  static func read(_ connection: Int32, _ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while bytes.count < count {
      let got = Glibc.read(connection, &piece, min(piece.count, count - bytes.count))
      if got > 0 {
        bytes += piece.prefix(got)
      } else {
        guard got < 0, errno == EAGAIN, wait(connection, POLLIN) else { break }
      }
    }
    return bytes
  }

  /// Carries bytes until one side ends, and passes the end on.
  static func copy(from source: Int32, to sink: Int32) {
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = Glibc.read(source, &piece, piece.count)
      guard count > 0, send(sink, Array(piece.prefix(count))) else { break }
    }
    shutdown(sink, Int32(SHUT_WR))
  }

  /// Waits until a descriptor is ready; false after 10 seconds.
  @discardableResult
  static func wait(_ connection: Int32, _ events: Int32) -> Bool {
    var one = pollfd(fd: connection, events: Int16(events), revents: 0)
    return poll(&one, 1, 10_000) == 1
  }
}

/// A server that sends back what comes.
final class EchoServer: Sendable {
  let port: UInt16
  private let listener: Int32

  init() throws {
    (listener, port) = try Loopback.listen()
    Thread.detachNewThread { [listener] in
      while true {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return }
        Thread.detachNewThread {
          Loopback.copy(from: connection, to: connection)
          close(connection)
        }
      }
    }
  }

  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }
}
