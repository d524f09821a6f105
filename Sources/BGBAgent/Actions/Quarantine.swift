// Files taken away from where they could do harm, with what is needed to put them back: one file
// for the content, which nobody may execute, and one beside it that says where it came from.

/// One file in quarantine.
struct QuarantinedItem: Equatable {
  /// Its name here, which an operator gives to have it back.
  var name: String
  /// Where it was.
  var path: String
  /// What was found in it.
  var threat: String
  /// Its mode there.
  var mode: UInt32
  /// Its owner there.
  var user: UInt32
  /// Its group there.
  var group: UInt32

  /// The text of the file beside the content; the path last, for it may hold anything but a NUL.
  var text: String {
    "threat=\(threat)\nmode=\(String(mode, radix: 8))\nuser=\(user)\ngroup=\(group)\npath=\(path)"
  }

  init(name: String, path: String, threat: String, mode: UInt32, user: UInt32, group: UInt32) {
    self.name = name
    self.path = path
    self.threat = threat
    self.mode = mode
    self.user = user
    self.group = group
  }

  /// Reads the text; nil when it is not whole.
  init?(name: String, text: String) {
    let parts = text.split(separator: "\n", maxSplits: 4, omittingEmptySubsequences: false)
    func value(_ index: Int, _ key: String) -> Substring? {
      guard index < parts.count, parts[index].hasPrefix(key + "=") else { return nil }
      return parts[index].dropFirst(key.count + 1)
    }
    guard let threat = value(0, "threat"),
      let mode = value(1, "mode").flatMap({ UInt32($0, radix: 8) }),
      let user = value(2, "user").flatMap({ UInt32($0) }),
      let group = value(3, "group").flatMap({ UInt32($0) }), let path = value(4, "path"),
      path.hasPrefix("/")
    else { return nil }
    self.init(
      name: name, path: String(path), threat: String(threat), mode: mode, user: user,
      group: group)
  }
}

/// A folder of quarantined files.
struct Quarantine {
  let folder: String

  /// Where candidates lie under names of ours until they were looked at again.
  var stageFolder: String { "\(folder)/stage" }

  /// Puts a candidate's content on the stage; nil for what is no regular file or vanished.
  func stage(_ path: String) -> String? {
    guard let owner = SystemFacts.ownership(of: path), owner.isRegularFile else { return nil }
    do throws(FileError) {
      try AgentFile.makeFolder(stageFolder)
      let name = "q-" + String(UInt64.random(in: .min ... .max), radix: 16)
      try AgentFile.duplicate(path, as: "\(stageFolder)/\(name)")
      return name
    } catch {
      return nil
    }
  }

  /// Empties the stage.
  func clearStage() {
    for name in AgentFile.names(in: stageFolder) { AgentFile.remove("\(stageFolder)/\(name)") }
  }

  /// Moves what lies on the stage into quarantine and removes it from its place.
  func take(
    _ name: String, from path: String, threat: String
  ) throws(FileError) -> QuarantinedItem {
    let owner = SystemFacts.ownership(of: path)
    let item = QuarantinedItem(
      name: name, path: path, threat: threat, mode: owner?.mode ?? 0o600, user: owner?.user ?? 0,
      group: owner?.group ?? 0)
    // First the knowledge, then the move: a crash between leaves a file that can still be
    // explained.
    try AgentFile.replace("\(folder)/\(name).item", with: Array(item.text.utf8))
    try AgentFile.move("\(stageFolder)/\(name)", to: "\(folder)/\(name)")
    AgentFile.remove(path)
    try? SystemFacts.restoreOwnership(
      of: "\(folder)/\(name)", mode: 0o400, user: SystemFacts.ownUser, group: SystemFacts.ownGroup)
    return item
  }

  /// Everything in quarantine.
  func items() -> [QuarantinedItem] {
    AgentFile.names(in: folder).compactMap { file in
      guard file.hasSuffix(".item"), let text = AgentFile.text("\(folder)/\(file)") else {
        return nil
      }
      return QuarantinedItem(name: String(file.dropLast(".item".count)), text: text)
    }
  }

  /// Puts back one item by its name, or every item of a threat.
  func restore(_ wanted: String) throws(FileError) -> ActionResult {
    let matches = items().filter { item in
      item.name == wanted || ScannerLists.plain(item.threat) == ScannerLists.plain(wanted)
    }
    guard !matches.isEmpty else { return .failed("nothing in quarantine is called \(wanted)") }
    for item in matches {
      let content = "\(folder)/\(item.name)"
      // Never over a file that took the place meanwhile.
      try AgentFile.duplicate(content, as: item.path)
      try SystemFacts.restoreOwnership(
        of: item.path, mode: item.mode, user: item.user, group: item.group)
      AgentFile.remove(content)
      AgentFile.remove("\(content).item")
    }
    return .succeeded(
      matches.map { "\($0.path) is back in its place" }.joined(separator: "\n"))
  }
}
