// A manager of canned answers on a Unix socket, speaking the agreed JSON: what the console sends is
// kept, what it gets is said by the test.

import Foundation
import Glibc
import Synchronization

@testable import BGBConsole

/// One request that came.
struct SeenRequest: Sendable, Equatable {
  var method: String
  var path: String
  var headers: [String: String]
  var body: JSONValue
}

/// A manager that says what it was told to say.
final class FakeManager: Sendable {
  /// Answers by `METHOD path`, the query left out; a list is used up from the front, its last one
  /// stays.
  typealias Script = [String: [String]]

  let folder: String
  private let socket: Int32
  private let state: Mutex<(script: Script, seen: [SeenRequest])>

  var seen: [SeenRequest] { state.withLock { $0.seen } }

  init(_ script: Script) throws {
    folder = NSTemporaryDirectory() + "bgb-fake-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(
      atPath: folder + "/run", withIntermediateDirectories: true)
    state = Mutex((script, []))
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let path = folder + "/run/manager.sock"
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
          if let request = FakeManager.read(connection) {
            let text = answer(to: request)
            _ = send(connection, text, text.utf8.count, Int32(MSG_NOSIGNAL))
          }
          close(connection)
        }
      }
    }
  }

  /// Ends the accepting thread and removes the folder.
  func stop() {
    shutdown(socket, Int32(SHUT_RDWR))
    try? FileManager.default.removeItem(atPath: folder)
  }

  private func answer(to request: SeenRequest) -> String {
    state.withLock { state in
      state.seen.append(request)
      let path = request.path.split(separator: "?")[0]
      let key = "\(request.method) \(path)"
      guard var answers = state.script[key], !answers.isEmpty else {
        return FakeManager.answer(
          404, #"{"error":{"code":"BGB-2101","message":"no \#(key)","hint":"Look it up."}}"#)
      }
      let answer = answers[0]
      if answers.count > 1 { answers.removeFirst() }
      state.script[key] = answers
      return answer
    }
  }

  /// An answer with a status and a body.
  static func answer(_ status: Int, _ body: String, headers: String = "") -> String {
    "HTTP/1.1 \(status) X\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
  }

  /// An event stream that ends with the connection.
  static func stream(_ events: [(String, String)]) -> String {
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
      + events.map { "event: \($0.0)\ndata: \($0.1)\n\n" }.joined()
  }

  private static func read(_ connection: Int32) -> SeenRequest? {
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
          let words = lines[0].split(separator: " ").map(String.init)
          let body = Array(bytes[head..<head + length])
          return SeenRequest(
            method: words[0], path: words[1], headers: headers,
            body: (try? JSONReader.read(body)) ?? .null)
        }
      }
      let count = Glibc.read(connection, &piece, piece.count)
      guard count > 0 else { return nil }
      bytes += piece.prefix(count)
    }
  }
}
