// The socket that carries an agent's long polls at the moment. It may be replaced within a session;
// the session's streams are in the link's channel, the requests under way in its exchange.

import BGBWire
import Reactor
import Transports

/// One HTTPS connection of a link.
final class PollCarrier {
  /// The way to the server.
  let channel: ByteChannel
  /// Whether TLS stands.
  var isOpen = false
  /// Cuts what arrives into answers, whose bodies are bounded as a session's unconfirmed output is.
  var answers = HTTPAnswerReader()

  init(_ channel: ByteChannel) { self.channel = channel }
}

@available(*, unavailable)
extension PollCarrier: Sendable {}

/// What a link over HTTPS is made of besides its channel.
final class PollLine {
  /// What is said and heard.
  var exchange: PollExchange
  /// The socket; nil while it is being opened, and between two.
  var carrier: PollCarrier?
  /// When a carrier is to be opened, while there is none; never while one is being opened.
  var opensAt = Ticks.never
  /// When an opening that is under way is given up.
  var openingUntil = Ticks.never
  /// `host:port` of the HTTPS listener.
  let endpoint: String
  /// Whether a carrier of this session was lost: a server that then does not know the session has
  /// probably been started anew.
  var hasLostCarrier = false

  init(endpoint: String, pollSeconds: UInt32?) {
    self.endpoint = endpoint
    exchange = PollExchange(pollSeconds: pollSeconds)
  }

  /// When something is due at the latest.
  var deadline: Ticks { min(min(opensAt, openingUntil), exchange.deadline) }
}

@available(*, unavailable)
extension PollLine: Sendable {}

/// A TCP connection that is tried beside a session over HTTPS.
final class ClimbTry {
  /// The way to the server; nil while its name is looked up.
  var channel: ByteChannel?
  /// Whether TLS stands.
  var isOpen = false
  /// Cuts what arrives into messages.
  var reader = FrameReader()
  /// The server of this try.
  let endpoint: String
  /// Its number, so that a look-up for an earlier try is not taken for this one's.
  let number: UInt32

  init(endpoint: String, number: UInt32) {
    self.endpoint = endpoint
    self.number = number
  }
}

@available(*, unavailable)
extension ClimbTry: Sendable {}
