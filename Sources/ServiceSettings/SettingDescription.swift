// The table of a program's settings: key, type, default and meaning, once. The same table gives the
// defaults to the reader, the text to `explain`, and the commented example file.

/// One row of a program's table of settings.
public struct SettingDescription: Hashable, Sendable {
  /// The key with its groups, such as `log.level`.
  public let key: String
  /// The type in words, such as `duration`.
  public let type: String
  /// The value when nobody gives one, spelled as in a file; nil when there is none.
  public let standard: String?
  /// What it does, in a sentence.
  public let text: String

  /// Describes a setting; `default` is spelled as it would be in a file.
  public init(_ key: String, _ type: String, default standard: String? = nil, _ text: String) {
    self.key = key
    self.type = type
    self.standard = standard
    self.text = text
  }
}

/// Settings that carry their own table; `load` takes the defaults from it.
public protocol DescribedSettings: Decodable {
  /// One row a key.
  static var descriptions: [SettingDescription] { get }
}

/// Explains one key or, with nil, all of them: key, type, default, text.
///
/// Returns nil when no key begins with the given one.
public func explain<Settings: DescribedSettings>(
  _: Settings.Type, key: String? = nil, environmentPrefix: String? = nil
) -> String? {
  let rows = Settings.descriptions.filter { row in
    guard let key else { return true }
    return row.key == key || row.key.hasPrefix(key + ".")
  }
  guard !rows.isEmpty else { return nil }
  return rows.map { row in
    var lines = ["\(row.key): \(row.type)", "  \(row.text)"]
    lines.append("  default: \(row.standard ?? "none")")
    if let environmentPrefix {
      lines.append("  environment: \(environmentVariable(row.key, prefix: environmentPrefix))")
    }
    return lines.joined(separator: "\n")
  }.joined(separator: "\n\n")
}

/// The variable of a key: `log.level` with prefix `BGB_SERVER` is `BGB_SERVER_LOG_LEVEL`.
func environmentVariable(_ key: String, prefix: String) -> String {
  let name = key.utf8.map { byte in
    byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") ? UInt8(ascii: "_") : byte
  }
  return prefix + "_" + String(decoding: name, as: UTF8.self).uppercased()
}
