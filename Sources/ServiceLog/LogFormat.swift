// How a log line is spelled: for people, for the original's log viewer, or for collectors.

/// The spelling of log lines.
public enum LogFormat: String, Sendable, CaseIterable, Codable {
  /// Time, level, component, message and `key=value` pairs, for people and `grep`.
  case text
  /// The original's `<![LOG[...]LOG]!>` lines, which CMTrace and OneTrace show.
  case cmtrace
  /// One JSON object a line, for collectors.
  case json
}
