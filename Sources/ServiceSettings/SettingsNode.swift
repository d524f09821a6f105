// The tree of a configuration, free of the YAML library, with the line of every value.

/// One value with its place.
struct SettingsNode {
  enum Content {
    case scalar(String)
    case nothing
    case sequence([SettingsNode])
    case mapping([Entry])
  }

  struct Entry {
    var key: String
    var line: Int
    var value: SettingsNode
  }

  var content: Content
  var origin: SettingOrigin

  /// What a person would call it, for messages.
  var shown: String {
    switch content {
    case .scalar(let text): text
    case .nothing: ""
    case .sequence: "a list"
    case .mapping: "a group of keys"
    }
  }

  /// The same value, said to come from elsewhere.
  func placed(at origin: SettingOrigin) -> SettingsNode {
    switch content {
    case .scalar, .nothing: SettingsNode(content: content, origin: origin)
    case .sequence(let items):
      SettingsNode(content: .sequence(items.map { $0.placed(at: origin) }), origin: origin)
    case .mapping(let entries):
      SettingsNode(
        content: .mapping(
          entries.map { Entry(key: $0.key, line: 0, value: $0.value.placed(at: origin)) }),
        origin: origin)
    }
  }
}
