// Why a report file is refused, each with a sentence that goes into the `.reason` file beside it.

/// Why the bytes of a report are refused.
public enum ReportError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Nothing at all.
  case empty
  /// More bytes than a report may have.
  case tooLong(bytes: Int)
  /// The last line does not end, as in a file that was torn.
  case torn
  /// A line has more bytes than a line may have.
  case lineTooLong(line: Int)
  /// A line is not valid UTF-8.
  case badText(line: Int)
  /// The first line is not a header of a version we read.
  case badHeader(line: Int)
  /// The line before the last is not an end line.
  case badEnd(line: Int)
  /// The header, the end line and the records disagree on how many records there are.
  case wrongCount(line: Int)
  /// The checksum does not belong to the lines.
  case wrongChecksum(line: Int)
  /// The last line is not a signature line.
  case badSignatureLine(line: Int)
  /// The signature does not belong to the lines, or nobody trusted made it.
  case wrongSignature(line: Int)
  /// A record cannot be read.
  case badRecord(line: Int)
  /// The same client comes twice in a presence report.
  case repeatedClient(line: Int)

  /// A sentence for operators.
  public var description: String {
    switch self {
    case .empty: "the file is empty"
    case .tooLong(let bytes): "the file has \(bytes) bytes, more than a report may have"
    case .torn: "the file ends within a line"
    case .lineTooLong(let line): "line \(line) is too long"
    case .badText(let line): "line \(line) is not UTF-8"
    case .badHeader(let line): "line \(line) is not the header of a report of version 1"
    case .badEnd(let line): "line \(line) is not the end line of a report"
    case .wrongCount(let line): "line \(line) disagrees with the number of records"
    case .wrongChecksum(let line): "the checksum in line \(line) does not belong to the report"
    case .badSignatureLine(let line): "line \(line) is not a signature line"
    case .wrongSignature(let line):
      "the signature in line \(line) was not made by the server that the header names"
    case .badRecord(let line): "line \(line) is not a record of this kind of report"
    case .repeatedClient(let line): "line \(line) names a client for the second time"
    }
  }
}
