// A small blocking HTTP server on a Unix socket for tests: it reads a whole request, shows it to
// the test's script, and writes the pieces that the script returns, each in a write of its own.

import Foundation
import Glibc
import Synchronization

/// What the server saw.
struct SeenRequest: Sendable {
  var line: String
  var headers: [String: String]
  var body: [UInt8]
}

/// A server that answers by script.
final class ScriptedServer: Sendable {
  let path: String
  private let socket: Int32
  private let requests = Mutex<[SeenRequest]>([])

  var seen: [SeenRequest] { requests.withLock { $0 } }

  init(answer: @escaping @Sendable (SeenRequest) -> [String]) throws {
    path = NSTemporaryDirectory() + "bgb-http-\(UUID().uuidString.prefix(8)).sock"
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard bound == 0, listen(socket, 16) == 0 else { throw POSIXError(.EADDRINUSE) }
    Thread.detachNewThread { [self] in
      while true {
        let connection = accept(socket, nil, nil)
        guard connection >= 0 else { return }
        Thread.detachNewThread { [self] in
          if let request = ScriptedServer.readRequest(connection) {
            requests.withLock { $0.append(request) }
            for piece in answer(request) {
              let bytes = Array(piece.utf8)
              if send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) < 0 { break }
            }
          }
          close(connection)
        }
      }
    }
  }

  /// Ends the accepting thread and removes the socket.
  func stop() {
    shutdown(socket, Int32(SHUT_RDWR))
    unlink(path)
  }

  private static func readRequest(_ connection: Int32) -> SeenRequest? {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if let end = text.range(of: "\r\n\r\n") {
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
          let parts = line.split(separator: ":", maxSplits: 1)
          headers[parts[0].lowercased()] =
            parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        let head = text[..<end.upperBound].utf8.count
        let length = Int(headers["content-length"] ?? "0") ?? 0
        if bytes.count >= head + length {
          return SeenRequest(
            line: lines[0], headers: headers, body: Array(bytes[head..<head + length]))
        }
      }
      let count = read(connection, &piece, piece.count)
      guard count > 0 else { return nil }
      bytes += piece.prefix(count)
    }
  }
}

/// An answer with a length.
func answer(_ status: String, _ body: String, headers: String = "") -> String {
  "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}
