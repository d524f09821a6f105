// The door of the module: `ServiceSettings.load(...)`. A file, over it the environment, over that
// the flags; strict, so that a misspelled key is an error with its line and not a setting that
// silently does nothing.

/// Loads the settings of a program.
///
/// Property names become keys with dashes (`policyListen` is `policy-listen`); groups are nested
/// types.
/// Blocks on the file; call it at the start and on reload.
/// - Parameters:
///   - file: the YAML file, or nil for none.
///   - environmentPrefix: what the program's variables begin with, such as `BGB_SERVER`; a variable
///     with this prefix that names no key is an error too. Nil ignores the environment.
///   - environment: the variables, given so that tests can give others.
///   - overrides: values of flags by key, such as `log.level`; lists are separated by commas.
public func load<Settings: Decodable>(
  _ type: Settings.Type, file: String?, environmentPrefix: String? = nil,
  environment: [String: String] = [:], overrides: [String: String] = [:]
) throws(SettingsError) -> Settings {
  var root = SettingsNode(content: .mapping([]), origin: .file(path: file ?? "", line: 0))
  if let file {
    root = try SettingsDocument.parse(try SettingsFile.read(file), path: file)
  }
  return try decode(
    type, root: root, file: file, environmentPrefix: environmentPrefix, environment: environment,
    overrides: overrides)
}

/// The same for a text that is already in memory; `path` is for messages and relative paths.
public func parse<Settings: Decodable>(
  _ type: Settings.Type, text: String, path: String, environmentPrefix: String? = nil,
  environment: [String: String] = [:], overrides: [String: String] = [:]
) throws(SettingsError) -> Settings {
  try decode(
    type, root: try SettingsDocument.parse(text, path: path), file: path,
    environmentPrefix: environmentPrefix, environment: environment, overrides: overrides)
}

private func decode<Settings: Decodable>(
  _ type: Settings.Type, root: SettingsNode, file: String?, environmentPrefix: String?,
  environment: [String: String], overrides: [String: String]
) throws(SettingsError) -> Settings {
  guard case .mapping = root.content else {
    throw SettingsError([.syntax(root.origin, "settings must be a group of keys")])
  }
  let descriptions = (type as? any DescribedSettings.Type)?.descriptions ?? []
  let layers = SettingsLayers(
    file: file, environmentPrefix: environmentPrefix, environment: environment,
    overrides: overrides, descriptions: descriptions)
  do {
    let settings = try type.init(from: SettingsDecoder(layers: layers, node: root, path: []))
    let unknown = layers.unknownKeys(in: root)
    guard unknown.isEmpty else { throw SettingsError(unknown) }
    return settings
  } catch let error as SettingsError {
    // A misspelled key is often why another one is missing: tell both.
    let isMissing = error.problems.contains { problem in
      if case .missingKey = problem { true } else { false }
    }
    throw isMissing ? SettingsError(error.problems + layers.unknownKeys(in: root)) : error
  } catch let error as DecodingError {
    throw SettingsError([layers.problem(of: error)])
  } catch {
    throw SettingsError([.syntax(root.origin, "\(error)")])
  }
}
