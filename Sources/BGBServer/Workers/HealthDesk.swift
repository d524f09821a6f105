// The supervisor's health listener: plain HTTP on loopback, one request a connection, read by the
// same strict reader as everywhere. It knows nothing of workers: it hands questions out and sends
// answers back.

import BGBModel
import Reactor
import ServiceSettings
import Transports

/// Serves the health listener.
final class HealthDesk {
  /// Connections at most; more than a monitor and a person need.
  private static let peersMax = 32
  private static let listenerToken = Token.listener

  /// A request that waits for its answer.
  struct Question: Equatable {
    /// Whose it is.
    let token: Token
    /// What is asked for.
    let path: String
  }

  private final class Peer {
    let descriptor: Descriptor
    var requests = HTTPRequestReader()
    var outbound: [UInt8] = []
    var isAsked = false
    var timer: TimerHandle?

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
  }

  private let loop: Loop
  private let listener: Listener
  private var peers = SlotTable<Peer>(limit: HealthDesk.peersMax)

  /// Where it listens.
  var address: SocketAddress { listener.boundAddress }

  /// Listens.
  init(_ setting: AddressSetting, loop: Loop) throws(Errno) {
    guard let addresses = try? SocketAddress.resolve(host: setting.host, port: setting.port),
      let address = addresses.first
    else { throw .addressNotAvailable }
    self.loop = loop
    listener = try Listener(address, backlog: 64)
    try loop.poller.add(listener.fd, HealthDesk.listenerToken, .readable)
  }

  /// Whether an event is this desk's.
  func serves(_ token: Token) -> Bool { token == HealthDesk.listenerToken || !token.isReserved }

  /// Works on an event; the questions that are complete now.
  func serve(_ token: Token, _ readiness: Readiness) -> [Question] {
    guard token != HealthDesk.listenerToken else {
      accept()
      return []
    }
    guard let peer = peers[token] else { return [] }
    if !peer.outbound.isEmpty {
      flush(token, peer)
      return []
    }
    return read(token, peer)
  }

  /// Answers a question, and ends the connection behind it.
  func answer(_ token: Token, _ response: HTTPResponse) {
    guard let peer = peers[token], peer.outbound.isEmpty else { return }
    peer.outbound = response.encoded()
    flush(token, peer)
  }

  /// A connection's time is over.
  func expire(_ token: Token) {
    peers[token]?.timer = nil
    end(token)
  }

  private func accept() {
    while case .accepted(let descriptor, _) = listener.accept() {
      let number = descriptor.raw
      let peer = Peer(descriptor)
      // Beyond the limit the connection is closed at once, with its object.
      guard let token = peers.insert(peer) else { return }
      guard (try? loop.poller.add(number, token, .readable)) != nil else {
        end(token)
        continue
      }
      peer.timer = loop.arm(
        afterMilliseconds: Limits.requestMilliseconds, payload: token.rawValue)
    }
  }

  private func read(_ token: Token, _ peer: Peer) -> [Question] {
    var room = [UInt8](repeating: 0, count: 4_096)
    switch StreamSocket.read(peer.descriptor.raw, into: &room) {
    case .wouldBlock: return []
    case .ended, .failed:
      end(token)
      return []
    case .moved(let count):
      guard !peer.isAsked else { return [] }
      peer.requests.append(room.span.extracting(0..<count))
    }
    do throws(HTTPRefusal) {
      guard let request = try peer.requests.next() else { return [] }
      peer.isAsked = true
      guard request.method == "GET" else {
        answer(token, .text(405, "only GET"))
        return []
      }
      return [Question(token: token, path: request.path)]
    } catch {
      answer(token, .text(error.rawValue, "\(error)"))
      return []
    }
  }

  private func flush(_ token: Token, _ peer: Peer) {
    while !peer.outbound.isEmpty {
      switch StreamSocket.write(peer.descriptor.raw, peer.outbound.span) {
      case .moved(let count): peer.outbound.removeFirst(count)
      case .wouldBlock:
        try? loop.poller.modify(peer.descriptor.raw, token, .writable)
        return
      case .ended, .failed: return end(token)
      }
    }
    end(token)
  }

  private func end(_ token: Token) {
    guard let peer = peers.remove(token) else { return }
    if let timer = peer.timer { loop.wheel.disarm(timer) }
    try? StreamSocket.shutdownWrites(peer.descriptor.raw)
  }
}

@available(*, unavailable)
extension HealthDesk: Sendable {}
