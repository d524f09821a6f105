// The lexer tells code from comments and strings, or every rule would be guessing.

import Testing

@Suite("Lexer")
struct LexerTests {
  private func words(_ text: String) -> [String] {
    Lexer.tokens(of: text).filter { $0.kind == .word }.map(\.text)
  }

  @Test("Comments are not code, nested ones neither")
  func comments() {
    #expect(words("a // unsafe\nb /* c /* d */ e */ f") == ["a", "b", "f"])
  }

  @Test("Strings are not code, whatever they contain")
  func strings() {
    #expect(words(#"a "// b" c "\" d" e"#) == ["a", "c", "e"])
    #expect(words("a \"\"\"\nlet b = \"c\"\n\"\"\" d") == ["a", "d"])
    #expect(words("a #\"b \\(c) \" d\"# e") == ["a", "e"])
  }

  @Test("Interpolations are code, also with strings inside")
  func interpolations() {
    #expect(words(#""a \(b(")")) c" d"#) == ["b", "d"])
    #expect(words("#\"a \\#(b) c\"# d") == ["b", "d"])
  }

  @Test("Lines are counted through comments and literals")
  func lines() {
    let tokens = Lexer.tokens(of: "/*\n\n*/ a\n\"\"\"\n\n\"\"\" b\n// c\nd")
    let found = tokens.filter { $0.kind == .word }.map { "\($0.text)\($0.line)" }
    #expect(found == ["a3", "b6", "d8"])
  }

  @Test("The text of a literal stands before its interpolations")
  func textOrder() {
    let tokens = Lexer.tokens(of: #"f("a\(b)c", d)"#)
    #expect(tokens.map(\.text) == ["f", "(", "ac", "b", ",", "d", ")"])
  }

  @Test("A character of C is no string")
  func characters() {
    let tokens = Lexer.tokens(of: "a('\"'); b", language: .c)
    #expect(tokens.filter { $0.kind == .word }.map(\.text) == ["a", "b"])
  }
}
