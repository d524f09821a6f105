// Every library has tests, and every source file is named by one: something that it declares
// appears in the code of a test. That proves little about the test, but it shows at once what
// nobody looks at.

enum Coverage {
  static let rules = [
    Rule("tests-folder", testsFolder), Rule("named-by-a-test", namedByATest),
  ]

  static func testsFolder(_ tree: Tree) -> [Finding] {
    guard let manifest = tree["Package.swift"] else { return [] }
    return Layers.targets(of: manifest).filter { $0.kind == .library }.compactMap { target in
      let hasSwift = tree.code(under: "Sources/" + target.name).contains(where: \.isSwift)
      guard hasSwift else { return nil }
      let tests = tree.code(under: "Tests/\(target.name)Tests") + besides(target.name, tree)
      let hasTest = tests.contains { file in
        let code = file.code
        return code.indices.contains { BannedWords.isAt($0, ["@", "Test"], code) }
      }
      guard !hasTest else { return nil }
      return Finding(manifest.path, target.line, "Tests/\(target.name)Tests has no @Test")
    }
  }

  /// A back end is tested by the contract suite of its seam.
  private static func besides(_ name: String, _ tree: Tree) -> [SourceFile] {
    name.hasPrefix("SiteDatabase") ? tree.code(under: "Tests/SiteDatabaseTests") : []
  }

  static func namedByATest(_ tree: Tree) -> [Finding] {
    var words: Set<String> = []
    for file in tree.code(under: "Tests") where !file.path.hasPrefix("Tests/TidyTests/") {
      for token in file.tokens where token.kind == .word { words.insert(token.text) }
    }
    return tree.code(under: "Sources").filter(\.isSwift).compactMap { file in
      guard file.name != "main.swift", file.name != "Placeholder.swift" else { return nil }
      guard declared(in: file).isDisjoint(with: words) else { return nil }
      return Finding(file.path, 1, "no test names anything that it declares")
    }
  }

  /// Types, functions and the extended type of a file.
  static func declared(in file: SourceFile) -> Set<String> {
    let code = file.code
    let kinds: Set<String> = [
      "struct", "class", "enum", "protocol", "actor", "typealias", "func", "extension",
    ]
    var names: Set<String> = []
    for index in code.indices.dropLast()
    where code[index].kind == .word && kinds.contains(code[index].text) {
      if code[index + 1].kind == .word { names.insert(code[index + 1].text) }
    }
    return names
  }
}
