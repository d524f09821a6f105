// One connection of the doctor: connect, shake hands, ask, each with a deadline and each blocking,
// for the doctor is a program of its own and does one thing after the other.

import Glibc
import HTTPClient
import Reactor
import Transports

/// Why there is no connection.
enum ConnectProblem: Error, Equatable {
  /// The kernel said no; at once, or after the attempt was under way.
  case refused(Errno, atOnce: Bool)
  /// Nobody answered in time.
  case timedOut
}

/// What a handshake came to.
enum ShakeResult: Equatable {
  case done
  case failed(TransportError)
  case timedOut
}

/// One connection, from the first packet to the last.
final class ProbeConnection {
  private let poller: Poller
  private let ready = ReadyList(capacity: 4)
  private let token = Token(generation: 1, index: 1)
  private var socket: Descriptor?
  private var channel: ByteChannel?
  private var buffer = ReceiveBuffer()

  /// Connects to an address.
  init(to address: SocketAddress, until deadline: Ticks) throws(ConnectProblem) {
    let number: Int32
    do throws(Errno) {
      poller = try Poller()
      let socket = try StreamSocket.connect(to: address)
      number = socket.raw
      try poller.add(number, token, .writable)
      self.socket = consume socket
    } catch {
      throw .refused(error, atOnce: true)
    }
    do throws(Errno) {
      while try poller.wait(into: ready, timeoutMilliseconds: Self.left(until: deadline)) == 0 {
        if MonotonicClock.now() >= deadline { throw Errno.timedOut }
      }
      try StreamSocket.finishConnect(number)
      try poller.remove(number)
    } catch {
      if MonotonicClock.now() >= deadline { throw .timedOut }
      throw .refused(error, atOnce: false)
    }
  }

  /// Takes over a connection that a proxy let through.
  init(_ socket: consuming Descriptor) throws(Errno) {
    poller = try Poller()
    self.socket = consume socket
  }

  deinit { channel?.close(sendCloseNotify: false) }

  private static func left(until deadline: Ticks) -> Int32 {
    Int32(clamping: deadline.since(MonotonicClock.now()))
  }

  // MARK: TLS

  /// Shakes hands as a new client, without a session to resume: certificates are to be seen.
  func shakeHands(_ context: TLSContext, until deadline: Ticks) -> ShakeResult {
    guard let socket = socket.take() else { return .failed(TransportError(.closed)) }
    let channel: ByteChannel
    do throws(TransportError) {
      channel = ByteChannel(
        .tls(try TLSTransport(socket, context: context)), token: token,
        pool: BlockPool(limit: 16), outboundBytesMax: 65_536, now: MonotonicClock.now())
    } catch {
      return .failed(error)
    }
    self.channel = channel
    while true {
      switch channel.handshake() {
      case .done: return .done
      case .failed(let error): return .failed(error)
      case .wouldBlock: guard wait(until: deadline) else { return .timedOut }
      }
    }
  }

  /// The peer's certificate, admitted by OpenSSL or refused.
  var peer: PeerIdentity? { channel?.peer ?? channel?.readRefusedPeer() }

  /// Version and suite.
  var agreement: String? { channel?.readAgreement() }

  /// Ends our direction and listens to what the server has to say to that.
  ///
  /// In TLS 1.3 our handshake is done before the server has seen our certificate: whether it takes
  /// it shows only now. Nil when it does, or says nothing until the deadline.
  func sayGoodbye(until deadline: Ticks) -> TransportError? {
    guard let channel else { return nil }
    _ = channel.finishSending()
    while true {
      switch channel.receive(into: &buffer) {
      case .progressed: continue
      case .ended: return nil
      case .failed(let error): return error.kind == .alertReceived ? error : nil
      case .wouldBlock: guard wait(until: deadline) else { return nil }
      }
    }
  }

  // MARK: HTTP

  /// Sends a GET and waits for its answer.
  func ask(_ path: String, host: String, until deadline: Ticks) -> ProbeAnswer {
    guard let channel else { return .lost(TransportError(.closed)) }
    let request = Array("GET \(path) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
    guard channel.enqueue(request.span, now: MonotonicClock.now()) == .stored else {
      return .lost(TransportError(.setup))
    }
    var reader = HTTPAnswerReader()
    while true {
      if case .failed(let error) = channel.flush(now: MonotonicClock.now()),
        error.kind != .connectionReset
      {
        return .lost(error)
      }
      switch channel.receive(into: &buffer) {
      case .progressed:
        buffer.withBytes { reader.append($0) }
        do throws(HTTPAnswerFault) {
          if let answer = try reader.next() { return .answered(answer) }
        } catch {
          return .notOurs(error)
        }
      case .ended: return .ended(midway: !reader.isEmpty)
      case .failed(let error) where error.kind == .truncated:
        return .ended(midway: !reader.isEmpty)
      case .failed(let error): return .lost(error)
      case .wouldBlock: guard wait(until: deadline) else { return .silent }
      }
    }
  }

  /// Ends it.
  func close() {
    channel?.close(sendCloseNotify: true)
    channel = nil
  }

  /// Waits until the socket may have something for us; false when the time is over.
  private func wait(until deadline: Ticks) -> Bool {
    guard let channel, MonotonicClock.now() < deadline else { return false }
    do throws(Errno) {
      try channel.settle(poller)
      _ = try poller.wait(into: ready, timeoutMilliseconds: Self.left(until: deadline))
    } catch {
      return false
    }
    return true
  }
}

@available(*, unavailable)
extension ProbeConnection: Sendable {}
