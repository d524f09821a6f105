// A rule and what it found. Rules are values, so that one test runs them all over the real tree and
// another runs each over a made-up one.

import Testing

/// One fault at one place.
struct Finding: Sendable, Equatable, CustomStringConvertible {
  var path: String
  var line: Int
  var message: String

  init(_ path: String, _ line: Int, _ message: String) {
    self.path = path
    self.line = line
    self.message = message
  }

  var description: String { "\(path):\(line): \(message)" }
}

/// One rule of docs/STYLE.md.
struct Rule: Sendable, CustomTestStringConvertible {
  /// The word that an exception names.
  var name: String
  var check: @Sendable (Tree) -> [Finding]
  var testDescription: String { name }

  init(_ name: String, _ check: @escaping @Sendable (Tree) -> [Finding]) {
    self.name = name
    self.check = check
  }

  static let all: [Rule] =
    Sizes.rules + Layers.rules + BannedWords.rules + Rooms.rules + Coverage.rules
    + Messages.rules + Documents.rules + Scripts.rules
}

/// One fault that stays, and why.
struct Exception: Sendable {
  var rule: String
  /// A file, or a folder with a slash at its end.
  var path: String
  /// A part of the finding's message; empty allows the rule's every finding there.
  var about: String
  var reason: String

  init(_ rule: String, _ path: String, about: String = "", because reason: String) {
    self.rule = rule
    self.path = path
    self.about = about
    self.reason = reason
  }

  func allows(_ finding: Finding, of rule: Rule) -> Bool {
    guard rule.name == self.rule, about.isEmpty || finding.message.contains(about) else {
      return false
    }
    return finding.path == path || path.hasSuffix("/") && finding.path.hasPrefix(path)
  }
}
