// What the supervisor and a worker tell each other, over the socket that the worker inherits. A
// message is a line and a body: a word, a blank, the number of bytes of the body, a line feed, the
// body. Both ends are ours and of one version, except during a rolling upgrade: a word that is not
// known is passed over.

/// A message of the link between supervisor and worker.
struct LinkMessage: Equatable, Sendable {
  /// What it is about.
  var word: String
  /// What it says.
  var text = ""

  /// The bytes that travel.
  var bytes: [UInt8] {
    let body = Array(text.utf8)
    return Array("\(word) \(body.count)\n".utf8) + body
  }
}

/// What the supervisor tells a worker.
enum WorkerOrder: Equatable, Sendable {
  /// Read settings and certificates anew.
  case reload
  /// Open the logs anew.
  case reopenLogs
  /// Say your figures.
  case metrics
  /// Answer, to show that your loop turns.
  case pulse
  /// Tell the site this about yourself: you were started again, and why.
  case restarted(String)

  init?(_ message: LinkMessage) {
    switch message.word {
    case "reload": self = .reload
    case "reopen": self = .reopenLogs
    case "metrics": self = .metrics
    case "pulse": self = .pulse
    case "restarted": self = .restarted(message.text)
    default: return nil
    }
  }

  var message: LinkMessage {
    switch self {
    case .reload: LinkMessage(word: "reload")
    case .reopenLogs: LinkMessage(word: "reopen")
    case .metrics: LinkMessage(word: "metrics")
    case .pulse: LinkMessage(word: "pulse")
    case .restarted(let text): LinkMessage(word: "restarted", text: text)
    }
  }
}

/// How a worker is.
enum WorkerState: Equatable, Sendable {
  /// It runs and cannot keep every promise yet.
  case starting
  /// It serves.
  case ready
  /// It serves, without something that it should have.
  case degraded(String)
  /// It ends, or its agents are being moved away.
  case draining
  /// Its agents were moved away; it stays.
  case drained
  /// It was told to move its agents away and to end: nobody shall start it again.
  case leaving

  init?(_ text: String) {
    switch text {
    case "starting": self = .starting
    case "ready": self = .ready
    case "draining": self = .draining
    case "drained": self = .drained
    case "leaving": self = .leaving
    default:
      guard text.hasPrefix("degraded ") else { return nil }
      self = .degraded(String(text.dropFirst(9)))
    }
  }

  var text: String {
    switch self {
    case .starting: "starting"
    case .ready: "ready"
    case .degraded(let reason): "degraded " + reason
    case .draining: "draining"
    case .drained: "drained"
    case .leaving: "leaving"
    }
  }
}

/// What a worker tells the supervisor.
enum WorkerReport: Equatable, Sendable {
  /// How it is now.
  case state(WorkerState)
  /// Where it listens, in words for people.
  case listening(String)
  /// It read its settings anew, or refused them.
  case reloaded(Bool)
  /// Its figures, as Prometheus text.
  case metrics(String)
  /// Its loop turns. Said once unasked: a program too old to answer shall not be asked.
  case pulse

  init?(_ message: LinkMessage) {
    switch message.word {
    case "state":
      guard let state = WorkerState(message.text) else { return nil }
      self = .state(state)
    case "listening": self = .listening(message.text)
    case "reloaded": self = .reloaded(message.text == "yes")
    case "metrics": self = .metrics(message.text)
    case "pulse": self = .pulse
    default: return nil
    }
  }

  var message: LinkMessage {
    switch self {
    case .state(let state): LinkMessage(word: "state", text: state.text)
    case .listening(let text): LinkMessage(word: "listening", text: text)
    case .reloaded(let isTaken): LinkMessage(word: "reloaded", text: isTaken ? "yes" : "no")
    case .metrics(let text): LinkMessage(word: "metrics", text: text)
    case .pulse: LinkMessage(word: "pulse")
    }
  }
}

/// Collects bytes of a link until messages are complete.
struct LinkReader {
  /// Bytes of a line, and of a body, at most.
  static let lineBytesMax = 32
  static let bodyBytesMax = 1 << 20

  private var held: [UInt8] = []

  /// Whether something came that is no message; nothing behind it can be read.
  private(set) var isBroken = false

  /// Takes what was read.
  mutating func append(_ bytes: Span<UInt8>) {
    for index in bytes.indices { held.append(bytes[index]) }
  }

  /// The next message, if it is complete.
  mutating func next() -> LinkMessage? {
    guard !isBroken else { return nil }
    guard let end = held.firstIndex(of: UInt8(ascii: "\n")) else {
      isBroken = held.count > LinkReader.lineBytesMax
      return nil
    }
    let words = held[..<end].split(separator: UInt8(ascii: " "))
    guard end <= LinkReader.lineBytesMax, words.count == 2,
      let count = Int(String(decoding: words[1], as: UTF8.self)),
      (0...LinkReader.bodyBytesMax).contains(count)
    else {
      isBroken = true
      return nil
    }
    guard held.count - end - 1 >= count else { return nil }
    let body = held[(end + 1)..<(end + 1 + count)]
    let message = LinkMessage(
      word: String(decoding: words[0], as: UTF8.self), text: String(decoding: body, as: UTF8.self))
    held.removeFirst(end + 1 + count)
    return message
  }
}
