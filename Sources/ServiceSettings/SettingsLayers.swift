// The layers under one configuration: flag over environment over file over default. They also note
// every key that the program asked for, and so know at the end which keys nobody wanted.

/// The sources of values of one `load`, and what was asked of them.
final class SettingsLayers {
  let file: String?
  private let environmentPrefix: String?
  private let environment: [String: String]
  private let overrides: [String: String]
  private let descriptions: [SettingDescription]
  private var asked: Set<String> = []

  init(
    file: String?, environmentPrefix: String?, environment: [String: String],
    overrides: [String: String], descriptions: [SettingDescription]
  ) {
    self.file = file
    self.environmentPrefix = environmentPrefix
    self.environment = environment
    self.overrides = overrides
    self.descriptions = descriptions
    for row in descriptions { ask(row.key) }
  }

  /// The folder to which relative paths of the file belong.
  var folder: String {
    guard let file, let slash = file.lastIndex(of: "/") else { return "" }
    return slash == file.startIndex ? "/" : String(file[..<slash])
  }

  /// Notes that the program knows a key, and the groups around it.
  func ask(_ key: String) {
    asked.insert(key)
    var rest = key[...]
    while let dot = rest.lastIndex(of: ".") {
      rest = rest[..<dot]
      asked.insert(String(rest))
    }
  }

  /// The value of a key: from a flag, the environment, the file (given), or the default.
  func value(_ key: String, inFile node: SettingsNode?) -> SettingsNode? {
    ask(key)
    if let text = overrides[key] {
      return SettingsNode(content: .scalar(text), origin: .override(key: key))
    }
    if let environmentPrefix {
      let variable = environmentVariable(key, prefix: environmentPrefix)
      if let text = environment[variable] {
        return SettingsNode(content: .scalar(text), origin: .environment(variable: variable))
      }
    }
    if let node {
      if case .nothing = node.content {} else { return node }
    }
    if let row = descriptions.first(where: { $0.key == key }), let text = row.standard {
      return SettingsDocument.standard(text, key: key)
    }
    return hasDeeper(key) ? SettingsNode(content: .mapping([]), origin: .standard(key: key)) : node
  }

  /// Whether any layer but the file holds a key inside this group.
  private func hasDeeper(_ key: String) -> Bool {
    let inside = key + "."
    if overrides.keys.contains(where: { $0.hasPrefix(inside) }) { return true }
    if descriptions.contains(where: { $0.key.hasPrefix(inside) && $0.standard != nil }) {
      return true
    }
    guard let environmentPrefix else { return false }
    let variable = environmentVariable(key, prefix: environmentPrefix) + "_"
    return environment.keys.contains { $0.hasPrefix(variable) }
  }

  /// Keys of all layers that the program never asked for.
  func unknownKeys(in root: SettingsNode) -> [SettingsProblem] {
    var problems: [SettingsProblem] = []
    unknown(in: root, path: [], &problems)
    for key in overrides.keys.sorted() where !asked.contains(key) {
      problems.append(
        .unknownKey(.override(key: key), key: key, suggestion: Spelling.nearest(key, in: asked)))
    }
    guard let environmentPrefix else { return problems }
    var variables: [String: String] = [:]
    for key in asked { variables[environmentVariable(key, prefix: environmentPrefix)] = key }
    for variable in environment.keys.sorted() {
      guard variable.hasPrefix(environmentPrefix + "_"), variables[variable] == nil else {
        continue
      }
      let nearest = Spelling.nearest(variable, in: variables.keys)
      problems.append(
        .unknownKey(
          .environment(variable: variable), key: variable, suggestion: nearest))
    }
    return problems
  }

  private func unknown(
    in node: SettingsNode, path: [String], _ problems: inout [SettingsProblem]
  ) {
    guard case .mapping(let entries) = node.content else { return }
    for entry in entries {
      let key = (path + [entry.key]).joined(separator: ".")
      if asked.contains(key) {
        unknown(in: entry.value, path: path + [entry.key], &problems)
      } else {
        let prefix = path.isEmpty ? "" : path.joined(separator: ".") + "."
        let siblings = asked.filter { $0.hasPrefix(prefix) }
        let origin = SettingOrigin.file(path: file ?? "", line: entry.line)
        problems.append(
          .unknownKey(origin, key: key, suggestion: Spelling.nearest(key, in: siblings)))
      }
    }
  }

  /// Marks everything below a node as wanted: a free-form mapping takes any key.
  func askAll(below node: SettingsNode, path: [String]) {
    guard case .mapping(let entries) = node.content else { return }
    for entry in entries { ask((path + [entry.key]).joined(separator: ".")) }
  }

  /// What a standard decoding error means here.
  func problem(of error: DecodingError) -> SettingsProblem {
    switch error {
    case .dataCorrupted(let context), .typeMismatch(_, let context),
      .valueNotFound(_, let context):
      let key = context.codingPath.map { Spelling.key(of: $0.stringValue) }.joined(separator: ".")
      return .syntax(.file(path: file ?? "", line: 0), "'\(key)': \(context.debugDescription)")
    case .keyNotFound(let key, let context):
      let path = context.codingPath.map(\.stringValue) + [key.stringValue]
      return .missingKey(
        path: file, key: path.map { Spelling.key(of: $0) }.joined(separator: "."))
    @unknown default: return .syntax(.file(path: file ?? "", line: 0), "\(error)")
    }
  }
}
