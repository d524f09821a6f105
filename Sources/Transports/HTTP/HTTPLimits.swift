// The bounds of one HTTP message and of what may be held of those behind it.

/// The bounds of one request or answer.
public struct HTTPLimits: Equatable, Sendable {
  /// Bytes of the first line and the headers together, with their line ends and the empty line.
  public var headBytesMax = 8_192
  /// Bytes of the body.
  public var bodyBytesMax = 65_536
  /// Header lines.
  public var headersMax = 64
  /// Bytes of a request's path and query.
  public var targetBytesMax = 2_048

  /// The defaults.
  public init() {}

  /// Bytes held at most: one message that is not complete, and as much again that came behind it.
  ///
  /// An owner that takes every message before it reads again, at most 64 KiB at a time, never
  /// meets this bound.
  public var heldBytesMax: Int {
    let message = headBytesMax.addingReportingOverflow(bodyBytesMax)
    let held = message.partialValue.multipliedReportingOverflow(by: 2)
    return message.overflow || held.overflow ? .max : held.partialValue
  }
}
