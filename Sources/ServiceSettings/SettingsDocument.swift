// Turns a YAML text into a tree of ours: the only file that knows the YAML library. The library
// itself brings Foundation in; nothing of it is used here.

import Yams

/// Reading of YAML.
enum SettingsDocument {
  /// Nesting at most; settings use three levels, and the tree is walked recursively.
  static let depthMax = 16

  /// Parses a text; an empty one is an empty mapping.
  static func parse(_ text: String, path: String) throws(SettingsError) -> SettingsNode {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw SettingsError([problem(of: error, path: path)])
    } catch {
      throw SettingsError([.syntax(.file(path: path, line: 0), "\(error)")])
    }
    guard let root else {
      return SettingsNode(content: .mapping([]), origin: .file(path: path, line: 1))
    }
    return try node(root, path: path, depth: 0)
  }

  /// The value of a default: a list or group in YAML's flow style, a word in quotes, or any other
  /// text as it stands.
  static func standard(_ text: String, key: String) -> SettingsNode {
    let origin = SettingOrigin.standard(key: key)
    let isSpelled = ["[", "{", "\""].contains { text.hasPrefix($0) }
    guard isSpelled, let node = try? parse(text, path: "") else {
      return SettingsNode(content: .scalar(text), origin: origin)
    }
    return node.placed(at: origin)
  }

  private static func node(_ node: Node, path: String, depth: Int) throws(SettingsError)
    -> SettingsNode
  {
    let origin = SettingOrigin.file(path: path, line: node.mark?.line ?? 0)
    guard depth < depthMax else {
      throw SettingsError([.syntax(origin, "values are nested too deeply")])
    }
    switch node {
    case .scalar(let scalar):
      let isNull =
        scalar.style == .plain && ["", "~", "null", "Null", "NULL"].contains(scalar.string)
      return SettingsNode(content: isNull ? .nothing : .scalar(scalar.string), origin: origin)
    case .sequence(let sequence):
      var items: [SettingsNode] = []
      for item in sequence { items.append(try Self.node(item, path: path, depth: depth + 1)) }
      return SettingsNode(content: .sequence(items), origin: origin)
    case .mapping(let mapping):
      var entries: [SettingsNode.Entry] = []
      for (key, value) in mapping {
        guard let name = key.scalar?.string else {
          throw SettingsError([.syntax(origin, "a key must be a word")])
        }
        entries.append(
          SettingsNode.Entry(
            key: name, line: key.mark?.line ?? 0,
            value: try Self.node(value, path: path, depth: depth + 1)))
      }
      return SettingsNode(content: .mapping(entries), origin: origin)
    case .alias:
      throw SettingsError([.syntax(origin, "aliases are not supported here")])
    }
  }

  private static func problem(of error: YamlError, path: String) -> SettingsProblem {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      .syntax(.file(path: path, line: mark.line), problem)
    case .duplicatedKeysInMapping(let duplicates, let context):
      .syntax(
        .file(path: path, line: context.mark.line),
        "the key '\(duplicates.sorted().joined(separator: "', '"))' is given twice")
    default: .syntax(.file(path: path, line: 0), "not readable as YAML")
    }
  }
}
