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
}
