// What can go wrong when a log is opened. Later failures are counted, not thrown: a service does
// not stop because its log cannot be written.

/// Why a log file could not be opened.
public struct LogError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// The `errno` of the failed call.
  public let errno: Int32
  /// The kernel's words.
  public let reason: String

  /// A sentence for people.
  public var description: String { "cannot open the log \(path): \(reason)" }
}
