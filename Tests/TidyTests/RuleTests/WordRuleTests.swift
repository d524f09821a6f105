// The rules of words find each banned word in code, and nowhere else.

import Testing

@Suite("Rules of words")
struct WordRuleTests {
  private func one(_ text: String, _ path: String = "Sources/A/B.swift") -> Tree {
    Tree([path: text])
  }

  @Test(
    "Each banned phrase is found in code and not in comments or strings",
    arguments: BannedWords.phrases.map { $0.tokens.joined() })
  func banned(phrase: String) {
    #expect(BannedWords.banned(one("x \(phrase) y")).count == 1)
    #expect(BannedWords.banned(one("// \(phrase)\nlet x = \"\(phrase)\"")).isEmpty)
  }

  @Test("A negated condition after try is no trap")
  func negation() {
    #expect(BannedWords.banned(one("guard try !isReady() else {}")).isEmpty)
  }

  @Test("fatalError is for main, and for tests")
  func fatal() {
    #expect(BannedWords.banned(one("fatalError(\"x\")")).count == 1)
    #expect(BannedWords.banned(one("fatalError()", "Sources/a/main.swift")).isEmpty)
    #expect(BannedWords.banned(one("fatalError()", "Tests/A/B.swift")).isEmpty)
  }

  @Test(
    "A force unwrap is found", arguments: ["a!", "f()!.b", "a[0]!", "let x: Int!", "a![1]"])
  func unwrap(text: String) {
    #expect(BannedWords.forceUnwrap(one(text)).count == 1)
  }

  @Test(
    "A negation is none", arguments: ["!a", "a != b", "a!=b", "if !a, !b {}", "(!a)", "{ !$0 }"])
  func noUnwrap(text: String) {
    #expect(BannedWords.forceUnwrap(one(text)).isEmpty)
  }

  @Test("Foundation stays in the console and in tests")
  func foundation() {
    let text = "import Foundation\n"
    #expect(BannedWords.foundation(one(text)).count == 1)
    #expect(BannedWords.foundation(one("import FoundationEssentials\n")).count == 1)
    #expect(BannedWords.foundation(one(text, "Sources/BGBConsole/A.swift")).isEmpty)
    #expect(BannedWords.foundation(one(text, "Tests/A/B.swift")).isEmpty)
  }

  @Test("No existential and no actor on the packet path")
  func packetPath() {
    let path = "Sources/Reactor/A.swift"
    #expect(BannedWords.packetPath(one("let a: any P", path)).count == 1)
    #expect(BannedWords.packetPath(one("await a()", path)).count == 1)
    #expect(BannedWords.packetPath(one("a(any: 1); b.any; case .any", path)).isEmpty)
    #expect(BannedWords.packetPath(one("let a: any P", "Sources/BGBManager/A.swift")).isEmpty)
  }

  @Test("A name that says nothing is found, in files and types")
  func names() {
    #expect(BannedWords.names(one("// x", "Sources/A/StringUtils.swift")).count == 1)
    #expect(BannedWords.names(one("// x", "Tests/A/Helpers/X.swift")).count == 1)
    #expect(BannedWords.names(one("final class TaskManager {}")).count == 1)
    #expect(BannedWords.names(one("struct NotificationManager {}\nstruct Manager2 {}")).isEmpty)
  }

  @Test("Leftovers and paths of one machine are found in comments and documents")
  func leftovers() {
    #expect(BannedWords.leftovers(one("// TO" + "DO later")).count == 1)
    #expect(BannedWords.leftovers(one("FIX" + "ME", "docs/A.md")).count == 1)
    #expect(BannedWords.machinePaths(one("see /ho" + "me/someone/x", "docs/A.md")).count == 1)
    #expect(BannedWords.machinePaths(one("see https://x.example/wo" + "rk/", "docs/A.md")).isEmpty)
  }

  @Test("unsafe is found outside its rooms")
  func rooms() {
    let text = "@safe struct A {}\nlet x = unsafe f()\nlet b = \"unsafe\" // unsafe\n"
    #expect(Rooms.unsafeRooms(one(text)).map(\.line) == [1, 2])
    #expect(Rooms.unsafeRooms(one(text, "Sources/Reactor/Kernel/A.swift")).isEmpty)
    #expect(Rooms.unsafeRooms(one(text, "Sources/BGBReport/DropBox.swift")).isEmpty)
  }
}
