// Reports to test with: an ordinary one of each kind and one with everything a hostile client can
// say.

import BGBModel
import BGBReport

let written = WallTime(milliseconds: 1_795_456_800_123)

func uuid(_ number: UInt64) -> Bits128 { Bits128(high: 0x0123_4567_89ab_4cde, low: number) }

func header(_ kind: ReportKind, sequence: UInt64 = 12) -> ReportHeader {
  ReportHeader(
    kind: kind, site: site, serverID: ServerID(3), epoch: 5, sequence: sequence,
    scope: kind == .presence ? .full : .delta, writtenAt: written)
}

/// `S01`; the fallback cannot be reached, for the code is valid.
let site: SiteCode = SiteCode("S01") ?? SiteCode("000").unsafelyUnwrapped

let presenceReport = Report(
  header: header(.presence),
  body: .presence([
    PresenceRecord(
      clientID: ClientID(uuid(1)), isOnline: true, since: written.adding(milliseconds: -60_000),
      lastProof: written.adding(milliseconds: -123), reason: .signedIn, channel: .tcp,
      fallback: .none, channelSince: written.adding(milliseconds: -60_000), session: 41,
      facts: ClientFacts(
        hostname: "pc-7.example", operatingSystem: "Debian GNU/Linux 12 (bookworm)",
        agentVersion: "bgb-agent 1.0", addresses: ["192.0.2.7", "2001:db8::7"])),
    PresenceRecord(
      clientID: ClientID(uuid(2)), isOnline: false, since: written, lastProof: written,
      reason: .keepAliveExpired, channel: .https, fallback: .timedOut,
      channelSince: written.adding(milliseconds: -21_600_123), session: .max, facts: ClientFacts()),
  ]))

let outcomeReport = Report(
  header: header(.outcomes),
  body: .outcomes([
    OutcomeRecord(
      clientID: ClientID(uuid(1)), pushes: 1,
      outcome: TaskOutcome(taskID: TaskID(uuid(9)), state: .succeeded, at: written)),
    OutcomeRecord(
      clientID: ClientID(uuid(2)), pushes: 3,
      outcome: TaskOutcome(
        taskID: TaskID(uuid(9)), state: .failed, code: -2, text: "100% größer\tnext\nline",
        at: written)),
  ]))

/// Texts that could break a line, a field, a list or a terminal.
let hostileTexts = [
  "-", "--", "%", "%2D", "%%", "\t", "\n", "\r\n", "a\tb", "\u{1B}[2J", "\u{9B}", "\u{2028}",
  "\u{202E}gnp.exe", "END count=0", "SIGNATURE -", ",", "a,b", "\u{301}", ",\u{301}x",
  "\t\u{301}", " ", "", "BGB-REPORT 1", "漢字🟢", "\u{7F}", "=cmd|'/c calc'!A1", "\u{FEFF}x", "K",
]

let hostileReport = Report(
  header: header(.presence),
  body: .presence(
    hostileTexts.enumerated().map { index, text in
      PresenceRecord(
        clientID: ClientID(uuid(UInt64(index))), isOnline: true, since: written,
        lastProof: written, reason: .signedIn, channel: .tcp, fallback: .none,
        channelSince: written, session: 1,
        facts: ClientFacts(
          hostname: text, operatingSystem: text + text, agentVersion: text + "x",
          addresses: [text, "", text]))
    }))

/// A signature that anybody can make: 64 times the sum of the bytes.
///
/// Real keys are tested in BGBSigningTests; this module must not know them.
func toySignature(_ bytes: [UInt8]) -> [UInt8] {
  var sum: UInt64 = 0xCBF2_9CE4_8422_2325
  for byte in bytes { sum = (sum ^ UInt64(byte)) &* 0x100_0000_01B3 }
  return (0..<8).flatMap { _ in (0..<8).map { UInt8(truncatingIfNeeded: sum >> UInt64($0 * 8)) } }
}

func toyVerify(_ header: ReportHeader, _ bytes: [UInt8], _ signature: [UInt8]) -> Bool {
  header.serverID == ServerID(3) && signature == toySignature(bytes)
}

func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
