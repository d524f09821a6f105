// An HTTP client over a Unix socket, as small as a test can bear: one request a connection,
// blocking, on a thread of its own pool so that it cannot starve the manager under test.

import Glibc
import NIOPosix

@testable import BGBManager

struct SocketClient: Sendable {
  let path: String

  struct Reply: Sendable {
    var status: Int
    var headers: [String: String]
    var body: String

    var json: JSONValue { (try? JSONReader.read(Array(body.utf8))) ?? .null }
  }

  struct Failure: Error {
    var call: String
    var number: Int32
  }

  /// One request and its whole answer.
  func send(
    _ method: String, _ target: String, body: String? = nil, headers: [String: String] = [:]
  ) async throws -> Reply {
    try await NIOThreadPool.singleton.runIfActive {
      let connection = try connect()
      defer { close(connection) }
      try write(connection, method, target, body, headers)
      return try SocketClient.parse(SocketClient.readAll(connection))
    }
  }

  /// A request whose answer goes on: returns the events as text once it ends.
  ///
  /// `whenOpen` is called with what has come each time more comes.
  func follow(
    _ target: String, whenMore: @escaping @Sendable (String) -> Void
  ) async throws -> String {
    try await NIOThreadPool.singleton.runIfActive {
      let connection = try connect()
      defer { close(connection) }
      try write(connection, "GET", target, nil, [:])
      var bytes: [UInt8] = []
      while let more = try SocketClient.readSome(connection) {
        bytes += more
        whenMore(String(decoding: bytes, as: UTF8.self))
      }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  private func connect() throws -> Int32 {
    let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { place in
      place.copyBytes(from: Array(path.utf8).prefix(place.count - 1))
    }
    var patience = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(
      number, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else {
      let failure = Failure(call: "connect", number: errno)
      close(number)
      throw failure
    }
    return number
  }

  private func write(
    _ connection: Int32, _ method: String, _ target: String, _ body: String?,
    _ headers: [String: String]
  ) throws {
    var text = "\(method) \(target) HTTP/1.1\r\nHost: manager\r\nConnection: close\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
    let bytes = Array((text + "\r\n" + (body ?? "")).utf8)
    var sent = 0
    while sent < bytes.count {
      let count = Glibc.send(
        connection, Array(bytes[sent...]), bytes.count - sent, Int32(MSG_NOSIGNAL))
      // A server that refuses a body early closes; its answer is still to be read.
      if count <= 0 { return }
      sent += count
    }
  }

  private static func readSome(_ connection: Int32) throws -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = read(connection, &buffer, buffer.count)
    if count == 0 { return nil }
    guard count > 0 else { throw Failure(call: "read", number: errno) }
    return Array(buffer[..<count])
  }

  private static func readAll(_ connection: Int32) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let more = try readSome(connection) { bytes += more }
    return bytes
  }

  private static func parse(_ bytes: [UInt8]) throws -> Reply {
    let text = String(decoding: bytes, as: UTF8.self)
    // CRLF is one character of a Swift string.
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\r\n")
    let words = lines.first?.split(separator: " ") ?? []
    guard words.count > 1, let status = Int(words[1]) else {
      throw Failure(call: "parse", number: 0)
    }
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let pair = line.split(separator: ": ", maxSplits: 1)
      if pair.count == 2 { headers[pair[0].lowercased()] = String(pair[1]) }
    }
    return Reply(status: status, headers: headers, body: parts.count > 1 ? String(parts[1]) : "")
  }
}
