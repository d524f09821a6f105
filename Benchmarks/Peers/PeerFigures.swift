// The figures of one run, by the names of the goals' table, as lines for people and as JSON for the
// script that lays the runs side by side.

/// Names of figures: the row of the goals' table that a figure belongs to, and what it is.
public enum PeerFigure: String, CaseIterable, Sendable {
  /// Bytes of RSS growth per idle connection.
  case idleMemory = "M1"
  /// The same by PSS.
  case idleProportional = "M1.pss"
  /// Bytes of RSS growth per connection after traffic.
  case memoryAfterTraffic = "M4.traffic"
  /// The same after the storm.
  case memoryAfterStorm = "M4.storm"
  /// Kernel slab bytes per end of a connection.
  case slab = "M5.slab"
  /// Bytes of RSS growth and of slab per end together.
  case wholeMachine = "M5"
  /// Server CPU ms of a connect with a full handshake and login.
  case fullHandshake = "H1"
  /// Server CPU ms of a connect with a kept session.
  case resumedHandshake = "H3"
  /// How many of those were resumed, per cent.
  case resumedShare = "H3.resumed"
  /// Server CPU us of one push and its ack.
  case pushCPU = "F1"
  /// CPU us of the clients for the same, in one process for peers and in several for ours.
  case pushClientCPU = "F1.client"
  /// Publish to receipt, middle, ms.
  case pushMiddle = "F3.p50"
  /// Publish to receipt, 99th percentile, ms.
  case pushTail = "F3"
  /// Publish to the last receipt, ms.
  case pushLast = "F3.last"
  /// Pushes or acks that did not come.
  case pushMissing = "F.missing"
  /// Server CPU us of one push that nobody answers.
  case pushUnanswered = "F7"
  /// Server CPU ms in a second in which nobody speaks.
  case quiet = "I1"
  /// Server CPU us of a keep-alive.
  case keepAlive = "I2"
  /// Seconds until 99.9 % are back after all were dropped at once.
  case stormBack = "S1"
  /// A client's wait in the storm, middle, s.
  case stormMiddle = "S1.p50"
  /// A client's wait in the storm, 99th percentile, s.
  case stormTail = "S1.p99"
  /// Those who were not back in time.
  case stormLost = "S1.lost"
  /// Server CPU ms of a reconnect in the storm.
  case stormCPU = "S3"
  /// Attempts that failed in the storm.
  case stormErrors = "P1"
  /// Attempts that failed before the storm.
  case errors = "errors"
  // Of our own server alone, taken by `bgb-swarm run --scenario table`:
  /// PSS of all processes of the server, MiB.
  case wholeServer = "M3.total"
  /// Server CPU ms from the first mark until the site knew of everybody.
  case telling = "I1.telling"
  /// Bytes of RSS growth per connection after that.
  case memoryAfterTelling = "M1.told"
  /// Bytes of RSS growth per connection some time after it all.
  case memoryAtRest = "M4.calm"
  /// Server CPU ms of a connect while there are few connections.
  case firstHandshakes = "H1.first"
  /// Server CPU ms of a connect while all others are connected.
  case laterHandshakes = "H1.later"
  /// Server CPU ms of a connect beside all others, mean of turns.
  case crowdedHandshakes = "H1.crowded"
  /// Server CPU ms of a connect beside nobody else, mean of turns between those.
  case lonelyHandshakes = "H1.lonely"
  /// The former by the latter.
  case handshakeGrowth = "H5"
  /// The first receipt of all to receipt, middle, ms.
  case pushMiddleFromFirst = "F3.first.p50"
  /// The same, 99th percentile, ms.
  case pushTailFromFirst = "F3.first"
  /// The server's first push to receipt, 99th percentile, ms.
  case pushTailFromServer = "F3.server"
  /// Server CPU seconds of the whole storm.
  case stormSeconds = "S3.seconds"
  /// p99 of a push during a storm by that in quiet, of those who were online.
  case pushInStorm = "S4"

