// A server's connection whose client may come back with a reconnect identity. The first bytes tell:
// if they are such a hello as ReturnHello reads, of an identity that the desk knows and a client
// that has its key, the handshake is done here and the connection is detached from its first byte
// of data; OpenSSL never hears of it. Whatever else they are, they have only been looked at, and
// OpenSSL begins with them as if nothing had been.
//
// The handshake (RFC 8446, 2.2): ClientHello with key share, identity and binder; ServerHello with
// key share, EncryptedExtensions, Finished; Finished. No certificates, no early data, no retry.
import COpenSSL
import Reactor

/// What a server answers such clients by.
struct ReturnRules {
  /// Judges the identities.
  let desk: ReconnectDesk
  /// The suites that are agreed to, in order of preference.
  let suites: [CipherSuite]
  /// Key updates that a client may make.
  let keyUpdatesMax: Int

  /// Reads the rules of a context; nil where OpenSSL might agree on what is unknown here.
  init?(_ desk: ReconnectDesk, _ options: TLSOptions) {
    guard options.groups.split(separator: ":").first == "X25519" else { return nil }
    let names = options.cipherSuites.split(separator: ":")
    let suites = names.compactMap { name in CipherSuite.allCases.first { $0.name == name } }
    guard suites.count == names.count else { return nil }
    self.desk = desk
    self.suites = suites
    keyUpdatesMax = options.keyUpdatesMax
  }
}

/// What one step of such a handshake came to.
enum ReturnStep: Equatable {
  /// It is done, for this client; the slot is the caller's now.
  case done(ProvenClient, SlotName)
  /// Step again when the descriptor is ready for this.
  case wouldBlock(Readiness)
  /// There will be no connection.
  case failed(TransportError)
  /// It is for OpenSSL; nothing was read or sent.
  case notOurs
}

/// One TLS connection, until it is known how it goes on.
///
/// Belongs to the thread of its ``TLSContext``.
public struct ReturningTransport: ~Copyable {
  private let socket: Descriptor
  private let work: ReturnHandshake

  init(
    _ socket: consuming Descriptor, context: TLSContext, _ rules: ReturnRules,
    _ table: DetachedTable
  ) {
    work = ReturnHandshake(socket.raw, context, rules, table)
    self.socket = socket
  }

  /// The descriptor's number, for epoll.
  public var descriptor: Int32 { socket.raw }

  /// Takes the handshake as far as the socket lets it.
  func step() -> ReturnStep { work.step() }

  /// The connection, of which the handshake is done.
  consuming func detach(_ slot: SlotName) -> DetachedTransport {
    DetachedTransport(socket, work.table, slot)
  }

  /// The connection, of which nothing was read.
  consuming func giveToOpenSSL() throws(TransportError) -> TLSTransport {
    try TLSTransport(socket, context: work.context)
  }
}

@available(*, unavailable)
extension ReturningTransport: Sendable {}

extension Transport {
  /// Steps a handshake of which it is not known yet whose it is.
  ///
  /// - Precondition: `self` is closed, for the transport was taken out of it.
  mutating func goOn(_ returning: consuming ReturningTransport) -> HandshakeStep {
    switch returning.step() {
    case .wouldBlock(let readiness):
      self = .returning(returning)
      return .wouldBlock(readiness)
    case .failed(let error):
      self = .returning(returning)
      return .failed(error)
    case .done(_, let slot):
      self = .detached(returning.detach(slot))
      return .done
    case .notOurs:
      do throws(TransportError) {
        self = .tls(try returning.giveToOpenSSL())
      } catch {
        return .failed(error)
      }
      return handshake()
    }
  }
}
