// Values with a spelling of their own. A conforming type gives the spelling and the words for the
// error; where the value stood is added here.

/// A value that is spelled as one word in a file.
public protocol SettingValue: Decodable, Sendable {
  /// What is expected, for the error, such as `a duration such as 15m or 1h30m`.
  static var expected: String { get }
  /// Reads the spelling; `folder` is where relative paths begin.
  init?(setting text: String, folder: String)
}

extension SettingValue {
  /// Decodes the value from settings, or from any decoder's text.
  public init(from decoder: any Decoder) throws {
    guard let decoder = decoder as? SettingsDecoder else {
      let container = try decoder.singleValueContainer()
      guard let value = Self(setting: try container.decode(String.self), folder: "") else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "expected \(Self.expected)")
      }
      self = value
      return
    }
    // Paths given by a flag or a variable begin where the program was started.
    let folder =
      switch decoder.node.origin {
      case .file, .standard: decoder.layers.folder
      case .environment, .override: ""
      }
    let text = try decoder.text(expected: Self.expected)
    guard let value = Self(setting: text, folder: folder) else {
      throw decoder.bad(expected: Self.expected)
    }
    self = value
  }
}
