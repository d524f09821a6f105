// What is wrong with a configuration, said so that a person can mend it: where, what, and what was
// probably meant. All unknown keys are told at once, for people mend files in one go.

/// Where a value came from.
public enum SettingOrigin: Hashable, Sendable, CustomStringConvertible {
  /// A line of a file.
  case file(path: String, line: Int)
  /// An environment variable.
  case environment(variable: String)
  /// A command-line flag or another value that the program gave.
  case override(key: String)
  /// The table of defaults.
  case standard(key: String)

  /// Such as `server.yaml:12`.
  public var description: String {
    switch self {
    case .file(let path, let line): line > 0 ? "\(path):\(line)" : path
    case .environment(let variable): "environment \(variable)"
    case .override(let key): "flag for \(key)"
    case .standard(let key): "default of \(key)"
    }
  }
}

/// One thing that is wrong.
public enum SettingsProblem: Hashable, Sendable, CustomStringConvertible {
  /// The file cannot be read.
  case unreadable(path: String, reason: String)
  /// The file is not YAML, or not the part of it that settings use.
  case syntax(SettingOrigin, String)
  /// Nobody knows this key.
  case unknownKey(SettingOrigin, key: String, suggestion: String?)
  /// A key without which the program cannot run is not there.
  case missingKey(path: String?, key: String)
  /// A value is not of its key's type, or outside of its bounds.
  case badValue(SettingOrigin, key: String, value: String, expected: String)

  /// A sentence for people.
  public var description: String {
    switch self {
    case .unreadable(let path, let reason): "\(path): cannot be read: \(reason)"
    case .syntax(let origin, let text): "\(origin): \(text)"
    case .unknownKey(let origin, let key, let suggestion):
      "\(origin): unknown key '\(key)'" + (suggestion.map { "; did you mean '\($0)'?" } ?? "")
    case .missingKey(let path, let key):
      (path.map { "\($0): " } ?? "") + "the key '\(key)' is missing"
    case .badValue(let origin, let key, let value, let expected):
      "\(origin): '\(key)' is '\(value)', expected \(expected)"
    }
  }
}

/// Why settings could not be loaded.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What is wrong, at least one thing.
  public let problems: [SettingsProblem]

  /// Wraps what is wrong.
  public init(_ problems: [SettingsProblem]) { self.problems = problems }

  /// One line a problem.
  public var description: String {
    problems.map(\.description).joined(separator: "\n")
  }
}
