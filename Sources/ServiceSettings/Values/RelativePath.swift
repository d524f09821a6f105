// A path that means the same wherever the program is started: relative ones begin at the file that
// names them.

/// A path in settings, joined to the folder of the file that holds it.
public struct RelativePath: SettingValue, Hashable, CustomStringConvertible {
  /// The path to use.
  public let path: String

  /// Wraps a path as it is.
  public init(_ path: String) { self.path = path }

  /// What a file should say.
  public static var expected: String { "a path" }

  /// Reads a path; a relative one is joined to the folder.
  public init?(setting text: String, folder: String) {
    guard !text.isEmpty, !text.utf8.contains(0) else { return nil }
    if text.hasPrefix("/") || folder.isEmpty {
      path = text
    } else {
      path = folder.hasSuffix("/") ? folder + text : folder + "/" + text
    }
  }

  /// The path.
  public var description: String { path }
}
