// The name of a report file: `Bgb<server>-<epoch>-<sequence>.BOS` or `.BTS`. It says only where to
// look first; what a report is stands in its signed header, and the importer holds the two
// together.

public import BGBModel

/// The name of one report file, ordered as reports are imported.
public struct ReportName: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Presence or outcomes.
  public var kind: ReportKind
  /// The server that wrote it.
  public var serverID: ServerID
  /// The server's epoch.
  public var epoch: UInt64
  /// The number within the epoch and kind.
  public var sequence: UInt64

  /// Joins the parts.
  public init(kind: ReportKind, serverID: ServerID, epoch: UInt64, sequence: UInt64) {
    self.kind = kind
    self.serverID = serverID
    self.epoch = epoch
    self.sequence = sequence
  }

  /// The name of the file for a report with this header.
  public init(_ header: ReportHeader) {
    self.init(
      kind: header.kind, serverID: header.serverID, epoch: header.epoch, sequence: header.sequence)
  }

  /// Reads a file name; nil for anything that `text` would not write.
  public init?(_ text: String) {
    guard text.utf8.count > 7, let kind = ReportKind(rawValue: String(text.suffix(3))) else {
      return nil
    }
    var parts = LineFields(text.utf8Span.span.extracting(droppingLast: 4), separator: "-")
    guard let server = ReportText.number(parts.next(behind: "Bgb"), UInt32.self),
      let epoch = ReportText.number(parts.next(), UInt64.self),
      let sequence = ReportText.number(parts.next(), UInt64.self), parts.isAtEnd
    else { return nil }
    self.init(kind: kind, serverID: ServerID(server), epoch: epoch, sequence: sequence)
    guard self.text.utf8.elementsEqual(text.utf8) else { return nil }
  }

  /// The file name.
  public var text: String { "Bgb\(serverID)-\(epoch)-\(sequence).\(kind.rawValue)" }
  /// The file name.
  public var description: String { text }

  /// Orders by server, then epoch, then sequence, presence before outcomes.
  public static func < (left: ReportName, right: ReportName) -> Bool {
    if left.serverID != right.serverID { return left.serverID < right.serverID }
    if left.epoch != right.epoch { return left.epoch < right.epoch }
    if left.sequence != right.sequence { return left.sequence < right.sequence }
    return left.kind == .presence && right.kind == .outcomes
  }
}
