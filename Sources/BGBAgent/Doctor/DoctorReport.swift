// What the doctor found, as values, and what follows from them: which ways work, the line that sums
// it up, and the exit code. Pure.

import BGBModel

/// A class of failure.
///
/// The raw value is the program's exit code, and their order that of the way from this computer to
/// the server: never changed, never reused.
enum DoctorFailure: Int32, CaseIterable, Sendable {
  /// The settings or a file that they name.
  case settings = 2
  /// A name without address.
  case name = 10
  /// No connection.
  case tcp = 11
  /// The proxy does not let us through.
  case proxy = 12
  /// TLS, or a certificate of either side.
  case tls = 13
  /// A clock so wrong that certificates do not hold.
  case clock = 14
  /// HTTPS answers that are not our server's, or long polls that do not last.
  case https = 15
  /// The server refuses this client.
  case refused = 16

  /// What it means, for the help.
  var meaning: String {
    switch self {
    case .settings: "settings, or a file that they name"
    case .name: "a name has no address"
    case .tcp: "no TCP connection"
    case .proxy: "the proxy does not let us through"
    case .tls: "TLS, or a certificate of either side"
    case .clock: "a clock so wrong that certificates do not hold"
    case .https: "HTTPS answers that are not our server's, or long polls that do not last"
    case .refused: "the server refuses this client"
    }
  }
}

/// What one check came to, with a sentence; that of a failure or a warning names the remedy.
enum DoctorVerdict: Hashable, Sendable {
  case ok(String)
  case warning(String)
  case failed(DoctorFailure, String)
  case skipped(String)

  var word: String {
    switch self {
    case .ok: "ok"
    case .warning: "warning"
    case .failed: "failed"
    case .skipped: "skipped"
    }
  }

  var sentence: String {
    switch self {
    case .ok(let text), .warning(let text), .failed(_, let text), .skipped(let text): text
    }
  }

  var failure: DoctorFailure? { if case .failed(let failure, _) = self { failure } else { nil } }

  /// Whether what comes behind it can be tried.
  var isGood: Bool {
    switch self {
    case .ok, .warning: true
    case .failed, .skipped: false
    }
  }
}

/// What is looked at; in the order of the way.
enum DoctorHop: String, CaseIterable, Sendable {
  case settings, files, certificate, proxy, name, connect, tls, server, clock, poll
}

/// Where a check belongs.
enum DoctorPlace: Hashable, Sendable {
  /// This computer.
  case here
  /// The way to a notification port, `host:port`.
  case tcp(String)
  /// The way to an HTTPS listener, `host:port`.
  case https(String)

  var kind: String {
    switch self {
    case .here: "here"
    case .tcp: "tcp"
    case .https: "https"
    }
  }

  var point: String? {
    switch self {
    case .here: nil
    case .tcp(let point), .https(let point): point
    }
  }

  var title: String {
    switch self {
    case .here: "this computer"
    case .tcp(let point): "TCP to \(point)"
    case .https(let point): "HTTPS to \(point)"
    }
  }
}

/// One check.
struct DoctorCheck: Hashable, Sendable {
  /// Where it belongs.
  var place: DoctorPlace
  /// What was looked at.
  var hop: DoctorHop
  /// Which of several, such as an address; may be empty.
  var target: String
  /// How long it took.
  var milliseconds: UInt64
  /// What it came to.
  var verdict: DoctorVerdict
}

/// All checks of one run.
struct DoctorReport: Hashable, Sendable {
  /// When it began, by this computer's clock.
  var at: WallTime
  /// The settings that were read.
  var settingsFile: String
  /// Who we are, as far as that is known.
  var clientID: ClientID?
  var site: String?
  /// The checks in the order they were made.
  var checks: [DoctorCheck] = []

  /// The first class that failed, in the order of the way; 0 when none did.
  var exitCode: Int32 { checks.compactMap { $0.verdict.failure?.rawValue }.min() ?? 0 }

  /// The places in their order.
  var places: [DoctorPlace] {
    checks.reduce(into: []) { places, check in
      if !places.contains(check.place) { places.append(check.place) }
    }
  }

  /// The checks of a place.
  func checks(of place: DoctorPlace) -> [DoctorCheck] { checks.filter { $0.place == place } }

  /// Whether an agent could do its work over this way.
  func works(_ place: DoctorPlace) -> Bool {
    // Whoever is refused is refused everywhere; only HTTPS is told so without signing in.
    guard !checks.contains(where: { $0.verdict.failure == .refused }) else { return false }
    let last: DoctorHop
    switch place {
    case .here: return false
    case .tcp: last = .tls
    case .https: last = .server
    }
    let own = checks(of: place)
    return own.contains { $0.hop == last && $0.verdict.isGood }
      && !own.contains { [.tls, .server, .poll].contains($0.hop) && $0.verdict.failure != nil }
  }

  /// One line: which ways work, and where the others fail.
  var summary: String {
    var kinds: [String] = []
    for place in places where works(place) {
      let kind = place.kind.uppercased()
      if !kinds.contains(kind) { kinds.append(kind) }
    }
    var parts = [kinds.isEmpty ? "no way works" : "works over " + kinds.joined(separator: " and ")]
    for place in places {
      // One line a place: what comes behind the first failure mostly follows from it.
      guard let first = checks(of: place).first(where: { $0.verdict.failure != nil }) else {
        continue
      }
      switch (place, first.verdict.failure) {
      case (_, .refused): parts.append("\(place.title): the server refuses this client")
      case (.here, _): parts.append("\(first.hop.rawValue) on this computer: wrong")
      default: parts.append("\(place.title): fails at \(first.hop.rawValue)")
      }
    }
    let warnings = checks.count { if case .warning = $0.verdict { true } else { false } }
    if warnings > 0 { parts.append(warnings == 1 ? "1 warning" : "\(warnings) warnings") }
    return parts.joined(separator: "; ")
  }

  /// Compares what the servers said.
  ///
  /// A client has one session: that the others do not see it is as it should be. The server check
  /// warns of nothing else.
  mutating func compareServers() {
    let isSeen = checks.contains { check in
      if case (.server, .ok) = (check.hop, check.verdict) { true } else { false }
    }
    guard isSeen else { return }
    for index in checks.indices where checks[index].hop == .server {
      if case .warning = checks[index].verdict {
        checks[index].verdict = .ok("the server answers; this client is connected to another one")
      }
    }
  }
}
