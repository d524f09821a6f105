// A report is read exactly as it was written, or not at all.

import BGBModel
import Testing

@testable import BGBReport

@Suite struct ReportFileTests {
  @Test func presenceHasGoldenLines() {
    let expected = """
      BGB-REPORT 1 BOS site=S01 server=3 epoch=5 sequence=12 scope=full \
      written=2026-11-23T18:00:00.123Z count=2
      01234567-89ab-4cde-0000-000000000001\tonline\t2026-11-23T17:59:00.123Z\t\
      2026-11-23T18:00:00.000Z\tsignedIn\ttcp\t41\tpc-7.example\tDebian GNU/Linux 12 (bookworm)\t\
      bgb-agent 1.0\t192.0.2.7,2001:db8::7\tnone\t2026-11-23T17:59:00.123Z
      01234567-89ab-4cde-0000-000000000002\toffline\t2026-11-23T18:00:00.123Z\t\
      2026-11-23T18:00:00.123Z\tkeepAliveExpired\thttps\t18446744073709551615\t-\t-\t-\t\t\
      timed-out\t2026-11-23T12:00:00.000Z
      END count=2 crc32c=22a49a52
      SIGNATURE -

      """
    // The checksum was computed by another program.
    #expect(text(ReportFile.encode(presenceReport, sign: nil)) == expected)
  }

