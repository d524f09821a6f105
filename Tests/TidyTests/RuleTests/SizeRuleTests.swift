// Each size rule finds its fault, just over the limit and not at it.

import Testing

@Suite("Rules of size")
struct SizeRuleTests {
  private func file(lines: Int) -> Tree {
    Tree(["Sources/A/B.swift": String(repeating: "// x\n", count: lines)])
  }

  private func function(lines: Int, _ head: String) -> Tree {
    let body = String(repeating: "  x()\n", count: lines - 2)
    return Tree(["Sources/A/B.swift": head + " {\n" + body + "}\n"])
  }

  @Test("500 lines are a file, 501 are two")
  func fileLines() {
    #expect(Sizes.fileLines(file(lines: 500)).isEmpty)
    #expect(Sizes.fileLines(file(lines: 501)).count == 1)
  }

  @Test(
    "70 lines are a function, 71 are too many",
    arguments: [
      "func a()", "init?(a: [Int] = { [1] }())", "deinit", "subscript(a: Int) -> Int",
      "func a<T>(_ x: T) throws(E) -> (Int, Int) where T: Sendable", "var a: Int",
    ])
  func functionLines(head: String) {
    #expect(Sizes.functionLines(function(lines: 70, head)).isEmpty)
    #expect(Sizes.functionLines(function(lines: 71, head)).count == 1)
  }

  @Test("Calls, requirements and stored properties have no body")
  func noBody() {
    let text = """
      protocol P {
        func a() -> Int
        var b: Int { get }
      }
      struct S {
        var c: Int
        var d = { 1 }
        init() { self.init(c: 1) }
      }
      """
    let found = Sizes.swiftFunctions(Lexer.tokens(of: text))
    #expect(found.map(\.name) == ["b", "init"])
  }

  @Test("A function of C is an outermost brace after a parenthesis")
  func cFunctions() {
    let text = "struct s { int a; };\nint f(void) {\n  if (1) {\n  }\n}\n"
    let found = Sizes.cFunctions(Lexer.tokens(of: text, language: .c))
    #expect(found == [Sizes.Function(name: "void", line: 2, lines: 4)])
  }

  @Test("100 columns fit, 101 do not; letters are counted, not bytes")
  func columns() {
    let fits = "// " + String(repeating: "ß", count: 97)
    #expect(Sizes.columns(Tree(["Sources/A/B.swift": fits])).isEmpty)
    #expect(Sizes.columns(Tree(["Sources/A/B.swift": fits + "x"])).count == 1)
  }

  @Test("The first line is a comment, in a script the second")
  func firstComment() {
    let found = Sizes.firstComment(
      Tree([
        "Sources/A/Good.swift": "// Says it.\n", "Sources/A/Bad.swift": "import A\n",
        "scripts/good": "#!/usr/bin/env bash\n# Says it.\n",
        "scripts/bad": "#!/usr/bin/env bash\nset -e\n",
      ]))
    #expect(found.map(\.path) == ["Sources/A/Bad.swift", "scripts/bad"])
  }
}
