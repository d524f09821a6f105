// The rules of documents and coverage find what is missing, misquoted or gone.

import Testing

@Suite("Rules of documents, messages and coverage")
struct DocumentRuleTests {
  @Test("A path that is not in the tree is found; a folder, a module and a link are known")
  func paths() {
    let tree = Tree([
      "Sources/Reactor/Loop.swift": "// See docs/GONE.md and docs/A.md.\nlet x = \"docs/NO.md\"",
      "docs/A.md": """
      `Sources/Reactor/Loop.swift`, [loop](../Sources/Reactor/Loop.swift#L3), Sources/Reactor/,
      Reactor/Loop, Reactor/Pool.swift. And/or are words, `scripts/check --fast` is a path.
      """,
    ])
    #expect(
      Documents.paths(tree).map(\.message) == [
        "docs/GONE.md is not in the tree", "Sources/Reactor/Pool.swift is not in the tree",
        "scripts/check is not in the tree",
      ])
  }

  @Test("A limit that is quoted wrongly or does not exist is found")
  func limits() {
    let tree = Tree([
      Documents.limitFile: """
      public static let frames = 65_535
      public static let bytes: UInt32 = 2 << 10
      public static let sum = 119 + 8 * (2 + 32)
      """,
      "docs/A.md": """
      `Limits.frames = 65,535` and `Limits.frames` = 65,536.
      | `Limits.bytes` | 2048 | bytes |
      | `Limits.sum` | 390 | bytes |
      Limits.gone is not there, Sources/BGBModel/Limits.swift is.
      """,
    ])
    #expect(
      Documents.limits(tree).map(\.message) == [
        "Limits.frames is 65535, not 65536", "Limits.sum is 391, not 390",
        "Limits.gone does not exist",
      ])
  }

  @Test("A message without golden bytes or row is found")
  func messages() {
    let kinds = "enum MessageKind: UInt8 {\n  case signIn = 0x01\n  case welcome = 0x02\n}\n"
    let samples = """
      S(message: .signIn(A(b: 1)), hex: "0100")
      S(message: .welcome(A()), hex: "0300")
      """
    let document = "| `0x01` | SignIn | agent |\n\n    0100\n"
    let found = Messages.messages(
      Tree([
        Messages.kindFile: kinds, Messages.sampleFile: samples, Messages.protocolFile: document,
      ]))
    #expect(found.map(\.line) == [3, 3])
    #expect(found.first?.message.contains("no golden bytes") == true)
    #expect(found.last?.message.contains("no row") == true)
  }

  @Test("A client action without its row is found")
  func actions() {
    let code = """
      enum ClientAction: UInt16 {
        case quickScan = 2
        case restart = 17
        var name: String { "quick-scan" + "restart" }
      }
      """
    let found = Messages.actions(
      Tree([Messages.actionFile: code, Messages.actionDocument: "| 2 | `quick-scan` | x |\n"]))
    #expect(found.map(\.message) == ["restart (17) has no row in docs/OPERATING.md"])
  }

  @Test("A library without tests and a file that no test names are found")
  func coverage() {
    let tree = Tree([
      "Package.swift": "library(\"Reactor\", [])\nlibrary(\"BGBModel\", [])",
      "Sources/Reactor/Loop.swift": "final class Loop {}",
      "Sources/Reactor/Gone.swift": "struct Gone {}",
      "Sources/BGBModel/A.swift": "struct A {}",
      "Tests/ReactorTests/LoopTests.swift": "@Test func a() { Loop() } // Gone",
    ])
    #expect(Coverage.testsFolder(tree).map(\.message) == ["Tests/BGBModelTests has no @Test"])
    #expect(
      Coverage.namedByATest(tree).map(\.path) == [
        "Sources/BGBModel/A.swift", "Sources/Reactor/Gone.swift",
      ])
  }

  @Test("A script without its manners is found")
  func scripts() {
    let good = "#!/usr/bin/env bash\n# A.\nset -euo pipefail\n[ --help ]\n"
    let tree = Tree([
      SourceFile("scripts/good", good, isExecutable: true), SourceFile("scripts/a", good),
      SourceFile("scripts/b", "#!/usr/bin/env bash\n", isExecutable: true),
    ])
    #expect(Scripts.scripts(tree).map(\.path) == ["scripts/a", "scripts/b", "scripts/b"])
  }

  @Test("An exception allows what it names and nothing else")
  func exceptions() {
    let rule = Rule("columns") { _ in [] }
    let folder = Exception("columns", "docs/", about: "101", because: "")
    #expect(folder.allows(Finding("docs/A.md", 1, "101 columns"), of: rule))
    #expect(!folder.allows(Finding("docs/A.md", 1, "102 columns"), of: rule))
    #expect(!folder.allows(Finding("README.md", 1, "101 columns"), of: rule))
    #expect(!folder.allows(Finding("docs/A.md", 1, "101"), of: Rule("paths") { _ in [] }))
  }
}