  @Test func outcomesHaveGoldenLines() {
    let lines = text(ReportFile.encode(outcomeReport, sign: toySignature)).split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count == 6)
    #expect(
      lines[0] == "BGB-REPORT 1 BTS site=S01 server=3 epoch=5 sequence=12 scope=delta "
        + "written=2026-11-23T18:00:00.123Z count=2")
    #expect(
      lines[2] == "01234567-89ab-4cde-0000-000000000002\t01234567-89ab-4cde-0000-000000000009\t"
        + "failed\t-2\t3\t2026-11-23T18:00:00.123Z\t100%25 größer%09next%0Aline")
    #expect(lines[3].hasPrefix("END count=2 crc32c="))
    #expect(lines[4].hasPrefix("SIGNATURE ") && lines[4].utf8.count == 10 + 88)
    #expect(lines[5].isEmpty)
  }

  @Test(arguments: [presenceReport, outcomeReport, hostileReport])
  func comesBackAsItWas(_ report: Report) throws {
    let signed = ReportFile.encode(report, sign: toySignature)
    #expect(try ReportFile.decode(signed, verify: toyVerify) == report)
    let unsigned = ReportFile.encode(report, sign: nil)
    let reread = try ReportFile.decode(unsigned) { _, bytes, signature in
      signature.isEmpty && unsigned.starts(with: bytes)
    }
    #expect(reread == report)
  }

  @Test func emptyReportsComeBack() throws {
    for body in [ReportBody.presence([]), .outcomes([])] {
      let kind: ReportKind = body == .presence([]) ? .presence : .outcomes
      let report = Report(header: header(kind), body: body)
      let bytes = ReportFile.encode(report, sign: toySignature)
      #expect(try ReportFile.decode(bytes, verify: toyVerify) == report)
    }
  }

  @Test(arguments: [presenceReport, outcomeReport])
  func everyPrefixIsRefused(_ report: Report) {
    let bytes = ReportFile.encode(report, sign: toySignature)
    for count in bytes.indices {
      #expect(throws: ReportError.self, "\(count) bytes") {
        try ReportFile.decode(Array(bytes[..<count])) { _, _, _ in true }
      }
    }
  }

  /// The checksum alone must refuse these: the signature is not even looked at.
  @Test(arguments: [presenceReport, outcomeReport])
  func everyChangedByteBeforeTheSignatureIsRefused(_ report: Report) {
    let bytes = ReportFile.encode(report, sign: nil)
    for place in bytes.indices.dropLast(2) {
      for change: UInt8 in [0x01, 0x20, 0x80, 0xFF] {
        var changed = bytes
        changed[place] ^= change
        #expect(throws: ReportError.self, "byte \(place)") {
          try ReportFile.decode(changed) { _, _, _ in true }
        }
      }
    }
  }

  @Test func everyChangedByteOfASignedFileIsRefused() {
    let bytes = ReportFile.encode(outcomeReport, sign: toySignature)
    for place in bytes.indices {
      for change: UInt8 in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
        var changed = bytes
        changed[place] ^= change
        if (try? ReportFile.decode(changed, verify: toyVerify)) != nil {
          Issue.record("byte \(place) changed by \(change) was accepted")
        }
      }
    }
  }

  @Test func furtherBytesAreRefused() {
    let bytes = ReportFile.encode(outcomeReport, sign: toySignature)
    for tail in ["\n", " ", "x\n", "\0", "END\n", "\r\n"] {
      #expect(throws: ReportError.self) {
        try ReportFile.decode(bytes + Array(tail.utf8), verify: toyVerify)
      }
    }
    #expect(throws: ReportError.self) { try ReportFile.decode(bytes + bytes, verify: toyVerify) }
  }

  @Test func theVerifierSeesTheSignedBytesOnceAndDecides() throws {
    let bytes = ReportFile.encode(outcomeReport, sign: toySignature)
    var calls = 0
    #expect(throws: ReportError.wrongSignature(line: 5)) {
      try ReportFile.decode(bytes) { header, signed, signature in
        calls += 1
        #expect(header == outcomeReport.header)
        #expect(text(signed).hasSuffix("\n") && text(signed).contains("\nEND count=2 "))
        #expect(signature.count == 64)
        return false
      }
    }
    #expect(calls == 1)
  }

  @Test func sizeIsLimited() {
    let bytes = [UInt8](repeating: UInt8(ascii: "\n"), count: Limits.reportBytesMax + 1)
    #expect(throws: ReportError.tooLong(bytes: bytes.count)) {
      try ReportFile.decode(bytes) { _, _, _ in true }
    }
  }

  @Test func longestRecordsFitALine() throws {
    let text = String(repeating: "\u{1B}", count: 2_000)
    let record = PresenceRecord(
      clientID: ClientID(uuid(1)), isOnline: true, since: written, lastProof: written,
      reason: .certificateExpired, channel: .https, fallback: .notOurServer,
      channelSince: written, session: .max,
      facts: ClientFacts(
        hostname: text, operatingSystem: text, agentVersion: text,
        addresses: Array(repeating: text, count: 40)))
    let outcome = OutcomeRecord(
      clientID: ClientID(uuid(1)), pushes: .max,
      outcome: TaskOutcome(
        taskID: TaskID(uuid(2)), state: .succeeded, code: .min, text: text, at: written))
    for report in [
      Report(header: header(.presence), body: .presence([record])),
      Report(header: header(.outcomes), body: .outcomes([outcome])),
    ] {
      let bytes = ReportFile.encode(report, sign: nil)
      let longest = bytes.split(separator: UInt8(ascii: "\n")).map(\.count).max() ?? 0
      #expect(longest <= Limits.reportLineBytesMax)
      _ = try ReportFile.decode(bytes) { _, _, _ in true }
    }
  }

  @Test func momentsOutsideTheCalendarAreClamped() throws {
    let record = OutcomeRecord(
      clientID: ClientID(uuid(1)), pushes: 1,
      outcome: TaskOutcome(
        taskID: TaskID(uuid(2)), state: .failed, at: WallTime(milliseconds: .max)))
    let bytes = ReportFile.encode(
      Report(header: header(.outcomes), body: .outcomes([record])), sign: nil)
    let report = try ReportFile.decode(bytes) { _, _, _ in true }
    guard case .outcomes(let records) = report.body else {
      Issue.record("another body")
      return
    }
    #expect(records[0].outcome.at.milliseconds == 253_402_300_799_999)
  }

  @Test func everyErrorNamesItsLine() {
    let errors: [ReportError] = [
      .lineTooLong(line: 7), .badText(line: 7), .badHeader(line: 7), .badEnd(line: 7),
      .wrongCount(line: 7), .wrongChecksum(line: 7), .badSignatureLine(line: 7),
      .wrongSignature(line: 7), .badRecord(line: 7), .repeatedClient(line: 7),
    ]
    for error in errors { #expect(error.description.contains("line 7")) }
    #expect(Set(errors.map(\.description)).count == errors.count)
  }
}
