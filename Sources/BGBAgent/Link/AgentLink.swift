// One link of an AgentLoop: the session machine with its socket. It carries no decisions; it is the
// record that the loop's phases work on.

import BGBWire
import Reactor
import Transports

/// One client's connection and what it needs to make the next one.
final class AgentLink {
  /// How much of an object is asked for ahead, in bytes; nothing but time depends on it.
  static let bytesInUse = 640
  /// Who it is.
  let identity: AgentIdentity
  /// Certificate and rules; shared by all its connections.
  var context: TLSContext
  /// Certificate and rules of its connections over HTTPS.
  var httpsContext: TLSContext
  /// The servers to try, `host:port` each.
  let endpoints: [String]
  /// Their HTTPS listeners, `host:port` each.
  let httpsEndpoints: [String]
  /// The rules of its life.
  var session: AgentSession
  /// Where its tasks are judged; nil until it has been added.
  var desk: TaskDesk.ClientDesk? { didSet { deskPlace = Foresight.place(of: desk) } }
  private(set) var deskPlace: UInt = 0
  /// Its slots in the loop: for the channel, for the socket that carries polls, and for the climb.
  var token = Token(generation: 0, index: 0)
  var carrierToken = Token(generation: 0, index: 0)
  var climbToken = Token(generation: 0, index: 0)
  /// The connection, if there is one; over HTTPS it is a polled one, and `polls` has the socket.
  var channel: ByteChannel? { didSet { channelPlace = Foresight.place(of: channel) } }
  private(set) var channelPlace: UInt = 0
  /// The long polls of a link over HTTPS.
  var polls: PollLine?
  /// A try to get back to TCP.
  var climbTry: ClimbTry?
  /// The length of polls that the path was found to allow; forgotten once TCP works.
  var pollSeconds: UInt32?
  /// Whether TLS stands.
  var isOpen = false
  /// Whether its connection is to leave OpenSSL as soon as nothing is under way there.
  var shallDetach = false
  /// Whether it counts among the attempts under way.
  var isAttempting = false
  /// Cuts what arrives into messages.
  var reader = FrameReader()
  /// The session's timer, and when it goes off.
  var timer: TimerHandle?
  var timerAt = Ticks.never
  /// The next server of the list.
  var nextEndpoint = 0
  var nextHTTPS = 0
  /// The server of this attempt.
  var endpoint = ""
  /// Counts attempts, so that the answer to an older look-up is not taken for this one's.
  var attempt: UInt32 = 0
  /// Counts tries to climb, for the same reason.
  var climbs: UInt32 = 0
  /// TLS sessions by server, taken when the ticket arrived: OpenSSL forgets them on a reset.
  var tlsSessions: [String: [UInt8]] = [:]
  /// What to come back with, as ``KeptReconnect`` has it: nil if not looked for yet, empty if there
  /// is nothing.
  var keptReconnect: [UInt8]?
  /// Whether it is on the list of links to flush.
  var isDirty = false
  /// Whether news may wait for room in its outbound queue.
  var hasMoreNews = false
  /// Whether it leaves after what is queued was sent.
  var isLeaving = false
  /// When policies are fetched next by the timer.
  var policyTimer: TimerHandle?

  init(
    identity: AgentIdentity, context: TLSContext, httpsContext: TLSContext, endpoints: [String],
    httpsEndpoints: [String], session: AgentSession
  ) {
    self.identity = identity
    self.context = context
    self.httpsContext = httpsContext
    self.endpoints = endpoints
    self.httpsEndpoints = httpsEndpoints
    self.session = session
  }

  /// The number that an answer for one of its slots must bear to be this attempt's.
  func attempt(of slot: Token) -> UInt32? {
    slot == climbToken ? climbTry?.number : attempt
  }

  /// The file that keeps the TLS session of a server.
  func sessionFile(of endpoint: String) -> String? {
    let name = String(decoding: endpoint.utf8.map(AgentLink.fileByte), as: UTF8.self)
    return identity.sessionFolder.map { "\($0)/session.\(name)" }
  }

  /// The file that keeps what to come back with.
  var reconnectFile: String? { identity.sessionFolder.map { "\($0)/reconnect" } }

  private static func fileByte(_ byte: UInt8) -> UInt8 {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E: byte
    default: 0x5F
    }
  }

  /// The TLS session to resume with, from memory or, at the first use, from disk.
  func savedSession(of endpoint: String) -> [UInt8]? {
    if let saved = tlsSessions[endpoint] { return saved.isEmpty ? nil : saved }
    let read = sessionFile(of: endpoint).flatMap { path in
      (try? AgentFile.read(path, limit: 65_536, followLinks: false)) ?? nil
    }
    tlsSessions[endpoint] = read ?? []
    return read
  }
}

@available(*, unavailable)
extension AgentLink: Sendable {}