  /// What it is, with its unit, for a table's row.
  public var words: String {
    switch self {
    case .idleMemory: "memory per idle connection (RSS), bytes"
    case .idleProportional: "the same (PSS), bytes"
    case .memoryAfterTraffic: "the same after traffic (RSS), bytes"
    case .memoryAfterStorm: "the same after the storm (RSS), bytes"
    case .slab: "kernel slab per end of a connection, bytes"
    case .wholeMachine: "memory per idle connection, RSS and slab, bytes"
    case .fullHandshake: "full handshake and login, CPU ms"
    case .resumedHandshake: "reconnect with a kept session, CPU ms"
    case .resumedShare: "of these resumed, %"
    case .pushCPU: "push and ack, CPU us"
    case .pushClientCPU: "push and ack, CPU us of the clients"
    case .pushMiddle: "publish to receipt, p50 ms"
    case .pushTail: "publish to receipt, p99 ms"
    case .pushLast: "publish to the last receipt, ms"
    case .pushMissing: "pushes and acks missing"
    case .pushUnanswered: "push that nobody answers, CPU us"
    case .quiet: "nobody speaks, CPU ms/s"
    case .keepAlive: "keep-alive, CPU us"
    case .stormBack: "storm: 99.9 % back after, s"
    case .stormMiddle: "storm: wait p50, s"
    case .stormTail: "storm: wait p99, s"
    case .stormLost: "storm: not back"
    case .stormCPU: "storm: CPU each, ms"
    case .stormErrors: "storm: failed attempts"
    case .errors: "failed attempts before the storm"
    case .wholeServer: "whole server (PSS), MiB"
    case .telling: "the site is told of all connects, CPU ms"
    case .memoryAfterTelling: "memory per idle connection after that (RSS), bytes"
    case .memoryAtRest: "memory per connection after a rest (RSS), bytes"
    case .firstHandshakes: "full handshake of the first connections, CPU ms"
    case .laterHandshakes: "full handshake beside all connections, CPU ms"
    case .crowdedHandshakes: "full handshake beside all connections, in turns, CPU ms"
    case .lonelyHandshakes: "full handshake beside no others, in turns, CPU ms"
    case .handshakeGrowth: "full handshake beside all by one beside no others"
    case .pushMiddleFromFirst: "first receipt to receipt, p50 ms"
    case .pushTailFromFirst: "first receipt to receipt, p99 ms"
    case .pushTailFromServer: "first push of the server to receipt, p99 ms"
    case .stormSeconds: "storm: CPU in all, s"
    case .pushInStorm: "push in a storm, p99 by that in quiet"
    }
  }
}

/// The figures of one run.
public struct PeerFigures: Sendable {
  /// By whom.
  public let server: String
  /// In what protocol.
  public let dialect: PeerDialect
  /// Connections.
  public let connections: Int
  /// The figures that were taken.
  public private(set) var values: [(figure: PeerFigure, value: Double)] = []
  /// Failed attempts by kind.
  public var failures: [String: Int] = [:]

  init(server: String, dialect: PeerDialect, connections: Int) {
    self.server = server
    self.dialect = dialect
    self.connections = connections
  }

  mutating func note(_ figure: PeerFigure, _ value: Double) {
    values.append((figure, value))
  }

  /// One figure a line: name, value, what it is.
  public var lines: [String] {
    values.map { figure, value in
      "\(padded(figure.rawValue, 12)) \(padded(Self.text(value), 12)) \(figure.words)"
    }
      + failures.sorted { $0.key < $1.key }.map {
        "\(padded("failures", 12)) \($0.value) \($0.key)"
      }
  }

  /// Everything as one JSON object; `figures` is flat.
  public var json: String {
    let figures = values.map { "\"\($0.figure.rawValue)\":\(Self.text($0.value))" }
    let failures = failures.sorted { $0.key < $1.key }.map { "\"\(plain($0.key))\":\($0.value)" }
    return "{\"server\":\"\(plain(server))\",\"dialect\":\"\(dialect.rawValue)\","
      + "\"connections\":\(connections),\"figures\":{\(figures.joined(separator: ","))},"
      + "\"failures\":{\(failures.joined(separator: ","))}}\n"
  }

  /// Four decimals, without the zeros at the end.
  static func text(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "0" }
    let scaled = Int64((abs(value) * 10_000).rounded())
    var text = "\(scaled / 10_000)"
    var fraction = scaled % 10_000
    if fraction > 0 {
      var digits = "\(fraction + 10_000)".dropFirst()
      while fraction % 10 == 0 {
        digits = digits.dropLast()
        fraction /= 10
      }
      text += "." + digits
    }
    return value < 0 && scaled > 0 ? "-" + text : text
  }

  private func plain(_ text: String) -> String {
    String(text.map { $0 == "\"" || $0 == "\\" || $0.isNewline ? " " : $0 })
  }

  private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }
}

/// The value at a share of sorted values: the first that has so many at or below it.
func percentile<Value: Comparable>(_ sorted: [Value], _ perMille: Int) -> Value? {
  guard !sorted.isEmpty else { return nil }
  let place = (sorted.count * perMille + 999) / 1000
  return sorted[min(max(place, 1), sorted.count) - 1]
}
