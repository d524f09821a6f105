// The lines of a report, each way: header, presence record, outcome record, end. docs/REPORTS.md
// has the same as a table, with an example that the tests compare with this code's.

import BGBModel

extension ReportHeader {
  /// The word and version that begin every report.
  static let magic = "BGB-REPORT 1"

  /// The header line without its line feed.
  func line(count: Int) -> String {
    "\(ReportHeader.magic) \(kind.rawValue) site=\(site) server=\(serverID) epoch=\(epoch) "
      + "sequence=\(sequence) scope=\(scope.rawValue) written=\(writtenAt) count=\(count)"
  }

  /// Reads a header line; nil for anything that `line` would not write.
  static func read(_ line: Span<UInt8>) -> (header: ReportHeader, count: Int)? {
    var words = LineFields(line, separator: " ")
    guard let format = ReportText.text(words.next()), let version = ReportText.text(words.next()),
      "\(format) \(version)" == magic,
      let kind = ReportText.text(words.next()).flatMap(ReportKind.init(rawValue:)),
      let site = ReportText.text(words.next(behind: "site=")).flatMap({ SiteCode($0) }),
      let server = ReportText.number(words.next(behind: "server="), UInt32.self),
      let epoch = ReportText.number(words.next(behind: "epoch="), UInt64.self),
      let sequence = ReportText.number(words.next(behind: "sequence="), UInt64.self),
      let scope = ReportText.text(words.next(behind: "scope=")).flatMap(
        ReportScope.init(rawValue:)),
      let writtenAt = ReportText.moment(words.next(behind: "written=")),
      let count = ReportText.number(words.next(behind: "count="), Int.self), words.isAtEnd,
      count >= 0, sequence > 0, kind == .presence || scope == .delta
    else { return nil }
    let header = ReportHeader(
      kind: kind, site: site, serverID: ServerID(server), epoch: epoch, sequence: sequence,
      scope: scope, writtenAt: writtenAt)
    return (header, count)
  }
}

extension PresenceRecord {
  /// The record line without its line feed.
  var reportLine: String {
    let addresses = facts.addresses.prefix(Limits.addressesMax).map {
      ReportText.escape(String($0.cut(toBytes: Limits.addressBytesMax)), alsoComma: true)
    }
    let fields = [
      clientID.description, isOnline ? "online" : "offline", since.description,
      lastProof.description, reason.name, channel.name, String(session),
      ReportText.escape(String(facts.hostname.cut(toBytes: Limits.hostnameBytesMax))),
      ReportText.escape(String(facts.operatingSystem.cut(toBytes: Limits.descriptionBytesMax))),
      ReportText.escape(String(facts.agentVersion.cut(toBytes: Limits.descriptionBytesMax))),
      // No address at all is the empty field; `-` is one address that is empty.
      addresses.joined(separator: ","), fallback.name, channelSince.description,
    ]
    return fields.joined(separator: "\t")
  }

  /// Reads a record line; nil for anything that `reportLine` would not write.
  init?(reportLine line: Span<UInt8>) {
    var fields = LineFields(line)
    guard let clientID = ClientID(characters: fields.next()),
      let isOnline = PresenceRecord.isOnline(named: fields.next()),
      let since = ReportText.moment(fields.next()),
      let lastProof = ReportText.moment(fields.next()),
      let reason = PresenceReason(named: fields.next()),
      let channelName = ReportText.text(fields.next()),
      let channel = ChannelKind.allCases.first(where: { $0.name == channelName }),
      let session = ReportText.number(fields.next(), UInt64.self),
      let hostname = ReportText.unescape(fields.next(), limit: Limits.hostnameBytesMax),
      let system = ReportText.unescape(fields.next(), limit: Limits.descriptionBytesMax),
      let version = ReportText.unescape(fields.next(), limit: Limits.descriptionBytesMax),
      let addresses = PresenceRecord.addresses(fields.next()),
      let fallback = FallbackReason(named: fields.next()),
      let channelSince = ReportText.moment(fields.next()), fields.isAtEnd
    else { return nil }
    self.init(
      clientID: clientID, isOnline: isOnline, since: since, lastProof: lastProof,
      reason: reason, channel: channel, fallback: fallback, channelSince: channelSince,
      session: session,
      facts: ClientFacts(
        hostname: hostname, operatingSystem: system, agentVersion: version, addresses: addresses))
  }

