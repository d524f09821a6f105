// The one line that shows how an operation goes, and when it is drawn: at most five times a second
// on a terminal, every ten seconds where lines stay.

import BGBModel

/// The text of a progress line.
enum ProgressLine {
  /// Such as `quick-scan op 7  41,203/47,188 delivered  39,870 ok  12 failed  5,985 waiting  87%`.
  static func text(_ operation: OperationStatus, now: WallTime) -> String {
    var pieces = ["\(TerminalText.shown(operation.action)) op \(operation.operationID)"]
    pieces.append(
      "\(NumberText.grouped(operation.deliveredCount))/\(NumberText.grouped(operation.total)) "
        + "delivered")
    pieces.append("\(NumberText.grouped(operation[.succeeded])) ok")
    let others: [(Int64, String)] = [
      (operation.failedCount, "failed"), (operation.waitingCount, "waiting"),
      (operation[.expired], "expired"), (operation[.cancelled], "cancelled"),
    ]
    for (count, word) in others where count > 0 {
      pieces.append("\(NumberText.grouped(count)) \(word)")
    }
    pieces.append("\(NumberText.percent(operation.finalCount, of: operation.total))%")
    if let created = operation.createdAt {
      var time = NumberText.duration(seconds: now.since(created) / 1000)
      if let expires = operation.expiresAt, operation.waitingCount > 0 {
        let left = expires.since(now)
        time +=
          left > 0 ? ", expires in " + NumberText.duration(seconds: left / 1000) : ", expired"
      }
      pieces.append(time)
    }
    return pieces.joined(separator: "  ")
  }
}

/// Decides when a progress line is written, and keeps the terminal's line tidy.
struct ProgressPainter {
  /// Milliseconds between two drawings on a terminal.
  static let terminalMilliseconds: Int64 = 200
  /// Milliseconds between two lines elsewhere.
  static let plainMilliseconds: Int64 = 10_000

  /// How progress is shown.
  enum Style: String, Hashable, CaseIterable, Sendable {
    /// Redrawn on a terminal, plain elsewhere.
    case auto
    /// One line every ten seconds.
    case plain
    /// The operation as JSON, one line every ten seconds.
    case json
    /// Nothing.
    case none
  }

  private let style: Style
  private let isTerminal: Bool
  private var lastDrawn: Int64?
  private var lastText = ""
  private var isLineOpen = false

  init(style: Style, isTerminal: Bool) {
    self.style = style
    self.isTerminal = isTerminal && style == .auto
  }

  /// What to write now, or nil.
  ///
  /// `isLast` draws whatever the time is, so that the end is always seen.
  mutating func paint(
    _ operation: OperationStatus, now: WallTime, ticks: Int64, columns: Int, isLast: Bool = false
  ) -> String? {
    guard style != .none else { return nil }
    let pause =
      isTerminal ? ProgressPainter.terminalMilliseconds : ProgressPainter.plainMilliseconds
    if !isLast, let lastDrawn, ticks - lastDrawn < pause { return nil }
    let text =
      style == .json ? operation.item.encoded : ProgressLine.text(operation, now: now)
    if isLast, lastText == text, !isTerminal { return nil }
    lastDrawn = ticks
    lastText = text
    guard isTerminal else { return text + "\n" }
    isLineOpen = true
    // Back to the first column, the text, and away with the rest of what stood there.
    return "\r" + TerminalText.cut(text, columns: max(20, columns - 1)) + "\u{1B}[K"
  }

  /// What ends an open line, before anything else is written.
  mutating func close() -> String {
    defer { isLineOpen = false }
    return isLineOpen ? "\n" : ""
  }
}
