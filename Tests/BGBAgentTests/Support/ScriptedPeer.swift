// Something on the way that the doctor meets: a server of the site or what stands in its place. It
// listens on a thread of its own, serves one connection after the other, and does what its script
// says.

import BGBModel
import Glibc
import Reactor
import Synchronization
import Transports

@testable import BGBAgent

final class ScriptedPeer: Sendable {
  /// What it is.
  enum Script: Sendable {
    /// Takes connections and says nothing.
    case deaf
    /// Says this to whatever comes, and ends.
    case plain(String)
    /// Speaks TLS with these files, and answers requests by their path.
    case tls(certificate: String, key: String, authority: String, Answers)
    /// A proxy that answers CONNECT with this; an answer of 200 is followed by a way to the target.
    case proxy(String)
  }

  typealias Answers = @Sendable (_ path: String) -> Reply

  /// An answer to a request.
  enum Reply: Sendable {
    /// These bytes, after so many milliseconds.
    case bytes(String, afterMilliseconds: Int32 = 0)
    /// These bytes, and then the connection ends without a word.
    case cut(String, afterMilliseconds: Int32 = 0)
    /// Nothing, until the other side goes.
    case nothing
  }

  private struct State {
    var isStopped = false
    var requests: [String] = []
    var connections = 0
  }

  let port: UInt16
  private let state = Mutex(State())
  private let script: Script

  /// Every request line that came, over all connections.
  var requests: [String] { state.withLock { $0.requests } }
  var connections: Int { state.withLock { $0.connections } }
  var address: String { "127.0.0.1:\(port)" }

  init(_ script: Script) throws {
    self.script = script
    let listener = try Listener(.loopback(port: 0))
    port = listener.boundAddress.port ?? 0
    // The thread has its own listener: the object belongs to the thread that made it.
    let number = dup(listener.fd)
    _ = try KernelThread.start(name: "scripted") { [self] in serve(listening: number) }
  }

  func stop() { state.withLock { $0.isStopped = true } }

  private var isStopped: Bool { state.withLock { $0.isStopped } }

  private func serve(listening number: Int32) {
    defer { close(number) }
    let context: TLSContext? =
      if case .tls(let certificate, let key, let authority, _) = script {
        try? TLSContext(
          role: .server, certificateChainFile: certificate, privateKeyFile: key,
          caFile: authority)
      } else {
        nil
      }
    while !isStopped {
      guard waitFor(number, POLLIN) else { continue }
      let connection = accept(number, nil, nil)
      guard connection >= 0 else { continue }
      state.withLock { $0.connections += 1 }
      _ = fcntl(connection, F_SETFL, O_NONBLOCK)
      let socket = Descriptor(owning: connection)
      switch script {
      case .deaf: waitForEnd(connection)
      case .plain(let text):
        _ = readSome(connection)
        writeAll(connection, text)
      case .tls(_, _, _, let answers):
        if let context { serve(socket, context, answers) }
      case .proxy(let answer): serveProxy(connection, answer)
      }
    }
  }

  // MARK: TLS

  private func serve(
    _ socket: consuming Descriptor, _ context: TLSContext, _ answers: Answers
  ) {
    let number = socket.raw
    guard var tls = try? TLSTransport(socket, context: context) else { return }
    while true {
      let step = tls.handshake()
      if case .done = step { break }
      guard case .wouldBlock = step, !isStopped else { return }
      _ = waitFor(number, POLLIN)
    }
    var buffer = ReceiveBuffer()
    var text = ""
    while !isStopped {
      switch tls.read(into: &buffer) {
      case .progressed:
        buffer.withBytes { bytes in
          text += String(decoding: (0..<bytes.count).map { bytes[$0] }, as: UTF8.self)
        }
        buffer = ReceiveBuffer()
      case .wouldBlock: _ = waitFor(number, POLLIN)
      case .ended, .failed: return
      }
      while let end = text.firstRange(of: "\r\n\r\n") {
        let line = String(text.prefix { $0 != "\r\n" })
        text = String(text[end.upperBound...])
        state.withLock { $0.requests.append(line) }
        let words = line.split(separator: " ")
        guard words.count == 3, answer(answers(String(words[1])), &tls, number) else { return }
      }
    }
  }

  /// Whether the connection goes on.
  private func answer(_ reply: Reply, _ tls: inout TLSTransport, _ number: Int32) -> Bool {
    switch reply {
    case .nothing: return true
    case .bytes(let text, let wait):
      pause(wait)
      return write(text, &tls, number)
    case .cut(let text, let wait):
      pause(wait)
      _ = write(text, &tls, number)
      return false
    }
  }

  private func write(_ text: String, _ tls: inout TLSTransport, _ number: Int32) -> Bool {
    var rest = Array(text.utf8)
    while !rest.isEmpty {
      switch tls.write(rest.span) {
      case .progressed(let count): rest.removeFirst(count)
      case .wouldBlock: _ = waitFor(number, POLLOUT)
      case .ended, .failed: return false
      }
    }
    return true
  }

  // MARK: Proxy

  private func serveProxy(_ number: Int32, _ answer: String) {
    let request = readSome(number)
    let words = request.split(whereSeparator: { $0.isWhitespace })
    guard words.count > 1, words[0] == "CONNECT" else { return }
    state.withLock { $0.requests.append("CONNECT \(words[1])") }
    writeAll(number, answer)
    guard answer.hasPrefix("HTTP/1.1 200"), let target = SocketAddress(String(words[1])),
      let way = try? StreamSocket.connect(to: target)
    else { return }
    _ = waitFor(way.raw, POLLOUT)
    while !isStopped {
      var both = [
        pollfd(fd: number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: way.raw, events: Int16(POLLIN), revents: 0),
      ]
      _ = poll(&both, 2, 50)
      if both[0].revents != 0, !carry(from: number, to: way.raw) { return }
      if both[1].revents != 0, !carry(from: way.raw, to: number) { return }
    }
  }

  private func carry(from one: Int32, to other: Int32) -> Bool {
    var room = [UInt8](repeating: 0, count: 65_536)
    let count = read(one, &room, room.count)
    guard count > 0 else { return count < 0 && errno == EAGAIN }
    return send(other, room, count, Int32(MSG_NOSIGNAL)) == count
  }

  // MARK: Bytes

  private func readSome(_ number: Int32) -> String {
    var room = [UInt8](repeating: 0, count: 65_536)
    while !isStopped {
      guard waitFor(number, POLLIN) else { continue }
      let count = read(number, &room, room.count)
      return count > 0 ? String(decoding: room.prefix(count), as: UTF8.self) : ""
    }
    return ""
  }

  private func writeAll(_ number: Int32, _ text: String) {
    _ = send(number, text, text.utf8.count, Int32(MSG_NOSIGNAL))
  }

  private func waitForEnd(_ number: Int32) { while !isStopped, readSome(number) != "" {} }

  /// The delay that the script asks for.
  private func pause(_ milliseconds: Int32) {
    if milliseconds > 0 { _ = poll(nil, 0, milliseconds) }
  }

  private func waitFor(_ number: Int32, _ what: Int32) -> Bool {
    var one = pollfd(fd: number, events: Int16(what), revents: 0)
    return poll(&one, 1, 50) > 0
  }
}

/// An answer with a length, as the server writes it.
func httpAnswer(_ body: String, status: String = "200 OK", type: String = "application/json")
  -> String
{
  "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
