// The repository as the rules see it: paths, texts and tokens. The real one is read from disk once;
// a rule's own test makes one up.

import Foundation

/// One text file.
struct SourceFile: Sendable {
  /// From the root of the repository, with `/`.
  let path: String
  let text: String
  let lines: [Substring]
  /// Empty for files that are not Swift or C.
  let tokens: [Token]
  let isExecutable: Bool

  init(_ path: String, _ text: String, isExecutable: Bool = false) {
    self.path = path
    self.text = text
    self.isExecutable = isExecutable
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    tokens =
      switch path.split(separator: ".").last {
      case "swift": Lexer.tokens(of: text)
      case "c", "h": Lexer.tokens(of: text, language: .c)
      default: []
      }
  }

  /// Tokens without comments.
  var code: [Token] { tokens.filter { $0.kind != .comment } }
  /// The name without folders.
  var name: Substring { path.split(separator: "/").last ?? "" }
  var isSwift: Bool { path.hasSuffix(".swift") }
  var isC: Bool { path.hasSuffix(".c") || path.hasSuffix(".h") }
  var isMarkdown: Bool { path.hasSuffix(".md") }
  /// Whether it is a bash program, by its first line.
  var isScript: Bool { text.hasPrefix("#!") }
  /// `Reactor` for `Sources/Reactor/...`.
  var module: String? {
    let parts = path.split(separator: "/")
    return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
  }
}

/// All text files of a repository.
struct Tree: Sendable {
  let files: [SourceFile]
  private let byPath: [String: Int]
  private let folders: Set<String>

  init(_ files: [SourceFile]) {
    self.files = files.sorted { $0.path < $1.path }
    var byPath: [String: Int] = [:]
    var folders: Set<String> = []
    for (index, file) in self.files.enumerated() {
      byPath[file.path] = index
      var parts = file.path.split(separator: "/").dropLast()
      while !parts.isEmpty {
        folders.insert(parts.joined(separator: "/"))
        parts = parts.dropLast()
      }
    }
    self.byPath = byPath
    self.folders = folders
  }

  init(_ texts: [String: String]) {
    self.init(texts.map { SourceFile($0.key, $0.value) })
  }

  subscript(_ path: String) -> SourceFile? { byPath[path].map { files[$0] } }

  /// Whether a file or folder of that name is there.
  func has(_ path: String) -> Bool {
    let plain = path.hasSuffix("/") ? String(path.dropLast()) : path
    return byPath[plain] != nil || folders.contains(plain)
  }

  /// The Swift and C files under a folder.
  func code(under folders: String...) -> [SourceFile] {
    files.filter { file in
      (file.isSwift || file.isC) && folders.contains { file.path.hasPrefix($0 + "/") }
    }
  }

  /// The documents that people read.
  var documents: [SourceFile] { files.filter(\.isMarkdown) }

  /// The repository that this test was built from.
  static let ours = read(root: root)

  static var root: URL {
    // Symbolic links are followed, so that a package that borrows these folders checks the real
    // tree.
    var folder = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
    for _ in 0..<4 { folder.deleteLastPathComponent() }
    return folder
  }

  private static func read(root: URL) -> Tree {
    let manager = FileManager.default
    var files: [SourceFile] = []
    var waiting = (try? manager.contentsOfDirectory(atPath: root.path)) ?? []
    while let path = waiting.popLast() {
      let full = root.appendingPathComponent(path).path
      let last = path.split(separator: "/").last ?? ""
      // A link leads to files that are read where they live.
      let isLink = (try? manager.destinationOfSymbolicLink(atPath: full)) != nil
      guard !isLeftOut(last), !isLink else { continue }
      var isFolder: ObjCBool = false
      guard manager.fileExists(atPath: full, isDirectory: &isFolder) else { continue }
      if isFolder.boolValue {
        let inside = (try? manager.contentsOfDirectory(atPath: full)) ?? []
        waiting += inside.map { path + "/" + $0 }
      } else if let data = manager.contents(atPath: full), data.count < 1 << 20,
        let text = String(data: data, encoding: .utf8)
      {
        files.append(
          SourceFile(path, text, isExecutable: manager.isExecutableFile(atPath: full)))
      }
    }
    return Tree(files)
  }

  /// Build products, version control and sites made by the quickstart are not sources.
  private static func isLeftOut(_ name: Substring) -> Bool {
    name.hasPrefix(".build") || name == ".git" || name == ".bgb" || name == "Package.resolved"
      || name.hasSuffix(".log")
  }
}