  private static func isOnline(named word: Span<UInt8>) -> Bool? {
    switch ReportText.text(word) {
    case "online": true
    case "offline": false
    default: nil
    }
  }

  /// The addresses of a list between commas; nil for one that `reportLine` would not write.
  private static func addresses(_ list: Span<UInt8>) -> [String]? {
    var addresses: [String] = []
    guard !list.isEmpty else { return addresses }
    var words = LineFields(list, separator: ",")
    while !words.isAtEnd {
      guard addresses.count < Limits.addressesMax,
        let address = ReportText.unescape(
          words.next(), limit: Limits.addressBytesMax, alsoComma: true)
      else { return nil }
      addresses.append(address)
    }
    return addresses
  }
}

extension OutcomeRecord {
  /// The record line without its line feed.
  var reportLine: String {
    var line: [UInt8] = []
    appendLine(to: &line)
    return String(decoding: line, as: UTF8.self)
  }

  /// Appends the record line without its line feed: straight into the report, for a task to a
  /// hundred thousand clients makes as many of them.
  func appendLine(to line: inout [UInt8]) {
    let tab = UInt8(ascii: "\t")
    clientID.bits.appendText(to: &line)
    line.append(tab)
    outcome.taskID.bits.appendText(to: &line)
    line.append(tab)
    line.append(contentsOf: outcome.state.name.utf8)
    line.append(tab)
    line.append(contentsOf: String(outcome.code).utf8)
    line.append(tab)
    line.append(contentsOf: String(pushes).utf8)
    line.append(tab)
    outcome.at.appendText(to: &line)
    line.append(tab)
    let text = outcome.text
    let cut =
      text.utf8.count <= Limits.outcomeTextBytesMax
      ? text : String(text.cut(toBytes: Limits.outcomeTextBytesMax))
    line.append(contentsOf: ReportText.escape(cut).utf8)
  }

  /// Reads a record line; nil for anything that `reportLine` would not write.
  ///
  /// Field by field from the bytes: there are as many lines as for a task there are clients.
  init?(reportLine line: Span<UInt8>) {
    var fields = LineFields(line)
    guard let clientID = ClientID(characters: fields.next()),
      let taskID = TaskID(characters: fields.next()), let state = TaskState(named: fields.next()),
      let code = ReportText.number(fields.next(), Int32.self),
      let pushes = ReportText.number(fields.next(), UInt32.self),
      let at = ReportText.moment(fields.next()),
      let text = ReportText.unescape(fields.next(), limit: Limits.outcomeTextBytesMax),
      fields.isAtEnd
    else { return nil }
    self.init(
      clientID: clientID, pushes: pushes,
      outcome: TaskOutcome(taskID: taskID, state: state, code: code, text: text, at: at))
  }
}

/// The two lines after the records.
enum ReportFooter {
  /// Begins the line with count and checksum.
  static let end = "END"
  /// Begins the last line.
  static let signature = "SIGNATURE"

  /// The end line without its line feed.
  static func endLine(count: Int, checksum: UInt32) -> String {
    let digits = String(checksum, radix: 16)
    let padded = String(repeating: "0", count: 8 - digits.count) + digits
    return "\(end) count=\(count) crc32c=\(padded)"
  }

  /// The signature line without its line feed; `-` for no signature.
  static func signatureLine(_ bytes: [UInt8]) -> String {
    "\(signature) \(bytes.isEmpty ? "-" : Base64.encode(bytes))"
  }

  /// Reads a signature line; empty for `-`, nil for anything that `signatureLine` would not write.
  static func readSignature(_ line: Substring) -> [UInt8]? {
    let prefix = "\(signature) "
    guard line.hasPrefix(prefix) else { return nil }
    let text = line.dropFirst(prefix.count)
    if text == "-" { return [] }
    guard let bytes = Base64.decode(text), bytes.count == Limits.signatureBytes else { return nil }
    return bytes
  }
}
