// A management point's policy listener: HTTPS with client certificates, answers set by the test.

import BGBModel
import Glibc
import Reactor
import Synchronization
import Transports

@testable import BGBAgent

final class FakePolicyServer: Sendable {
  struct State {
    var body = #"{"policies":[],"tasks":[]}"#
    var tag = "\"1\""
    var status = "200 OK"
    /// Bytes of the answer's body that are sent before the connection breaks; nil sends all.
    var cutAfter: Int?
    var requests: [String] = []
    var isStopped = false
  }

  let state = Mutex(State())
  private let port = Mutex<UInt16?>(nil)

  /// Where it listens.
  var url: String { "https://localhost:\(port.withLock { $0 ?? 0 })" }

  init(_ site: TestSite) throws {
    let files = try site.server("mp1")
    let authority = site.authorityFile
    _ = try KernelThread.start(name: "policy") { [self] in
      listen(certificate: files.certificate, key: files.key, authority: authority)
    }
    while port.withLock({ $0 == nil }) { usleep(500) }
  }

  private func listen(certificate: String, key: String, authority: String) {
    guard let listener = try? Listener(.loopback(port: 0)),
      let context = try? TLSContext(
        role: .server, certificateChainFile: certificate, privateKeyFile: key, caFile: authority)
    else { return port.withLock { $0 = 0 } }
    port.withLock { $0 = listener.boundAddress.port }
    while !state.withLock({ $0.isStopped }) {
      waitFor(listener.fd, POLLIN)
      if case .accepted(let socket, _) = listener.accept() { serve(socket, context) }
    }
  }

  func stop() { state.withLock { $0.isStopped = true } }

  private func serve(_ socket: consuming Descriptor, _ context: TLSContext) {
    let number = socket.raw
    guard var tls = try? TLSTransport(socket, context: context) else { return }
    var rounds = 0
    while rounds < 200 {
      rounds += 1
      switch tls.handshake() {
      case .done: return answer(&tls, number)
      case .wouldBlock: waitFor(number, POLLIN)
      case .failed: return
      }
    }
  }

  private func answer(_ tls: inout TLSTransport, _ number: Int32) {
    var buffer = ReceiveBuffer()
    var request: [UInt8] = []
    for _ in 0..<200 where !String(decoding: request, as: UTF8.self).contains("\r\n\r\n") {
      switch tls.read(into: &buffer) {
      case .progressed: buffer.withBytes { for index in $0.indices { request.append($0[index]) } }
      case .wouldBlock: waitFor(number, POLLIN)
      case .ended, .failed: return
      }
    }
    let text = String(decoding: request, as: UTF8.self)
    let reply = state.withLock { state -> [UInt8] in
      state.requests.append(text)
      let isKnown = text.lowercased().contains("if-none-match: \(state.tag.lowercased())")
      let status = isKnown ? "304 Not Modified" : state.status
      let body = isKnown ? "" : state.body
      let head =
        "HTTP/1.1 \(status)\r\nETag: \(state.tag)\r\nContent-Length: \(body.utf8.count)\r\n"
        + "Connection: close\r\n\r\n"
      return Array(head.utf8) + Array(body.utf8).prefix(state.cutAfter ?? .max)
    }
    var sent = 0
    while sent < reply.count {
      let rest = Array(reply[sent...])
      switch tls.write(rest.span) {
      case .progressed(let count): sent += count
      case .wouldBlock: waitFor(number, POLLOUT)
      case .ended, .failed: return
      }
    }
    _ = tls.finishWriting()
  }
}

/// Waits a moment for a descriptor.
private func waitFor(_ number: Int32, _ what: Int32) {
  var one = pollfd(fd: number, events: Int16(what), revents: 0)
  _ = poll(&one, 1, 50)
}
