// One client of a peer: a socket that becomes a TLS channel that becomes a login.
import Reactor
import Transports

/// One connection of a fleet; belongs to its thread.
final class PeerConnection {
  enum Phase {
    case connecting, greeting, handshaking, login, ready
  }

  /// Which client of the fleet this is; its kept session lies under the same number.
  let number: Int
  let token: Token
  let startedAt: UInt64
  var phase = Phase.connecting
  /// The socket, until TLS takes it over.
  var socket: Descriptor?
  /// The connection from then on.
  var channel: ByteChannel?
  /// The beginning of something that has not fully arrived.
  var partial: [UInt8] = []

  init(number: Int, token: Token, socket: consuming Descriptor, startedAt: UInt64) {
    self.number = number
    self.token = token
    self.socket = consume socket
    self.startedAt = startedAt
  }

  /// Ends without a word and without anything lingering in the kernel, as a lost network does.
  func drop() {
    if let channel {
      try? StreamSocket.setAbortiveClose(channel.descriptor)
      channel.close(sendCloseNotify: false)
    }
    channel = nil
    socket = nil
  }
}
