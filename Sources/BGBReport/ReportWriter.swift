// A report's bytes, record by record, so that a server need not hold records, lines and file at the
// same time.

public import BGBModel

/// Makes the bytes of one report.
public struct ReportWriter: Sendable {
  private var bytes: [UInt8] = []
  private let kind: ReportKind
  private let announced: Int
  private var written = 0

  /// Bytes so far, without the two lines at the end.
  public var byteCount: Int { bytes.count }

  /// Begins with the header line; `count` is the number of records that will follow.
  public init(header: ReportHeader, count: Int) {
    precondition(count >= 0, "a report cannot have fewer than no records")
    kind = header.kind
    announced = count
    bytes.reserveCapacity(256 + count * 200)
    line(header.line(count: count))
  }

  /// Adds a record of presence.
  public mutating func append(_ record: PresenceRecord) {
    precondition(kind == .presence, "only a BOS has records of presence")
    written += 1
    line(record.reportLine)
  }

  /// Adds a record of an outcome.
  public mutating func append(_ record: OutcomeRecord) {
    precondition(kind == .outcomes, "only a BTS has records of outcomes")
    written += 1
    record.appendLine(to: &bytes)
    bytes.append(UInt8(ascii: "\n"))
  }

  /// Adds the end line and the signature over all before it, and gives the whole file.
  public consuming func finish(sign: (([UInt8]) -> [UInt8])?) -> [UInt8] {
    precondition(written == announced, "the header's count is a promise")
    line(ReportFooter.endLine(count: written, checksum: CRC32C.checksum(bytes)))
    line(ReportFooter.signatureLine(sign?(bytes) ?? []))
    return bytes
  }

  private mutating func line(_ text: String) {
    bytes.append(contentsOf: text.utf8)
    bytes.append(UInt8(ascii: "\n"))
  }
}
