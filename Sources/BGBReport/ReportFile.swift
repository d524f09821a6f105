// A whole report to bytes and back. Reading goes from the outside to the inside: size, last lines,
// checksum, header, signature, and only then the records, so that nothing of a forged file is read
// beyond the line that says who claims to have written it.

public import BGBModel

/// The bytes of report files.
public enum ReportFile {
  /// The file of a report; `sign` makes the signature over everything before the signature line.
  public static func encode(_ report: Report, sign: (([UInt8]) -> [UInt8])?) -> [UInt8] {
    switch report.body {
    case .presence(let records):
      var writer = ReportWriter(header: report.header, count: records.count)
      for record in records { writer.append(record) }
      return writer.finish(sign: sign)
    case .outcomes(let records):
      var writer = ReportWriter(header: report.header, count: records.count)
      for record in records { writer.append(record) }
      return writer.finish(sign: sign)
    }
  }

  /// Reads a file.
  ///
  /// `verify` is asked once, with the header, the signed bytes and the signature (empty when the
  /// file bears none), and decides whether they are the server's. Anything that `encode` would not
  /// have written is refused.
  public static func decode(
    _ bytes: [UInt8],
    verify: (ReportHeader, _ signedBytes: [UInt8], _ signature: [UInt8]) -> Bool
  ) throws(ReportError) -> Report {
    let frame = try ReportFrame(bytes)
    guard verify(frame.header, Array(bytes[..<frame.signatureStart]), frame.signature) else {
      throw .wrongSignature(line: frame.lastLine)
    }
    switch frame.header.kind {
    case .presence:
      var records: [PresenceRecord] = []
      records.reserveCapacity(frame.count)
      var seen: Set<ClientID> = []
      try frame.forEachRecord(in: bytes) { text, line throws(ReportError) in
        guard let record = PresenceRecord(reportLine: text.span) else {
          throw .badRecord(line: line)
        }
        guard seen.insert(record.clientID).inserted else { throw .repeatedClient(line: line) }
        records.append(record)
      }
      return Report(header: frame.header, body: .presence(records))
    case .outcomes:
      var records: [OutcomeRecord] = []
      records.reserveCapacity(frame.count)
      try frame.forEachRecord(in: bytes) { text, line throws(ReportError) in
        guard let record = OutcomeRecord(reportLine: text.span) else {
          throw .badRecord(line: line)
        }
        records.append(record)
      }
      return Report(header: frame.header, body: .outcomes(records))
    }
  }
}

/// What stands around the records: everything that is judged before them.
private struct ReportFrame {
  /// The header line, read.
  var header: ReportHeader
  /// Records, as header and end line both say and the line feeds confirm.
  var count: Int
  /// The signature; empty when there is none.
  var signature: [UInt8]
  /// Where the records begin and end.
  var records: Range<Int>
  /// Where the signature line begins: what the signature covers ends here.
  var signatureStart: Int
  /// The number of the signature line.
  var lastLine: Int

  init(_ bytes: [UInt8]) throws(ReportError) {
    guard !bytes.isEmpty else { throw .empty }
    guard bytes.count <= Limits.reportBytesMax else { throw .tooLong(bytes: bytes.count) }
    let feed = UInt8(ascii: "\n")
    guard bytes.last == feed else { throw .torn }
    lastLine = bytes.reduce(0) { $0 + ($1 == feed ? 1 : 0) }
    guard lastLine >= 3, let headerEnd = bytes.firstIndex(of: feed),
      let signatureBreak = bytes.dropLast().lastIndex(of: feed),
      let endBreak = bytes[..<signatureBreak].lastIndex(of: feed)
    else { throw .badSignatureLine(line: lastLine) }
    signatureStart = signatureBreak + 1
    records = headerEnd + 1..<endBreak + 1
    let headerLine = try ReportFrame.text(bytes[..<headerEnd], line: 1)
    guard let (header, count) = ReportHeader.read(headerLine.utf8Span.span) else {
      throw .badHeader(line: 1)
    }
    self.header = header
    self.count = count
    let last = try ReportFrame.text(bytes[signatureStart..<bytes.count - 1], line: lastLine)
    guard let signature = ReportFooter.readSignature(last[...]) else {
      throw .badSignatureLine(line: lastLine)
    }
    self.signature = signature
    guard count == lastLine - 3 else { throw .wrongCount(line: 1) }
    let end = try ReportFrame.text(bytes[endBreak + 1..<signatureBreak], line: lastLine - 1)
    let checksum = CRC32C.checksum(bytes[..<records.upperBound])
    guard end.hasPrefix("\(ReportFooter.end) count=\(count) crc32c=") else {
      throw .badEnd(line: lastLine - 1)
    }
    guard end == ReportFooter.endLine(count: count, checksum: checksum) else {
      throw .wrongChecksum(line: lastLine - 1)
    }
  }

  /// Calls with each record's line and its number, from 2.
  func forEachRecord(
    in bytes: [UInt8], _ body: (UTF8Span, Int) throws(ReportError) -> Void
  ) throws(ReportError) {
    let all = bytes.span
    var line = 2
    var start = records.lowerBound
    while start < records.upperBound {
      var end = start
      while end < records.upperBound, all[end] != UInt8(ascii: "\n") { end += 1 }
      guard end - start <= Limits.reportLineBytesMax else { throw .lineTooLong(line: line) }
      let text: UTF8Span
      do { text = try UTF8Span(validating: all.extracting(start..<end)) } catch {
        throw .badText(line: line)
      }
      try body(text, line)
      line += 1
      start = end + 1
    }
  }

  private static func text(
    _ bytes: ArraySlice<UInt8>, line: Int
  ) throws(ReportError) -> String {
    guard bytes.count <= Limits.reportLineBytesMax else { throw .lineTooLong(line: line) }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .badText(line: line) }
    return text
  }
}
